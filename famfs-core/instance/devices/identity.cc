#include "instance/devices/identity.h"

#include <cstring>

#include "instance/devices/unfinished.h"
#include "media/checksum.h"
#include "media/format.h"

namespace famfs {
namespace {

constexpr char kReplaced[] = "famfs/instance-replaced";
constexpr std::size_t kFirstLine = 64;  // bytes: magic and uuid are in it
static_assert(offsetof(MediaSuperblock, fs_uuid) + sizeof(Uuid) <= kFirstLine);

MediaSuperblock Load(const Mapping& head, std::size_t length) {
  MediaSuperblock super;
  head.Invalidate(kSuperblockOffset, length);
  std::memcpy(static_cast<void*>(&super), head.data() + kSuperblockOffset,
              length);
  return super;
}

}  // namespace

absl::Status ReplacedError(const std::string& spec, const Uuid& fs_uuid,
                           std::string_view what) {
  absl::Status status = FailedPrecondition(
      "{}: the famfs {} that was opened is there no longer: {}; open the "
      "device again (a mount of the old one is dead: unmount it)",
      spec, fs_uuid.ToString(), what);
  status.SetPayload(kReplaced, absl::Cord());
  return status;
}

bool IsReplaced(const absl::Status& status) {
  return status.GetPayload(kReplaced).has_value();
}

bool BearsSuperblockOf(const Mapping& head, const Uuid& fs_uuid) {
  const MediaSuperblock line = Load(head, kFirstLine);
  return line.magic == kSuperblockMagic && line.fs_uuid == fs_uuid;
}

absl::StatusOr<DeviceIdentity> DeviceIdentity::Of(const DaxDevice& device,
                                                  const Mapping& head,
                                                  const Uuid& fs_uuid) {
  DeviceIdentity identity;
  identity.spec_ = device.spec();
  identity.probe_ = device.ProbeMedium();
  identity.head_ = &head;
  identity.fs_uuid_ = fs_uuid;
  FAMFS_ASSIGN_OR_RETURN(identity.medium_, identity.probe_());
  return identity;
}

absl::Status DeviceIdentity::CheckSuperblock() const {
  const MediaSuperblock line = Load(*head_, kFirstLine);
  // Missing memory reads as zeros: that is no other instance.
  FAMFS_RETURN_IF_ERROR(head_->Check());
  if (line.magic == kSuperblockMagic && line.fs_uuid == fs_uuid_) {
    return absl::OkStatus();
  }
  if (line.magic == 0 || line.magic == kUnfinishedMagic) {
    return ReplacedError(spec_, fs_uuid_,
                         "it has no superblock, or one is being made");
  }
  const MediaSuperblock whole = Load(*head_, sizeof(MediaSuperblock));
  if (whole.magic == kSuperblockMagic && ChecksumOf(whole) == whole.crc) {
    if (whole.fs_uuid == fs_uuid_) return absl::OkStatus();
    return ReplacedError(
        spec_, fs_uuid_,
        fmt::format("it holds the famfs {}", whole.fs_uuid.ToString()));
  }
  return DataLoss(
      "{}: the superblock of famfs {} is damaged, or another one is being "
      "written over it",
      spec_, fs_uuid_.ToString());
}

absl::Status DeviceIdentity::Check() const {
  const auto medium = probe_();
  if (!medium.ok()) {
    return Unavailable("{}: its memory is there no longer: {}", spec_,
                       Message(medium.status()));
  }
  if (*medium != medium_) {
    return ReplacedError(spec_, fs_uuid_,
                         "its memory was removed and made anew");
  }
  return CheckSuperblock();
}

}  // namespace famfs
