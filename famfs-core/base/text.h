// Text from outside (names, paths, messages of others) as text to show: is it
// UTF-8, and what of it may reach a terminal or a log.
//
// Shown as it is: every character of valid UTF-8 that has a shape. Shown as
// escapes: controls (C0, DEL, C1), line and paragraph separators, characters
// without a shape that change what others look like (bidirectional overrides,
// zero-width ones, tags), and bytes that are no UTF-8.
#pragma once

#include <absl/strings/string_view.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace famfs {

inline constexpr std::size_t kNoTextLimit = static_cast<std::size_t>(-1);

/// RFC 3629: no overlong forms, no surrogates, nothing beyond U+10FFFF.
bool IsValidUtf8(std::string_view text);

/// A name, a path, a value: "\n", "\x1b", "\xe2\x80\xae" (one \xNN a byte) for
/// what is not shown, "\\" for a backslash, so that no two texts look alike.
/// Valid UTF-8 on one line, of at most `limit` bytes.
std::string Printable(std::string_view text, std::size_t limit = kNoTextLimit);

/// A whole message: the same, but a backslash stays as it is, since the names
/// in it are escaped already. Given what it has returned, it changes nothing.
std::string PrintableLine(std::string_view message,
                          std::size_t limit = kNoTextLimit);

/// A message of several lines for a terminal: each line as PrintableLine.
std::string PrintableLines(std::string_view message);

/// Debian's abseil has a string_view of its own (base/status.h): for lookups in
/// its containers.
inline absl::string_view Abseil(std::string_view text) {
  return {text.data(), text.size()};
}

}  // namespace famfs
