#include "tests/model/golden_trees.h"

#include <algorithm>
#include <cstring>
#include <optional>

namespace famfs::golden {
namespace {

constexpr std::size_t kExtension = 108;  // of the slot
constexpr std::size_t kEnd = 536;        // the checksum
constexpr std::size_t kRecord = 88;      // bytes without the texts
constexpr std::uint64_t kMost = (std::uint64_t{1} << 63) - 1;

template <typename T>
T Load(std::span<const std::byte> slot, std::size_t at) {
  T value;
  std::memcpy(&value, slot.data() + at, sizeof(value));
  return value;
}

std::string Text(std::span<const std::byte> slot, std::size_t at,
                 std::size_t length) {
  return {reinterpret_cast<const char*>(slot.data() + at), length};
}

bool IsZero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(),
                     [](std::byte one) { return one == std::byte{0}; });
}

std::string Top(const std::string& path) {
  return path.substr(0, path.find('/'));
}

/// 16 lower-case hexadecimal digits that are not all 0.
std::optional<std::uint64_t> IdOf(std::string_view text) {
  if (text.size() != 16) return std::nullopt;
  std::uint64_t id = 0;
  for (const char c : text) {
    const std::size_t digit = std::string_view("0123456789abcdef").find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    id = id * 16 + digit;
  }
  return id == 0 ? std::nullopt : std::optional(id);
}

std::optional<std::uint32_t> PieceOf(std::string_view text) {
  if (text.empty() || text.size() > 10 || (text.size() > 1 && text[0] == '0')) {
    return std::nullopt;
  }
  std::uint64_t number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + static_cast<std::uint64_t>(c - '0');
  }
  if (number > 0xffffffff) return std::nullopt;
  return static_cast<std::uint32_t>(number);
}

}  // namespace

void Trees::AddDirectory(Slot slot, const std::string& path) {
  const bool is_below = path.find('/') != std::string::npos;
  const auto volume = volumes_.find(Top(path));
  if (is_below && volume != volumes_.end() && volume->second.tree) {
    if (volume->second.deleted) return Problem(path, "is of a deleted volume");
    return AddNode(slot, volume->second, path);
  }
  const std::string magic = Text(slot, kExtension, 4);
  if (magic == "FMVL" && !is_below) return AddVolume(slot, path);
  if (!IsZero(slot.subspan(kExtension, kEnd - kExtension))) {
    Problem(path, "has an extension that means nothing there");
  }
}

void Trees::AddVolume(Slot slot, const std::string& path) {
  const auto version = Load<std::uint16_t>(slot, kExtension + 4);
  const auto layout = Load<std::uint8_t>(slot, kExtension + 9);
  const auto state = Load<std::uint8_t>(slot, kExtension + 10);
  const auto revision = Load<std::uint32_t>(slot, kExtension + 12);
  const auto deletion = Load<std::uint64_t>(slot, kExtension + 32);
  if (layout < 1 || layout > 2 || version != layout) {
    return Problem(path, "has a layout that its version does not know");
  }
  if (state < 1 || state > 3 || (deletion != 0) != (state == 2)) {
    Problem(path, "has a state and deletion number that do not fit");
  }
  if (layout == 2 && path.size() > 50) Problem(path, "is too long for a tree");
  const auto [at, is_new] = volumes_.try_emplace(path);
  Volume& volume = at->second;
  if (is_new) volume.tree = layout == 2;
  if (volume.deleted) Problem(path, "was deleted before");
  if (volume.tree != (layout == 2)) Problem(path, "changes its layout");
  if (!is_new && revision != volume.revision + 1) {
    Problem(path, "skips a revision");
  }
  volume.revision = revision;
  volume.deleted = state == 2;
}

bool Trees::CheckText(std::string_view name, std::string_view target,
                      unsigned kind, const std::string& path) {
  if (name == "." || name == ".." || name.find('/') != name.npos ||
      name.find('\0') != name.npos) {
    Problem(path, "has a name that cannot be");
    return false;
  }
  if ((kind == 3) == target.empty() || target.find('\0') != target.npos ||
      name.size() + target.size() > 340) {
    Problem(path, "has a target that cannot be");
    return false;
  }
  return true;
}

