#include "controller/list_token.h"

#include <absl/strings/escaping.h>

namespace famfs::controller {
namespace {
constexpr std::string_view kPrefix = "v1/";
}  // namespace

std::string EncodeListToken(const ListKey& last_listed) {
  return absl::WebSafeBase64Escape(
      fmt::format("{}{}/{}", kPrefix, last_listed.pool, last_listed.directory));
}

absl::StatusOr<ListKey> DecodeListToken(std::string_view token) {
  std::string text;
  const bool decoded =
      absl::WebSafeBase64Unescape({token.data(), token.size()}, &text);
  const std::size_t slash = text.find('/', kPrefix.size());
  if (decoded && text.starts_with(kPrefix) && slash != std::string::npos) {
    const ListKey key{text.substr(kPrefix.size(), slash - kPrefix.size()),
                      text.substr(slash + 1)};
    // Encoding it again refuses all other spellings.
    if (!key.pool.empty() && !key.directory.empty() &&
        key.directory.find('/') == std::string::npos &&
        EncodeListToken(key) == token) {
      return key;
    }
  }
  return Aborted(
      "starting_token is not one of ours: list again from the beginning");
}

}  // namespace famfs::controller
