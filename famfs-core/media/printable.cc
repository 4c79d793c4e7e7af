// What may be shown to a person of bytes that come from outside.
#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <utility>

#include "media/format.h"

namespace famfs {
namespace {

struct Decoded {
  std::size_t length = 0;  // bytes; 0: no UTF-8 begins here
  char32_t character = 0;
};

/// RFC 3629: the shortest form alone, no surrogates, up to U+10FFFF.
Decoded Decode(std::string_view bytes) {
  const auto byte = [&](std::size_t i) {
    return static_cast<unsigned char>(bytes[i]);
  };
  const unsigned char first = byte(0);
  if (first < 0x80) return {1, first};
  const std::size_t length = first >= 0xf0   ? 4
                             : first >= 0xe0 ? 3
                             : first >= 0xc0 ? 2
                                             : 0;
  if (length == 0 || first > 0xf4 || bytes.size() < length) return {};
  char32_t character = first & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0U) != 0x80) return {};
    character = character << 6U | (byte(i) & 0x3fU);
  }
  static constexpr std::array<char32_t, 5> kLeast = {0, 0, 0x80, 0x800,
                                                     0x10000};
  const bool surrogate = character >= 0xd800 && character <= 0xdfff;
  if (character < kLeast[length] || character > 0x10ffff || surrogate) {
    return {};
  }
  return {length, character};
}

/// What is invisible, moves what is around it, or ends a line: with that a name
/// could pass for another, or for more than one. Joiners stay, which some
/// scripts are written with.
bool Deceives(char32_t c) {
  using Span = std::pair<char32_t, char32_t>;
  static constexpr std::array<Span, 14> kSpans = {{{0x00, 0x1f},
                                                   {0x7f, 0x9f},
                                                   {0xad, 0xad},
                                                   {0x61c, 0x61c},
                                                   {0x115f, 0x1160},
                                                   {0x180e, 0x180e},
                                                   {0x200b, 0x200b},
                                                   {0x200e, 0x200f},
                                                   {0x2028, 0x202e},
                                                   {0x2060, 0x206f},
                                                   {0x3164, 0x3164},
                                                   {0xfeff, 0xfeff},
                                                   {0xfff0, 0xffff},
                                                   {0xe0000, 0x10ffff}}};
  for (const auto& [from, to] : kSpans) {
    if (c >= from && c <= to) return true;
  }
  return false;
}

}  // namespace

std::string Printable(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const Decoded next = Decode(bytes);
    const std::size_t length = next.length == 0 ? 1 : next.length;
    if (next.length == 0 || Deceives(next.character)) {
      for (std::size_t i = 0; i < length; ++i) {
        text += fmt::format("\\x{:02x}", static_cast<unsigned char>(bytes[i]));
      }
    } else if (next.character == U'\\') {
      text += "\\\\";
    } else {
      text += bytes.substr(0, length);
    }
    bytes.remove_prefix(length);
  }
  return text;
}

}  // namespace famfs