bool Trees::Decode(Slot slot, const std::string& path, Node& node) {
  const auto at = [](std::size_t offset) { return kExtension + offset; };
  const std::size_t length = Load<std::uint16_t>(slot, at(6));
  const std::size_t name = Load<std::uint16_t>(slot, at(10));
  if (Text(slot, kExtension, 4) != "FMND" ||
      Load<std::uint16_t>(slot, at(4)) != 1 || length > 428 || name < 1 ||
      name > 255 || length < kRecord + name) {
    Problem(path, "has no node record");
    return false;
  }
  node.kind = Load<std::uint8_t>(slot, at(8));
  const unsigned state = Load<std::uint8_t>(slot, at(9));
  node.revision = Load<std::uint32_t>(slot, at(12));
  node.parent = Load<std::uint64_t>(slot, at(16));
  node.size = Load<std::uint64_t>(slot, at(24));
  const auto reach = Load<std::uint64_t>(slot, at(32));
  node.deletion = Load<std::uint64_t>(slot, at(56));
  node.truncation = Load<std::uint32_t>(slot, at(76));
  node.kept = Load<std::uint32_t>(slot, at(80));
  node.next_piece = Load<std::uint32_t>(slot, at(84));
  node.removed = state == 2;
  node.name = Text(slot, at(kRecord), name);
  if (node.kind < 1 || node.kind > 3 || state < 1 || state > 2 ||
      node.revision == 0 || node.size > kMost || reach > kMost ||
      node.kept > node.next_piece ||
      !IsZero(slot.subspan(at(length), kEnd - at(length)))) {
    Problem(path, "has a record with a value that cannot be");
    return false;
  }
  if (node.removed ? node.deletion == 0
                   : node.deletion != 0 && node.truncation == 0) {
    Problem(path, "has a deletion number that does not fit");
  }
  if (node.kind != 2 && (node.size | reach | node.truncation | node.kept |
                         node.next_piece) != 0) {
    Problem(path, "has bytes or pieces and is no file");
  }
  return CheckText(node.name,
                   Text(slot, at(kRecord + name), length - kRecord - name),
                   node.kind, path);
}

bool Trees::CheckPlace(const Volume& volume, Id id, const Node& node,
                       const std::string& path) {
  for (Id up = node.parent; up != 0;) {
    const auto parent = volume.nodes.find(up);
    if (up == id || parent == volume.nodes.end() || parent->second.removed ||
        parent->second.kind != 1) {
      Problem(path, up == id ? "lies within itself" : "has no live directory");
      return false;
    }
    up = parent->second.parent;
  }
  const auto there = volume.names.find({node.parent, node.name});
  if (there == volume.names.end() || there->second == id) return true;
  Problem(path, "has the name of another node");
  return false;
}

bool Trees::CheckRevision(const Node& before, const Node& after,
                          const std::string& path) {
  if (before.removed || after.revision <= before.revision ||
      after.kind != before.kind || after.truncation < before.truncation ||
      after.next_piece < before.next_piece) {
    Problem(path, "contradicts its revision before");
    return false;
  }
  if (after.removed && before.children > 0) {
    Problem(path, "is removed with names in it");
    return false;
  }
  if (after.truncation == before.truncation) return true;
  if (after.kept > before.pieces.size() ||
      (after.kept < before.pieces.size() && after.deletion == 0)) {
    Problem(path, "gives up pieces that are not there, or under no number");
    return false;
  }
  return true;
}

void Trees::Place(Volume& volume, Id id, Node node) {
  if (node.removed) {
    node.pieces.clear();
  } else {
    volume.names[{node.parent, node.name}] = id;
    const auto parent = volume.nodes.find(node.parent);
    if (parent != volume.nodes.end()) ++parent->second.children;
  }
  volume.nodes[id] = std::move(node);
}

