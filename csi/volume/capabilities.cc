#include "csi/volume/capabilities.h"

#include <array>
#include <utility>

#include "base/text.h"

namespace famfs::csi {
namespace {

using Mode = pb::VolumeCapability_AccessMode;

struct KnownFlag {
  std::string_view name;
  bool MountFlags::*field;
};
constexpr std::array<KnownFlag, 5> kFlags = {{
    {"ro", &MountFlags::read_only},
    {"nosuid", &MountFlags::nosuid},
    {"nodev", &MountFlags::nodev},
    {"noexec", &MountFlags::noexec},
    {"noatime", &MountFlags::noatime},
}};

const KnownFlag* FindFlag(std::string_view name) {
  for (const KnownFlag& flag : kFlags) {
    if (flag.name == name) return &flag;
  }
  return nullptr;
}

absl::Status CheckMount(const pb::VolumeCapability_MountVolume& mount) {
  if (!mount.fs_type().empty() && mount.fs_type() != "famfs") {
    return InvalidArgument(
        "the fs_type \"{}\" is not offered; leave it empty or say \"famfs\"",
        Printable(mount.fs_type(), 64));
  }
  for (int i = 0; i < mount.mount_flags_size(); ++i) {
    if (FindFlag(mount.mount_flags(i)) == nullptr) {
      return InvalidArgument(
          "mount flag number {} is not allowed (not shown: it may be secret); "
          "allowed are ro, nosuid, nodev, noexec and noatime",
          i + 1);
    }
  }
  if (!mount.volume_mount_group().empty()) {
    return InvalidArgument(
        "volume_mount_group is not offered: all mounts of a node share one "
        "file system; set the gid and mode parameters of the StorageClass");
  }
  return absl::OkStatus();
}

absl::Status CheckMode(AccessMode mode) {
  switch (mode) {
    case Mode::SINGLE_NODE_WRITER:
    case Mode::SINGLE_NODE_READER_ONLY:
    case Mode::SINGLE_NODE_SINGLE_WRITER:
    case Mode::SINGLE_NODE_MULTI_WRITER:
    case Mode::MULTI_NODE_READER_ONLY:
    case Mode::MULTI_NODE_MULTI_WRITER:
      return absl::OkStatus();
    case Mode::MULTI_NODE_SINGLE_WRITER:
      return InvalidArgument(
          "the access mode MULTI_NODE_SINGLE_WRITER is not offered: nothing "
          "would keep a second node from writing; take MULTI_NODE_MULTI_WRITER "
          "or MULTI_NODE_READER_ONLY");
    default:
      return InvalidArgument("the access mode {} is unknown",
                             static_cast<int>(mode));
  }
}

}  // namespace

absl::Status CheckCapability(const pb::VolumeCapability& capability) {
  if (capability.has_block()) {
    return InvalidArgument(
        "block volumes are not offered: a volume is memory in a directory; ask "
        "for the access type mount (volumeMode: Filesystem)");
  }
  if (!capability.has_mount()) {
    return InvalidArgument("the volume capability has no access type");
  }
  if (!capability.has_access_mode()) {
    return InvalidArgument("the volume capability has no access mode");
  }
  FAMFS_RETURN_IF_ERROR(CheckMode(capability.access_mode().mode()));
  return CheckMount(capability.mount());
}

absl::Status CheckCapabilities(
    const google::protobuf::RepeatedPtrField<pb::VolumeCapability>&
        capabilities) {
  if (capabilities.empty()) {
    return InvalidArgument("volume_capabilities is missing");
  }
  for (const pb::VolumeCapability& capability : capabilities) {
    FAMFS_RETURN_IF_ERROR(CheckCapability(capability));
  }
  return absl::OkStatus();
}

bool IsReadOnly(const pb::VolumeCapability& capability) {
  const AccessMode mode = capability.access_mode().mode();
  return mode == Mode::SINGLE_NODE_READER_ONLY ||
         mode == Mode::MULTI_NODE_READER_ONLY ||
         GetMountFlags(capability).read_only;
}

bool IsMultiNodeWriter(const pb::VolumeCapability& capability) {
  return capability.access_mode().mode() == Mode::MULTI_NODE_MULTI_WRITER;
}

bool AllowsSecondPublish(AccessMode mode) {
  switch (mode) {
    case Mode::MULTI_NODE_READER_ONLY:
    case Mode::MULTI_NODE_SINGLE_WRITER:
    case Mode::MULTI_NODE_MULTI_WRITER:
    case Mode::SINGLE_NODE_MULTI_WRITER:
      return true;
    default:
      return false;
  }
}

MountFlags GetMountFlags(const pb::VolumeCapability& capability) {
  MountFlags flags;
  for (const std::string& name : capability.mount().mount_flags()) {
    if (const KnownFlag* flag = FindFlag(name)) flags.*(flag->field) = true;
  }
  return flags;
}

}  // namespace famfs::csi
