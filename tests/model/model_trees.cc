// Tree volumes: a map of paths, and random changes of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>

#include "instance/log/tree_promises.h"
#include "instance/writer/writer_options.h"
#include "tests/model/model.h"

namespace famfs::model {
namespace {

constexpr std::size_t kMostNodes = 60;  // then more is removed than made
constexpr std::uint64_t kSlots = LastIndex(kMinLogLength) + 1;
constexpr std::uint64_t kChangeSlots = 64;  // of which only what shrinks has

std::string Join(const std::string& directory, const std::string& name) {
  return directory.empty() ? name : directory + "/" + name;
}
std::string ParentOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return path.substr(0, slash == std::string::npos ? 0 : slash);
}
std::string NameOf(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}
/// Also when they are the same.
bool IsWithin(const std::string& path, const std::string& directory) {
  return directory.empty() || path == directory ||
         path.starts_with(directory + "/");
}

bool HasChildren(const ModelVolume& tree, const std::string& path) {
  const auto next = tree.nodes.upper_bound(path + "/");
  return next != tree.nodes.end() && next->first.starts_with(path + "/");
}

/// 0, or why nothing can be made in it.
int CheckDirectory(const ModelVolume& tree, const std::string& path) {
  if (path.empty()) return 0;
  const auto node = tree.nodes.find(path);
  if (node == tree.nodes.end()) return ESTALE;
  return node->second.kind == NodeKind::kDirectory ? 0 : ENOTDIR;
}

int CheckFile(const ModelVolume& tree, const std::string& path) {
  if (path.empty()) return EISDIR;
  const auto node = tree.nodes.find(path);
  if (node == tree.nodes.end()) return ESTALE;
  if (node->second.kind == NodeKind::kDirectory) return EISDIR;
  return node->second.kind == NodeKind::kFile ? 0 : EINVAL;
}

}  // namespace

std::uint64_t ModelNode::units() const {
  std::uint64_t sum = 0;
  for (const std::uint64_t piece : pieces) sum += piece;
  return sum;
}

std::uint64_t ModelVolume::pieces() const {
  std::uint64_t sum = 0;
  for (const auto& [path, node] : nodes) sum += node.pieces.size();
  return sum;
}

std::uint64_t ModelVolume::entries() const {
  return units > 0 ? 2 : 1 + nodes.size() + pieces();
}

std::uint64_t ModelVolume::used() const {
  std::uint64_t sum = units;
  for (const auto& [path, node] : nodes) sum += node.units();
  return sum;
}

std::string ModelRun::AnyName() {
  if (Chance(2)) return std::string(100 + random_() % 156, 'n');
  return std::string(1, static_cast<char>('a' + random_() % 20));
}

std::string ModelRun::AnyPath(const ModelVolume& tree) {
  if (tree.nodes.empty() || Chance(4)) return Chance(50) ? "" : "missing";
  auto it = tree.nodes.begin();
  std::advance(it, random_() % tree.nodes.size());
  return it->first;
}

/// Mostly.
std::string ModelRun::AnyFile(const ModelVolume& tree) {
  std::string path;
  for (int i = 0; i < 8; ++i) {
    path = AnyPath(tree);
    if (CheckFile(tree, path) == 0) break;
  }
  return path;
}

std::string ModelRun::AnyDirectory(const ModelVolume& tree) {
  if (Chance(30)) return "";
  std::string path;
  for (int i = 0; i < 8; ++i) {
    path = AnyPath(tree);
    if (CheckDirectory(tree, path) == 0) break;
  }
  return path;
}

TreeRequest ModelRun::RequestFor(TreeOp op, const std::string& volume,
                                 const std::string& path) const {
  constexpr TreeId kNone = 0xdead;
  const auto& nodes = volumes_.at(volume).nodes;
  const auto id = [&](const std::string& of) {
    if (of.empty()) return kVolumeRoot;
    const auto node = nodes.find(of);
    return node == nodes.end() ? kNone : node->second.id;
  };
  TreeRequest request;
  request.op = op;
  request.volume = volume;
  request.node = id(path);
  request.parent = id(ParentOf(path));
  request.name = NameOf(path);
  return request;
}

