#include "csi/logging.h"

#include <grpc/support/log.h>
#include <spdlog/sinks/sink.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>

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

// gRPC has a log of its own: its lines take the same way as ours.
void LogForGrpc(gpr_log_func_args* args) {
  const auto level = args->severity == GPR_LOG_SEVERITY_ERROR
                         ? spdlog::level::warn
                         : spdlog::level::debug;
  spdlog::log(level, "gRPC: {}", args->message);
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
