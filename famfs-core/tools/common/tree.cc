#include "tools/common/tree.h"

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace famfs {

std::uint64_t NodeFacts::allocated() const {
  std::uint64_t bytes = 0;
  for (const MediaExtent& extent : extents) bytes += extent.length;
  return bytes;
}

NodeFacts FactsOf(const Namespace& tree, const Node& node) {
  NodeFacts facts{.path = tree.PathOf(node),
                  .is_directory = node.is_directory,
                  .is_meta = node.is_meta,
                  .owner = node.owner};
  if (!node.is_directory) {
    facts.size = node.size;
    facts.chunk = node.chunk();
    facts.extents.assign(node.extents.begin(), node.extents.end());
  }
  if (node.volume != nullptr) facts.volume = *node.volume;
  if (node.tree == nullptr) return facts;
  const NodeRecord& record = node.tree->record;
  facts.is_symlink = node.is_symlink();
  facts.target = record.target;
  facts.tree = {.id = node.tree->id,
                .revision = record.revision,
                .mtime_ns = record.mtime_ns,
                .ctime_ns = record.ctime_ns,
                .truncation = record.truncation,
                .next_piece = record.next_piece,
                .pieces = node.tree->pieces.size(),
                .reach = record.reach,
                .node_file = tree.NodeFileOf(node)};
  return facts;
}

absl::StatusOr<const Node*> FindNode(const Namespace& tree,
                                     const std::string& given) {
  const Node* node = tree.FindPath(InstancePath(given));
  // As it is written for commands that take local paths, too.
  if (node == nullptr && given.starts_with(':')) {
    node = tree.FindPath(InstancePath(given.substr(1)));
  }
  if (node != nullptr) return node;
  return NotFound("{}: is not in the instance; famfs ls -R shows what is",
                  Printable(given));
}

std::vector<NodeFacts> AllFiles(const Namespace& tree) {
  std::vector<NodeFacts> files;
  ForEachBelow(tree, *tree.Find(kRootNode), false, [&](const Node& node) {
    if (node.is_directory || node.is_symlink()) return;
    files.push_back(FactsOf(tree, node));
  });
  return files;
}

const char* TypeText(const NodeFacts& facts) {
  if (facts.is_symlink) return "symlink";
  return facts.is_directory ? "directory" : "file";
}

std::string ModeText(const NodeFacts& facts) {
  const std::uint32_t mode = facts.owner.mode;
  std::string text(1, facts.is_symlink ? 'l' : facts.is_directory ? 'd' : '-');
  // Of set-uid, set-gid and sticky the letter stands where x would.
  constexpr std::string_view kSpecial = "sst";
  for (unsigned i = 0; i < 3; ++i) {
    const std::uint32_t bits = mode >> (6 - 3 * i);
    text += (bits & 4U) != 0 ? 'r' : '-';
    text += (bits & 2U) != 0 ? 'w' : '-';
    const bool executable = (bits & 1U) != 0;
    if ((mode & (04000U >> i)) == 0) {
      text += executable ? 'x' : '-';
    } else {
      const char letter = kSpecial[i];
      text += executable ? letter : static_cast<char>(letter - 'a' + 'A');
    }
  }
  return text;
}

std::string TimeText(std::int64_t unix_ns, int digits) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  // Towards the past also before 1970.
  std::int64_t fraction = unix_ns % kSecond;
  if (fraction < 0) fraction += kSecond;
  const std::time_t seconds = (unix_ns - fraction) / kSecond;
  std::tm broken{};
  ::gmtime_r(&seconds, &broken);
  std::string text =
      fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", broken.tm_year + 1900,
                  broken.tm_mon + 1, broken.tm_mday, broken.tm_hour,
                  broken.tm_min, broken.tm_sec);
  if (digits > 0) {
    text += "." + fmt::format("{:09}", fraction)
                      .substr(0, static_cast<std::size_t>(digits));
  }
  return text + " UTC";
}

