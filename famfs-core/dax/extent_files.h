// The names in extents/ of an emulated device (dax/emulated.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace famfs {

/// "200000" for 2 MiB.
std::string ExtentName(std::uint64_t offset);
/// The offset that an extent's name stands for: lower-case hexadecimal without
/// a prefix or leading zeros. Nothing for any other name.
std::optional<std::uint64_t> ParseExtentName(std::string_view name);

/// A fresh name for an extent that is being made: ".200000.UUID".
std::string UnfinishedExtentName(std::uint64_t offset);
bool IsUnfinishedExtentName(std::string_view name);

/// What is in a directory but "." and "..", in no order.
absl::StatusOr<std::vector<std::string>> ListDirectory(
    const std::string& directory);

}  // namespace famfs
