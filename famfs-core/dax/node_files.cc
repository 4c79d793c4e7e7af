#include "dax/node_files.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <limits>
#include <optional>
#include <utility>

#include "base/units.h"
#include "dax/backing.h"
#include "dax/extent_files.h"
#include "dax/extent_pin.h"
#include "dax/file_mapping.h"

namespace famfs {
namespace {

constexpr std::size_t kLongestName = 120;  // bytes
constexpr std::size_t kDigits = 16;
constexpr std::uint64_t kBlock = 512;  // of st_blocks, in bytes
constexpr std::uint64_t kMaxOffset = std::numeric_limits<off_t>::max();

std::uint64_t HeldBy(const struct stat& info) {
  return static_cast<std::uint64_t>(info.st_blocks) * kBlock;
}

absl::Status CheckName(std::string_view name) {
  if (IsNodeFileName(name)) return absl::OkStatus();
  return InvalidArgument(
      "\"{}\" is no name of a node file: text, a dot and 16 hexadecimal digits",
      name.substr(0, kLongestName));
}

bool IsOnTmpfs(const std::string& path) {
  struct statfs info {};
  return ::statfs(path.c_str(), &info) == 0 && info.f_type == TMPFS_MAGIC;
}

absl::StatusOr<struct stat> Inspect(int fd, const std::string& path) {
  struct stat info {};
  if (::fstat(fd, &info) == 0) return info;
  return ErrnoError(errno, fmt::format("stat {}", path));
}

/// No signal but those that kill reaches the calling thread.
class SignalsLater {
 public:
  SignalsLater() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsLater() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsLater(const SignalsLater&) = delete;
  SignalsLater& operator=(const SignalsLater&) = delete;

