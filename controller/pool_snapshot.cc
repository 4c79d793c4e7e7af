#include "controller/pool_snapshot.h"

#include <utility>

namespace famfs::controller {
namespace {

std::shared_ptr<const PoolSnapshot::Volumes> CopyVolumes(
    const std::string& pool, const Writer& writer) {
  auto volumes = std::make_shared<PoolSnapshot::Volumes>();
  const Reader::View tree = writer.Tree();
  volumes->reserve(tree->volumes().size());
  for (const auto& [directory, id] : tree->volumes()) {
    const Node* node = tree->Find(id);
    if (node == nullptr || node->volume == nullptr) continue;
    volumes->push_back(InfoOf(pool, writer.superblock().fs_uuid, *node));
  }
  return volumes;
}

}  // namespace

PoolSnapshot TakeSnapshot(
    const std::string& pool, const Writer& writer,
    std::shared_ptr<const PoolSnapshot::Volumes> volumes) {
  return {.fs_uuid = writer.superblock().fs_uuid,
          .device = KindOf(*writer.device()),
          .figures = writer.Figures(),
          .available_auto =
              writer.AvailableSpaceNow({.data_path = DataPath::kAuto}),
          .available_copy =
              writer.AvailableSpaceNow({.data_path = DataPath::kCopy}),
          .available_tree =
              writer.AvailableSpaceNow({.layout = VolumeLayout::kTree}),
          .refilled = writer.refilled_bytes(),
          .volumes = volumes != nullptr ? std::move(volumes)
                                        : CopyVolumes(pool, writer)};
}

}  // namespace famfs::controller
