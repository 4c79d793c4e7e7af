#include "tools/common/mounted_file.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <filesystem>
#include <utility>

#include "dax/cacheline.h"
#include "runtime/mount_table.h"

namespace famfs {
namespace {

bool IsBelow(const std::string& path, const std::string& directory) {
  return directory == "/" || path == directory ||
         path.starts_with(directory + "/");
}

/// A read-only publication is a bind of the view below .meta/ro, which is the
/// whole tree once more (fuse/operations/view.h).
std::string WithoutView(std::string path) {
  constexpr std::string_view kView = ".meta/ro";
  if (path == kView) return "";
  if (path.starts_with(std::string(kView) + "/")) {
    path.erase(0, kView.size() + 1);
  }
  return path;
}

/// The mount that a path lies on, by the device number of its file system.
const MountEntry* MountOf(const MountTable& table, const std::string& real,
                          const DeviceNumber& device) {
  const MountEntry* best = nullptr;
  for (const MountEntry& entry : table.entries()) {
    if (entry.fs_type != "fuse.famfs" || entry.device != device ||
        !IsBelow(real, entry.mount_point)) {
      continue;
    }
    if (best == nullptr ||
        entry.mount_point.size() >= best->mount_point.size()) {
      best = &entry;
    }
  }
  return best;
}

}  // namespace

absl::StatusOr<std::optional<MountOrigin>> OriginOf(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return ErrnoError(errno, path);
  std::error_code error;
  const std::string real = std::filesystem::canonical(path, error).string();
  if (error) return ErrnoError(error.value(), path);
  FAMFS_ASSIGN_OR_RETURN(const MountTable table, MountTable::Read());
  const MountEntry* const best =
      MountOf(table, real, {::major(info.st_dev), ::minor(info.st_dev)});
  if (best == nullptr) return std::optional<MountOrigin>();
  std::string inside = best->root == "/" ? "" : best->root.substr(1);
  if (real.size() > best->mount_point.size()) {
    const std::string rest = real.substr(
        best->mount_point == "/" ? 1 : best->mount_point.size() + 1);
    inside += (inside.empty() ? "" : "/") + rest;
  }
  return std::optional(
      MountOrigin{.device = best->source,
                  .path = WithoutView(std::move(inside)),
                  .mount_point = best->mount_point,
                  .is_mount_point = real == best->mount_point});
}

absl::StatusOr<MountedFile> MountedFile::Open(const std::string& path,
                                              Access access) {
  const bool write = access == Access::kReadWrite;
  FAMFS_ASSIGN_OR_RETURN(
      UniqueFd fd, OpenFile(path, (write ? O_RDWR : O_RDONLY) | O_NONBLOCK));
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return ErrnoError(errno, path);
  if (!S_ISREG(info.st_mode)) {
    return InvalidArgument("{}: is no regular file{}", path,
                           S_ISDIR(info.st_mode) ? " but a directory" : "");
  }
  if (info.st_size == 0) return InvalidArgument("{}: is empty", path);
  const auto size = static_cast<std::size_t>(info.st_size);
  void* const data =
      ::mmap(nullptr, size, write ? PROT_READ | PROT_WRITE : PROT_READ,
             MAP_SHARED, fd.get(), 0);
  if (data == MAP_FAILED) {
    return ErrnoError(errno, fmt::format("{}: cannot be mapped", path));
  }
  return MountedFile(path, std::move(fd), static_cast<std::byte*>(data), size,
                     access);
}

MountedFile::MountedFile(MountedFile&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::move(other.fd_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(other.size_),
      watched_(std::move(other.watched_)) {}

MountedFile::~MountedFile() { Unmap(); }

void MountedFile::Invalidate(std::size_t at, std::size_t length) const {
  InvalidateLines(data_ + at, length);
}

absl::Status MountedFile::Check() const {
  if (watched_ == nullptr || !watched_->lost()) return absl::OkStatus();
  return DataLoss("{}: its byte {} can be neither read nor written (SIGBUS)",
                  path_, *watched_->lost_at());
}

void MountedFile::Unmap() {
  watched_.reset();
  if (data_ != nullptr) ::munmap(data_, size_);
  data_ = nullptr;
  size_ = 0;
}

}  // namespace famfs
