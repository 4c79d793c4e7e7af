#include "node/mounts/place.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <map>
#include <utility>

#include "node/mounts/instances.h"
#include "node/mounts/mount_at.h"

namespace famfs::node {
namespace {

// How long what serves a directory on the way may take.
constexpr std::chrono::seconds kPatience{10};
// A place only: nothing is opened that a server would be told of.
constexpr std::uint64_t kOpenDirectory = O_PATH | O_DIRECTORY | O_CLOEXEC;

using Instances = std::map<DeviceNumber, std::string>;

UniqueFd OpenAt2(int directory, const std::string& path,
                 std::uint64_t resolve) {
  open_how how = {};
  how.flags = kOpenDirectory;
  how.resolve = resolve;
  return UniqueFd(static_cast<int>(
      ::syscall(SYS_openat2, directory, path.c_str(), &how, sizeof(how))));
}

absl::Status OpenError(int error, std::string_view parent) {
  if (error == ELOOP || error == EXDEV) {
    return InvalidArgument(
        "{}: passes through a symbolic link; give the path without links",
        parent);
  }
  if (error == ENOENT) {
    return NotFound("{}: no such directory; it is the orchestrator's to create",
                    parent);
  }
  if (error == ENOTDIR) {
    return InvalidArgument("{}: not a directory", parent);
  }
  return ErrnoError(error, parent);
}

// The part of the way on which links are refused, and where it begins.
struct Way {
  std::string start;  // links are followed
  std::string rest;   // relative; may be empty
};

// Below the kubelet directory its own path may hold links, what follows not.
Way SplitWay(const std::string& parent, const std::string& kubelet_path) {
  if (!kubelet_path.empty() && parent.starts_with(kubelet_path)) {
    const std::string rest = parent.substr(kubelet_path.size());
    if (rest.empty()) return {kubelet_path, ""};
    if (rest.front() == '/') return {kubelet_path, rest.substr(1)};
  }
  return {"/", parent.substr(1)};
}

absl::Status CheckNotWithin(const Instances& instances, int fd,
                            std::string_view parent) {
  FAMFS_ASSIGN_OR_RETURN(const DeviceNumber device, DeviceOf(fd));
  if (!instances.contains(device)) return absl::OkStatus();
  return InvalidArgument(
      "{}: lies within a volume of this driver; nothing is mounted there",
      parent);
}

// All at once, of what the kernel has at hand: nobody is asked. EAGAIN where
// that does not suffice, EINVAL where the kernel cannot (before Linux 5.12).
UniqueFd OpenCached(const Way& way) {
  UniqueFd start = OpenAt2(AT_FDCWD, way.start, RESOLVE_CACHED);
  if (!start.valid() || way.rest.empty()) return start;
  return OpenAt2(start.get(), way.rest,
                 RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH | RESOLVE_CACHED);
}

// One component after the other, so that a server of ours is never asked.
absl::StatusOr<UniqueFd> OpenStepwise(const Way& way,
                                      const Instances& instances,
                                      const std::string& parent) {
  UniqueFd fd = OpenAt2(AT_FDCWD, way.start, 0);
  std::string_view rest = way.rest;
  while (fd.valid() && !rest.empty()) {
    FAMFS_RETURN_IF_ERROR(CheckNotWithin(instances, fd.get(), parent));
    const std::size_t end = std::min(rest.find('/'), rest.size());
    fd = OpenAt2(fd.get(), std::string(rest.substr(0, end)),
                 RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (!fd.valid()) return OpenError(errno, parent);
  return fd;
}

absl::StatusOr<std::string> RealPath(int fd) {
  std::array<char, PATH_MAX> buffer;
  const ssize_t length = ::readlink(fmt::format("/proc/self/fd/{}", fd).c_str(),
                                    buffer.data(), buffer.size());
  if (length < 0) return ErrnoError(errno, "reading a descriptor's path");
  return std::string(buffer.data(), static_cast<std::size_t>(length));
}

absl::StatusOr<bool> IsEmptyDirectory(int parent, const std::string& name) {
  UniqueFd fd(::openat(parent, name.c_str(),
                       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) return ErrnoError(errno, name);
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::fdopendir(fd.get()),
                                                ::closedir);
  if (dir == nullptr) return ErrnoError(errno, name);
  std::ignore = fd.release();
  errno = 0;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view entry_name = entry->d_name;
    if (entry_name != "." && entry_name != "..") return false;
    errno = 0;
  }
  if (errno != 0) return ErrnoError(errno, name);
  return true;
}

absl::StatusOr<bool> IsDirectory(int parent, const std::string& name,
                                 const std::string& path) {
  struct stat info = {};
  if (::fstatat(parent, name.c_str(), &info,
                AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) != 0) {
    return ErrnoError(errno, path);
  }
  return S_ISDIR(info.st_mode);
}

}  // namespace

absl::StatusOr<std::string> NormalizePath(std::string_view path) {
  if (path.empty() || path.front() != '/') {
    return InvalidArgument("\"{}\" is not an absolute path", path);
  }
  std::string normal;
  while (!path.empty()) {
    path.remove_prefix(std::min(path.find_first_not_of('/'), path.size()));
    const std::string_view part = path.substr(0, path.find('/'));
    path.remove_prefix(part.size());
    if (part.empty()) continue;
    if (part == "." || part == "..") {
      return InvalidArgument("a path with the component \"{}\" is refused",
                             part);
    }
    if (part.size() > NAME_MAX) {
      return InvalidArgument("a path component has {} bytes, more than {}",
                             part.size(), NAME_MAX);
    }
    normal.append("/").append(part);
  }
  if (normal.empty()) return InvalidArgument("the root directory is refused");
  return normal;
}

Place::Place(std::shared_ptr<const Questions::Answer> parent, std::string path,
             std::string name)
    : parent_(std::move(parent)),
      path_(std::move(path)),
      name_(std::move(name)) {}

Places::Places(std::string kubelet_path, std::string pools_directory)
    : kubelet_path_(std::move(kubelet_path)),
      pools_directory_(std::move(pools_directory)),
      questions_("the file system there", "see what is mounted on the way") {}

absl::StatusOr<std::shared_ptr<const Questions::Answer>> Places::OpenParent(
    const std::string& parent) {
  const Way way = SplitWay(parent, kubelet_path_);
  FAMFS_ASSIGN_OR_RETURN(const Instances instances,
                         ServedInstances(pools_directory_));
  UniqueFd cached = OpenCached(way);
  if (cached.valid()) {
    FAMFS_RETURN_IF_ERROR(CheckNotWithin(instances, cached.get(), parent));
    return std::make_shared<const Questions::Answer>(std::move(cached));
  }
  if (errno != EAGAIN && errno != EINVAL) return OpenError(errno, parent);
  return questions_.Ask(
      parent, kPatience, [=]() -> absl::StatusOr<Questions::Answer> {
        FAMFS_ASSIGN_OR_RETURN(UniqueFd fd,
                               OpenStepwise(way, instances, parent));
        FAMFS_RETURN_IF_ERROR(CheckNotWithin(instances, fd.get(), parent));
        return Questions::Answer{.fd = std::move(fd)};
      });
}

absl::StatusOr<Place> Places::Resolve(std::string_view path) {
  FAMFS_ASSIGN_OR_RETURN(const std::string normal, NormalizePath(path));
  const std::size_t slash = normal.rfind('/');
  FAMFS_ASSIGN_OR_RETURN(
      auto parent, OpenParent(slash == 0 ? "/" : normal.substr(0, slash)));
  FAMFS_ASSIGN_OR_RETURN(std::string real, RealPath(parent->fd.get()));
  std::string name = normal.substr(slash + 1);
  if (real != "/") real += "/";
  real += name;
  return Place(std::move(parent), std::move(real), std::move(name));
}

std::string Place::ProcPath() const {
  return fmt::format("/proc/self/fd/{}/{}", parent(), name_);
}

absl::StatusOr<bool> Place::MakeDirectory() const {
  if (::mkdirat(parent(), name_.c_str(), 0750) == 0) return true;
  if (errno != EEXIST) return ErrnoError(errno, path_);
  FAMFS_ASSIGN_OR_RETURN(const bool directory,
                         IsDirectory(parent(), name_, path_));
  if (!directory) {
    return FailedPrecondition(
        "{}: exists and is not a directory; remove it, then call again", path_);
  }
  FAMFS_ASSIGN_OR_RETURN(const bool empty, IsEmptyDirectory(parent(), name_));
  if (!empty) {
    return FailedPrecondition(
        "{}: is a directory with contents of its own, which a mount would "
        "hide; move them away, then call again",
        path_);
  }
  return false;
}

absl::Status Place::RemoveDirectory() const {
  if (::unlinkat(parent(), name_.c_str(), AT_REMOVEDIR) == 0 ||
      errno == ENOENT) {
    return absl::OkStatus();
  }
  if (errno == ENOTEMPTY || errno == EEXIST) {
    return FailedPrecondition(
        "{}: holds files that are not of the volume; nothing was removed, move "
        "them away, then call again",
        path_);
  }
  if (errno == ENOTDIR) {
    return FailedPrecondition("{}: not a directory; it was not made by us",
                              path_);
  }
  return ErrnoError(errno, path_);
}

}  // namespace famfs::node
