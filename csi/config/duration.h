// Durations as text, as the configuration and flags give them.
#pragma once

#include <chrono>
#include <string_view>

#include "base/status.h"

namespace famfs::csi {

/// A whole number with its unit: "500ms", "10s", "5m", "1h". InvalidArgument
/// for anything else, for 0 and for more than 24 hours. absl::ParseDuration
/// would take "1.5h", "10us" and "inf", too, which the documentation refuses.
absl::StatusOr<std::chrono::milliseconds> ParseDuration(std::string_view text);

}  // namespace famfs::csi
