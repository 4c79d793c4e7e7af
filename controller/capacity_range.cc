#include "controller/capacity_range.h"

#include <algorithm>
#include <limits>

#include "base/units.h"
#include "media/format.h"

namespace famfs::controller {

absl::Status CheckRange(const ::csi::v1::CapacityRange* range) {
  if (range == nullptr) return absl::OkStatus();
  const std::int64_t required = range->required_bytes();
  const std::int64_t limit = range->limit_bytes();
  if (required < 0 || limit < 0) {
    return OutOfRange("capacity_range: negative bounds (required {}, limit {})",
                      required, limit);
  }
  if (limit > 0 && required > limit) {
    return OutOfRange("capacity_range: required {} is above limit {}", required,
                      limit);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::uint64_t> ChooseSize(
    const ::csi::v1::CapacityRange* range) {
  if (range == nullptr) return kDefaultVolumeSize;
  FAMFS_RETURN_IF_ERROR(CheckRange(range));
  const std::int64_t required = range->required_bytes();
  const std::int64_t limit = range->limit_bytes();
  const auto upper = static_cast<std::uint64_t>(limit);
  std::uint64_t size =
      RoundUp(static_cast<std::uint64_t>(required), kAllocUnit);
  if (size == 0) {
    size = limit == 0
               ? kDefaultVolumeSize
               : std::min(kDefaultVolumeSize, upper / kAllocUnit * kAllocUnit);
  }
  // Rounding up may leave what CSI's signed numbers can say.
  const std::uint64_t most =
      limit > 0 ? upper : std::numeric_limits<std::int64_t>::max();
  if (size == 0 || size > most) {
    return OutOfRange(
        "capacity_range: a volume is a multiple of 2 MiB, and none lies "
        "between required {} and limit {}",
        required, limit);
  }
  return size;
}

bool Satisfies(std::uint64_t size, const ::csi::v1::CapacityRange* range) {
  if (range == nullptr) return true;
  const auto bytes = static_cast<std::int64_t>(size);
  return bytes >= range->required_bytes() &&
         (range->limit_bytes() == 0 || bytes <= range->limit_bytes());
}

}  // namespace famfs::controller
