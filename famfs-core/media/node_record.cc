#include "media/node_record.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>
#include <span>

#include "base/text.h"

namespace famfs {
namespace {

constexpr std::uint32_t kMagic = 0x444e4d46;  // "FMND"
constexpr std::uint16_t kVersion = 1;

/// The extension's fixed part; the name and then the target follow it without
/// padding, and zeros fill the rest of the 428 bytes. The target's length is
/// what `length` leaves, since each byte here is one less for the text.
struct Head {
  std::uint32_t magic;
  std::uint16_t version;
  std::uint16_t length;  // bytes in use: this head, name and target
  std::uint8_t kind;
  std::uint8_t state;
  std::uint16_t name_length;
  std::uint32_t revision;
  std::uint64_t parent;
  std::uint64_t size;
  std::uint64_t reach;
  std::int64_t mtime_ns;
  std::int64_t ctime_ns;
  std::uint64_t deletion_number;
  std::uint64_t request_number;
  std::uint32_t request_session;
  std::uint32_t truncation;
  std::uint32_t kept_pieces;
  std::uint32_t next_piece;
};
static_assert(sizeof(Head) == 88);
static_assert(offsetof(Head, revision) == 12);
static_assert(offsetof(Head, parent) == 16);
static_assert(offsetof(Head, size) == 24);
static_assert(offsetof(Head, reach) == 32);
static_assert(offsetof(Head, mtime_ns) == 40);
static_assert(offsetof(Head, ctime_ns) == 48);
static_assert(offsetof(Head, deletion_number) == 56);
static_assert(offsetof(Head, request_number) == 64);
static_assert(offsetof(Head, request_session) == 72);
static_assert(offsetof(Head, truncation) == 76);
static_assert(offsetof(Head, kept_pieces) == 80);
static_assert(offsetof(Head, next_piece) == 84);
static_assert(sizeof(Head) + kMaxNodeText == kExtensionSize);
static_assert(kMaxNodeName < kMaxNodeText, "a link's name leaves its target");

constexpr std::size_t kIdDigits = 16;
constexpr std::size_t kPieceDigits = 10;  // of 2^32 - 1
static_assert(kMaxTreeVolume + 1 + kIdDigits + 1 + kPieceDigits ==
              kMaxPathLength);

constexpr std::uint64_t kMaxSize = std::numeric_limits<std::int64_t>::max();
constexpr unsigned kHalf = 32;  // bits of a deletion number in uid and in gid

absl::Status CheckRange(std::string_view field, unsigned value, unsigned low,
                        unsigned high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return InvalidArgument("{} is {}, not {} to {}", field, value, low, high);
}

absl::Status CheckTarget(const NodeRecord& record) {
  if (record.kind != NodeKind::kSymlink) {
    if (record.target.empty()) return absl::OkStatus();
    return InvalidArgument("a target of {} bytes with kind {}: only a link has",
                           record.target.size(), static_cast<int>(record.kind));
  }
  if (record.target.empty()) {
    return InvalidArgument("the target of a link is empty");
  }
  if (record.target.find('\0') != std::string::npos) {
    return InvalidArgument("target '{}' has a NUL", Printable(record.target));
  }
  if (record.name.size() + record.target.size() > kMaxNodeText) {
    return OutOfRange(
        "a name of {} and a target of {} bytes are more than {} together",
        record.name.size(), record.target.size(), kMaxNodeText);
  }
  return absl::OkStatus();
}

/// What only a file has: bytes and pieces.
absl::Status CheckBytes(const NodeRecord& record) {
  const auto& r = record;
  if (r.size > kMaxSize || r.reach > kMaxSize) {
    return InvalidArgument("size {} or reach {} is more than {}", r.size,
                           r.reach, kMaxSize);
  }
  // A live piece has a number below next_piece, and no number comes twice.
  if (r.kept_pieces > r.next_piece) {
    return InvalidArgument("kept_pieces is {}, but next_piece {}",
                           r.kept_pieces, r.next_piece);
  }
  if (r.kind == NodeKind::kFile) return absl::OkStatus();
  if (r.size != 0 || r.reach != 0 || r.truncation != 0 || r.next_piece != 0) {
    return InvalidArgument(
        "size {}, reach {}, truncation {} and next_piece {} with kind {}: only "
        "a file has them",
        r.size, r.reach, r.truncation, r.next_piece, static_cast<int>(r.kind));
  }
  return absl::OkStatus();
}

/// The rules that hold on both sides of the medium.
absl::Status CheckRecord(const NodeRecord& record) {
  FAMFS_RETURN_IF_ERROR(
      CheckRange("kind", static_cast<unsigned>(record.kind), 1, 3));
  FAMFS_RETURN_IF_ERROR(
      CheckRange("state", static_cast<unsigned>(record.state), 1, 2));
  if (record.revision == 0) return InvalidArgument("revision 0 does not exist");
  FAMFS_RETURN_IF_ERROR(CheckNodeName(record.name));
  FAMFS_RETURN_IF_ERROR(CheckTarget(record));
  FAMFS_RETURN_IF_ERROR(CheckBytes(record));
  if (record.state == NodeState::kRemoved && record.deletion_number == 0) {
    return InvalidArgument("a removed node without a deletion number");
  }
  // Of a live node it is the number of pieces given up, which `truncation`
  // counts.
  if (record.state == NodeState::kLive && record.deletion_number != 0 &&
      record.truncation == 0) {
    return InvalidArgument(
        "deletion number {} of a live node that never gave up a piece",
        record.deletion_number);
  }
  return absl::OkStatus();
}

/// Lengths and the zero tail; after it both strings lie within the field.
absl::Status CheckShape(const Head& head, std::span<const std::byte> field) {
  if (head.length > kExtensionSize || head.name_length > kMaxNodeName ||
      head.length < sizeof(Head) + head.name_length) {
    return DataLoss("node record: length {} does not fit a name of {} bytes",
                    head.length, head.name_length);
  }
  const auto tail = field.subspan(head.length);
  if (std::any_of(tail.begin(), tail.end(),
                  [](std::byte b) { return b != std::byte{0}; })) {
    return DataLoss("node record: bytes after its length {} are set",
                    head.length);
  }
  return absl::OkStatus();
}

NodeRecord RecordOf(const Head& head, std::string_view text) {
  return {
      .kind = static_cast<NodeKind>(head.kind),
      .state = static_cast<NodeState>(head.state),
      .revision = head.revision,
      .parent = head.parent,
      .name = std::string(text.substr(0, head.name_length)),
      .target = std::string(text.substr(head.name_length)),
      .size = head.size,
      .reach = head.reach,
      .truncation = head.truncation,
      .kept_pieces = head.kept_pieces,
      .next_piece = head.next_piece,
      .mtime_ns = head.mtime_ns,
      .ctime_ns = head.ctime_ns,
      .deletion_number = head.deletion_number,
      .request = {.session = head.request_session,
                  .number = head.request_number},
  };
}

/// A number as it is printed: no sign, no leading zeros.
template <typename T>
std::optional<T> ParseNumber(std::string_view text) {
  if (text.empty() || (text.size() > 1 && text.front() == '0')) {
    return std::nullopt;
  }
  T value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

/// 16 lower-case digits; 0 for anything else, which is no node's id.
TreeId ParseId(std::string_view text) {
  if (text.size() != kIdDigits) return 0;
  TreeId id = 0;
  for (const char c : text) {
    const std::size_t digit = std::string_view("0123456789abcdef").find(c);
    if (digit == std::string_view::npos) return 0;
    id = id << 4 | digit;
  }
  return id;
}

}  // namespace

absl::Status EncodeNodeRecord(const NodeRecord& record, MediaMkdir& mkdir) {
  FAMFS_RETURN_IF_ERROR(CheckRecord(record));
  const Head head{
      .magic = kMagic,
      .version = kVersion,
      .length = static_cast<std::uint16_t>(sizeof(Head) + record.name.size() +
                                           record.target.size()),
      .kind = static_cast<std::uint8_t>(record.kind),
      .state = static_cast<std::uint8_t>(record.state),
      .name_length = static_cast<std::uint16_t>(record.name.size()),
      .revision = record.revision,
      .parent = record.parent,
      .size = record.size,
      .reach = record.reach,
      .mtime_ns = record.mtime_ns,
      .ctime_ns = record.ctime_ns,
      .deletion_number = record.deletion_number,
      .request_number = record.request.number,
      .request_session = record.request.session,
      .truncation = record.truncation,
      .kept_pieces = record.kept_pieces,
      .next_piece = record.next_piece,
  };
  std::memset(mkdir.extension, 0, kExtensionSize);
  std::byte* to = mkdir.extension;
  std::memcpy(to, &head, sizeof(head));
  std::memcpy(to + sizeof(head), record.name.data(), record.name.size());
  std::memcpy(to + sizeof(head) + record.name.size(), record.target.data(),
              record.target.size());
  return absl::OkStatus();
}

absl::StatusOr<std::optional<NodeRecord>> DecodeNodeRecord(
    const MediaMkdir& mkdir) {
  const std::span<const std::byte> field(mkdir.extension);
  Head head;
  std::memcpy(&head, field.data(), sizeof(head));
  if (head.magic != kMagic) return std::nullopt;
  if (head.version > kVersion) {
    return FailedPrecondition(
        "node record: version {} is newer than this program's {}; use a newer "
        "famfs-csi",
        head.version, kVersion);
  }
  if (head.version != kVersion) {
    return DataLoss("node record: version is {}", head.version);
  }
  FAMFS_RETURN_IF_ERROR(CheckShape(head, field));
  const std::string_view text(
      reinterpret_cast<const char*>(field.data()) + sizeof(head),
      head.length - sizeof(head));
  NodeRecord record = RecordOf(head, text);
  if (const absl::Status status = CheckRecord(record); !status.ok()) {
    return DataLoss("node record: {}", Message(status));
  }
  return record;
}

absl::Status CheckNodeName(std::string_view name) {
  if (name.size() > kMaxNodeName) {
    return OutOfRange("a name of {} bytes is longer than {}", name.size(),
                      kMaxNodeName);
  }
  if (name.empty() || name == "." || name == "..") {
    return InvalidArgument("'{}' is no name", name);
  }
  if (name.find_first_of(std::string_view("/\0", 2)) !=
      std::string_view::npos) {
    return InvalidArgument("name '{}' has a '/' or a NUL", Printable(name));
  }
  return absl::OkStatus();
}

std::string NodePath(std::string_view volume, TreeId id) {
  return fmt::format("{}/{:016x}", volume, id);
}

std::string NodeFileName(std::string_view volume, TreeId id) {
  return fmt::format("{}.{:016x}", volume, id);
}

std::string PiecePath(std::string_view volume, TreeId id, std::uint32_t piece) {
  return fmt::format("{}/{:016x}.{}", volume, id, piece);
}

std::optional<TreeName> ParseTreeName(std::string_view component) {
  const TreeName name{.id = ParseId(component.substr(0, kIdDigits)),
                      .piece = std::nullopt};
  if (name.id == kVolumeRoot) return std::nullopt;
  if (component.size() == kIdDigits) return name;
  if (component[kIdDigits] != '.') return std::nullopt;
  const auto piece =
      ParseNumber<std::uint32_t>(component.substr(kIdDigits + 1));
  if (!piece) return std::nullopt;
  return TreeName{.id = name.id, .piece = piece};
}

void MarkDeadPiece(std::uint64_t deletion_number, MediaFile& piece) {
  piece.mode = kDeadPieceMode;
  piece.uid = static_cast<std::uint32_t>(deletion_number);
  piece.gid = static_cast<std::uint32_t>(deletion_number >> kHalf);
}

absl::StatusOr<std::uint64_t> DeletionNumberOf(const MediaFile& piece) {
  const std::uint64_t number = std::uint64_t{piece.gid} << kHalf | piece.uid;
  const bool live = piece.mode == kLivePieceMode && number == 0;
  const bool dead = piece.mode == kDeadPieceMode && number != 0;
  if (live || dead) return number;
  return DataLoss(
      "piece '{}': mode {:#o} with uid {} and gid {} is neither a live piece's "
      "nor a dead one's",
      Printable(PathFromField(piece.path)), piece.mode, piece.uid, piece.gid);
}

}  // namespace famfs
