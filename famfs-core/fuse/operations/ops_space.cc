// fallocate and copy_file_range: what changes many bytes without carrying them
// through the kernel. Both keep to the file's size, as write() does.
#include <fcntl.h>
#include <linux/falloc.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <span>

#include "fuse/operations/ops.h"
#include "fuse/operations/tree_ops.h"
#include "fuse/operations/tree_places.h"

namespace famfs {
namespace {

// The largest piece of a copy that is answered at once; the caller goes on with
// the rest, so that no worker is kept for long.
constexpr std::uint64_t kMaxCopy = 64ULL << 20;  // bytes

/// The open file for a change of its bytes, or the errno.
int FindForChange(const Service& service, fuse_ino_t id,
                  std::shared_ptr<OpenInode>& file) {
  if (Inode::FromKernel(id).read_only) return EROFS;
  file = service.files->Find(id);
  if (file == nullptr) return ESTALE;
  return file->shape().is_meta() ? EACCES : service.CheckOurs(*file);
}

/// A file's memory is all there from the start: giving it space within its size
/// changes nothing, and only that (with EOPNOTSUPP posix_fallocate would read
/// and write back a byte of each block, over what others store meanwhile).
/// Making zeros is done; its size cannot change. The errno, or 0 with what is
/// to be zeroed.
int CheckAllocation(const OpenInode& file, int mode, Range range,
                    bool& to_zero) {
  const std::uint64_t size = file.shape().size();
  const bool within =
      range.offset <= size && range.length <= size - range.offset;
  switch (mode) {
    case 0:
    case FALLOC_FL_KEEP_SIZE:
      return within ? 0 : EFBIG;
    case FALLOC_FL_ZERO_RANGE:
      to_zero = within;
      return within ? 0 : EFBIG;
    case FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE:
    case FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE:
      to_zero = true;
      return 0;
    default:
      return EOPNOTSUPP;
  }
}

void Fallocate(fuse_req_t request, fuse_ino_t id, int mode, off_t offset,
               off_t length, fuse_file_info*) {
  std::shared_ptr<OpenInode> file;
  const Service& service = Service::Of(request);
  int error = FindForChange(service, id, file);
  if (error == 0 && (offset < 0 || length <= 0)) error = EINVAL;
  bool to_zero = false;
  Range range{static_cast<std::uint64_t>(offset),
              static_cast<std::uint64_t>(length)};
  if (error == 0 && file->tree() != nullptr) {
    AllocateTreeFile(request, std::move(file), mode, range);
    return;
  }
  if (error == 0) error = CheckAllocation(*file, mode, range, to_zero);
  if (error != 0 || !to_zero) {
    fuse_reply_err(request, error);
    return;
  }
  const std::uint64_t size = file->shape().size();
  range.length = std::min(range.length, size - std::min(range.offset, size));
  if (range.length > Zeroing::kSlice) {
    service.zeroing->Add(request, std::move(file), range);
  } else {
    fuse_reply_err(request, service.ZeroPart(*file, range));
  }
}

/// Copies within the two files' sizes, up to the first byte that is missing in
/// either; how many bytes that were, or minus the errno.
std::int64_t Copy(const Service& service, const OpenInode& from,
                  std::uint64_t from_offset, OpenInode& to,
                  std::uint64_t to_offset, std::uint64_t length) {
  const auto source =
      from.memory().Read(from_offset, std::min(length, kMaxCopy));
  if (!source.ok()) return -service.NoteMissing(from.shape(), source.status());
  FileMemory::Done done;
  for (const iovec& piece : *source) {
    const FileMemory::Done stored = to.memory().Write(
        to_offset + done.bytes,
        {static_cast<const std::byte*>(piece.iov_base), piece.iov_len});
    done.bytes += stored.bytes;
    done.status = stored.status;
    if (stored.bytes < piece.iov_len) break;
  }
  if (done.bytes > 0 || done.status.ok()) {
    return static_cast<std::int64_t>(done.bytes);
  }
  const absl::Status unreadable = from.memory().Probe(from_offset, 1);
  return unreadable.ok() ? -service.NoteMissing(to.shape(), done.status)
                         : -service.NoteMissing(from.shape(), unreadable);
}

// Without this the kernel would splice, through pages that it caches of the
// source.
void CopyFileRange(fuse_req_t request, fuse_ino_t from_id, off_t from_offset,
                   fuse_file_info*, fuse_ino_t to_id, off_t to_offset,
                   fuse_file_info*, std::size_t length, int /*flags*/) {
  const Service& service = Service::Of(request);
  const std::shared_ptr<OpenInode> from = service.files->Find(from_id);
  std::shared_ptr<OpenInode> to;
  int error = FindForChange(service, to_id, to);
  if (error == 0) error = from == nullptr ? ESTALE : service.CheckOurs(*from);
  if (error == 0 && (from_offset < 0 || to_offset < 0)) error = EINVAL;
  const bool in_trees = error == 0 && from->tree() != nullptr;
  if (in_trees && to->tree() != nullptr) {
    CopyTreeFile(request, from, static_cast<std::uint64_t>(from_offset), to,
                 static_cast<std::uint64_t>(to_offset), length);
    return;
  }
  // Between layouts the kernel copies by reading and writing.
  if (error == 0 && (in_trees || to->tree() != nullptr)) error = EOPNOTSUPP;
  if (error == 0 &&
      static_cast<std::uint64_t>(to_offset) >= to->shape().size()) {
    error = EFBIG;
  }
  if (error != 0) {
    fuse_reply_err(request, error);
    return;
  }
  const std::int64_t copied =
      Copy(service, *from, static_cast<std::uint64_t>(from_offset), *to,
           static_cast<std::uint64_t>(to_offset), length);
  if (copied < 0) {
    fuse_reply_err(request, static_cast<int>(-copied));
  } else {
    fuse_reply_write(request, static_cast<std::size_t>(copied));
  }
}

}  // namespace

int Service::ZeroPart(OpenInode& file, Range part) const {
  if (const int error = CheckOurs(file); error != 0) return error;
  if (file.tree() != nullptr) {
    if (const int error = FollowFile(*this, file); error != 0) return error;
  }
  const absl::Status zeroed =
      file.tree() != nullptr ? file.tree()->Zero(part.offset, part.length)
                             : file.memory().Zero(part.offset, part.length);
  return zeroed.ok() ? 0 : NoteMissing(file.shape(), zeroed);
}

void FillSpaceOps(fuse_lowlevel_ops& table) {
  table.fallocate = Fallocate;
  table.copy_file_range = CopyFileRange;
}

}  // namespace famfs
