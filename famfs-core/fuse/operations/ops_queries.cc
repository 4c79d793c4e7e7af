// getxattr, listxattr, statfs.
#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>

#include "fuse/operations/ops.h"
#include "fuse/operations/tree_places.h"

namespace famfs {
namespace {

constexpr std::string_view kDataPathName = "user.famfs.datapath";

void ReplyValue(fuse_req_t request, std::string_view value, std::size_t size) {
  if (size == 0) {
    fuse_reply_xattr(request, value.size());
  } else if (size < value.size()) {
    fuse_reply_err(request, ERANGE);
  } else {
    fuse_reply_buf(request, value.data(), value.size());
  }
}

void GetXattr(fuse_req_t request, fuse_ino_t id, const char* name,
              std::size_t size) {
  // Never ENOSYS: the kernel would not ask again for any name. Access lists,
  // labels and capabilities are not kept here at all: told so, ls(1) stops
  // asking for them after the first file; with ENODATA it goes on to the last.
  if (name != kDataPathName) {
    const bool users = std::string_view(name).starts_with("user.");
    fuse_reply_err(request, users ? ENODATA : EOPNOTSUPP);
    return;
  }
  const Service& service = Service::Of(request);
  if (const auto file = service.files->Find(id); file != nullptr) {
    ReplyValue(request, ToString(service.DataPathOf(file->shape())), size);
    return;
  }
  std::optional<FileShape> file;  // of a file
  {
    const Reader::View tree = service.reader->Tree();
    const Node* node = tree->Find(Inode::FromKernel(id).node);
    if (node == nullptr) {
      fuse_reply_err(request, ESTALE);
      return;
    }
    if (!node->is_directory) file = FileShape::Of(*node, *tree);
  }
  // Its device may have to be looked for: not under the view.
  ReplyValue(request, ToString(file ? service.DataPathOf(*file) : service.path),
             size);
}

void ListXattr(fuse_req_t request, fuse_ino_t, std::size_t size) {
  // None: what is listed is copied along, and the copy elsewhere would claim a
  // data path. Who asks by name is answered.
  ReplyValue(request, {}, size);
}

/// False: of no tree volume.
bool StatTreeVolume(const Service& service, fuse_ino_t id,
                    struct statvfs& figures) {
  TreePlace place;
  if (FindInTree(service, id, place) != 0) return false;
  const TreeUsage usage = service.reader->UsageOf(place.volume);
  const Reader::View tree = service.reader->Tree();
  const Node* const volume = tree->FindDirectory(place.volume);
  if (volume == nullptr || volume->volume == nullptr) return false;
  figures = TreeStatfs(volume->volume->capacity, usage);
  return true;
}

void Statfs(fuse_req_t request, fuse_ino_t id) {
  Service& service = Service::Of(request);
  IgnoreError(service.follower->CatchUp(), "it was logged");
  struct statvfs figures = {};
  std::size_t nodes = 0;
  if (StatTreeVolume(service, id, figures)) {
    fuse_reply_statfs(request, &figures);
    return;
  }
  {
    const Reader::View tree = service.reader->Tree();
    const NodeId node = Inode::FromKernel(id).node;
    if (tree->Find(node) == nullptr) {
      fuse_reply_err(request, ESTALE);
      return;
    }
    if (const Node* volume = tree->VolumeOf(node); volume != nullptr) {
      figures = VolumeStatfs(*volume);
      fuse_reply_statfs(request, &figures);
      return;
    }
    nodes = tree->size();
  }
  figures = PoolStatfs(service.reader->Figures(), nodes);
  fuse_reply_statfs(request, &figures);
}

}  // namespace

void FillQueryOps(fuse_lowlevel_ops& table) {
  table.getxattr = GetXattr;
  table.listxattr = ListXattr;
  table.statfs = Statfs;
}

}  // namespace famfs
