// Owners and modes as text: the same in the configuration and in a
// StorageClass.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/status.h"

namespace famfs::csi {

/// A uid or gid: decimal, 0 to 4294967294 (-1 means "leave it" to chown).
absl::StatusOr<std::uint32_t> ParseOwnerId(std::string_view text);
/// Permission bits: octal, 0 to 0777.
absl::StatusOr<std::uint32_t> ParseMode(std::string_view text);

}  // namespace famfs::csi
