// What an instance holds, as a user sees it, and the operations that change it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
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

/// What the reading host has open.
struct HeldVolume {
  std::uint64_t offset = 0;    // of its file's extent, on the primary
  std::uint64_t length = 0;    // bytes
  std::uint64_t deletion = 0;  // its number; 0: it is not deleted
  bool operator==(const HeldVolume&) const = default;
};

struct State {
  std::map<std::string, FileState> files{};        // by path
  std::set<std::string> directories{};             // with the volumes'
  std::map<std::string, std::uint64_t> volumes{};  // directory -> capacity
  /// Deleted volumes that are not yet free: deletion number -> bytes.
  std::map<std::uint64_t, std::uint64_t> pending{};
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

/// Of the tree alone: paths, sizes, volumes.
State StateOf(const Namespace& tree);
std::uint64_t PendingBytes(const State& state);
/// What waits for the reading host.
std::uint64_t QuarantinedBytes(const State& state);
bool SameTree(const State& a, const State& b);
std::uint64_t HashOf(const State& state);

/// What a filled file begins and ends with.
std::byte FillByte(const std::string& path);
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
};
inline constexpr Op kAllOps[] = {
    Op::kCreateVolume, Op::kCreateFile, Op::kMkdir,        Op::kCommit,
    Op::kGiveUp,       Op::kDelete,     Op::kCompact,      Op::kReclaim,
    Op::kReopen,       Op::kTakeOver,   Op::kRegister,     Op::kAcknowledge,
    Op::kEvict,        Op::kAddDevice,  Op::kCreateSpread, Op::kHold};
/// All but the last, which does nothing without many others.
inline constexpr std::size_t kSequenceOps = std::size(kAllOps) - 1;
std::string NameOf(Op op);
std::string NameOf(const std::vector<Op>& ops);

}  // namespace famfs::crash
