// What a VolumeCapability may ask for: the same answer from the controller and
// the node. All errors are InvalidArgument.
#pragma once

#include "base/status.h"
#include "csi/csi.pb.h"

namespace famfs::csi {

namespace pb = ::csi::v1;

using AccessMode = pb::VolumeCapability_AccessMode_Mode;

/// Mount access only; fs_type "" or "famfs"; mount flags of the allow-list; no
/// volume_mount_group; a known access mode other than MULTI_NODE_SINGLE_WRITER,
/// which nobody could enforce. Messages never repeat a mount flag: they may be
/// secret.
[[nodiscard]] absl::Status CheckCapability(
    const pb::VolumeCapability& capability);
/// At least one, and each of them passes.
[[nodiscard]] absl::Status CheckCapabilities(
    const google::protobuf::RepeatedPtrField<pb::VolumeCapability>&
        capabilities);

/// A *_READER_ONLY mode or the mount flag "ro": the mount must be read-only.
bool IsReadOnly(const pb::VolumeCapability& capability);
/// MULTI_NODE_MULTI_WRITER: refused where the data path is `copy`.
bool IsMultiNodeWriter(const pb::VolumeCapability& capability);
/// Whether a volume may be published at a second path of one node: MULTI_NODE_*
/// and SINGLE_NODE_MULTI_WRITER.
bool AllowsSecondPublish(AccessMode mode);

struct MountFlags {
  bool read_only = false;
  bool nosuid = false;
  bool nodev = false;
  bool noexec = false;
  bool noatime = false;
};
/// Of a capability that CheckCapability has passed.
MountFlags GetMountFlags(const pb::VolumeCapability& capability);

}  // namespace famfs::csi
