#include "csi/config/owner.h"

#include <charconv>
#include <optional>

#include "base/text.h"

namespace famfs::csi {
namespace {

constexpr std::uint32_t kMaxId = 0xfffffffe;
constexpr std::uint32_t kMaxMode = 0777;
constexpr std::size_t kShown = 64;  // bytes

std::optional<std::uint32_t> ParseNumber(std::string_view text, int base,
                                         std::uint32_t max) {
  std::uint32_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, base);
  if (error != std::errc() || stop != end || value > max) return std::nullopt;
  return value;
}

}  // namespace

absl::StatusOr<std::uint32_t> ParseOwnerId(std::string_view text) {
  if (const auto value = ParseNumber(text, 10, kMaxId)) return *value;
  return InvalidArgument("\"{}\" is no id; write a decimal number from 0 to {}",
                         Printable(text, kShown), kMaxId);
}

absl::StatusOr<std::uint32_t> ParseMode(std::string_view text) {
  if (const auto value = ParseNumber(text, 8, kMaxMode)) return *value;
  return InvalidArgument(
      "\"{}\" is no mode; write octal permission bits from 0 to 0777, such as "
      "0770",
      Printable(text, kShown));
}

}  // namespace famfs::csi
