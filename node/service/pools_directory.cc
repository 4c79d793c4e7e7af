// Where the instances are mounted, and whether others will see them.
#include <spdlog/spdlog.h>

#include <filesystem>

#include "node/service/node_service.h"

namespace famfs::node {

absl::StatusOr<std::string> PreparePoolsDirectory(const NodeOptions& options) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path kubelet = fs::canonical(options.kubelet_path, error);
  if (error || !fs::is_directory(kubelet, error)) {
    return NotFound(
        "the kubelet directory {} does not exist here; give this node's by "
        "--kubelet-path (in a container: mount it with Bidirectional "
        "propagation)",
        options.kubelet_path);
  }
  FAMFS_ASSIGN_OR_RETURN(const MountTable table, MountTable::Read());
  const MountEntry* mount = table.Containing(kubelet.string());
  const bool shared = mount != nullptr && mount->shared;
  if (!shared && options.needs_shared_mount) {
    return FailedPrecondition(
        "{} does not lie on a shared mount: pods would not see published "
        "volumes, and write into the container's own files instead. In the "
        "pod's specification mount the host's kubelet directory there with "
        "mountPropagation Bidirectional; on the host `mount --make-rshared /` "
        "if it is not shared there; or give the real kubelet directory by "
        "--kubelet-path",
        kubelet.string());
  }
  if (!shared) {
    spdlog::warn(
        "{} does not lie on a shared mount: pods of other mount namespaces "
        "will not see published volumes (mount --make-shared, or Bidirectional "
        "in the pod's specification)",
        kubelet.string());
  }
  const fs::path pools = kubelet / "plugins" / options.driver_name / "pools";
  fs::create_directories(pools, error);
  if (!error) {
    // The instance shows all volumes, whatever the modes of their directories:
    // nobody reaches them but through a published bind.
    fs::permissions(pools, fs::perms::owner_all, error);
  }
  if (error) return ErrnoError(error.value(), pools.string());
  return pools.string();
}

}  // namespace famfs::node
