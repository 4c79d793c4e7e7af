#include "node/mounts/instances.h"

#include <dirent.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "base/uuid.h"
#include "node/mounts/mount_at.h"

namespace famfs::node {

namespace {

// Whoever asks may have NotFound mean that nothing of ours is there.
absl::Status CannotTell(const std::string& pools_directory,
                        std::string_view why) {
  return Unavailable("which pools are served here cannot be told: {}: {}",
                     pools_directory, why);
}

}  // namespace

absl::StatusOr<std::map<DeviceNumber, std::string>> ServedInstances(
    const std::string& pools_directory) {
  std::map<DeviceNumber, std::string> instances;
  const std::unique_ptr<DIR, int (*)(DIR*)> pools(
      ::opendir(pools_directory.c_str()), ::closedir);
  if (pools == nullptr) {
    return CannotTell(pools_directory, std::strerror(errno));
  }
  errno = 0;
  while (const dirent* entry = ::readdir(pools.get())) {
    const std::string name = entry->d_name;
    if (Uuid::Parse(name).ok()) {
      const auto mount = FindMountAt(::dirfd(pools.get()), name);
      if (!mount.ok()) {
        return CannotTell(pools_directory, Message(mount.status()));
      }
      if (mount->has_value()) instances[(*mount)->device] = name;
    }
    errno = 0;
  }
  if (errno != 0) return CannotTell(pools_directory, std::strerror(errno));
  return instances;
}

}  // namespace famfs::node