std::string NameText(const NodeFacts& facts) {
  std::string name = Printable(facts.path);
  if (facts.is_directory) name += '/';
  if (facts.is_symlink) name += " -> " + Printable(facts.target);
  return name;
}

const char* StateText(VolumeState state) {
  switch (state) {
    case VolumeState::kLive:
      return "live";
    case VolumeState::kDeleted:
      return "deleted";
    case VolumeState::kSealed:
      return "sealed";
  }
  return "unknown";
}

const char* KindText(VolumeKind kind) {
  return kind == VolumeKind::kSnapshot ? "snapshot" : "volume";
}

const char* LayoutText(VolumeLayout layout) {
  return layout == VolumeLayout::kTree ? "tree" : "file";
}

namespace {

const char* KindText(NodeKind kind) {
  switch (kind) {
    case NodeKind::kDirectory:
      return "directory";
    case NodeKind::kFile:
      return "file";
    case NodeKind::kSymlink:
      return "symlink";
  }
  return "unknown";
}

}  // namespace

Json NodeJson(const NodeRecord& record) {
  Json json = {{"kind", KindText(record.kind)},
               {"state", record.state == NodeState::kLive ? "live" : "removed"},
               {"revision", record.revision},
               {"parent", fmt::format("{:016x}", record.parent)}};
  PutText(json, "name", record.name);
  if (record.kind == NodeKind::kSymlink) PutText(json, "target", record.target);
  json.update({{"size", record.size},
               {"reach", record.reach},
               {"truncation", record.truncation},
               {"kept_pieces", record.kept_pieces},
               {"next_piece", record.next_piece},
               {"mtime_ns", record.mtime_ns},
               {"ctime_ns", record.ctime_ns},
               {"deletion_number", record.deletion_number},
               {"request_session", record.request.session},
               {"request_number", record.request.number}});
  return json;
}

Json ToJson(const NodeFacts& facts) {
  Json json;
  PutText(json, "path", facts.path);
  json["type"] = TypeText(facts);
  json["uid"] = facts.owner.uid;
  json["gid"] = facts.owner.gid;
  json["mode"] = facts.owner.mode;
  json["mode_octal"] = fmt::format("0o{:o}", facts.owner.mode);
  if (!facts.is_directory) {
    json["size"] = facts.size;
    json["chunk"] = facts.chunk;
    json["extents"] = Json::array();
    for (const MediaExtent& extent : facts.extents) {
      json["extents"].push_back({{"device", extent.device_index},
                                 {"offset", extent.offset},
                                 {"length", extent.length}});
    }
  }
  if (facts.is_symlink) PutText(json, "target", facts.target);
  if (facts.tree) {
    json["node"] = fmt::format("{:016x}", facts.tree->id);
    json["mtime_ns"] = facts.tree->mtime_ns;
    json["ctime_ns"] = facts.tree->ctime_ns;
  }
  if (facts.volume) {
    Json& volume = json["volume"];
    PutText(volume, "name", facts.volume->name);
    volume["layout"] = LayoutText(facts.volume->layout);
    volume["state"] = StateText(facts.volume->state);
    volume["capacity"] = facts.volume->capacity;
    volume["revision"] = facts.volume->revision;
  }
  return json;
}

Json VolumeJson(const VolumeAttributes& volume) {
  Json json;
  PutText(json, "name", volume.name);
  json.update({{"kind", KindText(volume.kind)},
               {"layout", LayoutText(volume.layout)},
               {"state", StateText(volume.state)},
               {"data_path", std::string(ToString(volume.data_path))},
               {"capacity", volume.capacity},
               {"interleave_strips", volume.interleave_strips},
               {"interleave_chunk", volume.interleave_chunk},
               {"content_source", JsonText(volume.content_source)},
               {"created_unix_ns", volume.created_unix_ns},
               {"revision", volume.revision},
               {"deletion_number", volume.deletion_number}});
  return json;
}

}  // namespace famfs
