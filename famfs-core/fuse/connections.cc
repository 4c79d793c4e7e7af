#include "fuse/connections.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>

#include "base/unique_fd.h"

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

bool IsThere(const UniqueFd& control, std::uint32_t connection) {
  return ::faccessat(control.get(), fmt::format("{}", connection).c_str(), F_OK,
                     0) == 0;
}

}  // namespace

bool FuseConnectionIsGone(std::uint32_t own, std::uint32_t other) {
  const UniqueFd control = OpenControl();
  if (own == 0 || !control.valid() || !IsThere(control, own)) return false;
  return !IsThere(control, other) && errno == ENOENT;
}

}  // namespace famfs