TreeAnswer ModelRun::Ask(TreeRequest request) {
  ++statistics_.changed;
  return writer_->ChangeTree(request);
}

std::uint64_t ModelRun::LastDeletion() const {
  const auto state = layout_->LoadState();
  return state.ok() && state->has_value() ? (*state)->last_deletion : 0;
}

/// With its dead pieces.
std::uint64_t ModelRun::UnitsOf(const std::string& volume) const {
  std::uint64_t sum = volumes_.at(volume).used();
  for (const ModelPending& pending : pending_) {
    if (!pending.is_volume && pending.name == volume) sum += pending.units;
  }
  return sum;
}

void ModelRun::Expect(const std::string& volume, int error, int wanted,
                      std::uint64_t units, std::uint64_t slots) {
  if (error == wanted) return;
  ASSERT_EQ(error, ENOSPC) << volume << ": not " << wanted;
  ASSERT_EQ(wanted, 0) << volume;
  ++statistics_.full;
  const ModelVolume& tree = volumes_.at(volume);
  // At its own claim a volume asks for no reclaim.
  const bool is_own_limit =
      tree.used() + units > tree.capacity ||
      tree.entries() - 1 + slots > TreeSlots(tree.capacity * kAllocUnit);
  if (!is_own_limit) NoteReclaim();
  std::uint64_t used = directories_.size() + files_.size() + 1;
  for (const auto& [name, one] : volumes_) used += one.entries();
  for (const ModelPending& pending : pending_) used += pending.entries;
  // Removed nodes stay in the log until a compaction that somebody waits for.
  const bool log_is_full =
      used + kStateSlots + kChangeSlots + slots + 8 > kSlots;
  ASSERT_TRUE(UnitsOf(volume) + units > tree.capacity ||
              tree.entries() - 1 + slots >
                  TreeSlots(tree.capacity * kAllocUnit) ||
              log_is_full)
      << volume << " is not full: " << UnitsOf(volume) << " of "
      << tree.capacity << " units and " << tree.entries() << " entries; "
      << units << " and " << slots << " more were asked for";
}

void ModelRun::ChangeTree() {
  if (trees_.empty()) return CreateVolume(0);
  const std::string volume = trees_[random_() % trees_.size()];
  const bool full = volumes_.at(volume).nodes.size() > kMostNodes;
  const std::uint64_t dice = random_() % 100;
  if (dice < (full ? 5U : 25U)) return CreateNode(volume);
  if (dice < 38) return RemoveNode(volume);
  if (dice < 53) return RenameNode(volume);
  if (dice < 60) return SetMode(volume);
  if (dice < 75) return Extend(volume);
  if (dice < 87) return Settle(volume);
  Truncate(volume);
}

void ModelRun::CreateNode(const std::string& volume) {
  ModelVolume& tree = volumes_.at(volume);
  const std::string parent = AnyDirectory(tree);
  const std::string path = Join(parent, AnyName());
  ModelNode node;
  const std::uint64_t dice = random_() % 10;
  node.kind = dice < 6   ? NodeKind::kFile
              : dice < 9 ? NodeKind::kDirectory
                         : NodeKind::kSymlink;
  node.mode = static_cast<std::uint32_t>(random_() % 01000);
  TreeRequest request = RequestFor(TreeOp::kCreate, volume, path);
  request.kind = node.kind;
  request.mode = node.mode;
  if (node.kind == NodeKind::kSymlink) request.target = "some/where";
  node.size = request.target.size();
  int wanted = CheckDirectory(tree, parent);
  if (wanted == 0 && tree.nodes.contains(path)) wanted = EEXIST;
  const TreeAnswer answer = Ask(request);
  ASSERT_NO_FATAL_FAILURE(Expect(volume, answer.error, wanted, 0, 1));
  if (answer.error != 0) return;
  node.id = answer.node;
  tree.nodes[path] = node;
}

void ModelRun::Drop(const std::string& volume, ModelNode& node,
                    std::size_t kept) {
  deletions_ = LastDeletion();
  std::uint64_t units = 0;
  const std::size_t dropped = node.pieces.size() - kept;
  for (std::size_t i = kept; i < node.pieces.size(); ++i) {
    units += node.pieces[i];
  }
  node.pieces.resize(kept);
  if (dropped == 0) return;
  pending_.push_back({.number = deletions_,
                      .name = volume,
                      .units = units,
                      .entries = dropped,
                      .is_volume = false});
}

