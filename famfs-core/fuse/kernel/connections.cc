#include "fuse/kernel/connections.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace famfs {
namespace {

// In a container nothing is mounted on /sys/fs/fuse/connections. What the
// control file system shows is the same through every mount of it, and one that
// is attached nowhere needs no place: CAP_SYS_ADMIN, which mounting FUSE needs
// too, is enough.
UniqueFd MountControl() {
  const UniqueFd context(::fsopen("fusectl", FSOPEN_CLOEXEC));
  if (!context.valid() || ::fsconfig(context.get(), FSCONFIG_CMD_CREATE,
                                     nullptr, nullptr, 0) != 0) {
    return {};
  }
  return UniqueFd(
      ::fsmount(context.get(), FSMOUNT_CLOEXEC,
                MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
}

UniqueFd OpenControl() {
  UniqueFd control = MountControl();
  if (control.valid()) return control;
  return UniqueFd(
      ::open("/sys/fs/fuse/connections", O_PATH | O_DIRECTORY | O_CLOEXEC));
}

/// Invalid with errno: ENOENT when there is no such connection.
UniqueFd OpenConnection(const UniqueFd& control, std::uint32_t number) {
  return UniqueFd(::openat(control.get(), fmt::format("{}", number).c_str(),
                           O_PATH | O_DIRECTORY | O_CLOEXEC));
}

/// Whether the connection of this directory has ended: the directory is removed
/// with what was in it.
bool HasEnded(const UniqueFd& connection) {
  struct stat info = {};
  if (::fstat(connection.get(), &info) == 0 && info.st_nlink == 0) return true;
  return ::faccessat(connection.get(), "waiting", F_OK, 0) != 0 &&
         errno == ENOENT;
}

}  // namespace

std::vector<std::uint32_t> FuseConnections::FindGone(
    const std::vector<HostRecord>& sessions) {
  std::vector<std::uint32_t> gone;
  if (sessions.empty()) held_.clear();
  if (sessions.empty() || own_ == 0) return gone;
  if (!control_.valid()) control_ = OpenControl();
  if (!control_.valid() || !OpenConnection(control_, own_).valid()) return gone;
  absl::flat_hash_map<std::uint32_t, UniqueFd> held;
  for (const HostRecord& record : sessions) {
    UniqueFd& connection = held[record.session];
    if (const auto known = held_.find(record.session); known != held_.end()) {
      connection = std::move(known->second);
    } else {
      connection = OpenConnection(control_, record.connection);
      if (!connection.valid() && errno != ENOENT) {
        held.erase(record.session);
        continue;
      }
    }
    if (connection.valid() && HasEnded(connection)) connection.reset();
    if (!connection.valid()) gone.push_back(record.session);
  }
  held_ = std::move(held);
  return gone;
}

}  // namespace famfs
