#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>

namespace famfs {
namespace {

struct CodeRange {
  char32_t first;
  char32_t last;
};

// Without a shape of their own, in ascending order: Unicode's categories Cc,
// Cf, Zl and Zp, and the non-characters of the first plane.
constexpr std::array kUnshown = {
    CodeRange{0x00, 0x1f},       CodeRange{0x7f, 0x9f},
    CodeRange{0xad, 0xad},       CodeRange{0x600, 0x605},
    CodeRange{0x61c, 0x61c},     CodeRange{0x6dd, 0x6dd},
    CodeRange{0x70f, 0x70f},     CodeRange{0x890, 0x891},
    CodeRange{0x8e2, 0x8e2},     CodeRange{0x115f, 0x1160},
    CodeRange{0x180b, 0x180f},   CodeRange{0x200b, 0x200f},
    CodeRange{0x2028, 0x202e},   CodeRange{0x2060, 0x206f},
    CodeRange{0x3164, 0x3164},   CodeRange{0xfdd0, 0xfdef},
    CodeRange{0xfeff, 0xfeff},   CodeRange{0xfff0, 0xfffb},
    CodeRange{0xfffe, 0xffff},   CodeRange{0x110bd, 0x110bd},
    CodeRange{0x110cd, 0x110cd}, CodeRange{0x13430, 0x1343f},
    CodeRange{0x1bca0, 0x1bca3}, CodeRange{0x1d173, 0x1d17a},
    CodeRange{0xe0000, 0xe0fff},
};

bool IsShown(char32_t code) {
  const auto* range = std::lower_bound(
      kUnshown.begin(), kUnshown.end(), code,
      [](const CodeRange& before, char32_t c) { return before.last < c; });
  return range == kUnshown.end() || code < range->first;
}

struct Character {
  std::size_t length;  // bytes; 0: no valid UTF-8 here
  char32_t code;
};

Character CharacterAt(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return static_cast<unsigned char>(text[i]);
  };
  const unsigned char lead = byte(at);
  if (lead < 0x80) return {1, lead};
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || at + length > text.size()) return {0, 0};
  char32_t code = lead & (0xffU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xc0) != 0x80) return {0, 0};
    code = (code << 6) | (byte(at + i) & 0x3fU);
  }
  const bool overlong =
      (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  const bool surrogate = code >= 0xd800 && code <= 0xdfff;
  if (overlong || surrogate || code > 0x10ffff) return {0, 0};
  return {length, code};
}

std::string Escaped(std::string_view bytes) {
  if (bytes == "\n") return "\\n";
  std::string text;
  for (const char c : bytes) {
    text += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  return text;
}

// Characters that are shown as they are, or doubled, whatever they are.
struct Exceptions {
  bool doubles_backslash = false;
  bool keeps_line_feed = false;
};

std::string Show(std::string_view text, std::size_t limit, Exceptions but) {
  std::string shown;
  for (std::size_t at = 0; at < text.size();) {
    const Character character = CharacterAt(text, at);
    const std::size_t length = std::max<std::size_t>(character.length, 1);
    const std::string_view bytes = text.substr(at, length);
    at += length;
    std::string piece(bytes);
    if (but.doubles_backslash && bytes == "\\") {
      piece += '\\';
    } else if (but.keeps_line_feed && bytes == "\n") {
      // As it is.
    } else if (character.length == 0 || !IsShown(character.code)) {
      piece = Escaped(bytes);
    }
    if (shown.size() + piece.size() > limit) break;
    shown += piece;
  }
  return shown;
}

}  // namespace

bool IsValidUtf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = CharacterAt(text, at).length;
    if (length == 0) return false;
    at += length;
  }
  return true;
}

std::string Printable(std::string_view text, std::size_t limit) {
  return Show(text, limit, {.doubles_backslash = true});
}

std::string PrintableLine(std::string_view message, std::size_t limit) {
  return Show(message, limit, {});
}

std::string PrintableLines(std::string_view message) {
  return Show(message, kNoTextLimit, {.keeps_line_feed = true});
}

}  // namespace famfs