void ModelRun::RemoveNode(const std::string& volume) {
  ModelVolume& tree = volumes_.at(volume);
  const std::string path = AnyPath(tree);
  if (path.empty()) return;
  TreeRequest request = RequestFor(TreeOp::kRemove, volume, path);
  const auto node = tree.nodes.find(path);
  const bool is_directory =
      node != tree.nodes.end() && node->second.kind == NodeKind::kDirectory;
  const bool rmdir = is_directory != Chance(5);
  request.flags = rmdir ? kRemoveDirectory : 0;
  int wanted = 0;
  if (node == tree.nodes.end()) {
    wanted = ENOENT;
  } else if (rmdir != is_directory) {
    wanted = rmdir ? ENOTDIR : EISDIR;
  } else if (HasChildren(tree, path)) {
    wanted = ENOTEMPTY;
  }
  const int error = Ask(request).error;
  ASSERT_NO_FATAL_FAILURE(Expect(volume, error, wanted, 0, 0));
  if (error != 0) return;
  Drop(volume, node->second, 0);
  tree.nodes.erase(path);
}

/// As rename(2) has it.
int ModelRun::ExpectRename(const ModelVolume& tree, const std::string& from,
                           const std::string& to, std::uint32_t flags) const {
  if (const int error = CheckDirectory(tree, ParentOf(to)); error != 0) {
    return error;
  }
  const auto source = tree.nodes.find(from);
  const auto target = tree.nodes.find(to);
  const bool exists = target != tree.nodes.end();
  if (flags == (kRenameExchange | kRenameNoReplace)) return EINVAL;
  if (source == tree.nodes.end()) return ENOENT;
  if (flags == kRenameExchange && !exists) return ENOENT;
  if (flags == kRenameNoReplace && exists) return EEXIST;
  if (from == to) return 0;
  if (IsWithin(ParentOf(to), from)) return EINVAL;
  if (!exists) return 0;
  if (flags == kRenameExchange) {
    return IsWithin(ParentOf(from), to) ? EINVAL : 0;
  }
  const bool from_directory = source->second.kind == NodeKind::kDirectory;
  const bool to_directory = target->second.kind == NodeKind::kDirectory;
  if (to_directory && !from_directory) return EISDIR;
  if (!to_directory && from_directory) return ENOTDIR;
  return HasChildren(tree, to) ? ENOTEMPTY : 0;
}

void ModelRun::Rename(const std::string& volume, const std::string& from,
                      const std::string& to, bool exchange) {
  auto& nodes = volumes_.at(volume).nodes;
  std::map<std::string, ModelNode> moved;
  const auto take = [&](const std::string& a, const std::string& b) {
    for (auto it = nodes.begin(); it != nodes.end();) {
      if (!IsWithin(it->first, a)) {
        ++it;
        continue;
      }
      moved[b + it->first.substr(a.size())] = it->second;
      it = nodes.erase(it);
    }
  };
  if (!exchange && nodes.contains(to)) {
    Drop(volume, nodes.at(to), 0);
    nodes.erase(to);
  }
  take(from, to);
  if (exchange) take(to, from);
  nodes.merge(moved);
}

void ModelRun::RenameNode(const std::string& volume) {
  ModelVolume& tree = volumes_.at(volume);
  const std::string from = AnyPath(tree);
  if (from.empty()) return;
  std::string to = Chance(40) ? AnyPath(tree) : "";
  if (to.empty()) to = Join(AnyDirectory(tree), AnyName());
  TreeRequest request = RequestFor(TreeOp::kRename, volume, from);
  const TreeRequest target = RequestFor(TreeOp::kRename, volume, to);
  request.new_parent = target.parent;
  request.new_name = target.name;
  const std::uint64_t dice = random_() % 10;
  request.flags = dice < 7   ? 0
                  : dice < 9 ? kRenameExchange
                             : static_cast<std::uint32_t>(random_() % 4);
  const int wanted = ExpectRename(tree, from, to, request.flags);
  const int error = Ask(request).error;
  ASSERT_NO_FATAL_FAILURE(Expect(volume, error, wanted, 0, 0));
  if (error != 0 || from == to) return;
  Rename(volume, from, to, request.flags == kRenameExchange);
}

