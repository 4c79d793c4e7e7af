// What is done in tree volumes: each operation is one request, as a host's
// would be.
#include <algorithm>
#include <array>
#include <utility>

#include "instance/log/compaction.h"
#include "tests/crash/history.h"

namespace famfs::crash {
namespace {

constexpr std::uint64_t kCapacity = 32 * kAllocUnit;
constexpr std::uint32_t kTreeMode = 0750;

std::string VolumeIn(const std::string& path) {
  return path.substr(0, path.find('/'));
}
std::string DirectoryIn(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}
std::string NameIn(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

bool IsFile(const std::string& /*path*/, const NodeState& node) {
  return node.kind == NodeKind::kFile;
}

/// So many bytes of each piece are before the file's end.
std::uint64_t Before(std::uint64_t size, std::uint64_t start) {
  return size - std::min(size, start);
}

}  // namespace

bool History::DoInTree(Op op) {
  switch (op) {
    case Op::kTreeVolume:
      CreateTreeVolume();
      return true;
    case Op::kTreeFile:
      return CreateNode(NodeKind::kFile);
    case Op::kTreeDirectory:
      return CreateNode(NodeKind::kDirectory);
    case Op::kTreeLink:
      return CreateNode(NodeKind::kSymlink);
    case Op::kTreeRemove:
      return RemoveNode();
    case Op::kTreeRename:
      return RenameNode();
    case Op::kTreeReplace:
      return ReplaceNode();
    case Op::kTreeExchange:
      return ExchangeNodes();
    case Op::kTreeExtend:
      return ExtendFile();
    case Op::kTreeStore:
      return StoreToFile();
    case Op::kTreeSettle:
      return SettleFile();
    case Op::kTreeCut:
      return CutFile();
    case Op::kTreeGrow:
      return GrowFile();
    case Op::kTreeAttributes:
      return ChangeMode();
    case Op::kTreeMode:
      return ChangeTreeMode();
    case Op::kTreeDelete:
      return DeleteTree();
    default:
      return false;
  }
}

std::string History::Pick(
    const std::function<bool(const std::string&, const NodeState&)>& fits)
    const {
  std::vector<std::string> paths;
  for (const auto& [path, node] : state_.nodes) {
    if (fits(path, node)) paths.push_back(path);
  }
  return paths.empty() ? std::string() : paths[steps_.size() % paths.size()];
}

std::string History::PickVolume() const {
  for (const auto& [path, mode] : state_.tree_modes) {
    if (path != "sealed") return path;
  }
  return {};
}

TreeId History::ParentOf(const std::string& path) const {
  const auto parent = state_.nodes.find(DirectoryIn(path));
  return parent == state_.nodes.end() ? kVolumeRoot : parent->second.id;
}

TreeRequest History::RequestFor(TreeOp op, const std::string& path) const {
  TreeRequest request;
  request.op = op;
  request.volume = VolumeIn(path);
  if (const auto node = state_.nodes.find(path); node != state_.nodes.end()) {
    request.node = node->second.id;
    request.truncation = node->second.truncation;
  }
  request.parent = ParentOf(path);
  request.name = NameIn(path);
  request.ctime_ns = static_cast<std::int64_t>(1000 + steps_.size());
  return request;
}

TreeRequest History::RenameFor(const std::string& from,
                               const std::string& to) const {
  TreeRequest request = RequestFor(TreeOp::kRename, from);
  request.new_parent = ParentOf(to);
  request.new_name = NameIn(to);
  return request;
}

void History::Ask(Step step, const TreeRequest& request) {
  Run(std::move(step), [&]() -> absl::Status {
    const TreeAnswer answer = writer_->ChangeTree(request);
    if (answer.error == 0) return absl::OkStatus();
    return Internal("errno {}", answer.error);
  });
}

std::set<std::uint64_t> History::UnitsOf(const std::string& path) const {
  std::set<std::uint64_t> units;
  const Reader::View tree = writer_->Tree();
  for (const MediaExtent& extent : tree->FindPath(path)->extents) {
    const std::uint64_t start =
        (extent.offset + extent.device_index * kPrimarySize) / kAllocUnit;
    for (std::uint64_t i = 0; i < extent.length / kAllocUnit; ++i) {
      units.insert(start + i);
    }
  }
  return units;
}

std::vector<std::string> History::PiecesOf(const std::string& path) const {
  std::vector<std::string> names;
  const Reader::View tree = writer_->Tree();
  const Node& node = *tree->FindPath(path);
  for (const TreeNode::Piece& piece : node.tree->pieces) {
    names.push_back(PiecePath(VolumeIn(path), node.tree->id, piece.number));
  }
  return names;
}

void History::DropPieces(const std::string& path, std::size_t kept,
                         std::uint64_t number, State& after) const {
  NodeState& node = after.nodes.at(path);
  std::uint64_t bytes = 0;
  for (std::size_t i = kept; i < node.pieces.size(); ++i) {
    bytes += node.pieces[i].length;
  }
  node.pieces.resize(kept);
  if (bytes == 0) return;
  if (!device_->capabilities().removed_extents_live_on) {
    after.pending[number] = {.bytes = bytes, .volume = VolumeIn(path)};
  }
  const std::vector<std::string> names = PiecesOf(path);
  for (std::size_t i = kept; i < names.size(); ++i) {
    const auto held = after.held.find(names[i]);
    if (held != after.held.end()) held->second.deletion = number;
  }
}

/// A node, and what lies below it.
void History::MoveNodes(const std::string& from, const std::string& to,
                        State& after) const {
  std::map<std::string, NodeState> moved;
  for (auto it = after.nodes.begin(); it != after.nodes.end();) {
    if (it->first != from && !it->first.starts_with(from + "/")) {
      ++it;
      continue;
    }
    moved[to + it->first.substr(from.size())] = it->second;
    it = after.nodes.erase(it);
  }
  after.nodes.merge(moved);
}

void History::CreateTreeVolume() {
  const std::string name = NewName('t');
  VolumeAttributes attributes;
  attributes.name = "pvc-" + name;
  attributes.capacity = kCapacity;
  attributes.layout = VolumeLayout::kTree;
  State after = state_;
  after.volumes[name] = kCapacity;
  after.directories.insert(name);
  after.tree_modes[name] = kTreeMode;
  Run({.name = "create tree volume: " + name, .after = after}, [&] {
    return writer_->CreateVolume(name, attributes, {.mode = kTreeMode});
  });
}

/// Every second one in a directory, if there is one.
bool History::CreateNode(NodeKind kind) {
  std::string parent = PickVolume();
  if (parent.empty()) return false;
  const std::string directory = Pick([](const auto&, const NodeState& node) {
    return node.kind == NodeKind::kDirectory;
  });
  if (!directory.empty() && names_ % 2 == 0) parent = directory;
  const std::string path = parent + "/" + NewName('n');
  TreeRequest request = RequestFor(TreeOp::kCreate, path);
  request.kind = kind;
  request.mode = 0640;
  if (kind == NodeKind::kSymlink) request.target = "some/where";
  State after = state_;
  after.nodes[path] = {
      .kind = kind, .size = request.target.size(), .mode = request.mode};
  const char* what = kind == NodeKind::kFile        ? "tree file: "
                     : kind == NodeKind::kDirectory ? "tree directory: "
                                                    : "tree link: ";
  Ask({.name = what + path, .after = after}, request);
  // The owner chose the id.
  const TreeId id = writer_->Tree()->FindPath(path)->tree->id;
  state_.nodes.at(path).id = id;
  steps_.back().after.nodes.at(path).id = id;
  return true;
}

bool History::RemoveNode() {
  const std::string path = Pick([&](const std::string& one, const auto&) {
    const auto next = state_.nodes.upper_bound(one + "/");
    return next == state_.nodes.end() || !next->first.starts_with(one + "/");
  });
  if (path.empty()) return false;
  TreeRequest request = RequestFor(TreeOp::kRemove, path);
  State after = state_;
  if (state_.nodes.at(path).kind == NodeKind::kDirectory) {
    request.flags = kRemoveDirectory;
  }
  DropPieces(path, 0, ++after.deletions, after);
  after.nodes.erase(path);
  Ask({.name = "tree remove: " + path, .after = after}, request);
  return true;
}

/// Into the volume's own directory, or into one that is there.
bool History::RenameNode() {
  const std::string from = Pick([](const auto&, const auto&) { return true; });
  if (from.empty()) return false;
  const std::string directory =
      Pick([&](const std::string& one, const NodeState& node) {
        return node.kind == NodeKind::kDirectory &&
               VolumeIn(one) == VolumeIn(from) &&
               !(one + "/").starts_with(from + "/");
      });
  const bool to_root = directory.empty() || names_ % 2 == 0;
  const std::string to =
      (to_root ? VolumeIn(from) : directory) + "/" + NewName('n');
  State after = state_;
  MoveNodes(from, to, after);
  Ask({.name = "tree rename: " + from + " to " + to, .after = after},
      RenameFor(from, to));
  return true;
}

bool History::ReplaceNode() {
  const std::string from = Pick(IsFile);
  const std::string to = Pick([&](const std::string& one, const auto& node) {
    return node.kind == NodeKind::kFile && one != from &&
           VolumeIn(one) == VolumeIn(from);
  });
  if (to.empty()) return false;
  State after = state_;
  DropPieces(to, 0, ++after.deletions, after);
  after.nodes.erase(to);
  MoveNodes(from, to, after);
  Ask({.name = "tree replace: " + from + " over " + to, .after = after},
      RenameFor(from, to));
  return true;
}

bool History::ExchangeNodes() {
  const std::string from = Pick([](const auto&, const auto&) { return true; });
  const std::string to = Pick([&](const std::string& one, const auto&) {
    return one != from && VolumeIn(one) == VolumeIn(from) &&
           !one.starts_with(from + "/") && !from.starts_with(one + "/");
  });
  if (to.empty()) return false;
  State after = state_;
  MoveNodes(from, "aside", after);
  MoveNodes(to, from, after);
  MoveNodes("aside", to, after);
  TreeRequest request = RenameFor(from, to);
  request.flags = kRenameExchange;
  Ask({.name = "tree exchange: " + from + " with " + to, .after = after},
      request);
  return true;
}

/// By one unit, or to double the size.
bool History::ExtendFile() {
  const std::string path = Pick([&](const std::string& one, const auto& node) {
    const std::uint64_t more =
        std::max<std::uint64_t>(node.allocated(), kAllocUnit);
    return node.kind == NodeKind::kFile &&
           UsedBytes(state_, VolumeIn(one)) + more <= kCapacity / 2;
  });
  if (path.empty()) return false;
  const std::uint64_t allocated = state_.nodes.at(path).allocated();
  TreeRequest request = RequestFor(TreeOp::kExtend, path);
  request.size = allocated + 1;
  std::uint64_t more = kAllocUnit;
  if (steps_.size() % 2 == 0) {
    request.flags = kExtendExactly;
  } else {
    more = std::max(allocated, kAllocUnit);
  }
  State after = state_;
  after.nodes.at(path).pieces.push_back({.length = more});
  Ask({.name = "tree extend: " + path, .after = after}, request);
  return true;
}

/// The start of each piece; and those pieces are open from now on.
bool History::StoreToFile() {
  const std::string path = Pick([](const auto&, const NodeState& node) {
    return !node.pieces.empty() && node.pieces.back().stored < kFilledBytes;
  });
  if (path.empty()) return false;
  State after = state_;
  NodeState& node = after.nodes.at(path);
  const std::string fill = FillOf(node.id);
  std::vector<MediaExtent> extents;
  {
    const Reader::View tree = writer_->Tree();
    const Node& live = *tree->FindPath(path);
    extents.assign(live.extents.begin(), live.extents.end());
    if (extents.size() != node.pieces.size()) return false;
    for (std::size_t i = 0; i < extents.size(); ++i) {
      node.pieces[i].stored = kFilledBytes;
      if (session_ == nullptr || !state_.let_go) continue;
      after.held[PiecePath(VolumeIn(path), node.id,
                           live.tree->pieces[i].number)] = {
          .offset = extents[i].offset + extents[i].device_index * kPrimarySize,
          .length = extents[i].length,
          .fill = fill,
          .stored = kFilledBytes};
    }
  }
  Run({.name = "tree store: " + path, .after = after, .filling = path},
      [&]() -> absl::Status {
        std::array<std::byte, kFilledBytes> bytes;
        bytes.fill(FillByte(fill));
        for (const MediaExtent& extent : extents) {
          RecordingDevice& device =
              extent.device_index == 0 ? *device_ : *secondary_;
          FAMFS_ASSIGN_OR_RETURN(
              const auto mapping,
              device.Map(extent.offset, kAllocUnit, Access::kReadWrite));
          mapping->Store(0, bytes);
          mapping->WriteBack(0, bytes.size());
        }
        return absl::OkStatus();
      });
  return true;
}

bool History::SettleFile() {
  const std::string path = Pick([](const auto&, const NodeState& node) {
    return node.size < node.allocated();
  });
  if (path.empty()) return false;
  State after = state_;
  NodeState& node = after.nodes.at(path);
  node.size = (node.size + node.allocated() + 1) / 2;
  TreeRequest request = RequestFor(TreeOp::kSettle, path);
  request.size = node.size;
  Ask({.name = "tree settle: " + path, .after = after}, request);
  return true;
}

/// In turns to the middle of a filled part, to half, and to nothing.
bool History::CutFile() {
  const std::string path = Pick([](const auto&, const NodeState& node) {
    return node.kind == NodeKind::kFile && node.size > kFilledBytes;
  });
  if (path.empty()) return false;
  State after = state_;
  NodeState& node = after.nodes.at(path);
  const std::array<std::uint64_t, 3> sizes = {kFilledBytes / 2, node.size / 2,
                                              0};
  node.size = sizes[steps_.size() % sizes.size()];
  ++node.truncation;
  std::size_t kept = 0;
  for (std::uint64_t start = 0; kept < node.pieces.size() && start < node.size;
       ++kept) {
    start += node.pieces[kept].length;
  }
  TreeRequest request = RequestFor(TreeOp::kSetAttributes, path);
  request.set = kSetSize;
  request.size = node.size;
  if (kept < node.pieces.size()) {
    ++after.deletions;
    DropPieces(path, kept, after.deletions, after);
  }
  Ask({.name = "tree cut: " + path, .after = after}, request);
  return true;
}

/// Within what is allocated, or by a unit more. What lies behind the end is
/// zeroed first.
bool History::GrowFile() {
  const std::string path = Pick([&](const std::string& one, const auto& node) {
    return node.kind == NodeKind::kFile &&
           UsedBytes(state_, VolumeIn(one)) < kCapacity / 2;
  });
  if (path.empty()) return false;
  Step step{.name = "tree grow: " + path, .after = state_};
  NodeState& node = step.after.nodes.at(path);
  const std::uint64_t old_size = node.size;
  std::uint64_t start = 0;
  std::optional<State> via;
  node.size = (node.size + node.allocated() + 1) / 2;
  if (steps_.size() % 2 == 0 || node.size == old_size) {
    node.size = node.allocated() + 1000;
    via = state_;
    via->nodes.at(path).pieces.push_back({.length = kAllocUnit});
    node.pieces.push_back({.length = kAllocUnit});
  }
  for (PieceState& piece : node.pieces) {
    piece.stored = std::min(piece.stored, Before(old_size, start));
    start += piece.length;
  }
  const std::vector<std::string> names = PiecesOf(path);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto held = step.after.held.find(names[i]);
    if (held != step.after.held.end()) {
      held->second.stored = node.pieces[i].stored;
    }
  }
  if (via) {  // zeroed by then
    for (std::size_t i = 0; i + 1 < node.pieces.size(); ++i) {
      via->nodes.at(path).pieces[i].stored = node.pieces[i].stored;
    }
    via->held = step.after.held;
  }
  step.via = via;
  TreeRequest request = RequestFor(TreeOp::kSetAttributes, path);
  request.set = kSetSize;
  request.size = node.size;
  step.own = UnitsOf(path);
  Ask(std::move(step), request);
  return true;
}

bool History::ChangeMode() {
  const std::string path = Pick([](const auto&, const auto&) { return true; });
  if (path.empty()) return false;
  State after = state_;
  NodeState& node = after.nodes.at(path);
  node.mode ^= 0011;
  TreeRequest request = RequestFor(TreeOp::kSetAttributes, path);
  request.set = kSetMode | kSetMtime;
  request.mode = node.mode;
  Ask({.name = "tree attributes: " + path, .after = after}, request);
  return true;
}

bool History::ChangeTreeMode() {
  const std::string volume = PickVolume();
  if (volume.empty()) return false;
  State after = state_;
  after.tree_modes.at(volume) ^= 0011;
  TreeRequest request = RequestFor(TreeOp::kSetAttributes, volume);
  request.set = kSetMode;
  request.mode = after.tree_modes.at(volume);
  Ask({.name = "tree mode: " + volume, .after = after}, request);
  return true;
}

/// Its dead pieces wait with it from now on.
bool History::DeleteTree() {
  const std::string volume = PickVolume();
  if (volume.empty()) return false;
  State after = state_;
  PendingState dead{.bytes = UsedBytes(state_, volume)};
  std::erase_if(after.pending, [&](const auto& pending) {
    return pending.second.volume == volume;
  });
  ++after.deletions;
  const bool waits = !device_->capabilities().removed_extents_live_on;
  if (waits && dead.bytes > 0) after.pending[after.deletions] = dead;
  std::erase_if(after.nodes, [&](const auto& node) {
    return VolumeIn(node.first) == volume;
  });
  after.volumes.erase(volume);
  after.directories.erase(volume);
  after.tree_modes.erase(volume);
  for (auto& [path, held] : after.held) {
    if (VolumeIn(path) == volume && held.deletion == 0) {
      held.deletion = after.deletions;
    }
  }
  Run({.name = "tree delete: " + volume, .after = after},
      [&] { return writer_->DeleteVolume(volume); });
  return true;
}

void History::CompactWithoutDeadPieces() {
  Close();
  Run({.name = "compact without dead pieces", .after = state_},
      [&]() -> absl::Status {
        FAMFS_ASSIGN_OR_RETURN(Layout layout,
                               Layout::Open(*device_, Access::kReadWrite));
        LogPlayer player(layout.superblock(), layout.device_size());
        const std::uint64_t entries = layout.LoadLogHeader().next_index;
        for (std::uint64_t i = 0; i < entries; ++i) {
          FAMFS_RETURN_IF_ERROR(player.Apply(i, layout.LoadEntry(i)));
        }
        absl::flat_hash_set<std::string> drop;
        for (const auto& [path, dead] : player.pending()) {
          if (path.find('/') != std::string::npos) drop.insert(path);
        }
        const LogImage image = MakeLogImage(
            layout.log().bytes(), {.log_length = layout.superblock().log_length,
                                   .entries = entries,
                                   .drop = &drop,
                                   .player = &player});
        return RewriteLog(layout.log(), image, entries);
      });
}

}  // namespace famfs::crash
