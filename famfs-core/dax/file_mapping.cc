#include "dax/file_mapping.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "base/units.h"
#include "dax/missing_memory.h"

#include "base/units.h"

namespace famfs {
namespace {

/// A file system with less than this is full to whoever misses a page.
constexpr std::uint64_t kNoRoom = 2 * kMiB;

/// Where a mapping comes from.
struct Origin {
  std::string path;
  std::string name;  // for messages
  dev_t device = 0;  // these two tell the file from a later one of the path
  ino_t inode = 0;
  std::uint64_t at = 0;  // of the mapping's first byte
  Access access = Access::kRead;
};

int ProtectionFor(Access access) {
  return access == Access::kReadWrite ? PROT_READ | PROT_WRITE : PROT_READ;
}

/// What mmap gave, until the end.
class MappedPages {
 public:
  MappedPages(std::byte* base, std::size_t length)
      : base_(base), length_(length) {}
  ~MappedPages() { ::munmap(base_, length_); }
  MappedPages(const MappedPages&) = delete;
  MappedPages& operator=(const MappedPages&) = delete;
  /// Another file in their place, at once.
  [[nodiscard]] bool Replace(int fd, std::uint64_t at, Access access) const {
    return ::mmap(base_, length_, ProtectionFor(access), MAP_SHARED | MAP_FIXED,
                  fd, static_cast<off_t>(at)) != MAP_FAILED;
  }

 private:
  std::byte* const base_;
  const std::size_t length_;
};

class FileMapping final : public Mapping {
 public:
  /// The range begins `skip` bytes into what was mapped.
  FileMapping(std::byte* base, std::size_t whole, std::size_t skip,
              Origin origin)
      : Mapping(base + skip, whole - skip),
        pages_(base, whole),
        skip_(skip),
        origin_(std::move(origin)),
        watched_(base, whole, origin_.access == Access::kReadWrite,
                 origin_.name) {}

  [[nodiscard]] bool lost() const override { return watched_.lost(); }
  [[nodiscard]] absl::Status Check() const override {
    const std::optional<std::size_t> at = watched_.lost_at();
    return at ? MissingError(std::max(*at, skip_) - skip_) : absl::OkStatus();
  }
  [[nodiscard]] absl::Status MissingError(std::size_t at) const override;
  [[nodiscard]] absl::Status Renew() override;

 private:
  const MappedPages pages_;
  const std::size_t skip_;
  const Origin origin_;
  // Last: pages that are unmapped are watched no more, since another mapping
  // may get their addresses.
  WatchedMemory watched_;
};

absl::Status FileMapping::MissingError(std::size_t at) const {
  const std::uint64_t byte = origin_.at + at;
  struct stat info {};
  struct statvfs room {};
  if (::stat(origin_.path.c_str(), &info) == 0 &&
      info.st_dev == origin_.device && info.st_ino == origin_.inode) {
    const auto length = static_cast<std::uint64_t>(info.st_size);
    if (length < origin_.at + size()) {
      return DataLoss(
          "{}: its byte {} is gone: the file was made shorter, to {} bytes, "
          "while it was in use; what lay behind them is lost",
          origin_.name, byte, length);
    }
    if (::statvfs(origin_.path.c_str(), &room) == 0 &&
        room.f_bfree * room.f_frsize < kNoRoom) {
      return ResourceExhausted(
          "{}: there is no memory for its byte {}: the file system is full; "
          "make room there, or make it larger",
          origin_.name, byte);
    }
  }
  return DataLoss(
      "{}: its byte {} can be neither read nor written (SIGBUS): the memory "
      "failed, or its file system was full a moment ago",
      origin_.name, byte);
}

absl::Status FileMapping::Renew() {
  if (!lost()) return absl::OkStatus();
  const bool write = origin_.access == Access::kReadWrite;
  FAMFS_ASSIGN_OR_RETURN(
      const UniqueFd fd,
      OpenFile(origin_.path, (write ? O_RDWR : O_RDONLY) | O_NOFOLLOW));
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) {
    return ErrnoError(errno, fmt::format("stat {}", origin_.name));
  }
  const bool same =
      info.st_dev == origin_.device && info.st_ino == origin_.inode &&
      static_cast<std::uint64_t>(info.st_size) >= origin_.at + size();
  if (!same) return Check();
  if (!pages_.Replace(fd.get(), origin_.at - skip_, origin_.access)) {
    return ErrnoError(errno, fmt::format("mmap {}", origin_.name));
  }
  watched_.Renew();
  return absl::OkStatus();
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
  void* base = ::mmap(nullptr, length + skip, ProtectionFor(access), MAP_SHARED,
                      fd, static_cast<off_t>(at - skip));
  if (base == MAP_FAILED) {
    return ErrnoError(
        errno, fmt::format("mmap {} bytes at {} of {}", length, at, name));
  }
  return std::make_unique<FileMapping>(static_cast<std::byte*>(base),
                                       length + skip, skip,
                                       Origin{.path = path,
                                              .name = name,
                                              .device = info.st_dev,
                                              .inode = info.st_ino,
                                              .at = at,
                                              .access = access});
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
