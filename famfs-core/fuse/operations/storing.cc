#include "fuse/operations/storing.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

namespace famfs {
namespace {

/// The next part of what GrowWithZeros does; nullopt: more is left.
std::optional<int> GrowStep(Service& service, OpenInode& file,
                            std::uint64_t end) {
  if (const int error = service.CheckOurs(file); error != 0) return error;
  const MutexLock lock(file.growing);
  const PlaceOfOpen place = FindOpen(service, file);
  if (place.own_size >= end) return 0;
  if (end > place.allocated) return EIO;  // cut by another host meanwhile
  if (const int error = FollowFile(service, file); error != 0) return error;
  const bool at_once = !HasToGrowFirst(file, place, end);
  const std::uint64_t now = at_once ? end : place.own_size + Zeroing::kSlice;
  // One byte: what comes before it is zeroed as for any store.
  constexpr std::byte kZero{0};
  const FileMemory::Done done =
      file.tree()->Write(now - 1, {&kZero, 1}, place.own_size);
  if (!done.status.ok()) return service.NoteMissing(file.shape(), done.status);
  if (done.bytes == 0) return EIO;  // the same
  NoteStored(service, file, place, now);
  return at_once ? std::optional(0) : std::nullopt;
}

}  // namespace

bool HasToGrowFirst(const OpenInode& file, const PlaceOfOpen& place,
                    std::uint64_t offset) {
  // Behind the end of a node's file is nothing that has to be zeroed.
  return file.tree()->fd() < 0 && offset > place.own_size &&
         offset - place.own_size > Zeroing::kSlice;
}

FileMemory::Done StoreBytes(Service& service, OpenInode& file,
                            const PlaceOfOpen& place, std::uint64_t offset,
                            std::span<const std::byte> bytes) {
  const auto store = [&](const PlaceOfOpen& now) {
    FileMemory::Done done = file.tree()->Write(offset, bytes, now.own_size);
    // What stores nothing makes no file longer.
    if (done.bytes > 0) NoteStored(service, file, now, offset + done.bytes);
    return done;
  };
  if (offset + bytes.size() <= place.own_size) return store(place);
  const MutexLock lock(file.growing);
  return store(FindOpen(service, file));
}

void GrowWithZeros(fuse_req_t request, std::shared_ptr<OpenInode> file,
                   std::uint64_t end, std::function<void(int error)> then) {
  Service& service = Service::Of(request);
  if (const auto ended = GrowStep(service, *file, end); ended.has_value()) {
    then(*ended);
    return;
  }
  service.zeroing->Add(
      request,
      [&service, file = std::move(file), end] {
        return GrowStep(service, *file, end);
      },
      std::move(then));
}

}  // namespace famfs
