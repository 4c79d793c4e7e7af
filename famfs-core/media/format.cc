#include "media/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace famfs {

std::string_view PathOf(const char (&field)[kPathField]) {
  return {field, ::strnlen(field, kPathField)};
}

void SetPath(char (&field)[kPathField], std::string_view path) {
  std::memset(field, 0, kPathField);
  std::memcpy(field, path.data(), std::min(path.size(), kMaxPathLength));
}

std::string Printable(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\\') {
      text += "\\\\";
    } else if (byte < 0x20 || byte >= 0x7f) {
      text += fmt::format("\\x{:02x}", byte);
    } else {
      text += c;
    }
  }
  return text;
}

}  // namespace famfs
