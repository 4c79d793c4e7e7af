#include "base/uuid.h"

#include <uuid/uuid.h>

namespace famfs {

std::string Uuid::ToString() const {
  std::string text(UUID_STR_LEN, '\0');  // with room for the terminator
  uuid_unparse_lower(bytes.data(), text.data());
  text.pop_back();
  return text;
}

Uuid Uuid::Random() {
  Uuid uuid;
  uuid_generate_random(uuid.bytes.data());
  return uuid;
}

absl::StatusOr<Uuid> Uuid::Parse(std::string_view text) {
  Uuid uuid;
  // libuuid reads a C string, so a NUL inside would hide what follows it.
  const std::string copy(text);
  if (copy.find('\0') != std::string::npos ||
      uuid_parse(copy.c_str(), uuid.bytes.data()) != 0) {
    return InvalidArgument(
        "\"{}\" is not a UUID such as 3f2504e0-4f89-41d3-9a0c-0305e82c3301",
        copy.substr(0, 80));
  }
  return uuid;
}

}  // namespace famfs
