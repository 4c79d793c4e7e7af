// Where files go: what the parameters of a volume ask of alloc/placement.h,
// what there is room for, and which devices may be used.
#pragma once

#include <vector>

#include "alloc/placement.h"
#include "base/status.h"
#include "instance/devices/memory_source.h"
#include "instance/writer/claims.h"
#include "instance/writer/file_layout.h"
#include "instance/writer/writer_state.h"

namespace famfs {

/// What a volume's file asks for, without its size. InvalidArgument for what
/// the devices never allow.
absl::StatusOr<Wanted> VolumeFile(WriterState& state,
                                  const VolumePlacement& placement)
    ABSL_LOCKS_EXCLUDED(state.mutex);
/// Of the devices that are admitted. Waits for the file systems under them.
std::vector<BackingAnswer> AskBackings(WriterState& state)
    ABSL_LOCKS_EXCLUDED(state.mutex);
/// Takes the space for the file that is wanted, where `wanted.backings` have
/// it.
absl::StatusOr<Placement> PlaceFile(WriterState& state, const Wanted& wanted)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(state.mutex);
/// Bytes that are free, and that the file systems under the devices have.
std::uint64_t RoomFor(WriterState& state,
                      const std::vector<BackingAnswer>& backings)
    ABSL_SHARED_LOCKS_REQUIRED(state.mutex);
/// Writer::AvailableSpaceNow.
absl::StatusOr<AvailableSpace> AvailableSpaceNow(
    WriterState& state, const VolumePlacement& placement)
    ABSL_LOCKS_EXCLUDED(state.mutex);

}  // namespace famfs
