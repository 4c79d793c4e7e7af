// Mounting by the kernel's newer calls: a clone is made and given its
// attributes while it is attached nowhere, so a read-only publication is never
// writable for a moment.
//
// What may wait for a FUSE server is one of its Questions; everything else
// touches no mounted file system.
#pragma once

#include <string>

#include "base/status.h"
#include "base/unique_fd.h"
#include "csi/volume/capabilities.h"
#include "node/mounts/place.h"
#include "node/mounts/volume_mounts.h"
#include "node/pools/pool_server.h"
#include "runtime/mount_table.h"

namespace famfs::node {

/// A clone of the served instance's mount, rooted at what `root` names in it,
/// attached nowhere; gone when closed. Unavailable when the server has gone,
/// does not answer or does not show that: the volume is known to exist.
absl::StatusOr<UniqueFd> CloneVolume(const ServedPool& served,
                                     const VolumeRoot& root);

/// Adds the attributes that are set to a clone's.
[[nodiscard]] absl::Status SetAttributes(const UniqueFd& clone,
                                         const csi::MountFlags& flags);
/// The attributes that a mount has.
csi::MountFlags AttributesOf(const MountEntry& entry);
/// Tells a staged mount from a publication for good, in the kernel's own table
/// (IsStaging). A publication never has the attribute that is used for it, and
/// nobody misses anything: pods use no staged mount, and there are no symbolic
/// links in it to follow.
[[nodiscard]] absl::Status MarkStaging(const UniqueFd& clone);
[[nodiscard]] absl::Status MarkStaging(const Place& place);

/// At an existing directory, or a file for a clone that is one.
[[nodiscard]] absl::Status AttachMount(const UniqueFd& clone,
                                       const Place& place);

/// Takes the topmost mount away. A busy one is detached lazily, which is
/// logged, unless other mounts hang on it: FailedPrecondition names them.
[[nodiscard]] absl::Status UnmountTop(const Place& place,
                                      const csi::VolumeId& volume);
/// Lazily: for mounts whose server is dead.
[[nodiscard]] absl::Status DetachTop(const Place& place);

}  // namespace famfs::node
