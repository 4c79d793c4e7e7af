// The server's log: lines on stderr, for people or as JSON objects (time,
// level, program, message), the same two forms as the driver's programs.
#pragma once

#include <string>

namespace famfs {

enum class LogFormat { kText, kJson };

/// `level`: a spdlog name ("debug", "info", ...). Never throws when stderr is
/// closed.
void SetUpLog(LogFormat format, const std::string& level);

}  // namespace famfs
