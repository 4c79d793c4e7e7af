// write of files of tree volumes: at a place, or behind the end.
#include <fcntl.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <optional>
#include <utility>

#include "fuse/operations/appending.h"
#include "fuse/operations/ops.h"
#include "fuse/operations/settling.h"
#include "fuse/operations/storing.h"
#include "fuse/operations/tree_ops.h"
#include "fuse/operations/tree_places.h"

namespace famfs {

namespace {

/// How often a write asks for room that another host has cut off again.
constexpr int kMostTries = 8;

/// A WRITE that may have to wait for something first.
struct Write {
  fuse_req_t request;
  std::shared_ptr<OpenInode> file;
  std::uint64_t offset = 0;
  std::span<const std::byte> bytes;
  bool from_cache = false;
  bool kills = false;        // setuid and setgid
  bool appends = false;      // where to is to be found
  bool in_parts = false;     // whose others may come at the same time
  bool is_own = false;       // the place was given to it by the owner
  std::uint64_t put_at = 0;  // by the kernel
  int tries = 0;
  ParkedBytes copy{};  // the bytes, of one that waits

  void Refuse(int error) const { fuse_reply_err(request, error); }
  /// The kernel's buffer is used again once the worker is back. False: refused,
  /// there are too many already.
  bool Keep() {
    if (copy.size() > 0) return true;
    if (!copy.Take(Service::Of(request).parking, bytes)) {
      Refuse(ENOMEM);
      return false;
    }
    bytes = copy.bytes();
    return true;
  }
};

void Go(const std::shared_ptr<Write>& write);
void GoAppend(const std::shared_ptr<Write>& write);

/// What it waited for has come, or has failed.
void GoOn(const std::shared_ptr<Write>& write, int error) {
  if (error == 0) error = Service::Of(write->request).CheckOurs(*write->file);
  if (error != 0) {
    write->Refuse(error);
  } else {
    write->appends ? GoAppend(write) : Go(write);
  }
}

void AskFirst(const std::shared_ptr<Write>& write, TreeRequest change) {
  if (!write->Keep()) return;
  Service::Of(write->request)
      .asking.load()
      ->Ask(write->request, std::move(change),
            [write](const TreeAnswer& answer) { GoOn(write, answer.error); });
}

void ReplyWritten(const Write& write, std::uint64_t bytes) {
  const Service& service = Service::Of(write.request);
  fuse_reply_write(write.request, bytes);
  // The kernel's pages have the bytes where it has put them.
  if (write.offset != write.put_at && write.file->backing_id() == 0) {
    service.follower->DropPages(write.file->shape().node.id);
  }
}

FileMemory::Done StoreOwn(Service& service, const Write& write,
                          const PlaceOfOpen& place) {
  FileMemory::Done done =
      write.file->tree()->WriteOwn(write.offset, write.bytes);
  if (done.bytes > 0) {
    NoteStored(service, *write.file, place, write.offset + done.bytes);
  }
  return done;
}

/// False: what it was to go to was cut off meanwhile.
bool Store(const Write& write, const PlaceOfOpen& place) {
  Service& service = Service::Of(write.request);
  OpenInode& file = *write.file;
  std::span<const std::byte> bytes = write.bytes;
  if (write.from_cache) {
    // Pages of a file that another host has cut meanwhile.
    const std::uint64_t left =
        place.own_size - std::min(place.own_size, write.offset);
    bytes = bytes.first(std::min<std::size_t>(bytes.size(), left));
  }
  const FileMemory::Done done =
      write.is_own    ? StoreOwn(service, write, place)
      : bytes.empty() ? FileMemory::Done{}
                      : StoreBytes(service, file, place, write.offset, bytes);
  if (write.from_cache && done.status.ok()) {
    fuse_reply_write(write.request, write.bytes.size());
  } else if (done.bytes > 0) {
    ReplyWritten(write, done.bytes);
  } else if (done.status.ok()) {
    return false;
  } else {
    write.Refuse(service.NoteMissing(file.shape(), done.status));
  }
  return true;
}

/// Whether it has to ask for something first, and does.
bool AsksToDropPrivileges(const std::shared_ptr<Write>& write,
                          const PlaceOfOpen& place) {
  if (!std::exchange(write->kills, false)) return false;
  TreeRequest change = place.Request(TreeOp::kSetAttributes);
  if (!DropPrivileges(place, change)) return false;
  AskFirst(write, std::move(change));
  return true;
}

/// The same.
bool AsksForRoom(const std::shared_ptr<Write>& write,
                 const PlaceOfOpen& place) {
  const std::uint64_t end = write->offset + write->bytes.size();
  if (end <= place.allocated || write->from_cache) return false;
  TreeRequest extend = place.Request(TreeOp::kExtend);
  extend.size = end;
  AskFirst(write, std::move(extend));
  return true;
}

void Go(const std::shared_ptr<Write>& write) {
  Service& service = Service::Of(write->request);
  // What is stored counts as of the last cut, whichever host made it.
  if (write->file->tree()->fd() < 0) {
    IgnoreError(service.follower->CatchUp(), "it was logged");
  }
  do {
    const PlaceOfOpen place = FindOpen(service, *write->file);
    if (++write->tries > kMostTries) {
      write->Refuse(EIO);
      return;
    }
    const std::uint64_t end = write->offset + write->bytes.size();
    if (write->is_own && !place.is_removed && end > place.size) {
      // Another host has cut it off.
      write->is_own = false;
      write->appends = true;
      GoAppend(write);
      return;
    }
    if (place.is_removed) {
      // What nobody can account for any more cannot grow.
      if (end > place.allocated) {
        write->Refuse(ENOSPC);
        return;
      }
    } else if (AsksToDropPrivileges(write, place) ||
               AsksForRoom(write, place)) {
      return;
    }
    if (!write->is_own && HasToGrowFirst(*write->file, place, write->offset)) {
      if (!write->Keep()) return;
      GrowWithZeros(write->request, write->file, write->offset,
                    [write](int error) { GoOn(write, error); });
      return;
    }
    if (const int error = FollowFile(service, *write->file); error != 0) {
      write->Refuse(error);
      return;
    }
    if (Store(*write, place)) return;
  } while (true);
}

/// The owner has answered where an append goes.
void GoOnAt(const std::shared_ptr<Write>& write, int error,
            std::optional<std::uint64_t> offset) {
  Service& service = Service::Of(write->request);
  write->tries = 0;
  if (error == EOPNOTSUPP) {
    static std::atomic<bool> told = false;
    if (!told.exchange(true)) {
      spdlog::warn(
          "the owner of the file system knows nothing of appends from several "
          "hosts: files to which two hosts append lose bytes; it has to run "
          "the same famfs-csi as this server");
    }
    error = 0;
    offset = PlaceOfAppend(FindOpen(service, *write->file), write->put_at,
                           write->in_parts);
  } else if (offset.has_value()) {
    write->is_own = true;
  }
  if (offset.has_value()) {
    write->appends = false;
    write->offset = *offset;
  }
  GoOn(write, error);
}

/// Stores where this host alone appends; false: look again.
bool StoreAtEnd(const std::shared_ptr<Write>& write) {
  Service& service = Service::Of(write->request);
  write->offset = write->put_at;
  const auto done = AppendBytes(service, *write->file, write->bytes,
                                write->offset, write->in_parts);
  if (!done.has_value()) return false;
  if (done->bytes > 0) {
    ReplyWritten(*write, done->bytes);
  } else if (done->status.ok()) {
    return false;  // it has more pieces by now than were mapped
  } else {
    write->Refuse(service.NoteMissing(write->file->shape(), done->status));
  }
  return true;
}

void GoAppend(const std::shared_ptr<Write>& write) {
  Service& service = Service::Of(write->request);
  PlaceOfOpen place;
  do {
    const AppendTurn turn = FindTurn(service, *write->file, place);
    if (++write->tries > kMostTries) {
      write->Refuse(EIO);
      return;
    }
    if (!place.is_removed && AsksToDropPrivileges(write, place)) return;
    if (turn != AppendTurn::kHere && !write->Keep()) return;
    if (turn == AppendTurn::kSettle) {
      Settle(service, write->request, place.node,
             [write](int error) { GoOn(write, error); });
      return;
    }
    if (turn == AppendTurn::kAsk) {
      AskToAppend(write->request, write->file, place, write->bytes.size(),
                  [write](int error, std::optional<std::uint64_t> offset) {
                    GoOnAt(write, error, offset);
                  });
      return;
    }
    write->offset = PlaceOfAppend(place, write->put_at, write->in_parts);
    if (place.is_removed &&
        write->offset + write->bytes.size() > place.allocated) {
      write->Refuse(ENOSPC);
      return;
    }
    if (AsksForRoom(write, place)) return;
    if (const int error = FollowFile(service, *write->file); error != 0) {
      write->Refuse(error);
      return;
    }
  } while (!StoreAtEnd(write));
}

}  // namespace

void WriteTreeFile(fuse_req_t request, std::shared_ptr<OpenInode> file,
                   std::span<const std::byte> bytes, std::uint64_t offset,
                   int flags, bool from_cache) {
  const auto write = std::make_shared<Write>();
  write->request = request;
  write->file = std::move(file);
  write->offset = write->put_at = offset;
  write->bytes = bytes;
  write->from_cache = from_cache;
  write->appends = (flags & O_APPEND) != 0 && !from_cache && !bytes.empty();
  write->in_parts = (flags & O_DIRECT) != 0;
  write->kills = Wire::KillsPrivileges();
  write->appends ? GoAppend(write) : Go(write);
}

}  // namespace famfs
