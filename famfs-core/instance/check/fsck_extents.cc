#include "instance/check/fsck_extents.h"

#include <algorithm>
#include <string>

#include "base/text.h"

namespace famfs {
namespace {

struct Named {
  Range range;
  const Node* node;  // null: superblock region, log or a compaction's image
  bool must_exist;
};

std::vector<Named> NamedExtents(const LogPlayer& player,
                                const ExtentFileCheck& check) {
  std::vector<Named> named;
  named.push_back({{kSuperblockOffset, kSuperblockRegion}, nullptr, true});
  if (check.log_length > 0) {
    named.push_back({{kLogOffset, check.log_length}, nullptr, true});
  }
  if (check.image) named.push_back({*check.image, nullptr, false});
  // What a deleted volume held may already be gone.
  for (const Range& range : player.PendingOn(check.device_index)) {
    named.push_back({range, nullptr, false});
  }
  for (const auto& [id, node] : player.tree().nodes()) {
    // A node's own file has the bytes of its pieces.
    if (node->is_meta || (node->tree != nullptr && check.has_node_files)) {
      continue;
    }
    for (const MediaExtent& extent : node->extents) {
      if (extent.device_index != check.device_index) continue;
      named.push_back({{extent.offset, extent.length}, node, true});
    }
  }
  std::sort(named.begin(), named.end(),
            [](const Named& a, const Named& b) { return a.range < b.range; });
  return named;
}

std::string Owner(const LogPlayer& player, const Named& named) {
  if (named.node == nullptr) {
    return named.range.offset == kSuperblockOffset ? "the superblock region"
                                                   : "the log";
  }
  return fmt::format("file '{}'", Printable(player.tree().PathOf(*named.node)));
}

bool Overlaps(const std::vector<Named>& sorted, const Range& range) {
  // An image may lie over a pending extent, so more than one can begin before.
  const auto end = std::lower_bound(sorted.begin(), sorted.end(), range.end(),
                                    [](const Named& a, std::uint64_t offset) {
                                      return a.range.offset < offset;
                                    });
  return std::any_of(sorted.begin(), end, [&](const Named& a) {
    return a.range.end() > range.offset;
  });
}

Finding Unnamed(const Range& range, const ExtentFileCheck& check) {
  if (check.unread.empty()) {
    return {.severity = Severity::kUnfinished,
            .rule = "extent_file",
            .message = fmt::format(
                "the extent file at {:#x} ({} bytes) is named by no entry: "
                "something is being made or removed, or was when its writer "
                "ended",
                range.offset, range.length)};
  }
  return {.severity = Severity::kError,
          .rule = "unnamed",
          .message = fmt::format(
              "the extent file at {:#x} ({} bytes) is named by no entry that "
              "can be read; it may hold what {} names, and is kept",
              range.offset, range.length, check.unread)};
}

/// What programs gave back of the memory of files, or of the log.
void CheckMemory(DaxDevice& device, const LogPlayer& player,
                 const std::vector<Named>& named,
                 std::vector<Finding>& findings) {
  const auto lacking = device.GivenBack();
  if (!lacking.ok()) return;  // ListExtents has told
  for (const DaxDevice::Lacking& one : *lacking) {
    const auto owner = std::find_if(
        named.begin(), named.end(), [&one](const Named& candidate) {
          return candidate.must_exist && candidate.range == one.extent;
        });
    if (owner == named.end()) continue;
    findings.push_back(
        {.severity = Severity::kUnfinished,
         .rule = "memory",
         .message = fmt::format(
             "{} lacks {} bytes of the memory of its extent at {:#x}: a "
             "program gave them back (MADV_REMOVE, or a hole punched into the "
             "extent's file). They are zero now; the next writer's opening "
             "gives them memory again",
             Owner(player, *owner), one.missing, one.extent.offset)});
  }
}

}  // namespace

std::vector<Finding> CheckExtentFiles(DaxDevice& device,
                                      const LogPlayer& player,
                                      const ExtentFileCheck& check) {
  std::vector<Finding> findings;
  if (!device.capabilities().allocates_extents) return findings;
  const auto present = device.ListExtents();
  const auto malformed = device.MalformedExtents();
  if (!present.ok() || !malformed.ok()) {
    const absl::Status& status =
        present.ok() ? malformed.status() : present.status();
    findings.push_back(
        {.rule = "extent_file", .message = std::string(Message(status))});
    return findings;
  }
  for (const std::string& sentence : *malformed) {
    findings.push_back({.rule = "extent_file", .message = sentence});
  }
  const std::vector<Named> named = NamedExtents(player, check);
  for (const Named& one : named) {
    if (!one.must_exist ||
        std::binary_search(present->begin(), present->end(), one.range)) {
      continue;
    }
    findings.push_back(
        {.rule = "extent_file",
         .message = fmt::format(
             "{} has no extent file of {} bytes at {:#x}{}", Owner(player, one),
             one.range.length, one.range.offset,
             check.device_index == 0
                 ? std::string()
                 : fmt::format(" of device {}", check.device_index))});
  }
  for (const Range& range : *present) {
    if (!Overlaps(named, range)) findings.push_back(Unnamed(range, check));
  }
  CheckMemory(device, player, named, findings);
  return findings;
}

}  // namespace famfs
