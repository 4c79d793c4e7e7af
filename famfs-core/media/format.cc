#include "media/format.h"

#include <algorithm>
#include <cstring>

namespace famfs {

std::string_view PathFromField(const char (&field)[kPathField]) {
  return {field, ::strnlen(field, kPathField)};
}

void SetPath(char (&field)[kPathField], std::string_view path) {
  std::memset(field, 0, kPathField);
  std::memcpy(field, path.data(), std::min(path.size(), kMaxPathLength));
}

}  // namespace famfs
