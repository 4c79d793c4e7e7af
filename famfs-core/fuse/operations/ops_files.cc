// open, read, write, flush, fsync, release.
#include <cerrno>

#include "fuse/operations/opening.h"
#include "fuse/operations/ops.h"
#include "fuse/operations/tree_ops.h"
#include "fuse/operations/tree_places.h"

namespace famfs {

DataPath Service::DataPathOf(const FileShape& shape) const {
  if (path == DataPath::kPassthrough && CanPassThrough(shape, *devices)) {
    return DataPath::kPassthrough;
  }
  return DataPath::kCopy;
}

int Service::NoteMissing(const FileShape& shape,
                         const absl::Status& why) const {
  std::string name = shape.name;
  {
    const Reader::View view = reader->Tree();
    const Node* const node = view->Find(Inode::FromKernel(shape.node.id).node);
    if (node != nullptr) name = view->PathOf(*node);
  }
  return memory_errors->Note(name, why);
}

int Service::CheckOurs(const OpenInode& file) const {
  if (follower->replaced()) return ESTALE;
  // An extent's file is never another extent's.
  if (devices->primary()->capabilities().removed_extents_live_on) return 0;
  const absl::Status same = reader->CheckIdentity();
  if (!same.ok()) return IsReplaced(same) ? ESTALE : EIO;
  if (file.tree() != nullptr) {  // whose pieces are others by now
    for (const auto& [device, offset] : file.tree()->Places()) {
      if (!devices->IsOurs(device)) return EIO;
    }
    return 0;
  }
  for (const MediaExtent& extent : file.shape().node.extents) {
    if (!devices->IsOurs(extent.device_index)) return EIO;
  }
  return 0;
}

namespace {

void Open(fuse_req_t request, fuse_ino_t id, fuse_file_info* info) {
  Service& service = Service::Of(request);
  if (IsInTree(service, id)) {
    OpenTreeFile(request, id, info->flags);
    return;
  }
  std::shared_ptr<OpenInode> file;
  if (const int error = OpenNode(service, id, info->flags, file); error != 0) {
    fuse_reply_err(request, error);
    return;
  }
  if (Wire::ReplyOpen(request, HandleOf(info->flags),
                      ReplyFlags(service, *file, info->flags),
                      file->backing_id()) != 0) {
    CloseNode(service, id, info->flags);
  }
}

void Release(fuse_req_t request, fuse_ino_t id, fuse_file_info* info) {
  Service& service = Service::Of(request);
  if (const auto file = service.files->Find(id);
      file != nullptr && file->tree() != nullptr) {
    ReleaseTreeFile(request, *file, info->flags);
    return;
  }
  CloseNode(service, id, info->flags);
  fuse_reply_err(request, 0);
}

void ReadFile(fuse_req_t request, fuse_ino_t id, std::size_t size, off_t offset,
              fuse_file_info*) {
  const std::shared_ptr<OpenInode> file = Service::Of(request).files->Find(id);
  if (file == nullptr || offset < 0) {
    fuse_reply_err(request, file == nullptr ? ESTALE : EINVAL);
    return;
  }
  // A splice of a descriptor that was opened with FOPEN_DIRECT_IO: its pages
  // would be a second copy of the memory, which nobody keeps up to date and no
  // later read of which comes here. Refused, the callers fall back to read().
  if (file->backing_id() > 0 && Wire::FillsPageCache()) {
    fuse_reply_err(request, EINVAL);
    return;
  }
  const Service& service = Service::Of(request);
  if (const int error = service.CheckOurs(*file); error != 0) {
    fuse_reply_err(request, error);
    return;
  }
  if (file->tree() != nullptr) {
    ReadTreeFile(request, *file, size, offset);
    return;
  }
  const auto at = static_cast<std::uint64_t>(offset);
  const auto bytes = file->memory().Read(at, size);
  if (!bytes.ok()) {
    fuse_reply_err(request, service.NoteMissing(file->shape(), bytes.status()));
    return;
  }
  // The kernel takes the bytes from their mapping; where they are missing it
  // answers EIO itself.
  if (fuse_reply_iov(request, bytes->data(), static_cast<int>(bytes->size())) !=
      -EFAULT) {
    return;
  }
  if (const absl::Status why = file->memory().Probe(at, size); !why.ok()) {
    service.NoteMissing(file->shape(), why);
  }
}

void WriteFile(fuse_req_t request, fuse_ino_t id, const char* data,
               std::size_t size, off_t offset, fuse_file_info* info) {
  const std::shared_ptr<OpenInode> file = Service::Of(request).files->Find(id);
  if (file == nullptr || offset < 0) {
    fuse_reply_err(request, file == nullptr ? ESTALE : EINVAL);
    return;
  }
  if (file->shape().is_meta() || Inode::FromKernel(id).read_only) {
    fuse_reply_err(request, EACCES);
    return;
  }
  if (const int error = Service::Of(request).CheckOurs(*file); error != 0) {
    fuse_reply_err(request, error);
    return;
  }
  const auto at = static_cast<std::uint64_t>(offset);
  if (file->tree() != nullptr) {
    WriteTreeFile(request, file,
                  {reinterpret_cast<const std::byte*>(data), size}, at,
                  info->flags, info->writepage != 0);
    return;
  }
  if (at >= file->shape().size()) {
    fuse_reply_err(request, EFBIG);
    return;
  }
  const FileMemory::Done done = file->memory().Write(
      at, {reinterpret_cast<const std::byte*>(data), size});
  const int error = done.status.ok() ? 0
                                     : Service::Of(request).NoteMissing(
                                           file->shape(), done.status);
  // What came before the first missing byte was written.
  if (done.bytes > 0 || error == 0) {
    fuse_reply_write(request, done.bytes);
  } else {
    fuse_reply_err(request, error);
  }
}

void Sync(fuse_req_t request, fuse_ino_t id, int, fuse_file_info*) {
  // Each write was written back before it was answered, and the kernel has sent
  // its dirty pages as writes before this.
  const auto file = Service::Of(request).files->Find(id);
  if (file != nullptr && file->tree() != nullptr) {
    SyncTreeFile(request, *file);
    return;
  }
  fuse_reply_err(request, 0);
}

void SyncDirectory(fuse_req_t request, fuse_ino_t, int, fuse_file_info*) {
  fuse_reply_err(request, 0);  // a change is in the log before it is answered
}

/// Files of layout `file` have nothing to tell; ENOSYS would save the message
/// at their close, but the kernel takes it for an answer for all files.
void Flush(fuse_req_t request, fuse_ino_t id, fuse_file_info* info) {
  const auto file = Service::Of(request).files->Find(id);
  if (file != nullptr && file->tree() != nullptr) {
    FlushTreeFile(request, *file, info->fh);
    return;
  }
  fuse_reply_err(request, 0);
}

}  // namespace

void FillFileOps(fuse_lowlevel_ops& table) {
  table.open = Open;
  table.release = Release;
  table.read = ReadFile;
  table.write = WriteFile;
  table.fsync = Sync;
  table.fsyncdir = SyncDirectory;
  table.flush = Flush;
}

}  // namespace famfs
