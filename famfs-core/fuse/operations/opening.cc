#include "fuse/operations/opening.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <optional>

#include "base/text.h"
#include "fuse/operations/tree_places.h"

namespace famfs {
namespace {

struct WantedFile {
  FileShape shape;
  DataPath asked = DataPath::kAuto;  // by the file's volume
  std::string path;                  // for messages
  bool is_sealed = false;            // of a tree volume
};

/// The file as the tree has it now, by the kernel's id; 0 or the errno.
int FindFile(const Service& service, fuse_ino_t id,
             std::optional<WantedFile>& found) {
  const Reader::View tree = service.reader->Tree();
  const Node* node = tree->Find(Inode::FromKernel(id).node);
  if (node == nullptr) return ESTALE;
  if (node->is_directory) return EISDIR;
  if (node->is_symlink()) return ELOOP;
  const Node* volume = tree->VolumeOf(node->id);
  found = WantedFile{FileShape::Of(*node, *tree), DataPath::kAuto,
                     tree->PathOf(*node)};
  found->shape.read_only = service.read_only;
  // Each view has inodes of its own.
  found->shape.node.id = id;
  if (volume != nullptr && volume->volume != nullptr) {
    found->asked = volume->volume->data_path;
    found->is_sealed =
        node->in_tree() && volume->volume->state != VolumeState::kLive;
  }
  return 0;
}

/// Told by name: a device may be put back while the mount is served. EAGAIN
/// where one is there and cannot be looked at now.
int CheckDevices(const Service& service, const WantedFile& file) {
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
int CheckDataPath(const Service& service, const WantedFile& file) {
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

int CheckFlags(const Service& service, const WantedFile& file, int flags) {
  const FileShape& shape = file.shape;
  const bool read_only = service.read_only || file.is_sealed ||
                         Inode::FromKernel(shape.node.id).read_only;
  if (read_only && (ForWriting(flags) || (flags & O_TRUNC) != 0)) {
    return EROFS;
  }
  if (shape.is_meta() && ForWriting(flags)) return EACCES;
  // Files of layout `file` are pre-allocated.
  if ((flags & O_TRUNC) != 0 && !shape.in_tree()) return EPERM;
  return 0;
}

/// Whether the file that was opened is still the tree's, after looking at its
/// devices and at the log: before, its extent may have been somebody else's
/// already.
int CheckStillThere(Service& service, const WantedFile& file) {
  if (const int error = CheckDevices(service, file); error != 0) return error;
  if (const absl::Status seen = service.follower->CatchUp(); !seen.ok()) {
    return ErrnoOfOpen(seen);
  }
  const Reader::View tree = service.reader->Tree();
  const Node* node = tree->Find(Inode::FromKernel(file.shape.node.id).node);
  if (node == nullptr) return ESTALE;
  // A tree volume's file may have grown: its pieces are followed.
  if (file.shape.in_tree()) return 0;
  return node->extents == file.shape.node.extents ? 0 : ESTALE;
}

}  // namespace

std::uint32_t ReplyFlags(const Service& service, const OpenInode& file,
                         int flags) {
  // Close-to-open: without KEEP_CACHE the kernel drops clean pages at each
  // open, and flushes dirty ones at each close.
  if (file.backing_id() == 0) {
    // A write that goes through pages comes in parts, page by page, and
    // between two of them another host may append. What can be read, can be
    // mapped, and that needs pages.
    const bool appends_alone = file.tree() != nullptr &&
                               (flags & O_APPEND) != 0 &&
                               (flags & O_ACCMODE) == O_WRONLY &&
                               service.wire->Offered(kInitDirectIoAllowMmap);
    return appends_alone ? kOpenDirectIo : 0;
  }
  std::uint32_t reply = kOpenPassthrough;
  // At a close of a tree volume's file the owner hears of its size.
  if (file.tree() == nullptr || !ForWriting(flags)) reply |= kOpenNoFlush;
  // Where the backing file does not end the file, the server must.
  if (ForWriting(flags) || !file.backing_ends_with_file()) {
    reply |= kOpenDirectIo | kOpenParallelDirectWrites;
  }
  return reply;
}

/// 0 with the open file, or the errno; nothing stays open then.
int OpenNode(Service& service, fuse_ino_t id, int flags,
             std::shared_ptr<OpenInode>& opened) {
  std::optional<WantedFile> wanted;
  int error = FindFile(service, id, wanted);
  if (error == 0) error = CheckFlags(service, *wanted, flags);
  if (error == 0) error = CheckDevices(service, *wanted);
  if (error == 0) error = CheckDataPath(service, *wanted);
  // Without its row nobody waits for what is opened here. It was logged. Where
  // nobody has to wait, the row is for asking the owner alone.
  if (error == 0 && !wanted->shape.is_meta() &&
      !service.devices->primary()->capabilities().removed_extents_live_on) {
    const absl::Status may = service.deletion_acknowledger->MayOpen();
    if (!may.ok()) {
      error = service.follower->replaced() ? ESTALE : ErrnoOfOpen(may);
    }
  }
  if (error != 0) return error;
  const bool passthrough =
      service.DataPathOf(wanted->shape) == DataPath::kPassthrough;
  auto file = service.files->Open(wanted->shape, passthrough);
  // Its pieces may have been cut off before anybody knew that it is open here.
  if (file.ok() && (*file)->tree() != nullptr) {
    error = FollowFile(service, **file);
  }
  if (error == 0) error = CheckStillThere(service, *wanted);
  if (file.ok() && error == 0) {
    opened = *std::move(file);
    if (opened->tree() != nullptr && ForWriting(flags)) ++opened->writers;
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

void CloseNode(Service& service, fuse_ino_t id, int flags) {
  if (const std::shared_ptr<OpenInode> file = service.files->Find(id);
      file != nullptr && file->tree() != nullptr && ForWriting(flags)) {
    --file->writers;
  }
  service.files->Release(id);
}

}  // namespace famfs
