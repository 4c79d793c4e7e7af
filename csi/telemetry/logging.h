// The log (base/log.h), set up from the configuration. gRPC's own messages take
// the same way.
#pragma once

#include <cstdint>
#include <string>

#include "csi/config/config.h"

namespace famfs::csi {

/// Call once, at the start of main.
void SetUpLogging(const LogSection& log, const std::string& program);

/// How many lines of each level were logged since SetUpLogging.
struct LoggedLines {
  std::uint64_t warnings = 0;
  std::uint64_t errors = 0;
};
LoggedLines GetLoggedLines();

}  // namespace famfs::csi
