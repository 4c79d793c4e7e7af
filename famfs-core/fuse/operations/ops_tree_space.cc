// fallocate of files of tree volumes: room that is given ahead, and zeros.
#include <fcntl.h>
#include <linux/falloc.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "fuse/operations/ops.h"
#include "fuse/operations/settling.h"
#include "fuse/operations/tree_ops.h"
#include "fuse/operations/tree_places.h"

namespace famfs {
namespace {

/// Makes the file at least so long: what is between is zero already or zeroed
/// here, and the owner hears of it.
void GrowTo(fuse_req_t request, const std::shared_ptr<OpenInode>& file,
            std::uint64_t end) {
  Service& service = Service::Of(request);
  const PlaceOfOpen place = FindOpen(service, *file);
  if (place.is_removed || end > place.allocated) {
    fuse_reply_err(request, EIO);  // cut by another host meanwhile
    return;
  }
  if (const int error = FollowFile(service, *file); error != 0) {
    fuse_reply_err(request, error);
    return;
  }
  const std::uint64_t size = SizeOf(service, place, file.get());
  if (size < end) {
    // One byte: what comes before it is zeroed as for any store.
    constexpr std::byte kZero{0};
    const FileMemory::Done done =
        file->tree()->Write(end - 1, {&kZero, 1}, size);
    if (!done.status.ok()) {
      fuse_reply_err(request, service.NoteMissing(file->shape(), done.status));
      return;
    }
  }
  service.unsettled.Stored(place.node, place.truncation, end, NowNs());
  Settle(service, request, place.node,
         [request](int error) { fuse_reply_err(request, error); });
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
  service.asking->Ask(
      request, std::move(extend),
      [request, then = std::move(then)](const TreeAnswer& answer) {
        answer.error == 0
            ? then()
            : static_cast<void>(fuse_reply_err(request, answer.error));
      });
}

/// Zeroes what lies before the file's end.
void ZeroRange(fuse_req_t request, std::shared_ptr<OpenInode> file,
               const PlaceOfOpen& place, Range range) {
  Service& service = Service::Of(request);
  const std::uint64_t size =
      place.is_removed ? place.size : SizeOf(service, place, file.get());
  range.length = std::min(range.length, size - std::min(range.offset, size));
  if (range.length > 0) {
    service.unsettled.Stored(place.node, place.truncation, 0, NowNs());
  }
  if (range.length > Zeroing::kSlice) {
    service.zeroing->Add(request, std::move(file), range);
  } else {
    fuse_reply_err(request, service.ZeroPart(*file, range));
  }
}

}  // namespace

void AllocateTreeFile(fuse_req_t request, std::shared_ptr<OpenInode> file,
                      int mode, Range range) {
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
        Service& service = Service::Of(request);
        const PlaceOfOpen now = FindOpen(service, *file);
        const std::uint64_t size = SizeOf(service, now, file.get());
        const std::uint64_t inside =
            std::min(range.length, size - std::min(range.offset, size));
        const int error = service.ZeroPart(*file, {range.offset, inside});
        error == 0 ? GrowTo(request, file, range.end())
                   : static_cast<void>(fuse_reply_err(request, error));
      });
      return;
    case FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE:
    case FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE:
      ZeroRange(request, std::move(file), place, range);
      return;
    default:
      fuse_reply_err(request, EOPNOTSUPP);
  }
}

}  // namespace famfs
