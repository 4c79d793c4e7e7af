// lookup, forget, getattr, setattr.
#include <cerrno>
#include <ctime>
#include <optional>

#include "fuse/ops.h"

namespace famfs {

fuse_entry_param EntryFor(const Service& service, const Node& node,
                          const Namespace& tree) {
  fuse_entry_param entry = {};
  entry.ino = node.id;
  entry.generation = 1;
  entry.attr = service.attributes.Of(node, tree);
  entry.attr_timeout = entry.entry_timeout = kCacheSeconds;
  return entry;
}

namespace {

void Lookup(fuse_req_t request, fuse_ino_t parent, const char* name) {
  Service& service = Service::Of(request);
  for (const bool look_again : {false, true}) {
    if (look_again) IgnoreError(service.follower->CatchUp(), "it was logged");
    // The answer is sent under the lock: a removal that comes later is told to
    // the kernel after it, and so drops what it cached.
    const Reader::View tree = service.reader->Tree();
    if (const Node* node = tree->Lookup(parent, name); node != nullptr) {
      const fuse_entry_param entry = EntryFor(service, *node, *tree);
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

/// Null: neither in the tree nor open.
std::optional<struct stat> StatOf(const Service& service, NodeId id) {
  {
    const Reader::View tree = service.reader->Tree();
    if (const Node* node = tree->Find(id); node != nullptr) {
      return service.attributes.Of(*node, *tree);
    }
  }
  const std::shared_ptr<OpenInode> file = service.files->Find(id);
  if (file == nullptr) return std::nullopt;
  return service.attributes.OfRemoved(file->shape());
}

void GetAttributes(fuse_req_t request, fuse_ino_t id, fuse_file_info*) {
  const std::optional<struct stat> attr = StatOf(Service::Of(request), id);
  if (!attr.has_value()) {
    fuse_reply_err(request, ESTALE);
    return;
  }
  fuse_reply_attr(request, &*attr, kCacheSeconds);
}

/// The errno that refuses a change, 0 for what changes nothing.
int CheckUnchanged(const struct stat& now, const struct stat& asked,
                   int to_set) {
  const auto set = [to_set](int flag) { return (to_set & flag) != 0; };
  if (set(FUSE_SET_ATTR_SIZE) && asked.st_size != now.st_size) return EPERM;
  if (set(FUSE_SET_ATTR_MODE) &&
      (asked.st_mode & 07777) != (now.st_mode & 07777)) {
    return EPERM;
  }
  if (set(FUSE_SET_ATTR_UID) && asked.st_uid != now.st_uid) return EPERM;
  if (set(FUSE_SET_ATTR_GID) && asked.st_gid != now.st_gid) return EPERM;
  return 0;
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
  std::optional<struct stat> attr = StatOf(service, id);
  if (!attr.has_value()) {
    fuse_reply_err(request, ESTALE);
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
