// UTF-8: is it, and what to do with bytes that are not.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace famfs::csi {

/// RFC 3629: no overlong forms, no surrogates, nothing beyond U+10FFFF.
bool IsValidUtf8(std::string_view text);

/// Each wrong byte becomes '?', and the text ends at a character's border
/// within `limit` bytes.
std::string CleanUtf8(std::string_view text, std::size_t limit);

/// CleanUtf8 with control characters as "\n", "\x1b": one line, whatever a
/// caller has put into a name.
std::string Printable(std::string_view text, std::size_t limit = 1024);

}  // namespace famfs::csi
