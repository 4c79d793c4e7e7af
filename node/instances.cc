#include "node/instances.h"

#include <dirent.h>

#include <memory>

#include "base/uuid.h"
#include "node/mount_at.h"

namespace famfs::node {

std::map<DeviceNumber, std::string> ServedInstances(
    const std::string& pools_directory) {
  std::map<DeviceNumber, std::string> instances;
  const std::unique_ptr<DIR, int (*)(DIR*)> pools(
      ::opendir(pools_directory.c_str()), ::closedir);
  if (pools == nullptr) return instances;
  while (const dirent* entry = ::readdir(pools.get())) {
    const std::string name = entry->d_name;
    if (!Uuid::Parse(name).ok()) continue;
    const auto mount = FindMountAt(::dirfd(pools.get()), name);
    if (mount.ok() && mount->has_value()) {
      instances[(*mount)->device] = name;
    }
  }
  return instances;
}

}  // namespace famfs::node
