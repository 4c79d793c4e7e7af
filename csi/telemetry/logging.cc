#include "csi/telemetry/logging.h"

#include <grpc/support/log.h>
#include <spdlog/sinks/sink.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <chrono>
#include <memory>

#include "csi/rpc/log_rate.h"

namespace famfs::csi {
namespace {

const char* NameOf(LogLevel level) {
  switch (level) {
    case LogLevel::kTrace:
      return "trace";
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "info";
}

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

// gRPC has a log of its own: its lines take the same way as ours. Its errors
// may be whatever a stranger makes happen.
void LogForGrpc(gpr_log_func_args* args) {
  if (args->severity != GPR_LOG_SEVERITY_ERROR) {
    spdlog::debug("gRPC: {}", args->message);
    return;
  }
  static LogRate rate(10, std::chrono::seconds(1));
  if (const auto held_back = rate.Pass()) {
    spdlog::warn("gRPC: {}{}", args->message, LogRate::Told(*held_back));
  }
}

}  // namespace

void SetUpLogging(const LogSection& log, const std::string& program) {
  SetUpLog(program, log.format, NameOf(log.level));
  spdlog::default_logger()->sinks().push_back(std::make_shared<CountingSink>());
  gpr_set_log_function(LogForGrpc);
}

LoggedLines GetLoggedLines() {
  return {.warnings = warnings_logged, .errors = errors_logged};
}

}  // namespace famfs::csi