 private:
  sigset_t before_{};
};

// In one call, since tmpfs undoes a call that fails as a whole, and nothing but
// the kernel knows which pages it had made: hence also no signals.
absl::Status AllocateAtOnce(int fd, Range range, const std::string& path) {
  const auto full = [&] {
    return ResourceExhausted(
        "{}: there is no room for {}: the file system is full; free memory or "
        "make the tmpfs larger",
        path, FormatSize(range.length));
  };
  FAMFS_ASSIGN_OR_RETURN(const struct stat info, Inspect(fd, path));
  FAMFS_ASSIGN_OR_RETURN(const Backing backing,
                         BackingAt(path, /*makes_files=*/false));
  // A call that must fail would take all that there is on its way, and others
  // would find none.
  const std::uint64_t held = std::min(HeldBy(info), range.length);
  if (range.length - held > backing.free) return full();
  const SignalsLater later;
  if (::fallocate(fd, FALLOC_FL_KEEP_SIZE, static_cast<off_t>(range.offset),
                  static_cast<off_t>(range.length)) == 0) {
    return absl::OkStatus();
  }
  if (errno == ENOSPC) return full();
  if (errno == EOPNOTSUPP) {
    return Unimplemented(
        "{}: this file system cannot allocate pages in advance; put the device "
        "on tmpfs, or write `sparse: true` in its device.yaml",
        path);
  }
  return ErrnoError(
      errno, fmt::format("{}: allocate {}", path, FormatSize(range.length)));
}

PinnedOpener Opener(const std::string& path) {
  return [&path](int more_flags) {
    return OpenFile(path, O_RDWR | O_NOFOLLOW | more_flags);
  };
}

}  // namespace

bool IsNodeFileName(std::string_view name) {
  if (name.size() > kLongestName || name.size() < kDigits + 2) return false;
  const std::string_view digits = name.substr(name.size() - kDigits);
  return name.front() != '.' && name[name.size() - kDigits - 1] == '.' &&
         name.find('/') == std::string_view::npos &&
         name.find('\0') == std::string_view::npos &&
         digits.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string NodeFiles::PathOf(std::string_view name) const {
  return fmt::format("{}/{}", directory_, name);
}

absl::StatusOr<std::string> NodeFiles::Find(std::string_view name) const {
  FAMFS_RETURN_IF_ERROR(CheckName(name));
  std::string path = PathOf(name);
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return NotFound("{}: there is no such file", path);
    return ErrnoError(errno, fmt::format("stat {}", path));
  }
  if (!S_ISREG(info.st_mode)) {
    return DataLoss("{}: is not a regular file", path);
  }
  return path;
}

absl::Status NodeFiles::Create(std::string_view name) const {
  FAMFS_RETURN_IF_ERROR(CheckName(name));
  const std::string path = PathOf(name);
  const auto create = [&path] {
    return OpenFile(path, O_RDWR | O_CREAT | O_EXCL, 0600).status();
  };
  absl::Status created = create();
  if (absl::IsNotFound(created)) {
    // An older release made the device. Hosts that only read must get in,
    // whatever this process' umask is.
    if (::mkdir(directory_.c_str(), 0755) == 0) {
      if (::chmod(directory_.c_str(), 0755) != 0) {
        return ErrnoError(errno, fmt::format("chmod {}", directory_));
      }
    } else if (errno != EEXIST) {
      return ErrnoError(errno, fmt::format("mkdir {}", directory_));
    }
    created = create();
  }
  if (!absl::IsAlreadyExists(created)) return created;
  return AlreadyExists("{}: there is a file already", path);
}

absl::StatusOr<UniqueFd> NodeFiles::Open(std::string_view name,
                                         Access access) const {
  FAMFS_ASSIGN_OR_RETURN(const std::string path, Find(name));
  if (access == Access::kRead) return OpenWithoutAccessTimes(path, O_RDONLY);
  const auto open = [&path](int more_flags) {
    return OpenWithoutAccessTimes(path, O_RDWR | more_flags);
  };
  return IsOnTmpfs(directory_) ? OpenAndPin(path, open)
                               : OpenDespitePin(path, open);
}

absl::StatusOr<std::unique_ptr<Mapping>> NodeFiles::Map(std::string_view name,
                                                        std::uint64_t at,
                                                        std::uint64_t length,
                                                        Access access) const {
  FAMFS_ASSIGN_OR_RETURN(const std::string path, Find(name));
  if (access == Access::kRead) {
    FAMFS_ASSIGN_OR_RETURN(const UniqueFd fd,
                           OpenWithoutAccessTimes(path, O_RDONLY));
    return MapFile(fd.get(), path, at, length, access, path);
  }
  std::unique_ptr<Mapping> mapping;
  const auto map = [&](int fd) -> absl::Status {
    FAMFS_ASSIGN_OR_RETURN(mapping,
                           MapFile(fd, path, at, length, access, path));
    return absl::OkStatus();
  };
  FAMFS_RETURN_IF_ERROR(OpenDespitePin(path, Opener(path), map).status());
  return mapping;
}

absl::StatusOr<bool> NodeFiles::EndServing(std::string_view name) const {
  FAMFS_RETURN_IF_ERROR(CheckName(name));
  return Unpin(PathOf(name));
}

absl::Status NodeFiles::EndAllServing() const {
  FAMFS_ASSIGN_OR_RETURN(const std::vector<std::string> names, Names());
  absl::Status first;
  for (const std::string& name : names) {
    const auto ended = Unpin(PathOf(name));
    if (first.ok()) first = ended.status();
  }
  return first;
}

absl::Status NodeFiles::Allocate(std::string_view name, Range range) const {
  FAMFS_ASSIGN_OR_RETURN(const std::string path, Find(name));
  if (range.offset > kMaxOffset || range.length > kMaxOffset - range.offset) {
    return InvalidArgument("{}: no file has {} bytes at {}", path, range.length,
                           range.offset);
  }
  if (sparse_ || range.length == 0) return absl::OkStatus();
  return FillDespitePin(path, Opener(path), [&](int fd) {
    return AllocateAtOnce(fd, range, path);
  });
}

absl::Status NodeFiles::Resize(std::string_view name, std::uint64_t size,
                               std::uint64_t allocated) const {
  FAMFS_ASSIGN_OR_RETURN(const std::string path, Find(name));
  if (size > kMaxOffset) {
    return InvalidArgument("{}: no file has {} bytes", path, size);
  }
  struct stat now {};
  if (::lstat(path.c_str(), &now) != 0) {
    return ErrnoError(errno, fmt::format("stat {}", path));
  }
  if (static_cast<std::uint64_t>(now.st_size) < size) {
    return Lengthen(name, size);
  }
  bool shrunk = false;
  const auto resize = [&](int fd) -> absl::Status {
    FAMFS_ASSIGN_OR_RETURN(const struct stat info, Inspect(fd, path));
    const auto before = static_cast<std::uint64_t>(info.st_size);
    if (size == before) return absl::OkStatus();
    if (::ftruncate(fd, static_cast<off_t>(size)) != 0) {
      return ErrnoError(errno, fmt::format("size {}", path));
    }
    shrunk = size < before;
    return absl::OkStatus();
  };
  FAMFS_RETURN_IF_ERROR(OpenDespitePin(path, Opener(path), resize).status());
  if (!shrunk || allocated <= size) return absl::OkStatus();
  return Allocate(name, {size, allocated - size});
}

absl::Status NodeFiles::Lengthen(std::string_view name,
                                 std::uint64_t size) const {
  FAMFS_ASSIGN_OR_RETURN(const std::string path, Find(name));
  if (size > kMaxOffset) {
    return InvalidArgument("{}: no file has {} bytes", path, size);
  }
  if (size == 0) return absl::OkStatus();
  // Not by ftruncate: somebody may have made it longer than that meanwhile.
  const auto lengthen = [&](int fd) -> absl::Status {
    const SignalsLater later;
    if (::fallocate(fd, 0, static_cast<off_t>(size - 1), 1) == 0) {
      return absl::OkStatus();
    }
    if (errno != EOPNOTSUPP) {
      return ErrnoError(errno, fmt::format("size {}", path));
    }
    FAMFS_ASSIGN_OR_RETURN(const struct stat info, Inspect(fd, path));
    if (static_cast<std::uint64_t>(info.st_size) >= size ||
        ::ftruncate(fd, static_cast<off_t>(size)) == 0) {
      return absl::OkStatus();
    }
    return ErrnoError(errno, fmt::format("size {}", path));
  };
  return FillDespitePin(path, Opener(path), lengthen);
}

absl::Status NodeFiles::Trim(std::string_view name,
                             std::uint64_t allocated) const {
  FAMFS_ASSIGN_OR_RETURN(const std::string path, Find(name));
  if (allocated >= kMaxOffset) return absl::OkStatus();
  bool pinned = false;  // more than it may have, and a flag keeps it
  const auto trim = [&](int fd) -> absl::Status {
    pinned = false;
    FAMFS_ASSIGN_OR_RETURN(const struct stat info, Inspect(fd, path));
    const auto end = static_cast<off_t>(allocated);
    if (info.st_size > end) {
      if (::ftruncate(fd, end) == 0) return absl::OkStatus();
      return ErrnoError(errno, fmt::format("size {}", path));
    }
    // Not by ftruncate: somebody may make the file longer meanwhile.
    if (::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, end,
                    std::numeric_limits<off_t>::max() - end) == 0 ||
        errno == EOPNOTSUPP || errno == EFBIG) {
      return absl::OkStatus();
    }
    const int error = errno;
    if (error == EPERM && HeldBy(info) <= allocated) return absl::OkStatus();
    pinned = error == EPERM;
    return ErrnoError(error, fmt::format("give memory of {} back", path));
  };
  absl::Status trimmed = OpenDespitePin(path, Opener(path), trim).status();
  if (!pinned) return trimmed;
  return Unavailable(
      "{}: somebody still has it open for writing or mapped, so the memory "
      "behind byte {} stays for now",
      path, allocated);
}

