// fallocate of files of tree volumes: room that is given ahead, and zeros.
#include <fcntl.h>
#include <linux/falloc.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "dax/guarded_copy.h"
#include "fuse/kernel/wire.h"
#include "fuse/operations/ops.h"
#include "fuse/operations/settling.h"
#include "fuse/operations/storing.h"
#include "fuse/operations/tree_ops.h"
#include "fuse/operations/tree_places.h"

namespace famfs {
namespace {

/// Makes the file at least so long, and the owner hears of it.
void GrowTo(fuse_req_t request, std::shared_ptr<OpenInode> file,
            std::uint64_t end) {
  Service& service = Service::Of(request);
  const auto node = Inode::FromKernel(file->shape().node.id).node;
  GrowWithZeros(
      request, std::move(file), end, [&service, request, node](int failed) {
        if (failed != 0) {
          fuse_reply_err(request, failed);
          return;
        }
        Settle(service, request, node,
               [request](int error) { fuse_reply_err(request, error); });
      });
}

/// Room up to `end`, then what `then` does.
void Extend(fuse_req_t request, const PlaceOfOpen& place, std::uint64_t end,
            std::function<void()> then) {
  Service& service = Service::Of(request);
  if (end <= place.allocated) {
    then();
    return;
  }
  if (place.is_removed) {
    fuse_reply_err(request, ENOSPC);
    return;
  }
  TreeRequest extend = place.Request(TreeOp::kExtend);
  extend.size = end;
  extend.flags = kExtendExactly;
  service.asking.load()->Ask(
      request, std::move(extend),
      [request, then = std::move(then)](const TreeAnswer& answer) {
        answer.error == 0
            ? then()
            : static_cast<void>(fuse_reply_err(request, answer.error));
      });
}

/// Zeroes what lies before the file's end; `then` gets 0 or the errno.
void ZeroInside(fuse_req_t request, std::shared_ptr<OpenInode> file,
                Range range, Zeroing::Then then) {
  Service& service = Service::Of(request);
  const PlaceOfOpen place = FindOpen(service, *file);
  range.length = std::min(
      range.length, place.own_size - std::min(range.offset, place.own_size));
  if (range.length == 0) {
    then(0);
    return;
  }
  NoteStored(service, *file, place, 0);
  if (range.length <= Zeroing::kSlice) {
    then(service.ZeroPart(*file, range));
    return;
  }
  service.zeroing->Add(request, std::move(file), range, std::move(then));
}

/// Takes setuid and setgid away first. No request of these says whose it is: so
/// also for who might keep them.
void WithoutPrivileges(fuse_req_t request, OpenInode& file,
                       std::function<void()> then) {
  Service& service = Service::Of(request);
  const PlaceOfOpen place = FindOpen(service, file);
  TreeRequest change = place.Request(TreeOp::kSetAttributes);
  if (place.is_removed || !DropPrivileges(place, change)) {
    then();
    return;
  }
  service.asking.load()->Ask(
      request, std::move(change),
      [request, then = std::move(then)](const TreeAnswer& answer) {
        answer.error == 0
            ? then()
            : static_cast<void>(fuse_reply_err(request, answer.error));
      });
}

bool IsServed(int mode) {
  switch (mode) {
    case 0:
    case FALLOC_FL_KEEP_SIZE:
    case FALLOC_FL_ZERO_RANGE:
    case FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE:
    case FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE:
      return true;
    default:
      return false;
  }
}

void Allocate(fuse_req_t request, std::shared_ptr<OpenInode> file, int mode,
              Range range) {
  const PlaceOfOpen place = FindOpen(Service::Of(request), *file);
  const std::uint64_t end = range.end();
  switch (mode) {
    case 0:
      Extend(request, place, end,
             [request, file, end] { GrowTo(request, file, end); });
      return;
    case FALLOC_FL_KEEP_SIZE:
      Extend(request, place, end, [request] { fuse_reply_err(request, 0); });
      return;
    case FALLOC_FL_ZERO_RANGE:
      Extend(request, place, end, [request, file, range] {
        ZeroInside(request, file, range, [request, file, range](int error) {
          error == 0 ? GrowTo(request, file, range.end())
                     : static_cast<void>(fuse_reply_err(request, error));
        });
      });
      return;
    case FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE:
    case FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE:
      ZeroInside(request, std::move(file), range,
                 [request](int error) { fuse_reply_err(request, error); });
      return;
    default:
      fuse_reply_err(request, EOPNOTSUPP);
  }
}

/// The bytes of a file, in memory that nobody takes away.
absl::Status Load(OpenInode& file, std::uint64_t offset, std::uint64_t length,
                  std::vector<std::byte>& bytes) {
  FAMFS_ASSIGN_OR_RETURN(const TreeBytes::Bytes there,
                         file.tree()->Read(offset, length));
  bytes.resize(length);
  std::size_t used = 0;
  for (const iovec& part : there.parts) {
    const auto* const from = static_cast<const std::byte*>(part.iov_base);
    if (GuardedStreamCopy(bytes.data() + used, from, part.iov_len) !=
        CopyFault::kNone) {
      FAMFS_RETURN_IF_ERROR(file.tree()->Probe(offset, length));
      return Unavailable("memory of the file was missing for a moment");
    }
    used += part.iov_len;
  }
  bytes.resize(used);  // it was cut meanwhile
  return absl::OkStatus();
}

/// Up to the source's end; a short copy goes on with another request.
void Copy(fuse_req_t request, OpenInode& from, std::uint64_t from_offset,
          std::shared_ptr<OpenInode> to, std::uint64_t to_offset,
          std::uint64_t length) {
  Service& service = Service::Of(request);
  const PlaceOfOpen place = FindOpen(service, from);
  length = std::min<std::uint64_t>(length, kMaxWrite);
  length =
      std::min(length, place.own_size - std::min(from_offset, place.own_size));
  int error = place.is_removed ? 0 : FollowFile(service, from);
  if (error != 0 || length == 0) {
    error != 0 ? fuse_reply_err(request, error) : fuse_reply_write(request, 0);
    return;
  }
  std::vector<std::byte> bytes;
  if (const absl::Status read = Load(from, from_offset, length, bytes);
      !read.ok()) {
    fuse_reply_err(request, service.NoteMissing(from.shape(), read));
    return;
  }
  // The kernel copies to no descriptor that appends.
  WriteTreeFile(request, std::move(to), bytes, to_offset, 0, false);
}

}  // namespace

void AllocateTreeFile(fuse_req_t request, std::shared_ptr<OpenInode> file,
                      int mode, Range range) {
  if (!IsServed(mode)) {
    fuse_reply_err(request, EOPNOTSUPP);
    return;
  }
  WithoutPrivileges(request, *file, [request, file, mode, range] {
    Allocate(request, file, mode, range);
  });
}

void CopyTreeFile(fuse_req_t request, std::shared_ptr<OpenInode> from,
                  std::uint64_t from_offset, std::shared_ptr<OpenInode> to,
                  std::uint64_t to_offset, std::uint64_t length) {
  WithoutPrivileges(request, *to, [=] {
    Copy(request, *from, from_offset, to, to_offset, length);
  });
}

}  // namespace famfs
