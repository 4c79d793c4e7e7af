#include "instance/check/fsck_trees.h"

#include <absl/container/btree_map.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "base/units.h"
#include "instance/log/tree_promises.h"

namespace famfs {
namespace {

void CheckSizes(const LogPlayer& player, std::vector<Finding>& findings) {
  for (const auto& [id, node] : player.tree().nodes()) {
    if (node->tree == nullptr) continue;
    const NodeRecord& record = node->tree->record;
    if (record.kind != NodeKind::kFile ||
        record.size <= node->tree->allocated) {
      continue;
    }
    findings.push_back(
        {.rule = "size",
         .message = fmt::format(
             "file '{}' ({:016x}) has {} bytes by its record, but its {} "
             "pieces "
             "hold {}; it is served up to there",
             Printable(player.tree().PathOf(*node)), node->tree->id,
             record.size, node->tree->pieces.size(), node->tree->allocated)});
  }
}

/// Of one live volume.
void CheckQuota(const Node& volume, const TreeUsage& usage,
                std::vector<Finding>& findings) {
  const std::uint64_t capacity = volume.volume->capacity;
  if (usage.bytes > capacity) {
    findings.push_back(
        {.rule = "quota",
         .message = fmt::format(
             "tree volume '{}' has pieces of {} bytes, more than its capacity "
             "of {}; delete files in it",
             Printable(volume.name), usage.bytes, capacity)});
  }
  if (const std::uint64_t slots = TreeSlots(capacity); usage.entries > slots) {
    findings.push_back(
        {.rule = "quota",
         .message = fmt::format(
             "tree volume '{}' has {} nodes and pieces, more than the {} "
             "entries of the log that its capacity promises; delete files in "
             "it",
             Printable(volume.name), usage.entries, slots)});
  }
}

void Judge(DaxDevice& device, const LogPlayer& player, const Node& node,
           const DaxDevice::NodeFile& file, std::vector<Finding>& findings) {
  const std::string path = Printable(player.tree().PathOf(node));
  if (file.size < node.tree->record.size) {
    findings.push_back(
        {.severity = Severity::kUnfinished,
         .rule = "node_file",
         .message = fmt::format(
             "the node file {} of '{}' has {} bytes, its record says {}: it is "
             "being made longer, or was when its writer ended. The next "
             "writer's opening does it, and what is not there is zero",
             file.name, path, file.size, node.tree->record.size)});
  }
  const auto lacking = device.NodeFileLacking(file.name, node.tree->allocated);
  // One that went meanwhile is told by the next look.
  if (!lacking.ok() || *lacking == 0) return;
  findings.push_back(
      {.severity = Severity::kUnfinished,
       .rule = "memory",
       .message = fmt::format(
           "file '{}' lacks {} bytes of the memory of its node file {}: a "
           "program gave them back (MADV_REMOVE, or a hole punched into it), "
           "or "
           "its writer ended while it was cut. They are zero now; the next "
           "writer's opening gives them memory again",
           path, *lacking, file.name)});
}

Finding Unnamed(const DaxDevice::NodeFile& file, const std::string& unread) {
  if (unread.empty()) {
    return {.severity = Severity::kUnfinished,
            .rule = "node_file",
            .message = fmt::format(
                "the node file {} ({} bytes) is named by no record: a file is "
                "being made or removed, or was when its writer ended",
                file.name, file.size)};
  }
  return {.severity = Severity::kError,
          .rule = "unnamed",
          .message = fmt::format(
              "the node file {} ({} bytes) is named by no record that can be "
              "read; it may hold what {} names, and is kept",
              file.name, file.size, unread)};
}

}  // namespace

std::vector<Finding> CheckTrees(const LogPlayer& player) {
  std::vector<Finding> findings;
  if (player.usage().empty()) return findings;
  CheckSizes(player, findings);
  for (const auto& [directory, id] : player.tree().volumes()) {
    const Node* const volume = player.tree().Find(id);
    if (volume->tree == nullptr) continue;
    CheckQuota(*volume, player.UsageOf(directory), findings);
  }
  return findings;
}

std::vector<Finding> CheckNodeFiles(DaxDevice& device, const LogPlayer& player,
                                    const std::string& unread) {
  std::vector<Finding> findings;
  if (!device.capabilities().has_node_files) return findings;
  const auto present = device.ListNodeFiles();
  if (!present.ok()) {
    findings.push_back({.rule = "node_file",
                        .message = std::string(Message(present.status()))});
    return findings;
  }
  absl::btree_map<std::string, const Node*> named;
  for (const auto& [id, node] : player.tree().nodes()) {
    if (std::string name = player.tree().NodeFileOf(*node); !name.empty()) {
      named.emplace(std::move(name), node);
    }
  }
  for (const DaxDevice::NodeFile& file : *present) {
    const auto it = named.find(file.name);
    if (it == named.end()) {
      // Those of a deleted volume go with its entries.
      const std::string volume = file.name.substr(0, file.name.rfind('.'));
      if (!player.pending().contains(volume)) {
        findings.push_back(Unnamed(file, unread));
      }
      continue;
    }
    Judge(device, player, *it->second, file, findings);
    named.erase(it);
  }
  for (const auto& [name, node] : named) {
    findings.push_back(
        {.rule = "node_file",
         .message = fmt::format("file '{}' of {} bytes has no node file {}",
                                Printable(player.tree().PathOf(*node)),
                                node->size, name)});
  }
  return findings;
}

}  // namespace famfs
