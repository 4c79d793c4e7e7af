#include "dax/watched_mapping.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

namespace famfs {

int ProtectionFor(Access access) {
  return access == Access::kReadWrite ? PROT_READ | PROT_WRITE : PROT_READ;
}

absl::StatusOr<MappedPages> MappedPages::Map(int fd, std::uint64_t at,
                                             std::size_t length, Access access,
                                             const std::string& name,
                                             std::size_t unit) {
  void* base = ::mmap(nullptr, length, ProtectionFor(access), MAP_SHARED, fd,
                      static_cast<off_t>(at));
  if (base == MAP_FAILED) {
    return ErrnoError(
        errno, fmt::format("mmap {} bytes at {} of {}", length, at, name));
  }
  return MappedPages(static_cast<std::byte*>(base), length, at, unit);
}

MappedPages::~MappedPages() {
  if (base_ != nullptr) ::munmap(base_, length_);
}

MappedPages::MappedPages(MappedPages&& other) noexcept
    : base_(std::exchange(other.base_, nullptr)),
      length_(other.length_),
      at_(other.at_),
      unit_(other.unit_) {}

bool MappedPages::Replace(int fd, Access access) const {
  return ::mmap(base_, length_, ProtectionFor(access), MAP_SHARED | MAP_FIXED,
                fd, static_cast<off_t>(at_)) != MAP_FAILED;
}

WatchedMapping::WatchedMapping(MappedPages pages, std::size_t skip,
                               std::size_t size, Access access,
                               std::string name)
    : Mapping(pages.base() + skip, size),
      pages_(std::move(pages)),
      skip_(skip),
      access_(access),
      name_(std::move(name)),
      watched_(pages_.base(), pages_.length(), access == Access::kReadWrite,
               name_, pages_.unit()) {}

absl::Status WatchedMapping::Check() const {
  const std::optional<std::size_t> at = watched_.lost_at();
  return at ? MissingError(std::max(*at, skip_) - skip_) : absl::OkStatus();
}

absl::Status WatchedMapping::Renew() {
  if (!lost()) return absl::OkStatus();
  FAMFS_ASSIGN_OR_RETURN(const UniqueFd fd, OpenAgain());
  if (!fd.valid()) return Check();
  if (!pages_.Replace(fd.get(), access_)) {
    return ErrnoError(errno, fmt::format("mmap {}", name_));
  }
  watched_.Renew();
  return absl::OkStatus();
}

}  // namespace famfs
