// What an instance holds, as a user sees it, and the operations that change it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "instance/tree/namespace.h"

namespace famfs::crash {

struct FileState {
  std::uint64_t size = 0;
  bool filled = false;  // with FillByte of its path; else zeros
  bool spread = false;  // over both devices
  bool operator==(const FileState&) const = default;
};

/// What a piece of a tree volume's file holds: hosts stored to its first bytes,
/// and nobody to the others.
struct PieceState {
  std::uint64_t length = 0;  // bytes
  std::uint64_t stored = 0;  // bytes, FillByte of the node's id
  bool operator==(const PieceState&) const = default;
};

/// A directory, file or symbolic link of a tree volume.
struct NodeState {
  TreeId id = 0;
  NodeKind kind = NodeKind::kFile;
  std::uint64_t size = 0;  // as settled
  std::uint32_t truncation = 0;
  std::uint32_t mode = 0;
  std::vector<PieceState> pieces{};
  bool operator==(const NodeState&) const = default;
  /// As far as the log says.
  [[nodiscard]] bool LooksLike(const NodeState& other) const;
  [[nodiscard]] std::uint64_t allocated() const;  // bytes
};

/// What the reading host has open: a volume's file, or a piece.
struct HeldVolume {
  std::uint64_t offset = 0;    // of its extent, on the primary
  std::uint64_t length = 0;    // bytes
  std::uint64_t deletion = 0;  // its number; 0: it is not deleted
  std::string fill{};          // FillByte of that is at the start,
  std::uint64_t stored = 0;    // in so many bytes,
  bool at_end = false;         // and in as many at the end
  bool operator==(const HeldVolume&) const = default;
};

/// Space that is deleted and not yet free.
struct PendingState {
  std::uint64_t bytes = 0;
  std::string volume{};  // whose pieces those are; empty: a deleted volume's
  bool operator==(const PendingState&) const = default;
};

struct State {
  std::map<std::string, FileState> files{};        // by path
  std::set<std::string> directories{};             // with the volumes'
  std::map<std::string, std::uint64_t> volumes{};  // directory -> capacity
  std::map<std::string, NodeState> nodes{};        // of tree volumes, by path
  std::map<std::string, std::uint32_t> tree_modes{};  // of tree volumes
  /// By deletion number.
  std::map<std::uint64_t, PendingState> pending{};
  std::uint64_t deletions = 0;  // acknowledged
  std::uint64_t epoch = 0;      // of the last opening
  std::uint8_t owner = 0x33;    // each byte of the host's uuid
  /// The deletion number up to which the reading host has let go; nullopt: no
  /// host is registered, or it was evicted.
  std::optional<std::uint64_t> let_go{};
  std::map<std::string, HeldVolume> held{};  // by directory
  bool has_secondary = false;
  bool operator==(const State&) const = default;
};

/// Of the tree alone: paths, sizes, volumes, nodes.
State StateOf(const Namespace& tree);
/// Bytes that a tree volume uses of its capacity, its dead pieces included.
std::uint64_t UsedBytes(const State& state, const std::string& volume);
std::uint64_t PendingBytes(const State& state);
/// What waits for the reading host.
std::uint64_t QuarantinedBytes(const State& state);
bool SameTree(const State& a, const State& b);
std::uint64_t HashOf(const State& state);

/// What a filled file begins and ends with.
std::byte FillByte(const std::string& path);
/// What hosts store to a node of a tree volume is FillByte of this.
std::string FillOf(TreeId id);
inline constexpr std::uint64_t kFilledBytes = 200;  // at either end

enum class Op {
  kCreateVolume,
  kCreateFile,
  kMkdir,
  kCommit,  // a reserved file is filled and committed
  kGiveUp,  // a reserved file is filled and given up
  kDelete,  // the oldest volume
  kCompact,
  kReclaim,  // scrub what was let go of, compact
  kReopen,
  kTakeOver,     // by another host
  kRegister,     // of a reading host
  kAcknowledge,  // by it, of all deletions so far
  kEvict,        // of it
  kAddDevice,
  kCreateSpread,  // a volume over both devices
  kHold,          // the host opens and fills a volume, or lets go of a dead one
  // In tree volumes.
  kTreeVolume,  // one more of them
  kTreeFile,    // one more name
  kTreeDirectory,
  kTreeLink,
  kTreeRemove,    // a file, a link or an empty directory
  kTreeRename,    // to another name, and perhaps another directory
  kTreeReplace,   // the same over a file
  kTreeExchange,  // two names
  kTreeExtend,
  kTreeStore,       // the host fills a file's pieces, and keeps it open
  kTreeSettle,      // the size that the host saw
  kTreeCut,         // truncate, to less
  kTreeGrow,        // truncate, to more
  kTreeAttributes,  // of a node
  kTreeMode,        // of a volume
  kTreeDelete,      // a tree volume
};
inline constexpr Op kAllOps[] = {
    Op::kCreateVolume, Op::kCreateFile, Op::kMkdir,        Op::kCommit,
    Op::kGiveUp,       Op::kDelete,     Op::kCompact,      Op::kReclaim,
    Op::kReopen,       Op::kTakeOver,   Op::kRegister,     Op::kAcknowledge,
    Op::kEvict,        Op::kAddDevice,  Op::kCreateSpread, Op::kHold};
/// All but the last, which does nothing without many others.
inline constexpr std::size_t kSequenceOps = std::size(kAllOps) - 1;
inline constexpr Op kTreeOps[] = {
    Op::kTreeFile,   Op::kTreeDirectory, Op::kTreeLink,   Op::kTreeRemove,
    Op::kTreeRename, Op::kTreeReplace,   Op::kTreeExtend, Op::kTreeStore,
    Op::kTreeSettle, Op::kTreeCut,       Op::kTreeGrow,   Op::kTreeExchange,
    Op::kTreeMode,   Op::kTreeDelete,    Op::kTreeVolume, Op::kTreeAttributes};
/// Three of four are changes in tree volumes.
Op AnyOp(std::mt19937_64& random);
std::string NameOf(Op op);
std::string NameOf(const std::vector<Op>& ops);

}  // namespace famfs::crash
