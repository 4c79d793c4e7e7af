#include "dax/backing.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <limits>

namespace famfs {

absl::StatusOr<Backing> BackingAt(const std::string& path, bool makes_files) {
  struct stat info {};
  struct statvfs figures {};
  if (::stat(path.c_str(), &info) != 0 ||
      ::statvfs(path.c_str(), &figures) != 0) {
    return ErrnoError(errno, fmt::format("look for room in {}", path));
  }
  Backing backing{.file_system = info.st_dev};
  // Without a limit tmpfs tells no sizes at all.
  backing.free = figures.f_blocks == 0
                     ? std::numeric_limits<std::uint64_t>::max()
                     : figures.f_bavail * figures.f_frsize;
  if (makes_files && figures.f_files > 0 && figures.f_favail == 0) {
    backing.free = 0;
  }
  return backing;
}

}  // namespace famfs
