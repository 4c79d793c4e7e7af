#include "dax/image.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "base/new_file.h"
#include "base/units.h"
#include "dax/backing.h"
#include "dax/file_mapping.h"

namespace famfs {
namespace {

class ImageDevice final : public DaxDevice {
 public:
  ImageDevice(std::string path, UniqueFd fd, std::uint64_t size, Access access)
      : path_(std::move(path)),
        fd_(std::move(fd)),
        size_(size),
        access_(access) {}

  std::string spec() const override {
    return DeviceSpec{DeviceSpec::Kind::kImage, path_}.ToString();
  }
  std::uint64_t size() const override { return size_; }
  Uuid tag() const override { return {}; }
  Capabilities capabilities() const override { return {}; }
  MediumProbe ProbeMedium() const override {
    return [path = path_] { return MediumAt(path); };
  }

  // The file that is open here, whatever stands under its name by now.
  absl::StatusOr<UniqueFd> OpenKnownFile(Access access) override {
    return OpenFile(fmt::format("/proc/self/fd/{}", fd_.get()),
                    access == Access::kRead ? O_RDONLY : O_RDWR);
  }
  absl::StatusOr<std::unique_ptr<Mapping>> Map(std::uint64_t offset,
                                               std::uint64_t length,
                                               Access access) override;
  absl::Status CreateExtent(Range range) override;
  absl::Status Allocate(Range range) override;
  absl::Status RemoveExtent(std::uint64_t /*offset*/) override {
    return absl::OkStatus();
  }
  absl::StatusOr<std::optional<Backing>> FindBacking(
      std::uint64_t taken) override;
  absl::StatusOr<std::vector<Range>> DataIn(Range range) override;
  absl::StatusOr<std::vector<Range>> ListExtents() override {
    return std::vector<Range>{{0, size_}};
  }
  absl::StatusOr<UniqueFd> OpenExtent(std::uint64_t offset) override {
    return Unimplemented(
        "{}: an image has no file of its own for the extent at {:#x}", spec(),
        offset);
  }

 private:
  absl::Status WriteZeros(Range range) const;

