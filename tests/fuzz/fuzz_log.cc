// Entries made of few bytes each, so that mutations meet: the same paths,
// extents that overlap, revisions in and out of order. After each one the
// player's tree and allocator must account for every byte of the device, and a
// refused entry must have changed nothing.
#include <fuzzer/FuzzedDataProvider.h>

#include <cstdint>

#include "instance/log/log_player.h"
#include "media/checksum.h"
#include "require.h"

namespace famfs {
namespace {

constexpr std::uint64_t kDeviceSize = 4ULL << 30;
constexpr std::uint64_t kLogLength = 8ULL << 20;

std::uint64_t SmallOrAny(FuzzedDataProvider& input, std::uint64_t unit) {
  const auto small = input.ConsumeIntegral<std::uint8_t>();
  return small == 0xff ? input.ConsumeIntegral<std::uint64_t>() : small * unit;
}

MediaExtent TakeExtent(FuzzedDataProvider& input) {
  return {.device_index = input.ConsumeIntegral<std::uint8_t>() % 3U,
          .offset = SmallOrAny(input, kAllocUnit),
          .length = SmallOrAny(input, kAllocUnit)};
}

void TakePath(FuzzedDataProvider& input, char (&field)[kPathField]) {
  SetPath(field, input.ConsumeRandomLengthString(kMaxPathLength));
}

void FillFile(FuzzedDataProvider& input, MediaFile& file) {
  file.flags = kFileFlagsWritten;
  file.mode = 0644;
  TakePath(input, file.path);
  file.size = SmallOrAny(input, kAllocUnit);
  file.extent_type = input.ConsumeBool() ? 1 : 0;
  const std::size_t count = input.ConsumeIntegralInRange<std::size_t>(0, 4);
  if (file.extent_type == 0) {
    file.extent_count = static_cast<std::uint32_t>(count);
    for (std::size_t i = 0; i < count; ++i) file.extents[i] = TakeExtent(input);
    return;
  }
  file.extent_count = 1;
  file.interleave.strips_used = count;
  file.interleave.chunk = SmallOrAny(input, kAllocUnit);
  for (std::size_t i = 0; i < count; ++i) {
    file.interleave.strips[i] = TakeExtent(input);
  }
}

void FillMkdir(FuzzedDataProvider& input, MediaMkdir& mkdir) {
  mkdir.mode = 0755;
  TakePath(input, mkdir.path);
  if (input.ConsumeBool()) return;
  VolumeAttributes attributes;
  attributes.name = input.ConsumeRandomLengthString(8);
  attributes.kind =
      input.ConsumeBool() ? VolumeKind::kVolume : VolumeKind::kSnapshot;
  attributes.layout =
      input.ConsumeBool() ? VolumeLayout::kFile : VolumeLayout::kTree;
  attributes.state =
      static_cast<VolumeState>(input.ConsumeIntegralInRange(1, 3));
  attributes.revision = input.ConsumeIntegral<std::uint8_t>();
  attributes.capacity = SmallOrAny(input, kAllocUnit);
  if (attributes.state == VolumeState::kDeleted) {
    attributes.deletion_number = input.ConsumeIntegral<std::uint8_t>();
  }
  IgnoreError(EncodeVolumeAttributes(attributes, mkdir),
              "then the directory is an ordinary one");
}

MediaEntry TakeEntry(FuzzedDataProvider& input, std::uint64_t index) {
  MediaEntry entry{};
  entry.seqnum = index;
  entry.type = input.ConsumeIntegralInRange<std::uint32_t>(0, 4);
  if (entry.type == 0) {
    FillFile(input, entry.file);
  } else if (entry.type == 3) {
    entry.add_daxdev.size = SmallOrAny(input, 1ULL << 30);
    entry.add_daxdev.index = input.ConsumeIntegral<std::uint8_t>();
    entry.add_daxdev.device_uuid.bytes[0] =
        input.ConsumeIntegral<std::uint8_t>();
  } else {
    FillMkdir(input, entry.mkdir);
  }
  Seal(entry);
  return entry;
}

/// Files, dead extents and free space make up device 0.
void RequireAccounted(const LogPlayer& player) {
  std::uint64_t used = kLogOffset + kLogLength;
  for (const auto& [id, node] : player.tree().nodes()) {
    FUZZ_REQUIRE(node->id == id);
    if (node->is_meta) continue;
    for (const MediaExtent& extent : node->extents) {
      if (extent.device_index == 0) used += extent.length;
    }
  }
  for (const Range& range : player.PendingOn(0)) used += range.length;
  FUZZ_REQUIRE(used + player.allocator().free_bytes() == kDeviceSize);
}

void Run(FuzzedDataProvider input) {
  MediaSuperblock super;
  super.log_length = kLogLength;
  super.device_size = kDeviceSize;
  LogPlayer player(super, kDeviceSize);
  for (int i = 0; i < 64 && input.remaining_bytes() != 0; ++i) {
    const std::uint64_t index = player.next_index();
    const std::uint64_t free = player.allocator().free_bytes();
    const std::size_t nodes = player.tree().size();
    const std::size_t volumes = player.tree().volumes().size();
    if (!player.TryApply(index, TakeEntry(input, index))) {
      FUZZ_REQUIRE(player.next_index() == index + 1);
    } else {
      FUZZ_REQUIRE(player.next_index() == index);
      FUZZ_REQUIRE(player.allocator().free_bytes() == free);
      FUZZ_REQUIRE(player.tree().size() == nodes);
      FUZZ_REQUIRE(player.tree().volumes().size() == volumes);
    }
    RequireAccounted(player);
  }
  absl::flat_hash_set<std::string> dead;
  for (const auto& [directory, volume] : player.pending()) {
    dead.insert(directory);
  }
  player.ForgetDead(dead, player.next_index());
  FUZZ_REQUIRE(player.pending().empty());
  RequireAccounted(player);
}

}  // namespace
}  // namespace famfs

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  famfs::Run(FuzzedDataProvider(data, size));
  return 0;
}
