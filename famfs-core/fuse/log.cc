#include "fuse/log.h"

#include <spdlog/formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <ctime>
#include <memory>
#include <nlohmann/json.hpp>
#include <string_view>

namespace famfs {
namespace {

constexpr std::string_view kProgram = "famfs-fused";

// "2026-01-31T10:00:00.123Z"
std::string UtcTime(spdlog::log_clock::time_point time) {
  const std::time_t seconds = spdlog::log_clock::to_time_t(time);
  std::tm utc = {};
  ::gmtime_r(&seconds, &utc);
  const auto since = time.time_since_epoch();
  const auto ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(since).count() %
      1000;
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
                     utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                     utc.tm_hour, utc.tm_min, utc.tm_sec, ms);
}

class LineFormatter final : public spdlog::formatter {
 public:
  explicit LineFormatter(LogFormat format) : format_(format) {}

  void format(const spdlog::details::log_msg& message,
              spdlog::memory_buf_t& out) override {
    const std::string_view text(message.payload.data(), message.payload.size());
    const auto view = spdlog::level::to_string_view(message.level);
    const std::string_view level(view.data(), view.size());
    std::string line;
    if (format_ == LogFormat::kText) {
      line = fmt::format("{} {:<7} {}: {}\n", UtcTime(message.time), level,
                         kProgram, text);
    } else {
      const nlohmann::ordered_json object = {{"time", UtcTime(message.time)},
                                             {"level", level},
                                             {"program", kProgram},
                                             {"message", text}};
      // A message that is not UTF-8 must not cost the line.
      line = object.dump(-1, ' ', false,
                         nlohmann::ordered_json::error_handler_t::replace);
      line += '\n';
    }
    out.append(line.data(), line.data() + line.size());
  }

  [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<LineFormatter>(format_);
  }

 private:
  LogFormat format_;
};

}  // namespace

void SetUpLog(LogFormat format, const std::string& level) {
  auto logger = std::make_shared<spdlog::logger>(
      std::string(kProgram), std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_formatter(std::make_unique<LineFormatter>(format));
  logger->set_level(spdlog::level::from_str(level));
  logger->set_error_handler([](const std::string&) {});
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace famfs