  const std::string path_;  // absolute
  const UniqueFd fd_;
  const std::uint64_t size_;  // bytes
  const Access access_;
};

absl::StatusOr<std::unique_ptr<Mapping>> ImageDevice::Map(std::uint64_t offset,
                                                          std::uint64_t length,
                                                          Access access) {
  if (access == Access::kReadWrite && access_ == Access::kRead) {
    return PermissionDenied(
        "{}: opened for reading only; a writable mapping is not possible",
        spec());
  }
  return MapFile(fd_.get(), path_, offset, length, access, spec());
}

// By write(2), not through a mapping: a full file system is an error then, and
// not SIGBUS. Mappings of the file see it, since they share its pages.
absl::Status ImageDevice::WriteZeros(Range range) const {
  static const std::vector<char> zeros(kMiB, 0);
  for (std::uint64_t at = range.offset; at < range.end();) {
    const std::uint64_t step =
        std::min<std::uint64_t>(zeros.size(), range.end() - at);
    const ssize_t n =
        ::pwrite(fd_.get(), zeros.data(), step, static_cast<off_t>(at));
    if (n > 0) {
      at += static_cast<std::uint64_t>(n);
    } else if (n == 0 || errno != EINTR) {
      return ErrnoError(n == 0 ? EIO : errno,
                        fmt::format("{}: zero {} bytes at {:#x}", spec(),
                                    range.length, range.offset));
    }
  }
  return absl::OkStatus();
}

// An image is mostly sparse, and what is stored into its extents takes blocks
// only then: a full file system would be SIGBUS for whoever stores.
absl::StatusOr<std::optional<Backing>> ImageDevice::FindBacking(
    std::uint64_t taken) {
  FAMFS_ASSIGN_OR_RETURN(Backing backing,
                         BackingAt(path_, /*makes_files=*/false));
  struct stat info {};
  if (::fstat(fd_.get(), &info) != 0) {
    return ErrnoError(errno, fmt::format("stat {}", spec()));
  }
  constexpr std::uint64_t kBlock = 512;  // bytes, whatever the file system
  const std::uint64_t held =
      static_cast<std::uint64_t>(info.st_blocks) * kBlock;
  // What it holds beyond that, of files that were deleted, goes to new ones.
  backing.owed = taken - std::min(taken, held);
  const std::uint64_t kept = held - std::min(taken, held);
  if (backing.free <= UINT64_MAX - kept) backing.free += kept;
  return backing;
}

absl::StatusOr<std::vector<Range>> ImageDevice::DataIn(Range range) {
  std::vector<Range> data;
  for (std::uint64_t at = range.offset; at < range.end();) {
    const off_t begin = ::lseek(fd_.get(), static_cast<off_t>(at), SEEK_DATA);
    if (begin < 0 && errno == ENXIO) break;  // a hole up to the file's end
    const off_t end = begin < 0 ? -1 : ::lseek(fd_.get(), begin, SEEK_HOLE);
    if (end < 0) {
      return ErrnoError(errno, fmt::format("{}: look for holes", spec()));
    }
    const auto from = static_cast<std::uint64_t>(begin);
    if (from >= range.end()) break;
    at = std::min(static_cast<std::uint64_t>(end), range.end());
    data.push_back({from, at - from});
  }
  return data;
}

absl::Status ImageDevice::CreateExtent(Range range) {
  if (access_ == Access::kRead) {
    return PermissionDenied(
        "{}: opened for reading only; creating an extent is not possible",
        spec());
  }
  FAMFS_RETURN_IF_ERROR(CheckExtent(*this, range));
  // A hole reads as zeros and keeps a sparse image sparse.
  if (::fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                  static_cast<off_t>(range.offset),
                  static_cast<off_t>(range.length)) == 0) {
    return absl::OkStatus();
  }
  return WriteZeros(range);
}

absl::Status ImageDevice::Allocate(Range range) {
  const absl::Status filled =
      AllocatePages(fd_.get(), range.offset, range.length, spec());
  return absl::IsUnimplemented(filled) ? absl::OkStatus() : filled;
}

absl::StatusOr<std::unique_ptr<DaxDevice>> Adopt(UniqueFd fd,
                                                 const std::string& absolute,
                                                 Access access) {
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) {
    return ErrnoError(errno, fmt::format("stat {}", absolute));
  }
  if (!S_ISREG(info.st_mode)) {
    return InvalidArgument(
        "image:{}: is not a regular file; a directory is emulated:DIR",
        absolute);
  }
  if (info.st_size == 0) {
    return DataLoss("image:{}: the file is empty", absolute);
  }
  return std::make_unique<ImageDevice>(absolute, std::move(fd),
                                       static_cast<std::uint64_t>(info.st_size),
                                       access);
}

}  // namespace

absl::Status SizeImage(int fd, const std::string& path, std::uint64_t size) {
  if (size == 0 || size % kExtentUnit != 0 ||
      size > static_cast<std::uint64_t>(INT64_MAX)) {
    return InvalidArgument(
        "image:{}: the size is {} bytes; it must be a positive multiple of "
        "2 MiB ({})",
        path, size, kExtentUnit);
  }
  if (::ftruncate(fd, static_cast<off_t>(size)) != 0) {
    return ErrnoError(errno, fmt::format("image:{}: size {}", path, size));
  }
  return absl::OkStatus();
}

absl::Status CreateImage(const std::string& path, std::uint64_t size) {
  FAMFS_ASSIGN_OR_RETURN(NewFile file, NewFile::Create(path, 0644));
  FAMFS_RETURN_IF_ERROR(SizeImage(file.fd(), path, size));
  absl::Status named = file.Publish(false);
  if (!absl::IsAlreadyExists(named)) return named;
  return AlreadyExists("image:{}: there is a file already", path);
}

absl::StatusOr<std::unique_ptr<DaxDevice>> OpenImage(const std::string& path,
                                                     Access access) {
  const std::string absolute = AbsolutePath(path);
  // O_NONBLOCK: opening a FIFO by mistake must not hang.
  const int flags = access == Access::kReadWrite ? O_RDWR : O_RDONLY;
  auto fd = OpenFile(absolute, flags | O_NONBLOCK);
  if (absl::IsNotFound(fd.status())) {
    return NotFound("image:{}: does not exist; create it with `famfs mkfs`",
                    absolute);
  }
  if (!fd.ok()) return Annotate(fd.status(), "image:" + absolute);
  return Adopt(*std::move(fd), absolute, access);
}

absl::StatusOr<std::unique_ptr<DaxDevice>> AdoptImage(UniqueFd fd,
                                                      const std::string& path) {
  return Adopt(std::move(fd), AbsolutePath(path), Access::kReadWrite);
}

}  // namespace famfs
