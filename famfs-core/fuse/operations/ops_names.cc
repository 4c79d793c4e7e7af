// lookup, forget, getattr, setattr.
#include <cerrno>
#include <ctime>
#include <optional>

#include "fuse/operations/ops.h"
#include "fuse/operations/tree_ops.h"
#include "fuse/operations/tree_places.h"
#include "instance/tree/hidden_name.h"

namespace famfs {

fuse_entry_param EntryFor(const Service& service, const Node& node,
                          const Namespace& tree, const Inode& seen_from) {
  fuse_entry_param entry = {};
  entry.ino = seen_from.Of(node.id);
  entry.generation = 1;
  entry.attr = service.attributes.Of(node, tree);
  if (node.tree != nullptr) ApplyUnsettled(service, node, entry.attr);
  entry.attr.st_ino = entry.ino;
  // In tree volumes nothing is kept: what another host changes is seen by the
  // next look.
  entry.attr_timeout = node.tree != nullptr ? 0 : kCacheSeconds;
  entry.entry_timeout = node.in_tree() ? 0 : kCacheSeconds;
  return entry;
}

namespace {

/// The node of that name as the kernel is to know it, and the view that it is
/// seen in. Null: there is none.
const Node* LookUp(const Namespace& tree, Inode& parent,
                   std::string_view name) {
  const Node* node = tree.Lookup(parent.node, name);
  if (node != nullptr && IsHidden(*node)) return nullptr;
  if (parent.read_only) {
    return node != nullptr && node->is_meta ? nullptr : node;
  }
  if (node != nullptr || name != kReadOnlyViewName) return node;
  const Node* above = tree.Find(parent.node);
  if (above == nullptr || !above->is_meta) return nullptr;
  parent.read_only = true;
  return tree.Find(kRootNode);
}

void Lookup(fuse_req_t request, fuse_ino_t parent, const char* name) {
  Service& service = Service::Of(request);
  const bool in_tree = IsInTree(service, parent);
  const std::size_t longest = in_tree ? kMaxNodeName : kMaxPathLength;
  if (std::string_view(name).size() > longest) {
    fuse_reply_err(request, ENAMETOOLONG);  // as statfs says
    return;
  }
  for (const bool look_again : {false, true}) {
    if (look_again != in_tree)
      IgnoreError(service.follower->CatchUp(), "it was logged");
    // The answer is sent under the lock: a removal that comes later is told to
    // the kernel after it, and so drops what it cached.
    const Reader::View tree = service.reader->Tree();
    Inode view = Inode::FromKernel(parent);
    if (const Node* node = LookUp(*tree, view, name); node != nullptr) {
      const fuse_entry_param entry = EntryFor(service, *node, *tree, view);
      fuse_reply_entry(request, &entry);
      return;
    }
  }
  fuse_reply_err(request, ENOENT);  // never cached
}

void Forget(fuse_req_t request, fuse_ino_t, std::uint64_t) {
  fuse_reply_none(request);  // node ids are hashes: there is nothing to drop
}

void ForgetMany(fuse_req_t request, std::size_t, fuse_forget_data*) {
  fuse_reply_none(request);
}

}  // namespace

std::optional<struct stat> StatOf(const Service& service, fuse_ino_t id) {
  std::optional<struct stat> attr;
  {
    const Reader::View tree = service.reader->Tree();
    if (const Node* node = tree->Find(Inode::FromKernel(id).node);
        node != nullptr) {
      attr = service.attributes.Of(*node, *tree);
      if (node->tree != nullptr) ApplyUnsettled(service, *node, *attr);
      if (IsHidden(*node)) attr->st_nlink = 0;  // removed, and open
    }
  }
  if (!attr.has_value()) {
    const std::shared_ptr<OpenInode> file = service.files->Find(id);
    if (file == nullptr) return std::nullopt;
    attr = service.attributes.OfRemoved(file->shape());
    if (file->tree() != nullptr) {
      attr->st_size = static_cast<off_t>(SizeOfRemoved(*file));
    }
  }
  attr->st_ino = id;
  return attr;
}

namespace {

void GetAttributes(fuse_req_t request, fuse_ino_t id, fuse_file_info*) {
  Service& service = Service::Of(request);
  const bool in_tree = IsInTree(service, id);
  if (in_tree) IgnoreError(service.follower->CatchUp(), "it was logged");
  const std::optional<struct stat> attr = StatOf(service, id);
  if (!attr.has_value()) {
    fuse_reply_err(request, ESTALE);
    return;
  }
  fuse_reply_attr(request, &*attr,
                  in_tree || attr->st_nlink == 0 ? 0 : kCacheSeconds);
}

bool IsOwnerChange(const struct stat& now, const struct stat& asked,
                   int to_set) {
  const auto set = [to_set](int flag) { return (to_set & flag) != 0; };
  return (set(FUSE_SET_ATTR_MODE) &&
          (asked.st_mode & 07777) != (now.st_mode & 07777)) ||
         (set(FUSE_SET_ATTR_UID) && asked.st_uid != now.st_uid) ||
         (set(FUSE_SET_ATTR_GID) && asked.st_gid != now.st_gid);
}

/// The errno that refuses a change, 0 for what changes nothing.
int CheckUnchanged(const struct stat& now, const struct stat& asked,
                   int to_set) {
  const bool resizes =
      (to_set & FUSE_SET_ATTR_SIZE) != 0 && asked.st_size != now.st_size;
  return resizes || IsOwnerChange(now, asked, to_set) ? EPERM : 0;
}

/// The time to set, if any: of two flags one says "now".
std::optional<timespec> TimeToSet(int to_set, int flag, int now_flag,
                                  const timespec& asked) {
  if ((to_set & now_flag) != 0) {
    timespec now = {};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return now;
  }
  if ((to_set & flag) != 0) return asked;
  return std::nullopt;
}

void SetAttributes(fuse_req_t request, fuse_ino_t id, struct stat* asked,
                   int to_set, fuse_file_info*) {
  Service& service = Service::Of(request);
  if (service.read_only || Inode::FromKernel(id).read_only) {
    fuse_reply_err(request, EROFS);
    return;
  }
  if (const auto file = service.files->Find(id);
      IsInTree(service, id) || (file != nullptr && file->tree() != nullptr)) {
    SetTreeAttributes(request, id, *asked, to_set);
    return;
  }
  const bool in_volume = IsInFileVolume(service, id);
  // What another node has changed is no "as it is already".
  if (in_volume) IgnoreError(service.follower->CatchUp(), "it was logged");
  std::optional<struct stat> attr = StatOf(service, id);
  if (!attr.has_value()) {
    fuse_reply_err(request, ESTALE);
    return;
  }
  constexpr int kOther = FUSE_SET_ATTR_SIZE | FUSE_SET_ATTR_ATIME |
                         FUSE_SET_ATTR_ATIME_NOW | FUSE_SET_ATTR_MTIME |
                         FUSE_SET_ATTR_MTIME_NOW;
  if (in_volume && (to_set & kOther) == 0 &&
      IsOwnerChange(*attr, *asked, to_set)) {
    SetVolumeOwner(request, id, *asked, to_set);
    return;
  }
  if (const int error = CheckUnchanged(*attr, *asked, to_set); error != 0) {
    fuse_reply_err(request, error);
    return;
  }
  const auto access = TimeToSet(to_set, FUSE_SET_ATTR_ATIME,
                                FUSE_SET_ATTR_ATIME_NOW, asked->st_atim);
  const auto change = TimeToSet(to_set, FUSE_SET_ATTR_MTIME,
                                FUSE_SET_ATTR_MTIME_NOW, asked->st_mtim);
  if (access.has_value()) attr->st_atim = *access;
  if (change.has_value()) attr->st_mtim = *change;
  if (access.has_value() || change.has_value()) {
    service.attributes.SetTimes(id, attr->st_atim, attr->st_mtim);
  }
  fuse_reply_attr(request, &*attr, kCacheSeconds);
}

}  // namespace

void FillNameOps(fuse_lowlevel_ops& table) {
  table.lookup = Lookup;
  table.forget = Forget;
  table.forget_multi = ForgetMany;
  table.getattr = GetAttributes;
  table.setattr = SetAttributes;
}

}  // namespace famfs
