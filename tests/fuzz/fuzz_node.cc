// Node records from hostile bytes, and the names of nodes and pieces.
//
// Input: byte 0 chooses what is repaired, then a mkdir entry's extension of 428
// bytes, then a name as it stands behind a volume's directory. Repairs (bits of
// byte 0): magic and version; lengths that fit the field; zeros behind the
// strings; kind and state that exist; kept pieces that may be.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include "media/node_record.h"
#include "require.h"

namespace famfs {
namespace {

// docs/format.md, "Node records".
constexpr std::size_t kFixedPart = 88;
constexpr std::size_t kLengthAt = 6;
constexpr std::size_t kKindAt = 8;
constexpr std::size_t kNameLengthAt = 10;
constexpr std::size_t kKeptAt = 80;
constexpr std::size_t kNextAt = 84;

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

void RepairLengths(Block block) {
  const auto name = static_cast<std::uint16_t>(
      Get<std::uint16_t>(block, kNameLengthAt) % (kMaxNodeName + 1));
  const std::size_t text =
      std::clamp<std::size_t>(Get<std::uint16_t>(block, kLengthAt) % 512,
                              kFixedPart + name, kExtensionSize);
  Put(block, kNameLengthAt, name);
  Put(block, kLengthAt, static_cast<std::uint16_t>(text));
}

void Repair(Block block, unsigned what) {
  if ((what & 1) != 0) {
    Put<std::uint32_t>(block, 0, 0x444e4d46);
    Put<std::uint16_t>(block, 4, 1);
  }
  if ((what & 2) != 0) RepairLengths(block);
  const std::size_t length = Get<std::uint16_t>(block, kLengthAt);
  if ((what & 4) != 0 && length < block.size()) {
    std::ranges::fill(block.subspan(length), std::byte{0});
  }
  if ((what & 8) != 0) {
    const auto kind = Get<std::uint8_t>(block, kKindAt);
    const auto state = Get<std::uint8_t>(block, kKindAt + 1);
    Put(block, kKindAt, static_cast<std::uint8_t>(1 + kind % 3));
    Put(block, kKindAt + 1, static_cast<std::uint8_t>(1 + state % 2));
  }
  if ((what & 16) != 0) {
    const auto kept = Get<std::uint32_t>(block, kKeptAt);
    Put(block, kKeptAt, std::min(kept, Get<std::uint32_t>(block, kNextAt)));
  }
}

/// What is decoded keeps the rules as they are counted again here, and encodes
/// to the same bytes.
void RequireRecord(const MediaMkdir& mkdir) {
  const auto decoded = DecodeNodeRecord(mkdir);
  if (!decoded.ok()) {
    FUZZ_REQUIRE(absl::IsDataLoss(decoded.status()) ||
                 absl::IsFailedPrecondition(decoded.status()));
    return;
  }
  if (!decoded->has_value()) return;
  const NodeRecord& r = **decoded;
  FUZZ_REQUIRE(!r.name.empty() && r.name.size() <= kMaxNodeName);
  FUZZ_REQUIRE(r.name.find('/') == std::string::npos);
  FUZZ_REQUIRE(std::strlen(r.name.c_str()) == r.name.size());
  FUZZ_REQUIRE(r.name != "." && r.name != "..");
  FUZZ_REQUIRE(r.name.size() + r.target.size() <= kMaxNodeText);
  FUZZ_REQUIRE(r.target.empty() == (r.kind != NodeKind::kSymlink));
  FUZZ_REQUIRE(std::strlen(r.target.c_str()) == r.target.size());
  FUZZ_REQUIRE(r.size <= INT64_MAX && r.reach <= INT64_MAX);
  FUZZ_REQUIRE(r.kind == NodeKind::kFile ||
               (r.size | r.reach | r.next_piece | r.truncation) == 0);
  FUZZ_REQUIRE(r.kept_pieces <= r.next_piece && r.revision > 0);
  FUZZ_REQUIRE(r.state == NodeState::kLive || r.deletion_number != 0);
  MediaMkdir again{};
  FUZZ_REQUIRE(EncodeNodeRecord(r, again).ok());
  FUZZ_REQUIRE(std::memcmp(again.extension, mkdir.extension, kExtensionSize) ==
               0);
}

/// What is taken for a name is spelt as ours are.
void RequireName(std::string_view component) {
  const auto name = ParseTreeName(component);
  if (!name) return;
  const std::string spelt = name->piece ? PiecePath("", name->id, *name->piece)
                                        : NodePath("", name->id);
  FUZZ_REQUIRE(name->id != kVolumeRoot && spelt.substr(1) == component);
}

void Run(std::uint8_t repair, std::span<const std::uint8_t> input) {
  MediaMkdir mkdir{};
  const std::size_t count = std::min(input.size(), kExtensionSize);
  std::memcpy(mkdir.extension, input.data(), count);
  Repair(mkdir.extension, repair);
  RequireRecord(mkdir);
  const auto rest = input.subspan(count);
  RequireName({reinterpret_cast<const char*>(rest.data()), rest.size()});
}

}  // namespace
}  // namespace famfs

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  if (size > 1) famfs::Run(data[0], {data + 1, size - 1});
  return 0;
}
