// Where a node of a tree volume stands, for asking the owner for a change of
// it, and what it looks like with what this server knows and the log does not.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>

#include "fuse/files/append_rights.h"
#include "fuse/operations/ops.h"

namespace famfs {

/// A node of a tree volume, or the volume's own directory, as it was when it
/// was looked at.
struct TreePlace {
  std::string volume;  // its directory
  TreeId id = kVolumeRoot;
  NodeId node = 0;  // the Namespace's
  NodeKind kind = NodeKind::kFile;
  Ownership owner;
  std::uint64_t size = 0;       // bytes, as the log says
  std::uint64_t allocated = 0;  // bytes
  std::uint32_t truncation = 0;
  AppendRights::Revision revision;
  bool is_live = true;  // the volume: neither deleted nor sealed

  /// A request about it.
  [[nodiscard]] TreeRequest Request(TreeOp op) const;
};

/// Whether the kernel's id is a tree volume's, its own directory included.
bool IsInTree(const Service& service, fuse_ino_t id);
/// 0; ESTALE: no such node; EPERM: of no tree volume.
int FindInTree(const Service& service, fuse_ino_t id, TreePlace& place);
/// The same for a change: also EROFS.
int FindForTreeChange(const Service& service, fuse_ino_t id, TreePlace& place);
/// The same of an open one, which may have been removed: then it is as it was,
/// and `is_removed`.
struct PlaceOfOpen : TreePlace {
  bool is_removed = false;
  /// The file's own size: what the log says, or more where this server has
  /// stored more.
  std::uint64_t own_size = 0;  // bytes
};
PlaceOfOpen FindOpen(const Service& service, OpenInode& file);
std::uint64_t SizeOfRemoved(OpenInode& file);
/// Notes that the file has bytes up to `end` by now, which the log does not say
/// yet; 0: that it was stored to.
void NoteStored(Service& service, OpenInode& file, const PlaceOfOpen& place,
                std::uint64_t end);
/// Puts size and times of a node of a tree volume into what the log says.
void ApplyUnsettled(const Service& service, const Node& node,
                    struct stat& attr);

/// Has the change give owner and group, as far as a setattr asks for them.
void SetOwner(const struct stat& asked, int to_set, TreeRequest& change);
/// Has the change also take away what a change of the file's bytes or owner
/// does: setuid and setgid. Whether there was anything to take away.
bool DropPrivileges(const TreePlace& place, TreeRequest& change);
/// Maps the pieces of an open file that it has now; 0 or the errno. Of a
/// removed one those that it had last.
int FollowFile(const Service& service, OpenInode& file);

/// Nanoseconds since 1970. What a record cannot hold, before 1677 and after
/// 2262, is the nearest whole second that it can.
std::int64_t ToNanoseconds(const timespec& time);
std::int64_t NowNs();

}  // namespace famfs
