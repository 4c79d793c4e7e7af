// The kernel's table of mounts, which is the node's database (docs/design.md
// §3): what is staged and published is read from it, never remembered.
//
// Reading it touches no mounted file system, so a hanging FUSE server cannot
// hang us. Format: proc_pid_mountinfo(5).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace famfs {

/// A superblock's device number: mounts of one superblock share it.
struct DeviceNumber {
  unsigned major = 0;
  unsigned minor = 0;
  auto operator<=>(const DeviceNumber&) const = default;
};

struct MountEntry {
  int id = 0;
  int parent = 0;
  DeviceNumber device;
  std::string root;  // of the mount, within its file system; "/" for all of it
  bool root_deleted = false;  // the kernel has let go of the root's name
  std::string mount_point;
  std::string options;  // of the mount: "rw,nosuid,nodev"
  bool shared = false;  // propagates to its peers
  std::string fs_type;  // "fuse.famfs"
  std::string source;
  std::string super_options;

  /// `text` as the kernel writes it: "//deleted" at its end is no part of it.
  void SetRoot(std::string text);
  [[nodiscard]] bool HasOption(std::string_view name) const;
  [[nodiscard]] bool read_only() const { return HasOption("ro"); }
};

class MountTable {
 public:
  /// The calling thread's namespace.
  static absl::StatusOr<MountTable> Read();
  /// InvalidArgument names the line that has not the kernel's form.
  static absl::StatusOr<MountTable> Parse(std::string_view text);

  [[nodiscard]] const std::vector<MountEntry>& entries() const {
    return entries_;
  }
  /// What is mounted exactly there, the lowest of a stack first.
  [[nodiscard]] std::vector<const MountEntry*> At(std::string_view path) const;
  /// The visible one of At(); null: not a mount point.
  [[nodiscard]] const MountEntry* Top(std::string_view path) const;
  /// The visible one of each mount point, ordered by path.
  [[nodiscard]] std::vector<const MountEntry*> Tops() const;
  /// Mounts that hang directly on the mount `id`.
  [[nodiscard]] std::vector<const MountEntry*> ChildrenOf(int id) const;
  /// The mount that `path` lies on (longest mount point that is a prefix).
  [[nodiscard]] const MountEntry* Containing(std::string_view path) const;

 private:
  void Index();

  std::vector<MountEntry> entries_;
  std::vector<std::uint32_t> by_point_;  // of entries_, ordered by mount point
};

}  // namespace famfs
