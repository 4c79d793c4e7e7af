// Names in tree volumes: create, mknod, mkdir, symlink, unlink, rmdir, rename,
// readlink. Each change is the owner's; outside of tree volumes all of them are
// EPERM, and in the read-only view EROFS.
//
// Only requests that make something carry who asks; it is the one place where
// their uid and gid are used.
#include <sys/stat.h>

#include <cerrno>
#include <string>
#include <utility>

#include "fuse/operations/opening.h"
#include "fuse/operations/ops.h"
#include "fuse/operations/removing.h"
#include "fuse/operations/tree_ops.h"
#include "fuse/operations/tree_places.h"
#include "instance/tree/hidden_name.h"

namespace famfs {
namespace {

/// 0 with the directory that a name is made, changed or removed in, or the
/// errno.
int FindParent(const Service& service, fuse_ino_t id, std::string_view name,
               TreePlace& parent) {
  if (const int error = FindForTreeChange(service, id, parent); error != 0) {
    return error;
  }
  if (service.asking == nullptr) return EROFS;
  // Those are the servers' own.
  if (parent.id == kVolumeRoot && SessionOfHiddenName(name)) return EPERM;
  return name.size() > kMaxNodeName ? ENAMETOOLONG : 0;
}

/// A request about a name in that directory.
TreeRequest InDirectory(const TreePlace& parent, TreeOp op, const char* name) {
  TreeRequest request = parent.Request(op);
  request.node = kVolumeRoot;
  request.parent = parent.id;
  request.name = name;
  return request;
}

/// What is made belongs to who asks; umask and the rest are the kernel's.
TreeRequest CreateRequest(fuse_req_t request, const TreePlace& parent,
                          const char* name, NodeKind kind, mode_t mode) {
  TreeRequest create = InDirectory(parent, TreeOp::kCreate, name);
  const fuse_ctx* const who = fuse_req_ctx(request);
  create.kind = kind;
  create.uid = who->uid;
  create.gid = who->gid;
  create.mode = mode & 07777;
  return create;
}

/// Answers with the entry of a node that was made.
void ReplyMade(fuse_req_t request, const TreePlace& parent, TreeId made) {
  Service& service = Service::Of(request);
  fuse_entry_param entry = {};
  {
    const Reader::View tree = service.reader->Tree();
    const Node* const volume = tree->FindDirectory(parent.volume);
    const Node* const node =
        volume == nullptr ? nullptr : tree->FindTreeNode(*volume, made);
    if (node != nullptr) entry = EntryFor(service, *node, *tree, Inode{});
  }
  if (entry.ino == 0) {
    fuse_reply_err(request, ENOENT);  // removed by another host meanwhile
  } else {
    fuse_reply_entry(request, &entry);
  }
}

void Make(fuse_req_t request, fuse_ino_t parent_id, const char* name,
          NodeKind kind, mode_t mode, const char* target) {
  Service& service = Service::Of(request);
  TreePlace parent;
  if (const int error = FindParent(service, parent_id, name, parent);
      error != 0) {
    fuse_reply_err(request, error);
    return;
  }
  TreeRequest create = CreateRequest(request, parent, name, kind, mode);
  if (target != nullptr) create.target = target;
  service.asking.load()->Ask(request, std::move(create),
                             [request, parent](const TreeAnswer& answer) {
                               if (answer.error != 0) {
                                 fuse_reply_err(request, answer.error);
                               } else {
                                 ReplyMade(request, parent, answer.node);
                               }
                             });
}

void MakeNode(fuse_req_t request, fuse_ino_t parent, const char* name,
              mode_t mode, dev_t) {
  const bool read_only = Inode::FromKernel(parent).read_only;
  if (!S_ISREG(mode)) {
    fuse_reply_err(request, read_only ? EROFS : EPERM);
    return;
  }
  Make(request, parent, name, NodeKind::kFile, mode, nullptr);
}

void MakeDirectory(fuse_req_t request, fuse_ino_t parent, const char* name,
                   mode_t mode) {
  Make(request, parent, name, NodeKind::kDirectory, mode, nullptr);
}

void MakeLink(fuse_req_t request, const char* target, fuse_ino_t parent,
              const char* name) {
  Make(request, parent, name, NodeKind::kSymlink, 0777, target);
}

void ReadLink(fuse_req_t request, fuse_ino_t id) {
  Service& service = Service::Of(request);
  std::string target;
  {
    const Reader::View tree = service.reader->Tree();
    const Node* const node = tree->Find(Inode::FromKernel(id).node);
    if (node != nullptr && node->is_symlink()) {
      target = node->tree->record.target;
    }
  }
  if (target.empty()) {
    fuse_reply_err(request, EINVAL);
  } else {
    fuse_reply_readlink(request, target.c_str());
  }
}

/// Asks for a change that is answered by its errno alone.
void Change(fuse_req_t request, TreeRequest change) {
  Service::Of(request).asking.load()->Ask(
      request, std::move(change), [request](const TreeAnswer& answer) {
        fuse_reply_err(request, answer.error);
      });
}

void Remove(fuse_req_t request, fuse_ino_t parent_id, const char* name,
            std::uint32_t flags) {
  TreePlace parent;
  if (const int error =
          FindParent(Service::Of(request), parent_id, name, parent);
      error != 0) {
    fuse_reply_err(request, error);
    return;
  }
  if (flags == 0 && RemoveOpenFile(request, parent, name)) return;
  TreeRequest remove = InDirectory(parent, TreeOp::kRemove, name);
  remove.flags = flags;
  Change(request, std::move(remove));
}

void Unlink(fuse_req_t request, fuse_ino_t parent, const char* name) {
  Remove(request, parent, name, 0);
}

void RemoveDirectory(fuse_req_t request, fuse_ino_t parent, const char* name) {
  Remove(request, parent, name, kRemoveDirectory);
}

void Rename(fuse_req_t request, fuse_ino_t from_id, const char* name,
            fuse_ino_t to_id, const char* new_name, unsigned flags) {
  const Service& service = Service::Of(request);
  TreePlace from;
  TreePlace to;
  int error = FindParent(service, from_id, name, from);
  if (error == 0) error = FindParent(service, to_id, new_name, to);
  // Out of its volume: to another one, or to where no names are made.
  if (error == 0 && from.volume != to.volume) error = EXDEV;
  if (error == 0 && (flags & ~(kRenameNoReplace | kRenameExchange)) != 0) {
    error = EINVAL;
  }
  if (error != 0) {
    fuse_reply_err(request, error);
    return;
  }
  TreeRequest rename = InDirectory(from, TreeOp::kRename, name);
  rename.new_parent = to.id;
  rename.new_name = new_name;
  rename.flags = flags;
  Change(request, std::move(rename));
}

// What CREATE answers: an open file.

void ReplyCreated(fuse_req_t request, fuse_ino_t id, int flags) {
  Service& service = Service::Of(request);
  std::shared_ptr<OpenInode> file;
  if (const int error = OpenNode(service, id, flags, file); error != 0) {
    fuse_reply_err(request, error);
    return;
  }
  fuse_entry_param entry = {};
  {
    const Reader::View tree = service.reader->Tree();
    if (const Node* const node = tree->Find(id); node != nullptr) {
      entry = EntryFor(service, *node, *tree, Inode{});
    }
  }
  if (entry.ino == 0) {
    CloseNode(service, id, flags);
    fuse_reply_err(request, ENOENT);  // removed by another host meanwhile
    return;
  }
  if (Wire::ReplyCreate(request, entry, HandleOf(flags),
                        ReplyFlags(service, *file, flags),
                        file->backing_id()) != 0) {
    CloseNode(service, id, flags);
  }
}

void Create(fuse_req_t request, fuse_ino_t parent_id, const char* name,
            mode_t mode, fuse_file_info* info) {
  Service& service = Service::Of(request);
  TreePlace parent;
  if (const int error = FindParent(service, parent_id, name, parent);
      error != 0) {
    fuse_reply_err(request, error);
    return;
  }
  service.asking.load()->Ask(
      request, CreateRequest(request, parent, name, NodeKind::kFile, mode),
      [request, parent, flags = info->flags](const TreeAnswer& answer) {
        if (answer.error == EEXIST && (flags & O_EXCL) == 0) {
          // Another host made it first. The kernel looks once more, and opens
          // what it finds as who asks may: nobody else checks that.
          fuse_reply_err(request, ESTALE);
          return;
        }
        if (answer.error != 0) {
          fuse_reply_err(request, answer.error);
          return;
        }
        const NodeId made = Service::Of(request).reader->Tree()->IdOfTreeNode(
            parent.volume, answer.node);
        ReplyCreated(request, made, flags);
      });
}

}  // namespace

void FillTreeNameOps(fuse_lowlevel_ops& table) {
  table.create = Create;
  table.mknod = MakeNode;
  table.mkdir = MakeDirectory;
  table.symlink = MakeLink;
  table.readlink = ReadLink;
  table.unlink = Unlink;
  table.rmdir = RemoveDirectory;
  table.rename = Rename;
}

}  // namespace famfs