void ModelRun::SetMode(const std::string& volume) {
  ModelVolume& tree = volumes_.at(volume);
  const std::string path = AnyPath(tree);
  TreeRequest request = RequestFor(TreeOp::kSetAttributes, volume, path);
  request.set = kSetMode;
  request.mode = static_cast<std::uint32_t>(random_() % 01000);
  const auto node = tree.nodes.find(path);
  const bool there = path.empty() || node != tree.nodes.end();
  const int error = Ask(request).error;
  ASSERT_NO_FATAL_FAILURE(Expect(volume, error, there ? 0 : ESTALE, 0, 0));
  if (error == 0 && !path.empty()) node->second.mode = request.mode;
}

void ModelRun::TakePieces(const std::string& volume, const std::string& path,
                          std::uint64_t least, std::uint64_t most) {
  ModelNode& node = volumes_.at(volume).nodes.at(path);
  const Reader::View tree = writer_->Tree();
  const Node* found = tree->FindPath(volume + "/" + path);
  ASSERT_NE(found, nullptr) << path;
  std::size_t extent = 0;
  for (std::size_t i = 0; i < found->tree->pieces.size(); ++i) {
    std::uint64_t units = 0;
    for (std::uint32_t k = 0; k < found->tree->pieces[i].extents; ++k) {
      const MediaExtent& one = found->extents[extent++];
      units += one.length / kAllocUnit;
      if (i < node.pieces.size()) continue;
      const std::uint64_t start =
          one.offset + one.device_index * crash::kPrimarySize;
      ASSERT_TRUE(medium_.IsZero({start, one.length}))
          << path << " has somebody else's bytes";
      const std::vector<std::byte> junk(64, std::byte{0xd5});
      medium_.Put(start + random_() % (one.length / 64) * 64, junk);
    }
    if (i < node.pieces.size()) {
      ASSERT_EQ(units, node.pieces[i]) << path << ", piece " << i;
    } else {
      node.pieces.push_back(units);
    }
  }
  ASSERT_GE(node.units(), least) << path;
  ASSERT_LE(node.units(), most) << path;
  ASSERT_LE(writer_->UsageOf(volume).bytes,
            volumes_.at(volume).capacity * kAllocUnit);
}

void ModelRun::Extend(const std::string& volume) {
  const ModelVolume& tree = volumes_.at(volume);
  const std::string path = AnyFile(tree);
  TreeRequest request = RequestFor(TreeOp::kExtend, volume, path);
  const int wanted = CheckFile(tree, path);
  std::uint64_t units = 0;
  if (wanted == 0) units = tree.nodes.at(path).units();
  const std::uint64_t more = 1 + random_() % (Chance(10) ? 30 : 3);
  request.size = (units + more) * kAllocUnit - random_() % 1000;
  const bool exactly = Chance(30);
  request.flags = exactly ? kExtendExactly : 0;
  const int error = Ask(request).error;
  ASSERT_NO_FATAL_FAILURE(Expect(volume, error, wanted, more, 1));
  if (error != 0) return;
  TakePieces(volume, path, units + more,
             units + (exactly ? more : std::max(more, units)));
}

void ModelRun::Settle(const std::string& volume) {
  ModelVolume& tree = volumes_.at(volume);
  const std::string path = AnyFile(tree);
  TreeRequest request = RequestFor(TreeOp::kSettle, volume, path);
  int wanted = CheckFile(tree, path);
  if (wanted == EISDIR) wanted = EINVAL;
  if (wanted == 0) {
    const ModelNode& node = tree.nodes.at(path);
    request.truncation = node.truncation;
    if (node.truncation > 0 && Chance(20)) --request.truncation;
    request.size = random_() % (node.units() * kAllocUnit + 2);
    const bool counts = request.truncation == node.truncation;
    if (counts && request.size > node.units() * kAllocUnit) wanted = EINVAL;
  }
  const int error = Ask(request).error;
  ASSERT_NO_FATAL_FAILURE(Expect(volume, error, wanted, 0, 0));
  if (error != 0) return;
  ModelNode& node = tree.nodes.at(path);
  if (request.truncation == node.truncation) {
    node.size = std::max(node.size, request.size);
  }
}

