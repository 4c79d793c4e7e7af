// What the operations do by asking the owner: with files and nodes of tree
// volumes, and with owner and mode of volumes of layout `file`. Each answers
// the request.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "fuse/operations/ops.h"

namespace famfs {

void SetTreeAttributes(fuse_req_t request, fuse_ino_t id,
                       const struct stat& asked, int to_set);
/// Whether the id is that of a volume of layout `file`, its directory or its
/// file; not of what was made by hand.
bool IsInFileVolume(const Service& service, fuse_ino_t id);
/// Of such a one: both have one owner, one group and one set of rights to read
/// and write, so a change of one changes both.
void SetVolumeOwner(fuse_req_t request, fuse_ino_t id, const struct stat& asked,
                    int to_set);
void OpenTreeFile(fuse_req_t request, fuse_ino_t id, int flags);
void ReleaseTreeFile(fuse_req_t request, OpenInode& file, int flags);
void ReadTreeFile(fuse_req_t request, OpenInode& file, std::size_t size,
                  off_t offset);
/// `flags`: of the open. `from_cache`: pages that were stored to through a
/// mapping.
void WriteTreeFile(fuse_req_t request, std::shared_ptr<OpenInode> file,
                   std::span<const std::byte> bytes, std::uint64_t offset,
                   int flags, bool from_cache);
/// `handle`: of HandleOf.
void FlushTreeFile(fuse_req_t request, OpenInode& file, std::uint64_t handle);
void SyncTreeFile(fuse_req_t request, OpenInode& file);
/// fallocate().
void AllocateTreeFile(fuse_req_t request, std::shared_ptr<OpenInode> file,
                      int mode, Range range);
/// copy_file_range() from one open file of a tree volume to another one, or
/// within one.
void CopyTreeFile(fuse_req_t request, std::shared_ptr<OpenInode> from,
                  std::uint64_t from_offset, std::shared_ptr<OpenInode> to,
                  std::uint64_t to_offset, std::uint64_t length);

}  // namespace famfs
