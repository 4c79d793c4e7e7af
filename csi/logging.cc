#include "csi/logging.h"

#include <grpc/support/log.h>
#include <spdlog/formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <chrono>
#include <ctime>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "csi/utf8.h"

namespace famfs::csi {
namespace {

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kTrace:
      return spdlog::level::trace;
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

// "2026-01-31T10:00:00.123Z"
std::string UtcTime(spdlog::log_clock::time_point time) {
  using std::chrono::milliseconds;
  const std::time_t seconds = spdlog::log_clock::to_time_t(time);
  std::tm utc = {};
  gmtime_r(&seconds, &utc);
  const auto ms =
      std::chrono::duration_cast<milliseconds>(time.time_since_epoch())
          .count() %
      1000;
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
                     utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                     utc.tm_hour, utc.tm_min, utc.tm_sec, ms);
}

class Formatter final : public spdlog::formatter {
 public:
  Formatter(LogFormat format, std::string program)
      : format_(format), program_(std::move(program)) {}

  void format(const spdlog::details::log_msg& message,
              spdlog::memory_buf_t& out) override {
    const std::string_view text(message.payload.data(), message.payload.size());
    const auto level = spdlog::level::to_string_view(message.level);
    const std::string_view level_name(level.data(), level.size());
    std::string line;
    if (format_ == LogFormat::kText) {
      line = fmt::format("{} {:<7} {}: {}\n", UtcTime(message.time), level_name,
                         program_, text);
    } else {
      const nlohmann::ordered_json object = {{"time", UtcTime(message.time)},
                                             {"level", level_name},
                                             {"program", program_},
                                             {"message", text}};
      // A message that is not UTF-8 must not cost the line.
      line = object.dump(-1, ' ', false,
                         nlohmann::ordered_json::error_handler_t::replace);
      line += '\n';
    }
    out.append(line.data(), line.data() + line.size());
  }

  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<Formatter>(format_, program_);
  }

 private:
  LogFormat format_;
  std::string program_;
};

std::atomic<std::uint64_t> warnings_logged = 0;
std::atomic<std::uint64_t> errors_logged = 0;

// Writes nothing.
class CountingSink final : public spdlog::sinks::sink {
 public:
  void log(const spdlog::details::log_msg& message) override {
    if (message.level == spdlog::level::warn) ++warnings_logged;
    if (message.level >= spdlog::level::err) ++errors_logged;
  }
  void flush() override {}
  void set_pattern(const std::string& /*pattern*/) override {}
  void set_formatter(
      std::unique_ptr<spdlog::formatter> /*formatter*/) override {}
};

// gRPC has a log of its own: its lines take the same way as ours.
void LogForGrpc(gpr_log_func_args* args) {
  const auto level = args->severity == GPR_LOG_SEVERITY_ERROR
                         ? spdlog::level::warn
                         : spdlog::level::debug;
  spdlog::log(level, "gRPC: {}", Printable(args->message));
}

}  // namespace

void SetUpLogging(const LogSection& log, const std::string& program) {
  const spdlog::sinks_init_list sinks = {
      std::make_shared<spdlog::sinks::stderr_sink_mt>(),
      std::make_shared<CountingSink>()};
  auto logger = std::make_shared<spdlog::logger>(program, sinks);
  logger->set_formatter(std::make_unique<Formatter>(log.format, program));
  logger->set_level(ToSpdlog(log.level));
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
  gpr_set_log_function(LogForGrpc);
}

LoggedLines GetLoggedLines() {
  return {.warnings = warnings_logged, .errors = errors_logged};
}

}  // namespace famfs::csi
