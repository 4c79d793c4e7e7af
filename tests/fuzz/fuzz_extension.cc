// Volume attributes from hostile bytes: the block that rides in a mkdir entry,
// alone and as it is played.
//
// Input: byte 0 chooses what is repaired, then two blocks of 428 bytes: those
// of a directory's first and of its second mkdir. Repairs, by block (bits 0 to
// 3 the first, 4 to 7 the second): magic and version; the length from the two
// strings' lengths; revision and state that follow what came before; zeros
// behind the strings.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include "instance/log/log_player.h"
#include "media/checksum.h"
#include "media/volume_attributes.h"
#include "require.h"

namespace famfs {
namespace {

constexpr std::uint64_t kDeviceSize = 4ULL << 30;
constexpr std::uint64_t kLogLength = 8ULL << 20;
// docs/format.md, "Volume attributes".
constexpr std::size_t kFixedPart = 56;
constexpr std::size_t kLengthAt = 6;
constexpr std::size_t kLayoutAt = 9;
constexpr std::size_t kStateAt8 = 10;
constexpr std::size_t kRevisionAt = 12;
constexpr std::size_t kNameLengthAt = 52;

using Block = std::span<std::byte>;

template <typename T>
void Put(Block block, std::size_t at, T value) {
  std::memcpy(block.data() + at, &value, sizeof(value));
}
template <typename T>
T Get(Block block, std::size_t at) {
  T value;
  std::memcpy(&value, block.data() + at, sizeof(value));
  return value;
}

void Repair(Block block, unsigned what, std::uint32_t revision) {
  if ((what & 1) != 0) {
    Put<std::uint32_t>(block, 0, 0x4c564d46);
    // The version that goes with the layout: 2 with a tree.
    const bool tree = Get<std::uint8_t>(block, kLayoutAt) == 2;
    Put<std::uint16_t>(block, 4, tree ? 2 : 1);
  }
  const std::size_t length = kFixedPart +
                             Get<std::uint16_t>(block, kNameLengthAt) +
                             Get<std::uint16_t>(block, kNameLengthAt + 2);
  if ((what & 2) != 0) {
    Put<std::uint16_t>(block, kLengthAt, static_cast<std::uint16_t>(length));
  }
  if ((what & 4) != 0) {
    Put<std::uint32_t>(block, kRevisionAt, revision);
    if (revision == 1) Put<std::uint8_t>(block, kStateAt8, 1);
  }
  if ((what & 8) != 0 && length < block.size()) {
    std::fill(block.begin() + static_cast<long>(length), block.end(),
              std::byte{0});
  }
}

/// What is decoded encodes to the same bytes; what is refused has a reason.
void RequireCodec(const MediaMkdir& mkdir) {
  const auto attributes = DecodeVolumeAttributes(mkdir);
  if (!attributes.ok()) {
    FUZZ_REQUIRE(absl::IsDataLoss(attributes.status()) ||
                 absl::IsFailedPrecondition(attributes.status()));
    return;
  }
  if (!attributes->has_value()) return;
  const VolumeAttributes& a = **attributes;
  FUZZ_REQUIRE(!a.name.empty() && a.name.size() <= kMaxVolumeName);
  FUZZ_REQUIRE(a.content_source.size() <= kMaxContentSource);
  FUZZ_REQUIRE(a.capacity > 0 && a.capacity % kAllocUnit == 0);
  FUZZ_REQUIRE(a.layout == VolumeLayout::kFile || a.interleave_strips == 0);
  MediaMkdir again{};
  FUZZ_REQUIRE(EncodeVolumeAttributes(a, again).ok());
  FUZZ_REQUIRE(std::memcmp(again.extension, mkdir.extension, kExtensionSize) ==
               0);
}

/// What is live is found by its name; what is not is not.
void RequireTree(const LogPlayer& player) {
  for (const auto& [directory, id] : player.tree().volumes()) {
    const Node* node = player.tree().Find(id);
    FUZZ_REQUIRE(node != nullptr && node->volume != nullptr);
    FUZZ_REQUIRE(node->volume->state != VolumeState::kDeleted);
    FUZZ_REQUIRE(player.tree().FindVolume(node->volume->name,
                                          node->volume->kind) == node);
  }
}

void Run(std::uint8_t repair, std::span<const std::uint8_t> input) {
  MediaSuperblock super;
  super.log_length = kLogLength;
  super.device_size = kDeviceSize;
  LogPlayer player(super, kDeviceSize);
  for (std::uint32_t revision = 1; revision <= 2; ++revision) {
    MediaEntry entry{};
    entry.seqnum = player.next_index();
    entry.type = static_cast<std::uint32_t>(EntryType::kMkdir);
    entry.mkdir.mode = 0755;
    SetPath(entry.mkdir.path, "volume");
    const std::size_t count = std::min(input.size(), kExtensionSize);
    std::memcpy(entry.mkdir.extension, input.data(), count);
    input = input.subspan(count);
    Repair(entry.mkdir.extension, repair, revision);
    repair = static_cast<std::uint8_t>(repair >> 4);
    RequireCodec(entry.mkdir);
    Seal(entry);
    const std::size_t nodes = player.tree().size();
    if (player.TryApply(entry.seqnum, entry)) {
      FUZZ_REQUIRE(player.tree().size() == nodes);
    }
    RequireTree(player);
  }
}

}  // namespace
}  // namespace famfs

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  if (size > 1) famfs::Run(data[0], {data + 1, size - 1});
  return 0;
}
