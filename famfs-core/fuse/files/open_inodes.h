// The inodes that are open somewhere, by the kernel's id: where their bytes
// lie, the one backing id that all opens of an inode share, and the server's
// own mapping for read() and write(). What a handle needs is kept by inode, so
// that a deleted file goes on for those who have it open.
//
// Backing file and mapping are found by device offset. A caller whose tree may
// be behind the log catches up after Open and checks that the file is still
// there: only then is it certain that nobody else's extent was opened.
//
// Thread-safe. No lock is held while an inode's file is opened or closed, which
// a device that does not answer may never end: who opens the same inode
// meanwhile waits for it, for a few seconds, and nobody else does.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "fuse/files/file_memory.h"
#include "fuse/files/still_mapped.h"
#include "fuse/files/tree_bytes.h"
#include "fuse/kernel/wire.h"
#include "instance/devices/device_set.h"

namespace famfs {

/// One open inode, as it was made.
class OpenInode {
 public:
  explicit OpenInode(FileShape shape)
      : last{shape.size(), shape.allocated}, shape_(std::move(shape)) {}

  [[nodiscard]] const FileShape& shape() const { return shape_; }
  /// > 0 when it is passed through.
  [[nodiscard]] int backing_id() const { return backing_id_; }
  /// Whether the backing file ends where the file ends.
  [[nodiscard]] bool backing_ends_with_file() const { return exact_; }
  /// Of a file of layout `file`.
  [[nodiscard]] FileMemory& memory() const { return *memory_; }
  /// Of a file of a tree volume; null: of no such.
  [[nodiscard]] TreeBytes* tree() const { return tree_.get(); }
  /// The same: the node file's mtime that the log says, or that nobody has to
  /// hear of. Stores through a mapping are seen by it alone.
  std::atomic<std::int64_t> seen_mtime_ns{0};
  /// The same: handles that may write.
  std::atomic<int> writers{0};
  /// The same; guards no member: one at a time makes the file longer, since
  /// what is zeroed before its bytes may be what another one stores.
  Mutex growing;
  /// The same; guards no member: one at a time maps the pieces that the tree
  /// has, so that none maps those of an earlier moment over them.
  Mutex following;
  /// The same: as it was when it was looked at last, for when it is removed.
  struct Last {
    std::uint64_t size = 0;       // bytes
    std::uint64_t allocated = 0;  // bytes
  };
  Mutex last_mutex;  // for moments; what is noted as stored is noted under it
  Last last ABSL_GUARDED_BY(last_mutex);

 private:
  friend class OpenInodes;
  FileShape shape_;
  int backing_id_ = 0;
  bool exact_ = false;
  std::shared_ptr<DaxDevice> served_on_;  // null: nothing is served for it
  std::unique_ptr<FileMemory> memory_;
  std::unique_ptr<TreeBytes> tree_;
};

class OpenInodes {
 public:
  /// `still_mapped` gets the extents that were served; it and `wire` live
  /// longer.
  OpenInodes(std::shared_ptr<DeviceSet> devices, const Wire& wire,
             StillMapped& still_mapped)
      : devices_(std::move(devices)),
        wire_(wire),
        still_mapped_(still_mapped) {}
  ~OpenInodes();

  /// One more open of the file. `passthrough`: with a backing id; the file must
  /// be CanPassThrough. FailedPrecondition: a deleted file with the same node
  /// id is still open. NotFound: the extent's file is gone. Unavailable: a
  /// device is missing, or another open of the inode does not end.
  absl::StatusOr<std::shared_ptr<OpenInode>> Open(const FileShape& shape,
                                                  bool passthrough);
  /// The counterpart of each Open. The last one closes the backing id.
  void Release(NodeId id);
  /// Null when it is not open.
  [[nodiscard]] std::shared_ptr<OpenInode> Find(NodeId id) const;
  /// The node has left the tree: later opens of its id are another file.
  void MarkRemoved(NodeId id);
  /// Those of tree volumes.
  [[nodiscard]] std::vector<std::shared_ptr<OpenInode>> TreeFiles() const;
  /// Device index and offset of each extent of each open inode.
  [[nodiscard]] absl::flat_hash_set<std::pair<std::uint64_t, std::uint64_t>>
  OpenPlaces() const;

 private:
  [[nodiscard]] absl::Status Prepare(OpenInode& file, bool passthrough) const;
  [[nodiscard]] absl::Status PrepareTree(OpenInode& file,
                                         bool passthrough) const;
  void Close(OpenInode& file) const;
  /// One more open of an inode that is open; null: `begun` is to be made by the
  /// caller, and then to be ended by Finish.
  absl::StatusOr<std::shared_ptr<OpenInode>> Join(
      const FileShape& shape, std::shared_ptr<OpenInode>& begun);
  void Finish(OpenInode& file, bool is_open);

  struct Slot {
    std::shared_ptr<OpenInode> file;
    bool busy = false;        // being made or ended, by one thread
    bool removed = false;     // from the tree, since it was opened
    std::uint64_t opens = 0;  // not yet released
  };
  [[nodiscard]] bool IsBusy(NodeId id) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  std::shared_ptr<DeviceSet> devices_;
  const Wire& wire_;
  StillMapped& still_mapped_;
  mutable SharedMutex mutex_;  // for moments
  SharedCondVar finished_;
  absl::flat_hash_map<NodeId, Slot> files_ ABSL_GUARDED_BY(mutex_);
};

/// Whether a file can be one backing file: one extent, which is a file, on a
/// device that is there.
bool CanPassThrough(const FileShape& shape, DeviceSet& devices);

}  // namespace famfs
