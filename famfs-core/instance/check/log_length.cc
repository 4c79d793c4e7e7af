#include "instance/check/log_length.h"

#include <algorithm>
#include <bit>

#include "media/format.h"

namespace famfs {

std::uint64_t DefaultLogLength(std::uint64_t primary, std::uint64_t further) {
  // Of two numbers below 2^43: no overflow.
  const std::uint64_t slots =
      kSlotsPerUnit * (primary / kAllocUnit + further / kAllocUnit);
  const std::uint64_t wanted = std::bit_ceil(EntryAt(slots));
  const std::uint64_t bound = std::min(
      kMaxDefaultLogLength, std::bit_floor(primary / kDefaultLogShare));
  return std::max(kMinLogLength, std::min(wanted, bound));
}

}  // namespace famfs
