// Attributes of the kernel's devices, as sysfs shows them: short texts, which a
// device that goes away takes with it, also between two calls.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace famfs {

/// The first line of an attribute, without blanks around it. Nothing when there
/// is no such attribute, or it cannot be read.
std::optional<std::string> ReadAttribute(const std::string& path);

/// A number as the kernel writes them: decimal, or hexadecimal after "0x".
/// Nothing for any other text, also an empty one, and what is too large.
std::optional<std::uint64_t> ParseKernelNumber(std::string_view text);
/// Both.
std::optional<std::uint64_t> ReadNumber(const std::string& path);

/// The last component of where a link leads; empty when there is no such link.
std::string LinkName(const std::string& path);

/// The names in a directory, sorted as people count (dax2.0 before dax10.0);
/// none when there is no such directory.
std::vector<std::string> NamesIn(const std::string& directory);

/// Of two names: whether the first one comes before, numbers in them taken as
/// such.
bool IsCountedBefore(std::string_view one, std::string_view other);

}  // namespace famfs