void Trees::AddNode(Slot slot, Volume& volume, const std::string& path) {
  const auto id = IdOf(std::string_view(path).substr(path.find('/') + 1));
  Node node;
  if (!id) return Problem(path, "is no node's path");
  if (!Decode(slot, path, node)) return;
  const auto before = volume.nodes.find(*id);
  if (before == volume.nodes.end()) {
    if (node.removed) return Problem(path, "is removed and was never there");
    if (!CheckPlace(volume, *id, node, path)) return;
    return Place(volume, *id, std::move(node));
  }
  if (!CheckRevision(before->second, node, path)) return;
  if (!node.removed && !CheckPlace(volume, *id, node, path)) return;
  node.children = before->second.children;
  node.pieces = before->second.pieces;
  if (node.truncation != before->second.truncation) {
    node.pieces.resize(node.kept);
  }
  volume.names.erase({before->second.parent, before->second.name});
  const auto parent = volume.nodes.find(before->second.parent);
  if (parent != volume.nodes.end()) --parent->second.children;
  Place(volume, *id, std::move(node));
}

void Trees::AddFile(Slot slot, const std::string& path, std::uint64_t bytes) {
  const auto found = volumes_.find(Top(path));
  if (found == volumes_.end() || path.find('/') == std::string::npos) return;
  Volume& volume = found->second;
  if (volume.deleted) return Problem(path, "is of a deleted volume");
  if (!volume.tree) return;
  const std::string name = path.substr(path.find('/') + 1);
  const std::size_t dot = name.find('.');
  const auto id = IdOf(std::string_view(name).substr(0, dot));
  const auto number = dot == std::string::npos
                          ? std::nullopt
                          : PieceOf(std::string_view(name).substr(dot + 1));
  if (!id || !number) return Problem(path, "is no piece's path");
  const auto uid = Load<std::uint32_t>(slot, 28);
  const auto gid = Load<std::uint32_t>(slot, 32);
  const auto mode = Load<std::uint32_t>(slot, 36);
  if (Load<std::uint32_t>(slot, 120) != 0 ||
      Load<std::uint64_t>(slot, 16) != bytes) {
    Problem(path, "does not fill its extents");
  }
  if (mode == 01000 && (uid | gid) != 0) return;  // dead
  if (mode != 0600 || uid != 0 || gid != 0) {
    return Problem(path, "is neither a live piece nor a dead one");
  }
  const auto node = volume.nodes.find(*id);
  if (node == volume.nodes.end() || node->second.removed ||
      node->second.kind != 2) {
    return Problem(path, "is a live piece of no file");
  }
  auto& pieces = node->second.pieces;
  if (!pieces.empty() && pieces.back().first >= *number) {
    return Problem(path, "is a piece out of order");
  }
  pieces.emplace_back(*number, bytes);
}

void Trees::Finish() {
  for (const auto& [path, volume] : volumes_) {
    if (volume.deleted) continue;
    for (const auto& [id, node] : volume.nodes) {
      std::uint64_t bytes = 0;
      for (const auto& [number, length] : node.pieces) {
        bytes += length;
        if (number >= node.next_piece) {
          Problem(path + "/" + node.name, "has a piece that it never counted");
        }
      }
      if (node.removed || node.size <= bytes) continue;
      Problem(path + "/" + node.name, "is longer than its pieces");
    }
  }
}

std::uint64_t Trees::nodes() const {
  std::uint64_t count = 0;
  for (const auto& [path, volume] : volumes_) {
    if (volume.deleted) continue;
    for (const auto& [id, node] : volume.nodes) count += node.removed ? 0 : 1;
  }
  return count;
}

std::uint64_t Trees::pieces() const {
  std::uint64_t count = 0;
  for (const auto& [path, volume] : volumes_) {
    if (volume.deleted) continue;
    for (const auto& [id, node] : volume.nodes) count += node.pieces.size();
  }
  return count;
}

}  // namespace famfs::golden
