// Which publications a pool's data path allows (docs/data-paths.md).
#include "node/volumes/attachments.h"

namespace famfs::node {
absl::Status CheckDataPath(const Volume& volume, DataPath served) {
  if (Satisfies(served, volume.data_path)) return absl::OkStatus();
  return FailedPrecondition(
      "volume {} asks for the data path {}, but this node serves its pool over "
      "{}; use a node whose kernel and device offer {}, or a StorageClass with "
      "dataPath: auto",
      volume.id.ToString(), ToString(volume.data_path), ToString(served),
      ToString(volume.data_path));
}

absl::Status CheckWriters(bool multi_node_writer, bool read_only,
                          DataPath served) {
  if (!multi_node_writer || read_only || served != DataPath::kCopy) {
    return absl::OkStatus();
  }
  return FailedPrecondition(
      "this node serves the pool over the data path copy, where each node "
      "writes to a page cache of its own: writers on several nodes "
      "(MULTI_NODE_MULTI_WRITER, ReadWriteMany) would not see each other's "
      "stores; publish read-only, use an access mode of a single node, or a "
      "kernel and device that offer passthrough or fmap");
}

}  // namespace famfs::node
