// The operations that the kernel asks for, split by what they are about. Each
// file fills its part of libfuse's table. All work on the node ids of the
// Namespace, keep nothing in pointers that the kernel holds, and decide nothing
// by a request's uid (an idmapped mount's requests carry none). Which errno
// refuses what: docs/data-paths.md.
#pragma once

#include <atomic>
#include <memory>
#include <optional>

#include "fuse/files/append_rights.h"
#include "fuse/files/attributes.h"
#include "fuse/files/deletion_acknowledger.h"
#include "fuse/files/hidden_files.h"
#include "fuse/files/memory_errors.h"
#include "fuse/files/open_inodes.h"
#include "fuse/files/parking.h"
#include "fuse/files/still_mapped.h"
#include "fuse/files/unsettled.h"
#include "fuse/files/zeroing.h"
#include "fuse/kernel/wire.h"
#include "fuse/operations/asking.h"
#include "fuse/operations/directories.h"
#include "fuse/operations/follower.h"
#include "fuse/operations/owner.h"
#include "fuse/operations/patience.h"
#include "fuse/operations/view.h"
#include "instance/reader/reader.h"
#include "media/volume_attributes.h"

namespace famfs {

/// What the operations work with; one for a mount, made by Server.
struct Service {
  std::shared_ptr<DeviceSet> devices;  // the reader's
  std::unique_ptr<Reader> reader;
  std::unique_ptr<Wire> wire;
  StillMapped still_mapped;
  std::unique_ptr<OpenInodes> files;
  std::unique_ptr<DeletionAcknowledger> deletion_acknowledger;
  std::unique_ptr<Follower> follower;
  std::unique_ptr<MemoryErrors> memory_errors;
  std::unique_ptr<Zeroing> zeroing;
  // Of tree volumes.
  UnsettledFiles unsettled;
  AppendRights appends;
  Parking parking;
  HiddenFiles hidden;
  std::unique_ptr<Patience> patience;
  std::unique_ptr<Owner> owner;
  std::unique_ptr<Asking> made_asking;
  std::atomic<Asking*> asking = nullptr;  // null: there is no owner to ask yet
  Attributes attributes;
  Directories directories;
  DataPath path = DataPath::kCopy;  // set before the mount is attached
  DataPath path_asked = DataPath::kAuto;
  bool read_only = false;  // all of it, as in the read-only view

  static Service& Of(fuse_req_t request) {
    return *static_cast<Service*>(
        static_cast<Wire*>(fuse_req_userdata(request))->user());
  }
  /// 0, or the errno for bytes that are another instance's by now. Before each
  /// read and write: between two polls a device can be made anew.
  [[nodiscard]] int CheckOurs(const OpenInode& file) const;
  /// By which path this mount serves a file.
  [[nodiscard]] DataPath DataPathOf(const FileShape& shape) const;
  /// Zeroes that part of the file, which lies within its size: 0 or the errno.
  [[nodiscard]] int ZeroPart(OpenInode& file, Range part) const;
  /// The errno to answer where a file's memory is missing; `why` is not OK.
  int NoteMissing(const FileShape& shape, const absl::Status& why) const;
};

/// Names and attributes are told when they change (Follower), so the kernel may
/// keep them.
inline constexpr double kCacheSeconds = 3600;

void FillNameOps(fuse_lowlevel_ops& table);       // lookup, attributes
void FillDirectoryOps(fuse_lowlevel_ops& table);  // readdir
void FillFileOps(fuse_lowlevel_ops& table);       // open, read, write
void FillSpaceOps(fuse_lowlevel_ops& table);      // fallocate, copies
void FillQueryOps(fuse_lowlevel_ops& table);      // xattrs, statfs
void FillTreeNameOps(fuse_lowlevel_ops& table);   // mkdir, rename, ...
void FillRefusals(fuse_lowlevel_ops& table);      // what famfs does not do

/// Null: neither in the tree nor open.
std::optional<struct stat> StatOf(const Service& service, fuse_ino_t id);
/// What a lookup answers for a node, in the view of `seen_from`.
fuse_entry_param EntryFor(const Service& service, const Node& node,
                          const Namespace& tree, const Inode& seen_from);

}  // namespace famfs
