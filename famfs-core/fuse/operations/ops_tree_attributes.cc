// setattr of nodes of tree volumes: modes, owners, times and sizes.
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "fuse/operations/ops.h"
#include "fuse/operations/settling.h"
#include "fuse/operations/tree_ops.h"
#include "fuse/operations/tree_places.h"

namespace famfs {
namespace {

void ReplyAttributes(fuse_req_t request, fuse_ino_t id) {
  const std::optional<struct stat> attr = StatOf(Service::Of(request), id);
  if (attr.has_value()) {
    fuse_reply_attr(request, &*attr, 0);
  } else {
    fuse_reply_err(request, ESTALE);
  }
}

/// A change of owner takes setuid and setgid away from what is no directory,
/// and so do changes of a file's bytes by who may not set them.
void KillBits(const TreePlace& place, bool kills, TreeRequest& change) {
  if (place.kind != NodeKind::kFile) return;
  if ((change.set & (kSetUid | kSetGid)) == 0 && !kills) return;
  DropPrivileges(place, change);
}

/// Access times are not kept; nothing is set then.
TreeRequest RequestFor(const TreePlace& place, const struct stat& asked,
                       int to_set) {
  TreeRequest change = place.Request(TreeOp::kSetAttributes);
  if ((to_set & FUSE_SET_ATTR_MODE) != 0) {
    change.set |= kSetMode;
    change.mode = asked.st_mode & 07777;
  }
  SetOwner(asked, to_set, change);
  if ((to_set & FUSE_SET_ATTR_SIZE) != 0) {
    change.set |= kSetSize;
    change.size = static_cast<std::uint64_t>(asked.st_size);
  }
  if ((to_set & (FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW)) != 0) {
    change.set |= kSetMtime;
    change.mtime_ns = (to_set & FUSE_SET_ATTR_MTIME_NOW) != 0
                          ? NowNs()
                          : ToNanoseconds(asked.st_mtim);
  }
  return change;
}

/// The time that was set stands, whatever was stored before.
void ForgetStoreTimes(Service& service, NodeId node) {
  service.unsettled.ForgetTime(node);
  const auto file = service.files->Find(Inode{.read_only = false}.Of(node));
  if (file == nullptr || file->tree() == nullptr) return;
  if (const auto look = file->tree()->LookAtFile(); look.has_value()) {
    file->seen_mtime_ns = look->mtime_ns;
  }
}

void AskForChange(fuse_req_t request, fuse_ino_t id, NodeId node,
                  TreeRequest change) {
  Service& service = Service::Of(request);
  const bool sets_time = (change.set & kSetMtime) != 0;
  service.asking.load()->Ask(
      request, std::move(change),
      [&service, request, id, node, sets_time](const TreeAnswer& answer) {
        if (answer.error != 0) {
          fuse_reply_err(request, answer.error);
          return;
        }
        if (sets_time) ForgetStoreTimes(service, node);
        ReplyAttributes(request, id);
      });
}

/// 0 or the errno.
int ResizeRemoved(const Service& service, OpenInode& file, std::uint64_t size) {
  const MutexLock lock(file.growing);
  const PlaceOfOpen place = FindOpen(service, file);
  // What nobody can account for any more cannot grow.
  if (size > place.allocated) return ENOSPC;
  absl::Status set = file.tree()->SetSize(size);
  if (set.ok() && file.tree()->fd() < 0 && size > place.own_size) {
    set = file.tree()->Zero(place.own_size, size - place.own_size);
  }
  if (!set.ok()) return service.NoteMissing(file.shape(), set);
  const MutexLock noting(file.last_mutex);
  file.last.size = size;
  return 0;
}

/// Of a file that is only open any more. Nobody sees its mode or owner.
void ChangeRemoved(fuse_req_t request, fuse_ino_t id, OpenInode& file,
                   const struct stat& asked, int to_set) {
  if ((to_set & FUSE_SET_ATTR_SIZE) != 0) {
    const int error = ResizeRemoved(Service::Of(request), file,
                                    static_cast<std::uint64_t>(asked.st_size));
    if (error != 0) {
      fuse_reply_err(request, error);
      return;
    }
  }
  ReplyAttributes(request, id);
}

}  // namespace

void SetTreeAttributes(fuse_req_t request, fuse_ino_t id,
                       const struct stat& asked, int to_set) {
  Service& service = Service::Of(request);
  const bool kills = Wire::KillsPrivileges();
  TreePlace place;
  const int error = FindForTreeChange(service, id, place);
  if (const auto file = service.files->Find(id);
      error == ESTALE && file != nullptr && file->tree() != nullptr) {
    ChangeRemoved(request, id, *file, asked, to_set);
    return;
  }
  if (error != 0 || service.asking == nullptr) {
    fuse_reply_err(request, error != 0 ? error : EROFS);
    return;
  }
  if ((to_set & FUSE_SET_ATTR_SIZE) != 0 && asked.st_size < 0) {
    fuse_reply_err(request, EINVAL);
    return;
  }
  TreeRequest change = RequestFor(place, asked, to_set);
  KillBits(place, kills, change);
  if (change.set == 0) {
    ReplyAttributes(request, id);
    return;
  }
  if ((change.set & kSetSize) == 0) {
    AskForChange(request, id, place.node, std::move(change));
    return;
  }
  // The owner zeroes what lies behind the size that it knows, and takes a
  // smaller one for a cut only if it knows of the larger one.
  Settle(service, request, place.node,
         [request, id, node = place.node, change](int failed) {
           if (failed != 0) {
             fuse_reply_err(request, failed);
           } else {
             AskForChange(request, id, node, change);
           }
         });
}

}  // namespace famfs