void ModelRun::CheckZeros(const std::string& volume, const std::string& path,
                          std::uint64_t from, std::uint64_t to) {
  const Reader::View tree = writer_->Tree();
  const Node* node = tree->FindPath(volume + "/" + path);
  ASSERT_NE(node, nullptr) << path;
  ASSERT_EQ(node->size, to) << path;
  while (from < to) {
    const Location at = Locate(*node, from);
    const std::uint64_t length = std::min(at.length, to - from);
    ASSERT_TRUE(medium_.IsZero(
        {at.device_offset + at.device_index * crash::kPrimarySize, length}))
        << path << " shows what lay behind its end";
    from += length;
  }
}

void ModelRun::Truncate(const std::string& volume) {
  ModelVolume& tree = volumes_.at(volume);
  const std::string path = AnyFile(tree);
  TreeRequest request = RequestFor(TreeOp::kSetAttributes, volume, path);
  request.set = kSetSize;
  const int wanted = CheckFile(tree, path);
  ModelNode before;
  if (wanted == 0) before = tree.nodes.at(path);
  const std::uint64_t most = (before.units() + 2) * kAllocUnit;
  request.size = Chance(20) ? 0 : random_() % most;
  const std::uint64_t needed = (request.size + kAllocUnit - 1) / kAllocUnit;
  const std::uint64_t more = needed - std::min(needed, before.units());
  const int error = Ask(request).error;
  ASSERT_NO_FATAL_FAILURE(
      Expect(volume, error, wanted, more, more > 0 ? 1 : 0));
  if (wanted != 0) return;
  if (error != 0) {  // it may have grown, and not been told its size
    return TakePieces(volume, path, before.units(), before.units() + more);
  }
  ModelNode& node = tree.nodes.at(path);
  node.size = request.size;
  std::size_t kept = 0;
  for (std::uint64_t start = 0; kept < node.pieces.size() && start < node.size;
       ++kept) {
    start += node.pieces[kept] * kAllocUnit;
  }
  const bool gives_back =
      request.size == before.size && kept < node.pieces.size();
  if (request.size >= before.size && !gives_back) {
    CheckZeros(volume, path, before.size, request.size);
    return TakePieces(volume, path, needed, before.units() + more);
  }
  ++node.truncation;
  if (kept < node.pieces.size()) Drop(volume, node, kept);
}

void ModelRun::CompareTreeVolume(const Namespace& tree,
                                 const std::string& volume, const char* whose) {
  const Node* root = tree.FindDirectory(volume);
  for (const auto& [path, node] : volumes_.at(volume).nodes) {
    const Node* found = tree.FindPath(volume + "/" + path);
    ASSERT_NE(found, nullptr) << whose << " tree lacks " << path;
    ASSERT_EQ(found, tree.FindTreeNode(*root, node.id)) << whose << path;
    ASSERT_EQ(found->tree->record.kind, node.kind) << whose << path;
    ASSERT_EQ(found->size, node.size) << whose << path;
    ASSERT_EQ(found->owner.mode, node.mode) << whose << path;
    ASSERT_EQ(found->tree->record.truncation, node.truncation) << whose << path;
    ASSERT_EQ(found->tree->allocated, node.units() * kAllocUnit)
        << whose << path;
    ASSERT_EQ(found->tree->pieces.size(), node.pieces.size()) << whose << path;
  }
}

/// After a Reclaim: exact.
void ModelRun::CompareUsage() {
  for (const std::string& volume : trees_) {
    const TreeUsage usage = writer_->UsageOf(volume);
    const ModelVolume& tree = volumes_.at(volume);
    ASSERT_EQ(usage.bytes, UnitsOf(volume) * kAllocUnit) << volume;
    ASSERT_LE(usage.dead, usage.bytes) << volume;
    ASSERT_EQ(usage.entries, tree.entries() - 1) << volume;
  }
}

}  // namespace famfs::model
