#include "instance/devices/secondary.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "instance/devices/metadata_store.h"
#include "instance/devices/unfinished.h"
#include "media/checksum.h"
#include "media/rules.h"

namespace famfs {
namespace {

void StoreMagic(Mapping& head, const std::uint64_t& magic) {
  head.Store(0, std::as_bytes(std::span(&magic, 1)));
}

/// Nothing is allocated there, or what is there is of no famfs.
bool MeansBlank(const absl::Status& status) {
  return absl::IsNotFound(status) || absl::IsOutOfRange(status) ||
         absl::IsDataLoss(status);
}

}  // namespace

absl::StatusOr<DeviceHead> LoadDeviceHead(DaxDevice& device) {
  DeviceHead head;
  if (device.size() < kSuperblockRegion) return head;
  const auto mapping =
      device.Map(kSuperblockOffset, kSuperblockRegion, Access::kRead);
  if (MeansBlank(mapping.status())) return head;
  FAMFS_RETURN_IF_ERROR(mapping.status());
  MediaSuperblock& super = head.superblock;
  (*mapping)->Invalidate(0, sizeof(super));
  std::memcpy(static_cast<void*>(&super), (*mapping)->data(), sizeof(super));
  FAMFS_RETURN_IF_ERROR((*mapping)->Check());
  if (super.magic != kSuperblockMagic) return head;
  head.kind = CheckSecondarySuperblock(super, device.size()).ok()
                  ? DeviceHead::Kind::kSecondary
                  : DeviceHead::Kind::kPrimary;
  return head;
}

absl::StatusOr<bool> IsBlankDevice(DaxDevice& device) {
  if (device.capabilities().allocates_extents) {
    FAMFS_ASSIGN_OR_RETURN(const auto nodes, device.ListNodeFiles());
    if (!nodes.empty()) return false;
    FAMFS_ASSIGN_OR_RETURN(const auto extents, device.ListExtents());
    if (extents.empty()) return true;
    if (extents.size() > 1 || extents.front() != kHead) return false;
  }
  FAMFS_ASSIGN_OR_RETURN(
      const auto head,
      device.Map(kSuperblockOffset, kSuperblockRegion, Access::kRead));
  head->Invalidate(0, head->size());
  std::uint64_t magic = 0;
  std::memcpy(&magic, head->data(), sizeof(magic));
  const bool blank = magic == kUnfinishedMagic || IsZero(head->bytes());
  FAMFS_RETURN_IF_ERROR(head->Check());
  return blank;
}

MediaSuperblock MakeSecondarySuperblock(const MediaSuperblock& primary,
                                        const Uuid& device_uuid,
                                        const DaxDevice& device) {
  MediaSuperblock super{
      .magic = kSuperblockMagic,
      .version = kSuperblockVersion,
      .log_offset = 0,
      .log_length = 0,
      .alloc_unit = kAllocUnit,
      .omf_major = kOmfMajor,
      .omf_minor = kOmfMinor,
      .fs_uuid = primary.fs_uuid,
      .device_uuid = device_uuid,
      .system_uuid = primary.system_uuid,
      .flags = kSecondaryFlag,
      .device_size = device.size() / kAllocUnit * kAllocUnit,
      .device_entry_uuid = primary.device_uuid,
  };
  const std::string name = device.spec();
  std::memcpy(super.device_name, name.data(),
              std::min(name.size(), sizeof(super.device_name) - 1));
  Seal(super);
  return super;
}

absl::Status WriteSecondaryHead(DaxDevice& device,
                                const MediaSuperblock& superblock) {
  FAMFS_ASSIGN_OR_RETURN(const UseMark claim, ClaimToMake(device));
  FAMFS_RETURN_IF_ERROR(MarkUnfinished(device));
  FAMFS_ASSIGN_OR_RETURN(
      const auto head,
      device.Map(kSuperblockOffset, kSuperblockRegion, Access::kReadWrite));
  MediaSuperblock unfinished = superblock;
  unfinished.magic = kUnfinishedMagic;
  head->Store(0, std::as_bytes(std::span(&unfinished, 1)));
  head->WriteBack(0, sizeof(unfinished));
  StoreMagic(*head, superblock.magic);
  head->WriteBack(0, sizeof(superblock.magic));
  return head->Check();
}

}  // namespace famfs
