#include "tests/crash/state.h"

#include <algorithm>
#include <functional>

namespace famfs::crash {

State StateOf(const Namespace& tree) {
  State state;
  for (const auto& [id, node] : tree.nodes()) {
    if (node->is_meta || id == kRootNode) continue;
    const std::string path = tree.PathOf(*node);
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
  for (const auto& [number, bytes] : state.pending) sum += bytes;
  return sum;
}

std::uint64_t QuarantinedBytes(const State& state) {
  std::uint64_t sum = 0;
  for (const auto& [number, bytes] : state.pending) {
    if (state.let_go && number > *state.let_go) sum += bytes;
  }
  return sum;
}

bool SameTree(const State& a, const State& b) {
  const auto same_file = [](const auto& x, const auto& y) {
    return x.first == y.first && x.second.size == y.second.size;
  };
  return std::equal(a.files.begin(), a.files.end(), b.files.begin(),
                    b.files.end(), same_file) &&
         a.directories == b.directories && a.volumes == b.volumes;
}

std::uint64_t HashOf(const State& state) {
  std::string text = std::to_string(state.deletions) + "," +
                     std::to_string(state.epoch) + "," +
                     std::to_string(state.owner) + "," +
                     std::to_string(state.let_go.value_or(~0ULL)) +
                     (state.has_secondary ? ",2" : ",1");
  for (const auto& [name, held] : state.held) {
    text += "," + name + "@" + std::to_string(held.deletion);
  }
  for (const auto& [number, bytes] : state.pending) {
    text += "," + std::to_string(number) + "-" + std::to_string(bytes);
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
  }
  return "unknown";
}

std::string NameOf(const std::vector<Op>& ops) {
  std::string text;
  for (const Op op : ops) text += (text.empty() ? "" : ", ") + NameOf(op);
  return text;
}

}  // namespace famfs::crash
