#include "controller/volume_info.h"

#include <fmt/format.h>

#include "csi/volume/volume_id.h"

namespace famfs::controller {

VolumeInfo InfoOf(const std::string& pool, const Uuid& fs_uuid,
                  const Node& node) {
  return {.id = csi::FormatVolumeId(fs_uuid, node.name),
          .pool = pool,
          .directory = std::string(node.name),
          .attributes = *node.volume,
          .owner = node.owner};
}

csi::VolumeParameters ParametersOf(const VolumeInfo& volume) {
  return {.pool = volume.pool,
          .data_path = volume.attributes.data_path,
          .layout = volume.attributes.layout,
          .strips = volume.attributes.interleave_strips,
          .chunk = volume.attributes.interleave_chunk,
          .uid = volume.owner.uid,
          .gid = volume.owner.gid,
          .mode = volume.owner.mode};
}

std::string Difference(const VolumeInfo& volume,
                       const csi::VolumeParameters& wanted) {
  const csi::VolumeParameters made = ParametersOf(volume);
  if (made.pool != wanted.pool) {
    return fmt::format("pool is {}, not {}", made.pool, wanted.pool);
  }
  if (made.data_path != wanted.data_path) {
    return fmt::format("dataPath is {}, not {}", ToString(made.data_path),
                       ToString(wanted.data_path));
  }
  if (made.layout != wanted.layout) return "layout differs";
  if (made.strips != wanted.strips || made.chunk != wanted.chunk) {
    return fmt::format("it has {} strips of {} bytes, not {} of {}",
                       made.strips, made.chunk, wanted.strips, wanted.chunk);
  }
  // Pods, and kubelet for their fsGroup, change owner and mode: revisions.
  const bool may_differ =
      made.layout == VolumeLayout::kTree || volume.attributes.revision > 1;
  if (may_differ) return {};
  if (made != wanted) {
    return fmt::format("owner and mode are {}:{} {:o}, not {}:{} {:o}",
                       made.uid, made.gid, made.mode, wanted.uid, wanted.gid,
                       wanted.mode);
  }
  return {};
}

}  // namespace famfs::controller
