// open, read, flush, fsync and release of files of tree volumes.
#include <fcntl.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <cerrno>
#include <utility>
#include <vector>

#include "base/text.h"
#include "fuse/operations/appending.h"
#include "fuse/operations/opening.h"
#include "fuse/operations/ops.h"
#include "fuse/operations/removing.h"
#include "fuse/operations/settling.h"
#include "fuse/operations/tree_ops.h"
#include "fuse/operations/tree_places.h"

namespace famfs {
namespace {

/// So long a close() waits for the owner to hear of the file's size. It is told
/// all the same; who has to know calls fsync().
constexpr std::chrono::seconds kCloseWaits{2};

void ReplyOpened(fuse_req_t request, fuse_ino_t id, OpenInode& file,
                 int flags) {
  if (Wire::ReplyOpen(request, HandleOf(flags),
                      ReplyFlags(Service::Of(request), file, flags),
                      file.backing_id()) != 0) {
    CloseNode(Service::Of(request), id, flags);
  }
}

/// O_TRUNC of an open file.
void CutOpened(fuse_req_t request, fuse_ino_t id,
               const std::shared_ptr<OpenInode>& file, int flags, bool kills) {
  Service& service = Service::Of(request);
  TreePlace place;
  const auto refuse = [&service, request, id, flags](int error) {
    CloseNode(service, id, flags);
    fuse_reply_err(request, error);
  };
  if (const int error = FindForTreeChange(service, id, place); error != 0) {
    refuse(error);
    return;
  }
  TreeRequest cut = place.Request(TreeOp::kSetAttributes);
  cut.set = kSetSize;
  if (kills) DropPrivileges(place, cut);
  const auto ask = [&service, request, id, file, flags, refuse, cut] {
    service.asking.load()->Ask(
        request, cut,
        [request, id, file, flags, refuse](const TreeAnswer& answer) {
          if (answer.error == 0) {
            ReplyOpened(request, id, *file, flags);
          } else {
            refuse(answer.error);
          }
        });
  };
  // The owner cuts what it knows of.
  Settle(service, request, place.node,
         [ask, refuse](int failed) { failed != 0 ? refuse(failed) : ask(); });
}

}  // namespace

void OpenTreeFile(fuse_req_t request, fuse_ino_t id, int flags) {
  Service& service = Service::Of(request);
  const bool kills = Wire::KillsPrivileges();
  // The place of its pieces and its size are those of now.
  IgnoreError(service.follower->CatchUp(), "the open looks again");
  std::shared_ptr<OpenInode> file;
  int error = OpenNode(service, id, flags, file);
  const bool changes = ForWriting(flags) || (flags & O_TRUNC) != 0;
  if (error == 0 && changes && service.asking == nullptr) {
    CloseNode(service, id, flags);
    error = EROFS;
  }
  if (error != 0) {
    fuse_reply_err(request, error);
  } else if ((flags & O_TRUNC) != 0) {
    CutOpened(request, id, file, flags, kills);
  } else {
    ReplyOpened(request, id, *file, flags);
  }
}

void ReadTreeFile(fuse_req_t request, OpenInode& file, std::size_t size,
                  off_t offset) {
  Service& service = Service::Of(request);
  const PlaceOfOpen place = FindOpen(service, file);
  const auto at = static_cast<std::uint64_t>(offset);
  const std::uint64_t length = std::min<std::uint64_t>(
      size, place.own_size - std::min(at, place.own_size));
  int error = place.is_removed ? 0 : FollowFile(service, file);
  if (error != 0 || length == 0) {
    error != 0 ? fuse_reply_err(request, error)
               : fuse_reply_buf(request, nullptr, 0);
    return;
  }
  const auto bytes = file.tree()->Read(at, length);
  if (!bytes.ok()) {
    fuse_reply_err(request, service.NoteMissing(file.shape(), bytes.status()));
    return;
  }
  if (fuse_reply_iov(request, bytes->parts.data(),
                     static_cast<int>(bytes->parts.size())) != -EFAULT) {
    return;
  }
  if (const absl::Status why = file.tree()->Probe(at, length); !why.ok()) {
    service.NoteMissing(file.shape(), why);
  }
}

void FlushTreeFile(fuse_req_t request, OpenInode& file, std::uint64_t handle) {
  Service& service = Service::Of(request);
  const NodeId node = Inode::FromKernel(file.shape().node.id).node;
  // Of a removed file nobody else has to know.
  if (handle != HandleOf(O_WRONLY) || IsRemovedHere(service, node)) {
    fuse_reply_err(request, 0);
    return;
  }
  NoteMappedStores(service, file);
  // Whoever comes first answers: the owner, or the end of patience.
  const auto is_answered = std::make_shared<std::atomic<bool>>(false);
  const auto answer = [request, is_answered](int error) {
    if (!is_answered->exchange(true)) fuse_reply_err(request, error);
  };
  Settle(service, nullptr, node, answer);
  if (!*is_answered) {
    service.patience->At(Patience::Clock::now() + kCloseWaits,
                         [answer] { answer(0); });
  }
}

void SyncTreeFile(fuse_req_t request, OpenInode& file) {
  Service& service = Service::Of(request);
  if (!file.shape().read_only) NoteMappedStores(service, file);
  Settle(service, request, Inode::FromKernel(file.shape().node.id).node,
         [request](int error) { fuse_reply_err(request, error); });
}

void ReleaseTreeFile(fuse_req_t request, OpenInode& file, int flags) {
  Service& service = Service::Of(request);
  const fuse_ino_t id = file.shape().node.id;
  const NodeId node = Inode::FromKernel(id).node;
  // Pages that were stored to after the close came until now.
  if (ForWriting(flags)) NoteMappedStores(service, file);
  CloseNode(service, id, flags);
  const bool is_last = ForWriting(flags) && file.writers == 0;
  const bool is_removed = IsRemovedHere(service, node);
  if (service.hidden.Contains(node)) RemoveHidden(service, node);
  if (!is_removed && ForWriting(flags) && service.asking != nullptr) {
    Settle(service, nullptr, node, [](int) {});
  }
  if (is_last) EndAppends(service, file);
  TreePlace place;
  if (service.files->Find(id) == nullptr &&
      FindInTree(service, node, place) != 0) {
    service.unsettled.Forget(node);
  }
  fuse_reply_err(request, 0);
}

}  // namespace famfs