absl::Status NodeFiles::Remove(std::string_view name) const {
  FAMFS_RETURN_IF_ERROR(CheckName(name));
  const absl::Status removed = RemoveDespitePin(PathOf(name));
  return absl::IsNotFound(removed) ? absl::OkStatus() : removed;
}

// By the blocks that tmpfs counts, also those that are swapped out. Elsewhere
// they may be fewer for other reasons (compression).
absl::StatusOr<std::uint64_t> NodeFiles::Lacking(
    std::string_view name, std::uint64_t allocated) const {
  FAMFS_ASSIGN_OR_RETURN(const std::string path, Find(name));
  if (sparse_ || !IsOnTmpfs(directory_)) return 0;
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    return ErrnoError(errno, fmt::format("stat {}", path));
  }
  return allocated - std::min(allocated, HeldBy(info));
}

absl::StatusOr<std::vector<std::string>> NodeFiles::Names() const {
  auto names = ListDirectory(directory_);
  if (absl::IsNotFound(names.status())) return std::vector<std::string>{};
  FAMFS_RETURN_IF_ERROR(names.status());
  std::erase_if(*names,
                [](const std::string& name) { return !IsNodeFileName(name); });
  std::sort(names->begin(), names->end());
  return names;
}

absl::StatusOr<NodeFiles::Scan> NodeFiles::List() const {
  FAMFS_ASSIGN_OR_RETURN(std::vector<std::string> names, Names());
  Scan scan;
  for (std::string& name : names) {
    const std::string path = PathOf(name);
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0) {
      if (errno == ENOENT) continue;  // it went meanwhile
      return ErrnoError(errno, fmt::format("stat {}", path));
    }
    if (!S_ISREG(info.st_mode)) {
      scan.malformed.push_back(fmt::format("{}: is not a regular file", path));
      continue;
    }
    scan.files.push_back({.name = std::move(name),
                          .size = static_cast<std::uint64_t>(info.st_size),
                          .allocated = HeldBy(info)});
  }
  return scan;
}

absl::StatusOr<std::vector<DaxDevice::Medium>> NodeFiles::ListMedia() const {
  FAMFS_ASSIGN_OR_RETURN(const std::vector<std::string> names, Names());
  std::vector<DaxDevice::Medium> media;
  for (const std::string& name : names) {
    const auto medium = MediumAt(PathOf(name));
    if (absl::IsNotFound(medium.status())) continue;  // it went meanwhile
    FAMFS_RETURN_IF_ERROR(medium.status());
    media.push_back(*medium);
  }
  return media;
}

}  // namespace famfs
