// The log of every program: spdlog's default logger, which writes to stderr.
// One message is one line, whatever names are in it (base/text.h).
//
//   text  2026-01-31T10:00:00.123Z warning famfs-fused: the message
//   json  {"time":"2026-01-31T10:00:00.123Z","level":"warning",
//          "program":"famfs-fused","message":"the message"}
#pragma once

#include <string>

namespace famfs {

enum class LogFormat { kText, kJson };

/// `level`: "trace", "debug", "info", "warning" or "error". Once, at the start
/// of main. Logging never throws, also when stderr is closed.
void SetUpLog(const std::string& program, LogFormat format,
              const std::string& level);

}  // namespace famfs
