#include "tools/common/tree.h"

#include <algorithm>
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
    facts.chunk = node.chunk;
    facts.extents.assign(node.extents.begin(), node.extents.end());
  }
  if (node.volume != nullptr) facts.volume = *node.volume;
  return facts;
}

absl::StatusOr<const Node*> FindNode(const Namespace& tree,
                                     const std::string& given) {
  const Node* const node = tree.FindPath(InstancePath(given));
  if (node != nullptr) return node;
  return NotFound("{}: is not in the instance; famfs ls -R shows what is",
                  Printable(given));
}

std::vector<NodeFacts> AllFiles(const Namespace& tree) {
  std::vector<NodeFacts> files;
  ForEachBelow(tree, *tree.Find(kRootNode), false, [&](const Node& node) {
    if (!node.is_directory) files.push_back(FactsOf(tree, node));
  });
  return files;
}

std::string ModeText(bool is_directory, std::uint32_t mode) {
  std::string text = is_directory ? "d" : "-";
  for (int shift = 6; shift >= 0; shift -= 3) {
    const std::uint32_t bits = mode >> shift;
    text += (bits & 4U) != 0 ? 'r' : '-';
    text += (bits & 2U) != 0 ? 'w' : '-';
    text += (bits & 1U) != 0 ? 'x' : '-';
  }
  return text;
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

Json ToJson(const NodeFacts& facts) {
  Json json;
  PutText(json, "path", facts.path);
  json["type"] = facts.is_directory ? "directory" : "file";
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
  if (facts.volume) {
    Json& volume = json["volume"];
    PutText(volume, "name", facts.volume->name);
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
