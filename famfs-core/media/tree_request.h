// A change of a tree volume as it is asked for, and its answer, as bytes: what
// a host writes into its mailbox and what the owner writes back
// (docs/format.md, "Mailbox"); programs that own the instance themselves use
// the structs alone.
//
// Answers are errno values, since what asks is nearly always a system call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "media/node_record.h"

namespace famfs {

enum class TreeOp : std::uint8_t {
  kCreate = 1,         // parent, name, kind, owner, target, times
  kRemove = 2,         // parent, name, flags: kRemoveDirectory or 0
  kRename = 3,         // parent, name, new_parent, new_name, flags
  kSetAttributes = 4,  // node, set, and what it names
  kExtend = 5,         // node, size: at least so many bytes are allocated
  kSettle = 6,         // node, size and truncation, times
  kAppend = 7,         // node, size: so many bytes behind the end
};

// Flags of kRename (as renameat2's) and of kRemove.
inline constexpr std::uint32_t kRenameNoReplace = 1;
inline constexpr std::uint32_t kRenameExchange = 2;
inline constexpr std::uint32_t kRemoveDirectory = 1;  // rmdir, not unlink
/// Of kExtend: no more than that (fallocate); else a file doubles.
inline constexpr std::uint32_t kExtendExactly = 1;
/// Of kAppend: nothing is appended; the host that asks does not append to the
/// file without asking, as of the revision `size`.
inline constexpr std::uint32_t kAppendGiveUp = 1;

// What kSetAttributes sets.
inline constexpr std::uint32_t kSetMode = 1;
inline constexpr std::uint32_t kSetUid = 2;
inline constexpr std::uint32_t kSetGid = 4;
inline constexpr std::uint32_t kSetMtime = 8;
inline constexpr std::uint32_t kSetSize = 16;  // truncate, either way

struct TreeRequest {
  TreeOp op = TreeOp::kCreate;
  std::string volume;         // its directory
  TreeId node = kVolumeRoot;  // kVolumeRoot in kSetAttributes: the volume's own
  TreeId parent = kVolumeRoot;
  std::string name;
  TreeId new_parent = kVolumeRoot;
  std::string new_name;
  std::uint32_t flags = 0;
  NodeKind kind = NodeKind::kFile;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t mode = 0;  // permission bits only
  std::string target;
  std::uint32_t set = 0;
  std::uint64_t size = 0;        // bytes
  std::uint32_t truncation = 0;  // of which `size` was seen
  std::int64_t mtime_ns = 0;
  std::int64_t ctime_ns = 0;  // the moment of the change; 0: now

  bool operator==(const TreeRequest&) const = default;
};

struct TreeAnswer {
  std::int32_t error = 0;  // errno; 0: done
  /// That was made or changed; of kAppend where the bytes go, or kAppendAlone
  /// and the node's revision: from that one on this host alone appends to the
  /// file, and need not ask, until it sees a revision that it did not ask for.
  TreeId node = kVolumeRoot;
  std::uint64_t generation = 0;  // compactions until then
  std::uint64_t entries = 0;     // of the log: with so many, the change shows

  bool operator==(const TreeAnswer&) const = default;
};

/// In an answer's `node`: no file is so long.
inline constexpr std::uint64_t kAppendAlone = std::uint64_t{1} << 63;

/// At most so many bytes of each.
inline constexpr std::size_t kMaxTreeRequest = 960;
inline constexpr std::size_t kMaxTreeAnswer = 32;
/// Of Linux: what lies above it could be a pointer.
inline constexpr std::int32_t kMaxErrno = 4095;

/// InvalidArgument when Decode would not take it: an unknown operation, kind,
/// flag or attribute, a name or target where the operation has none, a bad
/// name, a volume that is no directory of kMaxTreeVolume bytes, a size beyond
/// off_t. OutOfRange, for ENAMETOOLONG, as EncodeNodeRecord. What the operation
/// does not use is else not judged, but travels.
absl::StatusOr<std::vector<std::byte>> EncodeTreeRequest(
    const TreeRequest& request);
/// DataLoss, naming the field, for what is no request: another host may write
/// anything there.
absl::StatusOr<TreeRequest> DecodeTreeRequest(std::span<const std::byte> bytes);
/// `error` is 0 or an errno: Decode takes no other.
std::vector<std::byte> EncodeTreeAnswer(const TreeAnswer& answer);
absl::StatusOr<TreeAnswer> DecodeTreeAnswer(std::span<const std::byte> bytes);

}  // namespace famfs
