#include "instance/tree/hidden_name.h"

#include <fmt/format.h>

#include <charconv>

namespace famfs {
namespace {

constexpr std::string_view kPrefix = ".famfs-removed-";
constexpr std::size_t kSessionDigits = 8;
constexpr std::size_t kIdDigits = 16;

}  // namespace

std::string HiddenName(std::uint32_t session, TreeId id) {
  return fmt::format("{}{:08x}-{:016x}", kPrefix, session, id);
}

std::optional<std::uint32_t> SessionOfHiddenName(std::string_view name) {
  constexpr std::size_t kLength =
      kPrefix.size() + kSessionDigits + 1 + kIdDigits;
  if (name.size() != kLength || !name.starts_with(kPrefix)) {
    return std::nullopt;
  }
  const char* const digits = name.data() + kPrefix.size();
  std::uint32_t session = 0;
  TreeId id = 0;
  std::from_chars(digits, digits + kSessionDigits, session, 16);
  std::from_chars(digits + kSessionDigits + 1, name.data() + name.size(), id,
                  16);
  // Spelt in no other way.
  if (HiddenName(session, id) != name) return std::nullopt;
  return session;
}

bool IsHidden(const Node& node) {
  return node.in_tree() && node.parent == node.tree->volume &&
         SessionOfHiddenName(node.name).has_value();
}

}  // namespace famfs
