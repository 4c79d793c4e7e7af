// opendir, readdir, readdirplus, releasedir.
#include <cerrno>
#include <memory>
#include <span>

#include "fuse/operations/ops.h"

namespace famfs {
namespace {

/// 0 with the directory, or the errno.
int FindDirectory(const Namespace& tree, fuse_ino_t id, const Node*& node) {
  node = tree.Find(Inode::FromKernel(id).node);
  if (node == nullptr) return ESTALE;
  return node->is_directory ? 0 : ENOTDIR;
}

/// A fresh listing, or the errno.
int ListNow(const Service& service, fuse_ino_t id,
            std::shared_ptr<const Directories::Listing>& listing) {
  const Reader::View tree = service.reader->Tree();
  const Node* node = nullptr;
  if (const int error = FindDirectory(*tree, id, node); error != 0) {
    return error;
  }
  listing = std::make_shared<Directories::Listing>(*node, *tree);
  return 0;
}

void OpenDirectory(fuse_req_t request, fuse_ino_t id, fuse_file_info* info) {
  Service& service = Service::Of(request);
  IgnoreError(service.follower->CatchUp(), "it was logged");
  int error = 0;
  {
    const Reader::View tree = service.reader->Tree();
    const Node* node = nullptr;
    error = FindDirectory(*tree, id, node);
  }
  if (error != 0) {
    fuse_reply_err(request, error);
    return;
  }
  info->fh = service.directories.Open();
  // The opener is gone when the reply fails: no RELEASEDIR will follow.
  if (const std::uint64_t handle = info->fh;
      fuse_reply_open(request, info) != 0) {
    service.directories.Close(handle);
  }
}

void ReleaseDirectory(fuse_req_t request, fuse_ino_t, fuse_file_info* info) {
  Service::Of(request).directories.Close(info->fh);
  fuse_reply_err(request, 0);
}

/// The handle's listing, taken anew when it is read from its start (rewinddir,
/// too) and for a handle that an earlier server gave out.
int ListingAt(Service& service, fuse_ino_t id, std::uint64_t handle,
              off_t offset,
              std::shared_ptr<const Directories::Listing>& listing) {
  if (offset != 0) listing = service.directories.Find(handle);
  if (listing != nullptr) return 0;
  IgnoreError(service.follower->CatchUp(), "it was logged");
  if (const int error = ListNow(service, id, listing); error != 0) return error;
  service.directories.Replace(handle, listing);
  return 0;
}

/// The size in the reply of entry `at` of the listing, which is put there when
/// `room` bytes take it.
std::size_t AddEntry(fuse_req_t request, const Directories::Listing& listing,
                     std::size_t at, const Node& node, const Namespace& tree,
                     const Inode& view, bool plus, std::span<char> room) {
  const char* const name = listing.NameOf(listing[at]);
  const auto next = static_cast<off_t>(at + 1);
  if (plus) {
    fuse_entry_param entry = EntryFor(Service::Of(request), node, tree, view);
    if (at < 2) entry.ino = 0;  // "." and "..": not looked up
    return fuse_add_direntry_plus(request, room.data(), room.size(), name,
                                  &entry, next);
  }
  struct stat attr = {};
  attr.st_ino = view.Of(node.id);
  attr.st_mode =
      node.is_directory ? S_IFDIR : (node.is_symlink() ? S_IFLNK : S_IFREG);
  return fuse_add_direntry(request, room.data(), room.size(), name, &attr,
                           next);
}

void Read(fuse_req_t request, fuse_ino_t id, std::size_t size, off_t offset,
          const fuse_file_info* info, bool plus) {
  Service& service = Service::Of(request);
  std::shared_ptr<const Directories::Listing> listing;
  if (const int error = ListingAt(service, id, info->fh, offset, listing);
      error != 0) {
    fuse_reply_err(request, error);
    return;
  }
  const Inode directory = Inode::FromKernel(id);
  // Not zeroed: of some 32 KiB an empty directory fills a hundred bytes.
  const auto reply = std::make_unique_for_overwrite<char[]>(size);
  std::size_t used = 0;
  const Reader::View tree = service.reader->Tree();
  for (auto at = static_cast<std::size_t>(offset); at < listing->size(); ++at) {
    const Node* node = tree->Find((*listing)[at].id);
    if (node == nullptr) continue;  // gone since
    // Renamed since, into another directory or to a name that is listed, too.
    if (at >= 2 && node->in_tree() &&
        (node->parent != directory.node ||
         node->name != listing->NameOf((*listing)[at]))) {
      continue;
    }
    if (directory.read_only && node->is_meta) continue;  // not in that view
    const std::size_t needed =
        AddEntry(request, *listing, at, *node, *tree, directory, plus,
                 {reply.get() + used, size - used});
    if (needed > size - used) break;
    used += needed;
  }
  fuse_reply_buf(request, reply.get(), used);
}

void ReadPlain(fuse_req_t request, fuse_ino_t id, std::size_t size,
               off_t offset, fuse_file_info* info) {
  Read(request, id, size, offset, info, false);
}

void ReadPlus(fuse_req_t request, fuse_ino_t id, std::size_t size, off_t offset,
              fuse_file_info* info) {
  Read(request, id, size, offset, info, true);
}

}  // namespace

void FillDirectoryOps(fuse_lowlevel_ops& table) {
  table.opendir = OpenDirectory;
  table.readdir = ReadPlain;
  table.readdirplus = ReadPlus;
  table.releasedir = ReleaseDirectory;
}

}  // namespace famfs
