#include "csi/config/duration.h"

#include <charconv>
#include <cstdint>

#include "base/text.h"

namespace famfs::csi {
namespace {

constexpr std::int64_t kLongest = 24LL * 3600 * 1000;  // milliseconds

// 0: no unit.
std::int64_t MillisecondsIn(std::string_view unit) {
  if (unit == "ms") return 1;
  if (unit == "s") return 1'000;
  if (unit == "m") return 60'000;
  if (unit == "h") return 3'600'000;
  return 0;
}

}  // namespace

absl::StatusOr<std::chrono::milliseconds> ParseDuration(std::string_view text) {
  std::int64_t count = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, count);
  const std::int64_t unit = MillisecondsIn(
      std::string_view(stop, static_cast<std::size_t>(end - stop)));
  if (error != std::errc() || unit == 0 || count <= 0 ||
      count > kLongest / unit) {
    return InvalidArgument(
        "\"{}\" is no duration; write a whole number with ms, s, m or h, at "
        "most 24h, such as 10s",
        Printable(text, 64));
  }
  return std::chrono::milliseconds(count * unit);
}

}  // namespace famfs::csi
