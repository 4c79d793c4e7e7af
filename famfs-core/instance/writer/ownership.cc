#include "instance/writer/ownership.h"

#include <spdlog/spdlog.h>

#include <array>
#include <cstring>
#include <optional>
#include <span>

#include "instance/devices/metadata_store.h"
#include "media/checksum.h"

namespace famfs {
namespace {

constexpr std::size_t kOwnerUuidAt = offsetof(MediaSuperblock, system_uuid);
constexpr std::size_t kCrcAt = offsetof(MediaSuperblock, crc);
static_assert(kOwnerUuidAt % 16 == 0);
static_assert(kOwnerUuidAt / kLineSize ==
              (kCrcAt + sizeof(std::uint64_t) - 1) / kLineSize);

std::uint64_t CrcOf(MediaSuperblock super, const Uuid& owner) {
  super.system_uuid = owner;
  Seal(super);
  return super.crc;
}

void StoreOwnerUuid(Mapping& head, const MediaSuperblock& super,
                    const Uuid& owner) {
  std::array<std::uint64_t, 2> words{};
  std::memcpy(words.data(), owner.bytes.data(), sizeof(words));
  head.Store16(kOwnerUuidAt, words[0], words[1]);
  const std::uint64_t crc = CrcOf(super, owner);
  head.Store(kCrcAt, std::as_bytes(std::span(&crc, 1)));
  head.WriteBack(kOwnerUuidAt, kCrcAt + sizeof(crc) - kOwnerUuidAt);
}

std::optional<OwnerRecord> LoadCopy(const Mapping& head, std::size_t copy,
                                    const Uuid& fs_uuid) {
  std::array<std::byte, 2 * kLineSize> copies{};
  const std::size_t at = kRegionOffset + kOwnerAt + copy * kLineSize;
  head.Invalidate(at, kLineSize);
  std::memcpy(copies.data() + copy * kLineSize, head.data() + at, kLineSize);
  const auto record = DecodeOwner(copies, fs_uuid);
  return record.ok() ? *record : std::nullopt;
}

std::uint64_t RandomNonce() {
  std::uint64_t nonce = 0;
  std::memcpy(&nonce, Uuid::Random().bytes.data() + 8, sizeof(nonce));
  return nonce;
}

}  // namespace

OwnerRecord StoreNextOwner(Layout& layout, std::uint64_t epoch,
                           const Uuid& host) {
  const auto last = layout.LoadOwner();
  const std::uint64_t sequence =
      last.ok() && last->has_value() ? (*last)->sequence + 1 : 2;
  const OwnerRecord next{.sequence = sequence,
                         .epoch = epoch,
                         .host = host,
                         .nonce = RandomNonce()};
  StoreOwner(layout.head(), next, layout.superblock().fs_uuid);
  return next;
}

absl::Status ChangeOwner(Layout& layout, const Uuid& new_owner) {
  const MediaSuperblock& super = layout.superblock();
  FAMFS_ASSIGN_OR_RETURN(const auto state, layout.LoadState());
  FAMFS_ASSIGN_OR_RETURN(const auto last, layout.LoadOwner());
  const std::uint64_t epoch =
      std::max(state ? state->writer_epoch : 0, last ? last->epoch : 0);
  // Both hosts stand in the pair, so that MendOwner can try either.
  if (!last || last->host != super.system_uuid) {
    StoreNextOwner(layout, epoch, super.system_uuid);
  }
  StoreNextOwner(layout, epoch + 1, new_owner);
  StoreOwnerUuid(layout.head(), super, new_owner);
  return layout.Check();
}

absl::Status MendOwner(DaxDevice& device) {
  if (device.size() < kSuperblockRegion) return absl::OkStatus();
  auto head =
      device.Map(kSuperblockOffset, kSuperblockRegion, Access::kReadWrite);
  if (!head.ok()) return absl::OkStatus();  // Layout::Open says why
  MediaSuperblock super;
  (*head)->Invalidate(0, sizeof(super));
  std::memcpy(static_cast<void*>(&super), (*head)->data(), sizeof(super));
  if (super.magic != kSuperblockMagic || super.version != kSuperblockVersion) {
    return absl::OkStatus();
  }
  const auto first = LoadCopy(**head, 0, super.fs_uuid);
  const auto second = LoadCopy(**head, 1, super.fs_uuid);
  FAMFS_RETURN_IF_ERROR((*head)->Check());
  if (!first || !second) return absl::OkStatus();
  const bool first_is_newer = first->sequence > second->sequence;
  const Uuid& from = first_is_newer ? second->host : first->host;
  const Uuid& to = first_is_newer ? first->host : second->host;
  const bool torn = super.crc != CrcOf(super, super.system_uuid) &&
                    super.system_uuid == to && super.crc == CrcOf(super, from);
  const bool not_begun = super.system_uuid == from && from != to &&
                         super.crc == CrcOf(super, from);
  if (!torn && !not_begun) return absl::OkStatus();
  spdlog::info("{}: completing the change of its owner to the host {}",
               device.spec(), to.ToString());
  StoreOwnerUuid(**head, super, to);
  return (*head)->Check();
}

}  // namespace famfs
