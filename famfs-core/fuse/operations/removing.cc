#include "fuse/operations/removing.h"

#include <spdlog/spdlog.h>

#include <cerrno>

#include "base/text.h"
#include "instance/tree/hidden_name.h"

namespace famfs {
namespace {

bool IsOpenHere(const Service& service, NodeId node) {
  for (const bool read_only : {false, true}) {
    if (service.files->Find(Inode{.read_only = read_only}.Of(node)) != nullptr)
      return true;
  }
  return false;
}

/// An unlink() on its way.
struct Removal {
  fuse_req_t request;
  TreePlace directory;
  std::string name;
  TreeId id = kVolumeRoot;  // of the file that is meant
  std::string hidden;       // its new name

  /// A request about that name in the directory.
  [[nodiscard]] TreeRequest Request(TreeOp op) const {
    TreeRequest change = directory.Request(op);
    change.node = kVolumeRoot;
    change.parent = directory.id;
    change.name = name;
    return change;
  }
};

void RemoveAtOnce(const Removal& removal) {
  Service::Of(removal.request)
      .asking.load()
      ->Ask(removal.request, removal.Request(TreeOp::kRemove),
            [request = removal.request](const TreeAnswer& answer) {
              fuse_reply_err(request, answer.error);
            });
}

/// Another host has made a directory of that name meanwhile, and that was
/// hidden.
void PutBack(const Removal& removal) {
  TreeRequest back = removal.directory.Request(TreeOp::kRename);
  back.node = kVolumeRoot;
  back.parent = kVolumeRoot;
  back.name = removal.hidden;
  back.new_parent = removal.directory.id;
  back.new_name = removal.name;
  back.flags = kRenameNoReplace;
  Service::Of(removal.request)
      .asking.load()
      ->Ask(nullptr, std::move(back), [removal](const TreeAnswer& answer) {
        if (answer.error != 0) {
          spdlog::error(
              "{} became a directory while it was removed, and is "
              "called {} now; rename it with `famfs`",
              Printable(removal.name), removal.hidden);
        }
        fuse_reply_err(removal.request, EISDIR);
      });
}

void Hidden(const Removal& removal, const TreeAnswer& answer) {
  Service& service = Service::Of(removal.request);
  // It may be another file by now, whose name that was when it was removed.
  const TreeId id = answer.error == 0 ? answer.node : removal.id;
  NodeId node = 0;
  bool is_directory = false;
  {
    const Reader::View tree = service.reader->Tree();
    node = tree->IdOfTreeNode(removal.directory.volume, id);
    const Node* const found = tree->Find(node);
    is_directory = found != nullptr && found->is_directory;
  }
  if (answer.error == EEXIST) {
    RemoveAtOnce(removal);
    return;
  }
  if (answer.error == 0 && is_directory) {
    PutBack(removal);
    return;
  }
  // Of one that was given up nobody knows yet whether it is done.
  const bool in_doubt = answer.error == EINTR || answer.error == EIO;
  if (answer.error == 0 || in_doubt) {
    service.hidden.Add(node, removal.hidden,
                       in_doubt
                           ? HiddenFiles::Clock::now() + HiddenFiles::kDoubt
                           : HiddenFiles::Clock::time_point{});
    RemoveHidden(service, node);
  }
  fuse_reply_err(removal.request, answer.error);
}

}  // namespace

bool RemoveOpenFile(fuse_req_t request, const TreePlace& directory,
                    const std::string& name) {
  Service& service = Service::Of(request);
  const HostSession* const session = service.deletion_acknowledger->session();
  if (session == nullptr) return false;
  Removal removal{
      .request = request, .directory = directory, .name = name, .hidden = {}};
  NodeId node = 0;
  {
    const Reader::View tree = service.reader->Tree();
    const Node* const found = tree->Lookup(directory.node, name);
    if (found == nullptr || !found->in_tree()) return false;
    if (found->is_directory || found->is_symlink()) return false;
    removal.id = found->tree->id;
    node = found->id;
  }
  if (!IsOpenHere(service, node)) return false;
  removal.hidden = HiddenName(session->session(), removal.id);
  TreeRequest hide = removal.Request(TreeOp::kRename);
  hide.new_parent = kVolumeRoot;
  hide.new_name = removal.hidden;
  hide.flags = kRenameNoReplace;
  service.asking.load()->Ask(
      request, std::move(hide),
      [removal](const TreeAnswer& answer) { Hidden(removal, answer); });
  return true;
}

bool IsRemovedHere(Service& service, NodeId node) {
  if (!service.hidden.Contains(node)) return false;
  const Reader::View tree = service.reader->Tree();
  const Node* const found = tree->Find(node);
  return found == nullptr || IsHidden(*found);
}

void RemoveHidden(Service& service, NodeId node) {
  if (IsOpenHere(service, node) || service.asking == nullptr) return;
  std::string volume;
  {
    const Reader::View tree = service.reader->Tree();
    const Node* const found = tree->Find(node);
    if (found != nullptr && IsHidden(*found)) {
      volume = tree->VolumeOf(node)->name;
    }
  }
  if (volume.empty()) {  // removed, or not hidden so far
    service.hidden.EraseIfCertain(node, HiddenFiles::Clock::now());
    return;
  }
  const auto name = service.hidden.BeginRemoval(node);
  if (!name.has_value()) return;
  TreeRequest remove;
  remove.op = TreeOp::kRemove;
  remove.volume = volume;
  remove.name = *name;
  service.asking.load()->Ask(
      nullptr, std::move(remove), [&service, node](const TreeAnswer& answer) {
        // Of what may not be done the next round is told nothing else.
        const bool is_over = answer.error == 0 || answer.error == ENOENT ||
                             answer.error == ESTALE || answer.error == EROFS ||
                             answer.error == EISDIR;
        if (!is_over) {
          service.hidden.NotRemoved(node);
          return;
        }
        service.hidden.Erase(node);
        service.unsettled.Forget(node);
      });
}

void RemoveHiddenLeftOvers(Service& service) {
  for (const NodeId node : service.hidden.All()) RemoveHidden(service, node);
}

}  // namespace famfs
