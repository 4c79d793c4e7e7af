#include "dax/file_mapping.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/units.h"
#include "dax/watched_mapping.h"

namespace famfs {
namespace {

/// A file system with less than this is full to whoever misses a page.
constexpr std::uint64_t kNoRoom = 2 * kMiB;

class FileMapping final : public WatchedMapping {
 public:
  FileMapping(MappedPages pages, std::size_t skip, std::size_t size,
              Access access, const std::string& name, std::string path,
              const struct stat& file)
      : WatchedMapping(std::move(pages), skip, size, access, name),
        path_(std::move(path)),
        device_(file.st_dev),
        inode_(file.st_ino) {}

  [[nodiscard]] absl::Status MissingError(std::size_t at) const override;

 private:
  [[nodiscard]] absl::StatusOr<UniqueFd> OpenAgain() const override;

  const std::string path_;
  // These two tell the file from a later one of the path.
  const dev_t device_;
  const ino_t inode_;
};

absl::Status FileMapping::MissingError(std::size_t at) const {
  const std::uint64_t byte = begin() + at;
  struct stat info {};
  struct statvfs room {};
  if (::stat(path_.c_str(), &info) == 0 && info.st_dev == device_ &&
      info.st_ino == inode_) {
    const auto length = static_cast<std::uint64_t>(info.st_size);
    if (length < begin() + size()) {
      return DataLoss(
          "{}: its byte {} is gone: the file was made shorter, to {} bytes, "
          "while it was in use; what lay behind them is lost",
          name(), byte, length);
    }
    if (::statvfs(path_.c_str(), &room) == 0 &&
        room.f_bfree * room.f_frsize < kNoRoom) {
      return ResourceExhausted(
          "{}: there is no memory for its byte {}: the file system is full; "
          "make room there, or make it larger",
          name(), byte);
    }
  }
  return DataLoss(
      "{}: its byte {} can be neither read nor written (SIGBUS): the memory "
      "failed, or its file system was full a moment ago",
      name(), byte);
}

absl::StatusOr<UniqueFd> FileMapping::OpenAgain() const {
  const bool write = access() == Access::kReadWrite;
  FAMFS_ASSIGN_OR_RETURN(
      UniqueFd fd, OpenFile(path_, (write ? O_RDWR : O_RDONLY) | O_NOFOLLOW));
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) {
    return ErrnoError(errno, fmt::format("stat {}", name()));
  }
  const bool same =
      info.st_dev == device_ && info.st_ino == inode_ &&
      static_cast<std::uint64_t>(info.st_size) >= begin() + size();
  return same ? std::move(fd) : UniqueFd();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Mapping>> MapFile(
    int fd, const std::string& path, std::uint64_t at, std::uint64_t length,
    Access access, const std::string& name) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) {
    return ErrnoError(errno, fmt::format("stat {}", name));
  }
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (length == 0) {
    return InvalidArgument("{}: an empty range cannot be mapped", name);
  }
  if (at > size || length > size - at) {
    return OutOfRange("{}: bytes {} to {} do not lie within its {} bytes", name,
                      at, at + length, size);
  }
  static const auto kPage = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const std::uint64_t skip = at % kPage;
  FAMFS_ASSIGN_OR_RETURN(
      MappedPages pages,
      MappedPages::Map(fd, at - skip, length + skip, access, name));
  return std::make_unique<FileMapping>(std::move(pages), skip, length, access,
                                       name, path, info);
}

// In steps, since a signal makes tmpfs undo all of one call, and a large one
// might never get through.
absl::Status AllocatePages(int fd, std::uint64_t offset, std::uint64_t length,
                           const std::string& name) {
  constexpr std::uint64_t kStep = kGiB;
  for (std::uint64_t done = 0; done < length;) {
    const std::uint64_t step = std::min(kStep, length - done);
    if (::fallocate(fd, 0, static_cast<off_t>(offset + done),
                    static_cast<off_t>(step)) == 0) {
      done += step;
      continue;
    }
    if (errno == EINTR) continue;
    if (errno == ENOSPC) {
      return ResourceExhausted(
          "{}: there is no room for {}: the file system is full; free memory "
          "or make the tmpfs larger",
          name, FormatSize(length));
    }
    if (errno == EOPNOTSUPP) {
      return Unimplemented(
          "{}: this file system cannot allocate pages in advance", name);
    }
    return ErrnoError(errno,
                      fmt::format("{}: allocate {}", name, FormatSize(length)));
  }
  return absl::OkStatus();
}

// Memory has no access times, and keeping them for an extent's file costs each
// read() that passes through to it. So the file is opened through a mount of
// its own that keeps none; where that cannot be had, as it is.
absl::StatusOr<UniqueFd> OpenWithoutAccessTimes(const std::string& path,
                                                int flags) {
  const UniqueFd mount(
      ::open_tree(AT_FDCWD, path.c_str(),
                  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW));
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_NOATIME;
  attributes.attr_clr = MOUNT_ATTR__ATIME;
  if (mount.valid() && ::mount_setattr(mount.get(), "", AT_EMPTY_PATH,
                                       &attributes, sizeof(attributes)) == 0) {
    auto fd = OpenFile(fmt::format("/proc/self/fd/{}", mount.get()), flags);
    if (!fd.ok()) return Annotate(fd.status(), path);
    return fd;
  }
  return OpenFile(path, flags | O_NOFOLLOW);
}

std::string AbsolutePath(const std::string& path) {
  std::error_code error;
  // Not normalised: "link/.." is not the same place without the link.
  std::string text = std::filesystem::absolute(path, error).string();
  if (error) text = path;
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

absl::StatusOr<DaxDevice::Medium> MediumAt(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    return ErrnoError(errno, fmt::format("stat {}", path));
  }
  return DaxDevice::Medium{.device = info.st_dev, .inode = info.st_ino};
}

}  // namespace famfs
