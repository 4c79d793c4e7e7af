#include "instance/layout.h"

#include <cstring>

#include "media/rules.h"

namespace famfs {
namespace {

/// Copies a structure out of a mapping after invalidating its lines.
template <typename T>
void Load(const Mapping& mapping, std::size_t at, T& to) {
  mapping.Invalidate(at, sizeof(T));
  std::memcpy(static_cast<void*>(&to), mapping.data() + at, sizeof(T));
}

std::span<const std::byte> LoadCopies(const Mapping& head, std::size_t at) {
  const std::size_t start = kRegionOffset + at;
  head.Invalidate(start, 2 * kLineSize);
  return head.bytes().subspan(start, 2 * kLineSize);
}

}  // namespace

absl::StatusOr<Layout> Layout::Open(DaxDevice& device, Access access) {
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
  Layout layout;
  layout.head_ = *std::move(head);
  Load(*layout.head_, kSuperblockOffset, layout.super_);
  if (const absl::Status status = CheckSuperblock(layout.super_, device.size());
      !status.ok()) {
    return Annotate(status, device.spec());
  }
  layout.device_size_ = layout.super_.device_size;
  auto log = device.Map(kLogOffset, layout.super_.log_length, access);
  if (absl::IsNotFound(log.status())) {
    return DataLoss("{}: the log is missing: {}", device.spec(),
                    Message(log.status()));
  }
  if (!log.ok()) return log.status();
  layout.log_ = *std::move(log);
  FAMFS_ASSIGN_OR_RETURN(
      layout.identity_,
      DeviceIdentity::Of(device, *layout.head_, layout.super_.fs_uuid));
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

absl::StatusOr<std::optional<StateRecord>> Layout::LoadState() const {
  // Decoded from a copy: another host may write while it is looked at.
  std::array<std::byte, 2 * kLineSize> copies;
  std::memcpy(copies.data(), LoadCopies(*head_, kStateAt).data(),
              copies.size());
  return DecodeState(copies, super_.fs_uuid);
}

absl::StatusOr<std::optional<CompactionRecord>> Layout::LoadCompaction() const {
  std::array<std::byte, 2 * kLineSize> copies;
  std::memcpy(copies.data(), LoadCopies(*head_, kCompactionAt).data(),
              copies.size());
  return DecodeCompaction(copies, super_.fs_uuid);
}

absl::StatusOr<std::optional<OwnerRecord>> Layout::LoadOwner() const {
  std::array<std::byte, 2 * kLineSize> copies;
  std::memcpy(copies.data(), LoadCopies(*head_, kOwnerAt).data(),
              copies.size());
  return DecodeOwner(copies, super_.fs_uuid);
}

}  // namespace famfs
