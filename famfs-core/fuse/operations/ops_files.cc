// open, read, write, fsync, release.
#include <fcntl.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <optional>

#include "base/text.h"
#include "fuse/kernel/data_path.h"
#include "fuse/operations/ops.h"

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
  for (const MediaExtent& extent : file.shape().node.extents) {
    if (!devices->IsOurs(extent.device_index)) return EIO;
  }
  return 0;
}

namespace {

bool ForWriting(int flags) { return (flags & O_ACCMODE) != O_RDONLY; }

struct Wanted {
  FileShape shape;
  DataPath asked = DataPath::kAuto;  // by the file's volume
  std::string path;                  // for messages
};

/// The file as the tree has it now, by the kernel's id; 0 or the errno.
int FindFile(const Service& service, fuse_ino_t id,
             std::optional<Wanted>& found) {
  const Reader::View tree = service.reader->Tree();
  const Node* node = tree->Find(Inode::FromKernel(id).node);
  if (node == nullptr) return ESTALE;
  if (node->is_directory) return EISDIR;
  const Node* volume = tree->VolumeOf(node->id);
  found = Wanted{FileShape::Of(*node), DataPath::kAuto, tree->PathOf(*node)};
  found->shape.read_only = service.read_only;
  // Each view has inodes of its own.
  found->shape.node.id = id;
  if (volume != nullptr && volume->volume != nullptr) {
    found->asked = volume->volume->data_path;
  }
  return 0;
}

/// Told by name: a device may be put back while the mount is served. EAGAIN
/// where one is there and cannot be looked at now.
int CheckDevices(const Service& service, const Wanted& file) {
  for (const MediaExtent& extent : file.shape.node.extents) {
    const auto device = service.devices->At(extent.device_index);
    if (device.ok()) continue;
    const bool is_there = service.devices->Find(extent.device_index) != nullptr;
    spdlog::error("{}: refused with {}: {}", Printable(file.path),
                  is_there ? "EAGAIN" : "ENXIO", Message(device.status()));
    return is_there ? EAGAIN : ENXIO;
  }
  return 0;
}

/// What an open is answered that failed for a reason of the machine's. One that
/// passes by itself must not look like damage.
int ErrnoOfOpen(const absl::Status& why) {
  if (IsReplaced(why) || absl::IsFailedPrecondition(why)) return ESTALE;
  return absl::IsUnavailable(why) ? EAGAIN : EIO;
}

/// Whether this mount may serve the file: a path that was asked for by name,
/// for the mount or for the volume, is never replaced by a lesser one.
int CheckDataPath(const Service& service, const Wanted& file) {
  const DataPath served = service.DataPathOf(file.shape);
  const DataPath asked = Satisfies(service.path_asked, file.asked)
                             ? service.path_asked
                             : file.asked;
  // The mount's own files need no mapping.
  if (Satisfies(served, asked) || file.shape.is_meta()) return 0;
  spdlog::error(
      "{}: refused with EOPNOTSUPP: data path {} was asked for, only {} can be "
      "served here",
      Printable(file.path), ToString(asked), ToString(served));
  return EOPNOTSUPP;
}

int CheckFlags(const Service& service, const FileShape& shape, int flags) {
  const bool read_only =
      service.read_only || Inode::FromKernel(shape.node.id).read_only;
  if (read_only && (ForWriting(flags) || (flags & O_TRUNC) != 0)) {
    return EROFS;
  }
  if (shape.is_meta() && ForWriting(flags)) return EACCES;
  if ((flags & O_TRUNC) != 0) return EPERM;  // files are pre-allocated
  return 0;
}

/// Whether the file that was opened is still the tree's, after looking at its
/// devices and at the log: before, its extent may have been somebody else's
/// already.
int CheckStillThere(Service& service, const Wanted& file) {
  if (const int error = CheckDevices(service, file); error != 0) return error;
  if (const absl::Status seen = service.follower->CatchUp(); !seen.ok()) {
    return ErrnoOfOpen(seen);
  }
  const Reader::View tree = service.reader->Tree();
  const Node* node = tree->Find(Inode::FromKernel(file.shape.node.id).node);
  return node != nullptr && node->extents == file.shape.node.extents ? 0
                                                                     : ESTALE;
}

std::uint32_t ReplyFlags(const OpenInode& file, int flags) {
  // Close-to-open: without KEEP_CACHE the kernel drops clean pages at each
  // open, and flushes dirty ones at each close.
  if (file.backing_id() == 0) return 0;
  std::uint32_t reply = kOpenPassthrough | kOpenNoFlush;
  // Where the backing file does not end the file, the server must.
  if (ForWriting(flags) || !file.backing_ends_with_file()) {
    reply |= kOpenDirectIo | kOpenParallelDirectWrites;
  }
  return reply;
}

/// 0 with the open file, or the errno; nothing stays open then.
int OpenNode(Service& service, fuse_ino_t id, int flags,
             std::shared_ptr<OpenInode>& opened) {
  std::optional<Wanted> wanted;
  int error = FindFile(service, id, wanted);
  if (error == 0) error = CheckFlags(service, wanted->shape, flags);
  if (error == 0) error = CheckDevices(service, *wanted);
  if (error == 0) error = CheckDataPath(service, *wanted);
  // Without its row nobody waits for what is opened here. It was logged.
  if (error == 0 && !wanted->shape.is_meta()) {
    const absl::Status may = service.deletion_acknowledger->MayOpen();
    if (!may.ok()) {
      error = service.follower->replaced() ? ESTALE : ErrnoOfOpen(may);
    }
  }
  if (error != 0) return error;
  const bool passthrough =
      service.DataPathOf(wanted->shape) == DataPath::kPassthrough;
  auto file = service.files->Open(wanted->shape, passthrough);
  error = CheckStillThere(service, *wanted);
  if (file.ok() && error == 0) {
    opened = *std::move(file);
    return 0;
  }
  if (file.ok()) {
    service.files->Release(id);
    return error;
  }
  if (error == 0) {
    spdlog::error("{}: cannot be opened: {}", Printable(wanted->path),
                  Message(file.status()));
    error = ErrnoOfOpen(file.status());
  }
  return error;
}

void Open(fuse_req_t request, fuse_ino_t id, fuse_file_info* info) {
  Service& service = Service::Of(request);
  std::shared_ptr<OpenInode> file;
  if (const int error = OpenNode(service, id, info->flags, file); error != 0) {
    fuse_reply_err(request, error);
    return;
  }
  // Handle 0: what a handle needs is kept by node id.
  if (Wire::ReplyOpen(request, 0, ReplyFlags(*file, info->flags),
                      file->backing_id()) != 0) {
    service.files->Release(id);
  }
}

void Release(fuse_req_t request, fuse_ino_t id, fuse_file_info*) {
  Service::Of(request).files->Release(id);
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
               std::size_t size, off_t offset, fuse_file_info*) {
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

void Sync(fuse_req_t request, fuse_ino_t, int, fuse_file_info*) {
  // Each write was written back before it was answered, and the kernel has sent
  // its dirty pages as writes before this.
  fuse_reply_err(request, 0);
}

}  // namespace

void FillFileOps(fuse_lowlevel_ops& table) {
  table.open = Open;
  table.release = Release;
  table.read = ReadFile;
  table.write = WriteFile;
  table.fsync = Sync;
  table.fsyncdir = Sync;
  // No flush: answered ENOSYS once, so that close() costs no message.
}

}  // namespace famfs
