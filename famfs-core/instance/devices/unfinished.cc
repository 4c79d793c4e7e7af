#include "instance/devices/unfinished.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "instance/devices/metadata_store.h"
#include "media/format.h"
#include "media/region.h"

namespace famfs {
namespace {

/// Leaves exactly the head's extent, and no node file.
absl::Status EmptyExtentFiles(DaxDevice& device) {
  FAMFS_RETURN_IF_ERROR(device.CleanUp());
  FAMFS_ASSIGN_OR_RETURN(const auto present, device.ListExtents());
  const bool has_head =
      std::find(present.begin(), present.end(), kHead) != present.end();
  for (const Range& range : present) {
    if (range != kHead) {
      FAMFS_RETURN_IF_ERROR(device.RemoveExtent(range.offset));
    }
  }
  FAMFS_ASSIGN_OR_RETURN(const auto nodes, device.ListNodeFiles());
  for (const DaxDevice::NodeFile& node : nodes) {
    FAMFS_RETURN_IF_ERROR(device.RemoveNodeFile(node.name));
  }
  return has_head ? absl::OkStatus() : device.CreateExtent(kHead);
}

/// Nothing is allocated there, or what is there is of no famfs.
bool MeansNothing(const absl::Status& status) {
  return absl::IsNotFound(status) || absl::IsOutOfRange(status) ||
         absl::IsDataLoss(status);
}

/// The first eight bytes; 0 when nothing is there.
absl::StatusOr<std::uint64_t> LoadMagic(DaxDevice& device) {
  const auto head =
      device.Map(kSuperblockOffset, kSuperblockRegion, Access::kRead);
  if (MeansNothing(head.status())) return 0;
  if (!head.ok()) return head.status();
  std::uint64_t magic = 0;
  (*head)->Invalidate(0, sizeof(magic));
  std::memcpy(&magic, (*head)->data(), sizeof(magic));
  return magic;
}

}  // namespace

absl::StatusOr<UseMark> ClaimToMake(DaxDevice& device) {
  auto mark = UseMark::Set(device, Use::kMaking, 0);
  if (!absl::IsUnavailable(mark.status())) return mark;
  return Unavailable(
      "{}: another process is making an instance there (famfs mkfs, famfs "
      "import or a controller); wait for it, or end it",
      device.spec());
}

absl::Status MarkUnfinished(DaxDevice& device) {
  if (device.capabilities().allocates_extents) {
    FAMFS_RETURN_IF_ERROR(EmptyExtentFiles(device));
  }
  FAMFS_ASSIGN_OR_RETURN(
      const auto head,
      device.Map(kSuperblockOffset, kSuperblockRegion, Access::kReadWrite));
  // One line: what a crash leaves of it begins with the mark.
  head->Store(0, std::as_bytes(std::span(&kUnfinishedMagic, 1)));
  head->StoreZeros(sizeof(kUnfinishedMagic),
                   kLineSize - sizeof(kUnfinishedMagic));
  head->WriteBack(0, kLineSize);
  ZeroDirty(*head, kLineSize, head->size() - kLineSize);
  return absl::OkStatus();
}

absl::StatusOr<bool> IsMarkedUnfinished(DaxDevice& device) {
  FAMFS_ASSIGN_OR_RETURN(const std::uint64_t magic, LoadMagic(device));
  return magic == kUnfinishedMagic;
}

absl::StatusOr<bool> IsNobodys(DaxDevice& device) {
  FAMFS_ASSIGN_OR_RETURN(const std::uint64_t magic, LoadMagic(device));
  if (magic == kUnfinishedMagic) return true;
  if (magic == kSuperblockMagic) return false;
  if (!device.capabilities().allocates_extents) return true;
  FAMFS_ASSIGN_OR_RETURN(const auto nodes, device.ListNodeFiles());
  if (!nodes.empty()) return false;
  FAMFS_ASSIGN_OR_RETURN(const auto extents, device.ListExtents());
  return std::all_of(extents.begin(), extents.end(), [](const Range& range) {
    return range == kHead || range.offset == kLogOffset;
  });
}

}  // namespace famfs
