#include "node/place.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <memory>
#include <utility>

namespace famfs::node {
namespace {

// Readable, not O_PATH: opening a directory that we are to change is allowed to
// be refused or audited like any other use of it.
constexpr std::uint64_t kOpenDirectory = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

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

// Below the kubelet directory its own path may hold links, what follows not.
UniqueFd OpenParent(const std::string& parent,
                    const std::string& kubelet_path) {
  if (!kubelet_path.empty() && parent.starts_with(kubelet_path)) {
    const std::string rest = parent.substr(kubelet_path.size());
    if (rest.empty() || rest.front() == '/') {
      UniqueFd root(
          ::open(kubelet_path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
      if (!root.valid()) return root;
      return OpenAt2(root.get(), "." + rest,
                     RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH);
    }
  }
  return OpenAt2(AT_FDCWD, parent, RESOLVE_NO_SYMLINKS);
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
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view entry_name = entry->d_name;
    if (entry_name != "." && entry_name != "..") return false;
  }
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

Place::Place(UniqueFd parent, std::string path, std::string name)
    : parent_(std::move(parent)),
      path_(std::move(path)),
      name_(std::move(name)) {}

absl::StatusOr<Place> Place::Resolve(std::string_view path,
                                     const std::string& kubelet_path) {
  FAMFS_ASSIGN_OR_RETURN(const std::string normal, NormalizePath(path));
  const std::size_t slash = normal.rfind('/');
  const std::string parent = slash == 0 ? "/" : normal.substr(0, slash);
  UniqueFd fd = OpenParent(parent, kubelet_path);
  if (!fd.valid()) return OpenError(errno, parent);
  FAMFS_ASSIGN_OR_RETURN(std::string real, RealPath(fd.get()));
  std::string name = normal.substr(slash + 1);
  if (real != "/") real += "/";
  real += name;
  return Place(std::move(fd), std::move(real), std::move(name));
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

absl::Status Place::EnsureDirectory() const {
  if (::mkdirat(parent(), name_.c_str(), 0750) == 0) return absl::OkStatus();
  if (errno != EEXIST) return ErrnoError(errno, path_);
  FAMFS_ASSIGN_OR_RETURN(const bool directory,
                         IsDirectory(parent(), name_, path_));
  if (directory) return absl::OkStatus();
  return FailedPrecondition(
      "{}: exists and is not a directory; remove it, then call again", path_);
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
