#include "tests/crash/state.h"

#include <algorithm>
#include <functional>

namespace famfs::crash {

namespace {

NodeState NodeStateOf(const Node& node) {
  NodeState state{.id = node.tree->id,
                  .kind = node.tree->record.kind,
                  .size = node.size,
                  .truncation = node.tree->record.truncation,
                  .mode = node.owner.mode};
  std::size_t extent = 0;
  for (const TreeNode::Piece& piece : node.tree->pieces) {
    PieceState& of_piece = state.pieces.emplace_back();
    for (std::uint32_t i = 0; i < piece.extents; ++i) {
      of_piece.length += node.extents[extent++].length;
    }
  }
  return state;
}

std::string TextOf(const NodeState& node) {
  std::string text = std::to_string(node.id) + ":" +
                     std::to_string(static_cast<int>(node.kind)) + ":" +
                     std::to_string(node.size) + ":" +
                     std::to_string(node.truncation) + ":" +
                     std::to_string(node.mode);
  for (const PieceState& piece : node.pieces) {
    text +=
        "+" + std::to_string(piece.length) + "-" + std::to_string(piece.stored);
  }
  return text;
}

}  // namespace

bool NodeState::LooksLike(const NodeState& other) const {
  return id == other.id && kind == other.kind && size == other.size &&
         truncation == other.truncation && mode == other.mode &&
         std::equal(pieces.begin(), pieces.end(), other.pieces.begin(),
                    other.pieces.end(), [](const auto& a, const auto& b) {
                      return a.length == b.length;
                    });
}

std::uint64_t NodeState::allocated() const {
  std::uint64_t bytes = 0;
  for (const PieceState& piece : pieces) bytes += piece.length;
  return bytes;
}

State StateOf(const Namespace& tree) {
  State state;
  for (const auto& [id, node] : tree.nodes()) {
    if (node->is_meta || id == kRootNode) continue;
    const std::string path = tree.PathOf(*node);
    if (node->tree != nullptr && node->volume == nullptr) {
      state.nodes[path] = NodeStateOf(*node);
      continue;
    }
    if (node->tree != nullptr) state.tree_modes[path] = node->owner.mode;
    if (node->is_directory) {
      state.directories.insert(path);
    } else {
      state.files[path].size = node->size;
    }
    if (node->volume != nullptr) state.volumes[path] = node->volume->capacity;
  }
  return state;
}

std::uint64_t PendingBytes(const State& state) {
  std::uint64_t sum = 0;
  for (const auto& [number, dead] : state.pending) sum += dead.bytes;
  return sum;
}

std::uint64_t UsedBytes(const State& state, const std::string& volume) {
  std::uint64_t sum = 0;
  for (const auto& [path, node] : state.nodes) {
    if (path.starts_with(volume + "/")) sum += node.allocated();
  }
  for (const auto& [number, dead] : state.pending) {
    if (dead.volume == volume) sum += dead.bytes;
  }
  return sum;
}

std::uint64_t QuarantinedBytes(const State& state) {
  std::uint64_t sum = 0;
  for (const auto& [number, dead] : state.pending) {
    if (state.let_go && number > *state.let_go) sum += dead.bytes;
  }
  return sum;
}

bool SameTree(const State& a, const State& b) {
  const auto same_file = [](const auto& x, const auto& y) {
    return x.first == y.first && x.second.size == y.second.size;
  };
  const auto same_node = [](const auto& x, const auto& y) {
    return x.first == y.first && x.second.LooksLike(y.second);
  };
  return std::equal(a.files.begin(), a.files.end(), b.files.begin(),
                    b.files.end(), same_file) &&
         a.directories == b.directories && a.volumes == b.volumes &&
         a.tree_modes == b.tree_modes &&
         std::equal(a.nodes.begin(), a.nodes.end(), b.nodes.begin(),
                    b.nodes.end(), same_node);
}

std::uint64_t HashOf(const State& state) {
  std::string text = std::to_string(state.deletions) + "," +
                     std::to_string(state.epoch) + "," +
                     std::to_string(state.owner) + "," +
                     std::to_string(state.let_go.value_or(~0ULL)) +
                     (state.has_secondary ? ",2" : ",1");
  for (const auto& [name, held] : state.held) {
    text += "," + name + "@" + std::to_string(held.deletion) + "+" +
            std::to_string(held.stored);
  }
  for (const auto& [number, dead] : state.pending) {
    text += "," + std::to_string(number) + "-" + std::to_string(dead.bytes) +
            dead.volume;
  }
  for (const auto& [path, node] : state.nodes) {
    text += "," + path + ":" + TextOf(node);
  }
  for (const auto& [path, mode] : state.tree_modes) {
    text += "," + path + ":" + std::to_string(mode);
  }
  for (const auto& [path, file] : state.files) {
    text += "," + path + ":" + std::to_string(file.size) +
            (file.filled ? "f" : "z");
  }
  for (const std::string& path : state.directories) text += "/" + path;
  for (const auto& [path, size] : state.volumes) {
    text += "," + path + "=" + std::to_string(size);
  }
  return std::hash<std::string>{}(text);
}

std::byte FillByte(const std::string& path) {
  return static_cast<std::byte>(1 + std::hash<std::string>{}(path) % 255);
}

Op AnyOp(std::mt19937_64& random) {
  if (random() % 4 == 0) return kAllOps[random() % std::size(kAllOps)];
  return kTreeOps[random() % std::size(kTreeOps)];
}

std::string FillOf(TreeId id) { return NodePath("node", id); }

namespace {

std::string NameOfTreeOp(Op op) {
  switch (op) {
    case Op::kTreeVolume:
      return "create tree volume";
    case Op::kTreeFile:
      return "tree file";
    case Op::kTreeDirectory:
      return "tree directory";
    case Op::kTreeLink:
      return "tree link";
    case Op::kTreeRemove:
      return "tree remove";
    case Op::kTreeRename:
      return "tree rename";
    case Op::kTreeReplace:
      return "tree replace";
    case Op::kTreeExchange:
      return "tree exchange";
    case Op::kTreeExtend:
      return "tree extend";
    case Op::kTreeStore:
      return "tree store";
    case Op::kTreeSettle:
      return "tree settle";
    case Op::kTreeCut:
      return "tree cut";
    case Op::kTreeGrow:
      return "tree grow";
    case Op::kTreeAttributes:
      return "tree attributes";
    case Op::kTreeMode:
      return "tree mode";
    case Op::kTreeDelete:
      return "tree delete";
    default:
      return "unknown";
  }
}

}  // namespace

std::string NameOf(Op op) {
  switch (op) {
    case Op::kCreateVolume:
      return "create volume";
    case Op::kCreateFile:
      return "create file";
    case Op::kMkdir:
      return "mkdir";
    case Op::kCommit:
      return "commit";
    case Op::kGiveUp:
      return "give up";
    case Op::kDelete:
      return "delete";
    case Op::kCompact:
      return "compact";
    case Op::kReclaim:
      return "reclaim";
    case Op::kReopen:
      return "reopen";
    case Op::kTakeOver:
      return "take over";
    case Op::kRegister:
      return "register";
    case Op::kAcknowledge:
      return "acknowledge";
    case Op::kEvict:
      return "evict";
    case Op::kAddDevice:
      return "devadd";
    case Op::kCreateSpread:
      return "create spread volume";
    case Op::kHold:
      return "hold";
    default:
      return NameOfTreeOp(op);
  }
}

std::string NameOf(const std::vector<Op>& ops) {
  std::string text;
  for (const Op op : ops) text += (text.empty() ? "" : ", ") + NameOf(op);
  return text;
}

}  // namespace famfs::crash
