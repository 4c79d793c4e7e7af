// opendir, readdir, readdirplus, releasedir.
#include <cerrno>
#include <string>
#include <vector>

#include "fuse/ops.h"

namespace famfs {
namespace {

/// A fresh listing, or the errno.
int ListNow(const Service& service, fuse_ino_t id,
            std::shared_ptr<const Directories::Listing>& listing) {
  const Reader::View tree = service.reader->Tree();
  const Node* node = tree->Find(Inode::FromKernel(id).node);
  if (node == nullptr) return ESTALE;
  if (!node->is_directory) return ENOTDIR;
  listing = Directories::List(*node, *tree);
  return 0;
}

void OpenDirectory(fuse_req_t request, fuse_ino_t id, fuse_file_info* info) {
  Service& service = Service::Of(request);
  IgnoreError(service.follower->CatchUp(), "it was logged");
  std::shared_ptr<const Directories::Listing> listing;
  if (const int error = ListNow(service, id, listing); error != 0) {
    fuse_reply_err(request, error);
    return;
  }
  info->fh = service.directories.Open(std::move(listing));
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

/// The handle's listing, taken anew at offset 0 (rewinddir) and for a handle
/// that an earlier server gave out.
int ListingAt(Service& service, fuse_ino_t id, std::uint64_t handle,
              off_t offset,
              std::shared_ptr<const Directories::Listing>& listing) {
  listing = service.directories.Find(handle);
  if (listing != nullptr && offset != 0) return 0;
  if (const int error = ListNow(service, id, listing); error != 0) return error;
  service.directories.Replace(handle, listing);
  return 0;
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
  std::vector<char> reply(size);
  std::size_t used = 0;
  const Reader::View tree = service.reader->Tree();
  for (auto at = static_cast<std::size_t>(offset); at < listing->size(); ++at) {
    const Directories::Entry& entry = (*listing)[at];
    const Node* node = tree->Find(entry.id);
    if (node == nullptr) continue;                       // gone since
    if (directory.read_only && node->is_meta) continue;  // not in that view
    const auto next = static_cast<off_t>(at + 1);
    char* const here = reply.data() + used;
    std::size_t needed = 0;
    if (plus) {
      fuse_entry_param param = {};
      param = EntryFor(service, *node, *tree, directory);
      if (at < 2) param.ino = 0;  // "." and "..": not looked up
      needed = fuse_add_direntry_plus(request, here, size - used,
                                      entry.name.c_str(), &param, next);
    } else {
      struct stat attr = {};
      attr.st_ino = directory.Of(node->id);
      attr.st_mode = entry.is_directory ? S_IFDIR : S_IFREG;
      needed = fuse_add_direntry(request, here, size - used, entry.name.c_str(),
                                 &attr, next);
    }
    if (needed > size - used) break;
    used += needed;
  }
  fuse_reply_buf(request, reply.data(), used);
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
