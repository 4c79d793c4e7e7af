// From a CSI capacity range to the bytes of a volume.
#pragma once

#include <cstdint>

#include "base/status.h"
#include "csi/csi.pb.h"

namespace famfs::controller {

inline constexpr std::uint64_t kDefaultVolumeSize = 1ULL << 30;  // bytes

/// OutOfRange for negative or crossed bounds: no volume, old or new, answers
/// such a request.
[[nodiscard]] absl::Status CheckRange(const ::csi::v1::CapacityRange* range);

/// required_bytes rounded up to 2 MiB; without one, 1 GiB or what limit_bytes
/// allows. `range` null: 1 GiB. OutOfRange as CheckRange, and for a limit that
/// no multiple of 2 MiB meets.
absl::StatusOr<std::uint64_t> ChooseSize(const ::csi::v1::CapacityRange* range);

/// Whether an existing volume answers the request: required <= size <= limit.
[[nodiscard]] bool Satisfies(std::uint64_t size,
                             const ::csi::v1::CapacityRange* range);

}  // namespace famfs::controller
