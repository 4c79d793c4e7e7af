#include "dax/file_mapping.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "base/units.h"

namespace famfs {
namespace {

class FileMapping final : public Mapping {
 public:
  // [base, base + whole) is what mmap gave; the range begins `skip` bytes into
  // it.
  FileMapping(std::byte* base, std::size_t whole, std::size_t skip)
      : Mapping(base + skip, whole - skip), base_(base), whole_(whole) {}
  ~FileMapping() override { ::munmap(base_, whole_); }
  FileMapping(const FileMapping&) = delete;
  FileMapping& operator=(const FileMapping&) = delete;

 private:
  std::byte* base_;
  std::size_t whole_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Mapping>> MapFile(int fd, std::uint64_t at,
                                                 std::uint64_t length,
                                                 Access access,
                                                 const std::string& name) {
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
  const int protection =
      access == Access::kReadWrite ? PROT_READ | PROT_WRITE : PROT_READ;
  void* base = ::mmap(nullptr, length + skip, protection, MAP_SHARED, fd,
                      static_cast<off_t>(at - skip));
  if (base == MAP_FAILED) {
    return ErrnoError(
        errno, fmt::format("mmap {} bytes at {} of {}", length, at, name));
  }
  return std::make_unique<FileMapping>(static_cast<std::byte*>(base),
                                       length + skip, skip);
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

std::string AbsolutePath(const std::string& path) {
  std::error_code error;
  // Not normalised: "link/.." is not the same place without the link.
  std::string text = std::filesystem::absolute(path, error).string();
  if (error) text = path;
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

}  // namespace famfs
