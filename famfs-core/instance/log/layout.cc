#include "instance/log/layout.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "media/checksum.h"
#include "media/rules.h"

namespace famfs {
namespace {

/// Copies a structure out of a mapping after invalidating its lines.
template <typename T>
void Load(const Mapping& mapping, std::size_t at, T& to) {
  mapping.Invalidate(at, sizeof(T));
  std::memcpy(static_cast<void*>(&to), mapping.data() + at, sizeof(T));
}

/// A pair of lines, in a copy: another host may write while it is looked at.
using Copies = std::array<std::byte, 2 * kLineSize>;
absl::StatusOr<Copies> LoadCopies(const Mapping& head, std::size_t at) {
  const std::size_t start = kRegionOffset + at;
  Copies copies;
  head.Invalidate(start, copies.size());
  std::memcpy(copies.data(), head.data() + start, copies.size());
  FAMFS_RETURN_IF_ERROR(head.Check());
  return copies;
}

}  // namespace

std::uint64_t LogLengthByItsHeader(DaxDevice& device) {
  const auto log = device.Map(kLogOffset, kMinLogLength, Access::kRead);
  if (!log.ok()) return 0;
  MediaLogHeader header;
  Load(**log, 0, header);
  const bool fits = std::has_single_bit(header.length) &&
                    header.length >= kMinLogLength &&
                    header.length <= device.size() - kLogOffset;
  return fits && CheckLogHeader(header, header.length).ok() ? header.length : 0;
}

absl::Status Layout::MapHead(DaxDevice& device, Access access) {
  if (device.size() < kSuperblockRegion) {
    return FailedPrecondition(
        "{}: no famfs: the device has {} bytes, less than a superblock region",
        device.spec(), device.size());
  }
  auto head = device.Map(kSuperblockOffset, kSuperblockRegion, access);
  if (absl::IsNotFound(head.status())) {
    return FailedPrecondition(
        "{}: no famfs: nothing is allocated at its start; run famfs mkfs",
        device.spec());
  }
  if (!head.ok()) return head.status();
  head_ = *std::move(head);
  Load(*head_, kSuperblockOffset, super_);
  FAMFS_RETURN_IF_ERROR(head_->Check());
  device_size_ = std::min(super_.device_size, device.size());
  return absl::OkStatus();
}

absl::Status Layout::MapLog(DaxDevice& device, Access access) {
  auto log = device.Map(kLogOffset, super_.log_length, access);
  if (absl::IsNotFound(log.status())) {
    return DataLoss("{}: the log is missing: {}", device.spec(),
                    Message(log.status()));
  }
  if (!log.ok()) return log.status();
  log_ = *std::move(log);
  FAMFS_ASSIGN_OR_RETURN(identity_,
                         DeviceIdentity::Of(device, *head_, super_.fs_uuid));
  return absl::OkStatus();
}

absl::StatusOr<Layout> Layout::Open(DaxDevice& device, Access access) {
  Layout layout;
  FAMFS_RETURN_IF_ERROR(layout.MapHead(device, access));
  FAMFS_RETURN_IF_ERROR(
      Annotate(CheckSuperblock(layout.super_, device.size()), device.spec()));
  FAMFS_RETURN_IF_ERROR(layout.MapLog(device, access));
  return layout;
}

absl::StatusOr<Layout> Layout::OpenDamaged(DaxDevice& device,
                                           absl::Status& broken) {
  Layout layout;
  FAMFS_RETURN_IF_ERROR(layout.MapHead(device, Access::kRead));
  MediaSuperblock& super = layout.super_;
  broken = CheckSuperblock(super, device.size());
  // What is whole and of another format is not damaged.
  if (!broken.ok() && !absl::IsDataLoss(broken) &&
      ChecksumOf(super) == super.crc) {
    return Annotate(broken, device.spec());
  }
  if (!broken.ok() && !TellsWhereTheLogLies(super, device.size())) {
    const std::uint64_t length = LogLengthByItsHeader(device);
    if (length == 0) return Annotate(broken, device.spec());
    super.log_offset = kLogOffset;
    super.log_length = length;
    super.alloc_unit = kAllocUnit;
    layout.device_size_ = device.size();
  }
  FAMFS_RETURN_IF_ERROR(layout.MapLog(device, Access::kRead));
  return layout;
}

std::uint64_t Layout::data_start() const {
  return kLogOffset + super_.log_length;
}

MediaLogHeader Layout::LoadLogHeader() const {
  MediaLogHeader header;
  Load(*log_, 0, header);
  return header;
}

MediaEntry Layout::LoadEntry(std::uint64_t index) const {
  MediaEntry entry{};
  Load(*log_, EntryAt(index), entry);
  return entry;
}

absl::Status Layout::Check() const {
  FAMFS_RETURN_IF_ERROR(head_->Check());
  return log_->Check();
}

absl::Status Layout::Renew() {
  FAMFS_RETURN_IF_ERROR(head_->Renew());
  return log_->Renew();
}

absl::StatusOr<std::optional<StateRecord>> Layout::LoadState() const {
  FAMFS_ASSIGN_OR_RETURN(const Copies copies, LoadCopies(*head_, kStateAt));
  return DecodeState(copies, super_.fs_uuid);
}

absl::StatusOr<std::optional<CompactionRecord>> Layout::LoadCompaction() const {
  FAMFS_ASSIGN_OR_RETURN(const Copies copies,
                         LoadCopies(*head_, kCompactionAt));
  return DecodeCompaction(copies, super_.fs_uuid);
}

absl::StatusOr<std::optional<OwnerRecord>> Layout::LoadOwner() const {
  FAMFS_ASSIGN_OR_RETURN(const Copies copies, LoadCopies(*head_, kOwnerAt));
  return DecodeOwner(copies, super_.fs_uuid);
}

}  // namespace famfs
