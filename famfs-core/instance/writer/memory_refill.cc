#include "instance/writer/memory_refill.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/page.h"
#include "base/text.h"
#include "base/units.h"

namespace famfs {

/// For messages: the file that has the extent.
std::string MemoryRefill::OwnerOf(const MediaExtent& extent) const {
  const ReaderMutexLock lock(state_.mutex);
  const Namespace& tree = state_.log.tree();
  for (const auto& [id, node] : tree.nodes()) {
    if (node->is_meta) continue;
    for (const MediaExtent& one : node->extents) {
      if (one == extent)
        return fmt::format("file '{}'", Printable(tree.PathOf(*node)));
    }
  }
  return fmt::format("the extent at {:#x}", extent.offset);
}

absl::Status MemoryRefill::RefillDevice(std::uint64_t index,
                                        DaxDevice& device) {
  // What servers left that were killed, or that ended before the last mapping.
  absl::Status first = device.EndAllServing();
  FAMFS_ASSIGN_OR_RETURN(const auto lacking, device.GivenBack());
  for (const DaxDevice::Lacking& one : lacking) {
    const std::string owner =
        OwnerOf({index, one.extent.offset, one.extent.length});
    if (const absl::Status filled = device.Refill(one.extent); !filled.ok()) {
      // The others may get theirs: one may be full of what another lacks.
      if (!first.ok()) continue;
      first = Annotate(filled,
                       fmt::format("{} of the memory of {} were given back, "
                                   "and it has not got them again",
                                   FormatSize(one.missing), owner));
      continue;
    }
    bytes_ += one.missing;
    spdlog::error(
        "{}: a program gave back {} of the memory of {} (MADV_REMOVE, or a "
        "hole punched into the extent's file); it has memory again, and zeros "
        "where that was",
        state_.device->spec(), FormatSize(one.missing), owner);
  }
  return first;
}

MemoryRefill::NodeFileOwner MemoryRefill::FindNodeFile(NodeId id) const {
  const ReaderMutexLock lock(state_.mutex);
  const Namespace& tree = state_.log.tree();
  const Node* node = tree.Find(id);
  if (node == nullptr || node->tree == nullptr || node->tree->allocated == 0) {
    return {};
  }
  return {.file = tree.NodeFileOf(*node),
          .size = node->size,
          .allocated = node->tree->allocated};
}

std::string MemoryRefill::PathOf(NodeId id) const {
  const ReaderMutexLock lock(state_.mutex);
  const Node* node = state_.log.tree().Find(id);
  return node == nullptr ? "(removed)"
                         : Printable(state_.log.tree().PathOf(*node));
}

/// The same of the nodes' own files. What a file grew by since it was listed
/// has its memory.
absl::Status MemoryRefill::RefillNodeFiles(DaxDevice& device) {
  // No names and no paths: there may be millions of files.
  std::vector<NodeId> all;
  {
    const ReaderMutexLock lock(state_.mutex);
    const Namespace& tree = state_.log.tree();
    for (const auto& [id, node] : tree.nodes()) {
      if (node->tree != nullptr && node->tree->allocated > 0) all.push_back(id);
    }
  }
  absl::Status first;
  for (const NodeId id : all) {
    const NodeFileOwner one = FindNodeFile(id);
    if (one.file.empty()) continue;  // removed, or emptied, meanwhile
    const auto lacking = device.NodeFileLacking(one.file, one.allocated);
    // Admission tells of a file that is missing.
    if (!lacking.ok() || *lacking == 0) continue;
    // It was cut meanwhile, say, and what was seen tells nothing of it.
    if (FindNodeFile(id) != one) continue;
    const absl::Status filled =
        device.AllocateNodeFile(one.file, {0, one.allocated});
    if (!filled.ok()) {
      // Removed or cut meanwhile, it needs none.
      if (!first.ok() || absl::IsNotFound(filled)) continue;
      first = Annotate(filled,
                       fmt::format("{} of the memory of file '{}' were given "
                                   "back, and it has not got them again",
                                   FormatSize(*lacking), PathOf(id)));
      continue;
    }
    bytes_ += *lacking;
    TellOfNodeFile(device, id, one, *lacking);
  }
  return first;
}

// A cut takes along what lies behind the new end, which it is given again
// (DaxDevice::ResizeNodeFile): an owner that dies in between leaves that, and
// nothing was lost.
void MemoryRefill::TellOfNodeFile(const DaxDevice& device, NodeId id,
                                  const NodeFileOwner& one,
                                  std::uint64_t lacking) const {
  const std::uint64_t used = RoundUp(std::min(one.size, one.allocated), kPage);
  if (lacking <= one.allocated - std::min(used, one.allocated)) {
    spdlog::warn(
        "{}: {} of the memory of file '{}' were missing, no more than lie "
        "behind its end, and are there again: it was being cut as its owner "
        "ended, or a program gave them back (MADV_REMOVE, or a hole punched "
        "into {}), and then it has zeros there",
        device.spec(), FormatSize(lacking), PathOf(id), one.file);
    return;
  }
  spdlog::error(
      "{}: a program gave back {} of the memory of file '{}' (MADV_REMOVE, "
      "or a hole punched into {}); it has memory again, and zeros where that "
      "was",
      device.spec(), FormatSize(lacking), PathOf(id), one.file);
}

absl::Status MemoryRefill::Run() {
  FAMFS_RETURN_IF_ERROR(admission_.Admit());
  std::vector<std::shared_ptr<DaxDevice>> devices;
  {
    const WriterMutexLock lock(state_.mutex);
    FAMFS_RETURN_IF_ERROR(state_.log.CheckStillOwner());
    devices = state_.admitted;
  }
  absl::Status first;
  for (std::size_t i = 0; i < devices.size(); ++i) {
    if (devices[i] == nullptr) continue;
    const absl::Status status = RefillDevice(i, *devices[i]);
    if (first.ok()) first = status;
  }
  if (devices[0]->capabilities().has_node_files) {
    const absl::Status status = RefillNodeFiles(*devices[0]);
    if (first.ok()) first = status;
  }
  return first;
}

}  // namespace famfs
