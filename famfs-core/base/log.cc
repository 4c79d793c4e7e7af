#include "base/log.h"

#include <spdlog/formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <ctime>
#include <memory>
#include <string_view>
#include <utility>

#include "base/text.h"

namespace famfs {
namespace {

// "2026-01-31T10:00:00.123Z"
std::string UtcTime(spdlog::log_clock::time_point time) {
  using std::chrono::milliseconds;
  const std::time_t seconds = spdlog::log_clock::to_time_t(time);
  std::tm utc = {};
  ::gmtime_r(&seconds, &utc);
  const auto ms =
      std::chrono::duration_cast<milliseconds>(time.time_since_epoch())
          .count() %
      1000;
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
                     utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                     utc.tm_hour, utc.tm_min, utc.tm_sec, ms);
}

// Of a text on one line, which holds no control character.
std::string JsonString(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

class LineFormatter final : public spdlog::formatter {
 public:
  LineFormatter(std::string program, LogFormat format)
      : program_(std::move(program)), format_(format) {}

  void format(const spdlog::details::log_msg& message,
              spdlog::memory_buf_t& out) override {
    const std::string text =
        PrintableLine({message.payload.data(), message.payload.size()});
    const auto name = spdlog::level::to_string_view(message.level);
    const std::string_view level(name.data(), name.size());
    const std::string line =
        format_ == LogFormat::kText
            ? fmt::format("{} {:<7} {}: {}\n", UtcTime(message.time), level,
                          program_, text)
            : fmt::format(
                  "{{\"time\":\"{}\",\"level\":\"{}\",\"program\":{},"
                  "\"message\":{}}}\n",
                  UtcTime(message.time), level, JsonString(program_),
                  JsonString(text));
    out.append(line.data(), line.data() + line.size());
  }

  [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<LineFormatter>(program_, format_);
  }

 private:
  const std::string program_;
  const LogFormat format_;
};

}  // namespace

void SetUpLog(const std::string& program, LogFormat format,
              const std::string& level) {
  auto logger = std::make_shared<spdlog::logger>(
      program, std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_formatter(std::make_unique<LineFormatter>(program, format));
  logger->set_level(spdlog::level::from_str(level));
  logger->set_error_handler([](const std::string&) {});
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace famfs
