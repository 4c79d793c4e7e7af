// Our extension of a mkdir entry below a volume of layout `tree`: a node
// record. It says what one directory, file or symbolic link of the volume is
// called, where it stands and what it is like (docs/format.md, "Tree volumes").
//
// The entry's path is `<volume>/<node id>`, the id in 16 lower-case hexadecimal
// digits; owner and mode are the entry's own. A change is a record with a
// higher revision; the last one wins. A file's bytes are its pieces in the
// order of their numbers: file entries `<volume>/<node id>.<n>`, which never
// move, are never joined, and whose numbers only grow.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "media/format.h"

namespace famfs {

/// Of a node within its volume; 0 is the volume's own directory, which has no
/// record. Random, and never used again while the volume lives.
using TreeId = std::uint64_t;
inline constexpr TreeId kVolumeRoot = 0;

inline constexpr std::size_t kMaxNodeName = 255;  // bytes
/// What one record holds of a name and a symbolic link's target together.
inline constexpr std::size_t kMaxNodeText = 340;  // bytes
/// `<volume>/<16 digits>.<piece number>` fits into a log path.
inline constexpr std::size_t kMaxTreeVolume = 50;  // bytes of its directory

/// No piece has this number: behind the one before it there is none.
inline constexpr std::uint32_t kNoPiece = ~std::uint32_t{0};

enum class NodeKind : std::uint8_t { kDirectory = 1, kFile = 2, kSymlink = 3 };
enum class NodeState : std::uint8_t { kLive = 1, kRemoved = 2 };

/// By whom and as what a change was asked for, so that it is done once
/// (docs/format.md, "Mailbox"). All zero: the owner's own.
struct RequestMark {
  /// Numbers only grow, by one: what is higher nobody asked for.
  static constexpr std::uint64_t kMaxNumber = ~std::uint64_t{0} >> 1;

  std::uint32_t session = 0;
  std::uint64_t number = 0;
  bool operator==(const RequestMark&) const = default;
};

struct NodeRecord {
  NodeKind kind = NodeKind::kFile;
  NodeState state = NodeState::kLive;
  std::uint32_t revision = 1;
  TreeId parent = kVolumeRoot;
  std::string name;         // 1..255 bytes; no '/', no NUL, not "." or ".."
  std::string target;       // of a symbolic link: 1 byte or more, no NUL
  std::uint64_t size = 0;   // bytes, of a file
  std::uint64_t reach = 0;  // bytes: the most that anybody was allowed to store
  /// Counts the times that pieces were given up. With a higher number than the
  /// revision before, the first `kept_pieces` of the live pieces stay, and the
  /// others are dead under `deletion_number`.
  std::uint32_t truncation = 0;
  std::uint32_t kept_pieces = 0;
  std::uint32_t next_piece = 0;  // the lowest number that no piece ever had
  std::int64_t mtime_ns = 0;     // since 1970
  std::int64_t ctime_ns = 0;
  std::uint64_t deletion_number = 0;  // of a removal, or of pieces given up
  RequestMark request;

  bool operator==(const NodeRecord&) const = default;
};

/// Fills `mkdir.extension`. InvalidArgument for what DecodeNodeRecord would not
/// accept; OutOfRange, for ENAMETOOLONG, when name or target are too long.
[[nodiscard]] absl::Status EncodeNodeRecord(const NodeRecord& record,
                                            MediaMkdir& mkdir);
/// nullopt: all bytes zero, or another magic. FailedPrecondition: a version of
/// ours that is newer than this program. DataLoss: our magic, impossible
/// content: an unknown kind or state, a bad name, lengths that do not fit, a
/// removed node without a deletion number (or a live one with a number that
/// never gave up a piece), a target of what is no link, bytes or pieces of what
/// is no file, more kept pieces than there ever were.
absl::StatusOr<std::optional<NodeRecord>> DecodeNodeRecord(
    const MediaMkdir& mkdir);

/// InvalidArgument: empty, "." or "..", with '/' or NUL; OutOfRange: longer
/// than kMaxNodeName.
[[nodiscard]] absl::Status CheckNodeName(std::string_view name);

/// `<volume>/<id>` and `<volume>/<id>.<piece>`.
std::string NodePath(std::string_view volume, TreeId id);
std::string PiecePath(std::string_view volume, TreeId id, std::uint32_t piece);

/// What the device's own file for a node is called, where it has such.
std::string NodeFileName(std::string_view volume, TreeId id);

/// What stands behind the volume's directory in a log path.
struct TreeName {
  TreeId id = 0;
  std::optional<std::uint32_t> piece;
};
/// Of the last component; nullopt unless it is spelt as NodePath or PiecePath
/// spell it (no leading zeros in a piece's number, not the id 0).
std::optional<TreeName> ParseTreeName(std::string_view component);

/// A piece that no file has any more, and whose space has to wait for the
/// hosts: a compaction writes it so, because the record that gave it up is
/// gone. Its entry has the mode 01000 and the deletion number in uid (low half)
/// and gid (high half); a live piece has uid 0, gid 0 and the mode 0600.
inline constexpr std::uint32_t kLivePieceMode = 0600;
inline constexpr std::uint32_t kDeadPieceMode = 01000;
void MarkDeadPiece(std::uint64_t deletion_number, MediaFile& piece);
/// 0: a live piece. DataLoss: neither form.
absl::StatusOr<std::uint64_t> DeletionNumberOf(const MediaFile& piece);

}  // namespace famfs
