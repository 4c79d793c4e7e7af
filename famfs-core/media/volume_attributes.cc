#include "media/volume_attributes.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <span>

#include "base/text.h"

namespace famfs {
namespace {

constexpr std::uint32_t kMagic = 0x4c564d46;  // "FMVL"
// The same bytes; the number keeps programs without tree volumes away. They
// would take layout 2 in version 1 for a directory alone and a node record for
// a repeated mkdir that changed nothing, of which their compaction keeps the
// first: renamed and removed files would come back.
constexpr std::uint16_t kFileVersion = 1;
constexpr std::uint16_t kTreeVersion = 2;

std::uint16_t VersionOf(VolumeLayout layout) {
  return layout == VolumeLayout::kTree ? kTreeVersion : kFileVersion;
}

/// The extension's fixed part; the name and then the content source follow it
/// without padding, and zeros fill the rest of the 428 bytes.
struct AttributesHead {
  std::uint32_t magic;
  std::uint16_t version;
  std::uint16_t length;  // bytes in use: this head and both strings
  std::uint8_t kind;
  std::uint8_t layout;
  std::uint8_t state;
  std::uint8_t data_path;
  std::uint32_t revision;
  std::uint64_t capacity;
  std::uint64_t created_unix_ns;
  std::uint64_t deletion_number;
  std::uint64_t interleave_chunk;
  std::uint32_t interleave_strips;
  std::uint16_t name_length;
  std::uint16_t source_length;
};
static_assert(sizeof(AttributesHead) == 56);
static_assert(offsetof(AttributesHead, capacity) == 16);
static_assert(offsetof(AttributesHead, name_length) == 52);
static_assert(sizeof(AttributesHead) + kMaxVolumeName + kMaxContentSource <=
              kExtensionSize);

constexpr std::array<std::string_view, 4> kDataPathNames = {
    "auto", "fmap", "passthrough", "copy"};

/// The rules that hold on both sides of the medium.
absl::Status CheckAttributes(const VolumeAttributes& attributes) {
  const auto& a = attributes;
  if (a.name.empty() || a.name.size() > kMaxVolumeName) {
    return InvalidArgument("the volume's name has {} bytes, not 1 to {}",
                           a.name.size(), kMaxVolumeName);
  }
  if (a.content_source.size() > kMaxContentSource) {
    return InvalidArgument("the content source has {} bytes, more than {}",
                           a.content_source.size(), kMaxContentSource);
  }
  constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max();
  if (a.capacity == 0 || a.capacity % kAllocUnit != 0 || a.capacity > kMax) {
    return InvalidArgument("capacity {} is not a positive multiple of 2 MiB",
                           a.capacity);
  }
  if (a.interleave_strips > kMaxStrips) {
    return InvalidArgument("interleave_strips is {}, more than {}",
                           a.interleave_strips, kMaxStrips);
  }
  if (a.interleave_strips == 0 && a.interleave_chunk != 0) {
    return InvalidArgument("interleave_chunk is {} without any strips",
                           a.interleave_chunk);
  }
  if (a.interleave_strips != 0 && (!std::has_single_bit(a.interleave_chunk) ||
                                   a.interleave_chunk % kAllocUnit != 0)) {
    return InvalidArgument(
        "interleave_chunk is {}, not a power of two of at least 2 MiB",
        a.interleave_chunk);
  }
  // Its files are placed one by one, as they grow.
  if (a.layout == VolumeLayout::kTree && a.interleave_strips != 0) {
    return InvalidArgument("interleave_strips is {} with the layout tree",
                           a.interleave_strips);
  }
  if (a.revision == 0) return InvalidArgument("revision 0 does not exist");
  if ((a.state == VolumeState::kDeleted) != (a.deletion_number != 0)) {
    return InvalidArgument(
        "deletion number {} with state {}: a deleted volume has one, no other",
        a.deletion_number, static_cast<int>(a.state));
  }
  return absl::OkStatus();
}

absl::Status CheckRange(std::string_view field, unsigned value, unsigned low,
                        unsigned high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return InvalidArgument("{} is {}, not {} to {}", field, value, low, high);
}

absl::Status CheckEnums(unsigned kind, unsigned layout, unsigned state,
                        unsigned data_path) {
  FAMFS_RETURN_IF_ERROR(CheckRange("kind", kind, 1, 2));
  FAMFS_RETURN_IF_ERROR(CheckRange("layout", layout, 1, 2));
  FAMFS_RETURN_IF_ERROR(CheckRange("state", state, 1, 3));
  return CheckRange("data path", data_path, 0, 3);
}

absl::Status AsDataLoss(const absl::Status& status) {
  return DataLoss("volume attributes: {}", Message(status));
}

/// Lengths and the zero tail; after it both strings lie within the field.
absl::Status CheckShape(const AttributesHead& head,
                        std::span<const std::byte> field) {
  if (head.name_length > kMaxVolumeName ||
      head.source_length > kMaxContentSource ||
      head.length !=
          sizeof(AttributesHead) + head.name_length + head.source_length) {
    return DataLoss(
        "volume attributes: length {} does not fit a name of {} and a content "
        "source of {} bytes",
        head.length, head.name_length, head.source_length);
  }
  const auto tail = field.subspan(head.length);
  if (std::any_of(tail.begin(), tail.end(),
                  [](std::byte b) { return b != std::byte{0}; })) {
    return DataLoss("volume attributes: bytes after their length {} are set",
                    head.length);
  }
  return absl::OkStatus();
}

int Rank(DataPath path) {
  switch (path) {
    case DataPath::kFmap:
      return 3;
    case DataPath::kPassthrough:
      return 2;
    case DataPath::kCopy:
      return 1;
    case DataPath::kAuto:
      return 0;
  }
  return 0;
}

}  // namespace

std::string_view ToString(DataPath data_path) {
  return kDataPathNames[static_cast<std::size_t>(data_path) %
                        kDataPathNames.size()];
}

absl::StatusOr<DataPath> ParseDataPath(std::string_view text) {
  for (std::size_t i = 0; i < kDataPathNames.size(); ++i) {
    if (text == kDataPathNames[i]) return static_cast<DataPath>(i);
  }
  return InvalidArgument(
      "data path '{}' is none of auto, fmap, passthrough and copy",
      Printable(text));
}

std::string_view ToString(VolumeLayout layout) {
  return layout == VolumeLayout::kTree ? "tree" : "file";
}

absl::StatusOr<VolumeLayout> ParseVolumeLayout(std::string_view text) {
  if (text == "file") return VolumeLayout::kFile;
  if (text == "tree") return VolumeLayout::kTree;
  return InvalidArgument(
      "layout '{}' is neither file (one file, data, of the volume's size) nor "
      "tree (a directory for any files)",
      Printable(text));
}

bool Satisfies(DataPath served, DataPath asked) {
  return Rank(served) >= Rank(asked);
}

absl::Status EncodeVolumeAttributes(const VolumeAttributes& attributes,
                                    MediaMkdir& mkdir) {
  FAMFS_RETURN_IF_ERROR(CheckAttributes(attributes));
  const AttributesHead head{
      .magic = kMagic,
      .version = VersionOf(attributes.layout),
      .length = static_cast<std::uint16_t>(sizeof(AttributesHead) +
                                           attributes.name.size() +
                                           attributes.content_source.size()),
      .kind = static_cast<std::uint8_t>(attributes.kind),
      .layout = static_cast<std::uint8_t>(attributes.layout),
      .state = static_cast<std::uint8_t>(attributes.state),
      .data_path = static_cast<std::uint8_t>(attributes.data_path),
      .revision = attributes.revision,
      .capacity = attributes.capacity,
      .created_unix_ns = attributes.created_unix_ns,
      .deletion_number = attributes.deletion_number,
      .interleave_chunk = attributes.interleave_chunk,
      .interleave_strips = attributes.interleave_strips,
      .name_length = static_cast<std::uint16_t>(attributes.name.size()),
      .source_length =
          static_cast<std::uint16_t>(attributes.content_source.size()),
  };
  FAMFS_RETURN_IF_ERROR(
      CheckEnums(head.kind, head.layout, head.state, head.data_path));
  std::memset(mkdir.extension, 0, kExtensionSize);
  std::byte* to = mkdir.extension;
  std::memcpy(to, &head, sizeof(head));
  std::memcpy(to + sizeof(head), attributes.name.data(), head.name_length);
  std::memcpy(to + sizeof(head) + head.name_length,
              attributes.content_source.data(), head.source_length);
  return absl::OkStatus();
}

absl::StatusOr<std::optional<VolumeAttributes>> DecodeVolumeAttributes(
    const MediaMkdir& mkdir) {
  const std::span<const std::byte> field(mkdir.extension);
  AttributesHead head;
  std::memcpy(&head, field.data(), sizeof(head));
  if (head.magic != kMagic) return std::nullopt;
  if (head.version > kTreeVersion) {
    return FailedPrecondition(
        "volume attributes: version {} is newer than this program's {}; use a "
        "newer famfs-csi",
        head.version, kTreeVersion);
  }
  if (head.version < kFileVersion) {
    return DataLoss("volume attributes: version is {}", head.version);
  }
  FAMFS_RETURN_IF_ERROR(CheckShape(head, field));
  if (const absl::Status status =
          CheckEnums(head.kind, head.layout, head.state, head.data_path);
      !status.ok()) {
    return AsDataLoss(status);
  }
  // Nobody wrote version 1 with the layout tree, or 2 with another: one of the
  // two fields is wrong, and nothing tells which.
  if (head.version != VersionOf(static_cast<VolumeLayout>(head.layout))) {
    return DataLoss("volume attributes: version is {} with layout {}",
                    head.version, head.layout);
  }
  const auto* text = reinterpret_cast<const char*>(field.data()) + sizeof(head);
  VolumeAttributes attributes{
      .name = std::string(text, head.name_length),
      .kind = static_cast<VolumeKind>(head.kind),
      .layout = static_cast<VolumeLayout>(head.layout),
      .state = static_cast<VolumeState>(head.state),
      .data_path = static_cast<DataPath>(head.data_path),
      .capacity = head.capacity,
      .interleave_strips = head.interleave_strips,
      .interleave_chunk = head.interleave_chunk,
      .content_source =
          std::string(text + head.name_length, head.source_length),
      .created_unix_ns = head.created_unix_ns,
      .revision = head.revision,
      .deletion_number = head.deletion_number,
  };
  if (const absl::Status status = CheckAttributes(attributes); !status.ok()) {
    return AsDataLoss(status);
  }
  return attributes;
}

}  // namespace famfs
