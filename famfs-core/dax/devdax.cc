#include "dax/devdax.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "dax/watched_mapping.h"

namespace famfs {
namespace {

using Look = std::function<absl::StatusOr<DevdaxMemory::Now>()>;

class DevdaxMapping final : public WatchedMapping {
 public:
  DevdaxMapping(MappedPages pages, std::size_t skip, std::size_t size,
                const DevdaxMemory& memory, Access access,
                const DaxDevice::Medium& medium)
      : WatchedMapping(std::move(pages), skip, size, access, memory.name),
        look_(memory.look),
        open_(memory.open),
        medium_(medium) {}

  [[nodiscard]] absl::Status MissingError(std::size_t at) const override;

 private:
  [[nodiscard]] absl::StatusOr<UniqueFd> OpenAgain() const override;

  const Look look_;
  const std::function<absl::StatusOr<UniqueFd>(Access)> open_;
  const DaxDevice::Medium medium_;
};

absl::Status DevdaxMapping::MissingError(std::size_t at) const {
  const std::uint64_t byte = begin() + at;
  const auto now = look_();
  if (!now.ok()) {
    return Unavailable("{}: its byte {} is out of reach: {}", name(), byte,
                       Message(now.status()));
  }
  if (now->medium != medium_) {
    return DataLoss(
        "{}: its byte {} is gone: the device was removed and made anew while "
        "it was in use",
        name(), byte);
  }
  if (now->size < begin() + size()) {
    return DataLoss(
        "{}: its byte {} is gone: the device was made smaller, to {} bytes, "
        "while it was in use",
        name(), byte, now->size);
  }
  return DataLoss(
      "{}: its byte {} can be neither read nor written (SIGBUS): the memory "
      "failed, or the device was taken away for a while",
      name(), byte);
}

absl::StatusOr<UniqueFd> DevdaxMapping::OpenAgain() const {
  const auto now = look_();
  if (!now.ok()) return MissingError(0);
  if (now->medium != medium_ || now->size < begin() + size()) return UniqueFd();
  return open_(access());
}

class DevdaxDevice final : public DaxDevice {
 public:
  DevdaxDevice(DevdaxMemory memory, const DevdaxMemory::Now& now)
      : memory_(std::move(memory)), medium_(now.medium), size_(now.size) {}

  std::string spec() const override { return memory_.spec; }
  std::uint64_t size() const override { return size_; }
  Uuid tag() const override { return memory_.tag; }
  Capabilities capabilities() const override { return {}; }
  MediumProbe ProbeMedium() const override {
    return [look = memory_.look]() -> absl::StatusOr<Medium> {
      FAMFS_ASSIGN_OR_RETURN(const DevdaxMemory::Now now, look());
      return now.medium;
    };
  }
  absl::StatusOr<std::vector<Medium>> ListMedia() override;
  // The node that is open here, whatever stands under its name by now.
  absl::StatusOr<UniqueFd> OpenKnownFile(Access access) override {
    return OpenFile(fmt::format("/proc/self/fd/{}", memory_.fd.get()),
                    access == Access::kRead ? O_RDONLY : O_RDWR);
  }
  absl::StatusOr<std::unique_ptr<Mapping>> Map(std::uint64_t offset,
                                               std::uint64_t length,
                                               Access access) override;
  absl::Status CreateExtent(Range range) override;
  absl::Status RemoveExtent(std::uint64_t /*offset*/) override {
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<Range>> ListExtents() override {
    return std::vector<Range>{{0, size_}};
  }
  absl::StatusOr<UniqueFd> OpenExtent(std::uint64_t offset) override {
    return Unimplemented(
        "{}: a dax device has no file of its own for the extent at {:#x}",
        spec(), offset);
  }

 private:
  const DevdaxMemory memory_;
  const Medium medium_;       // these two as it was opened
  const std::uint64_t size_;  // bytes
};

absl::StatusOr<std::vector<DaxDevice::Medium>> DevdaxDevice::ListMedia() {
  struct stat node {};
  if (::fstat(memory_.fd.get(), &node) != 0) {
    return ErrnoError(errno, fmt::format("stat {}", memory_.name));
  }
  return std::vector<Medium>{
      {.device = node.st_dev, .inode = node.st_ino, .number = node.st_rdev}};
}

absl::StatusOr<std::unique_ptr<Mapping>> DevdaxDevice::Map(std::uint64_t offset,
                                                           std::uint64_t length,
                                                           Access access) {
  if (access == Access::kReadWrite && memory_.access == Access::kRead) {
    return PermissionDenied(
        "{}: opened for reading only; a writable mapping is not possible",
        memory_.name);
  }
  if (length == 0) {
    return InvalidArgument("{}: an empty range cannot be mapped", memory_.name);
  }
  const auto now = memory_.look();
  if (!now.ok()) {
    return Unavailable("{}: cannot be mapped any more: {}", memory_.name,
                       Message(now.status()));
  }
  if (now->medium != medium_) {
    return Unavailable(
        "{}: cannot be mapped any more: the device was removed and made anew; "
        "open it again",
        memory_.name);
  }
  const std::uint64_t size = std::min(size_, now->size);
  if (offset > size || length > size - offset) {
    return OutOfRange("{}: bytes {} to {} do not lie within its {} bytes",
                      memory_.name, offset, offset + length, size);
  }
  // Whole units, and none beyond the end: the size is a multiple of them.
  const std::uint64_t unit = memory_.align;
  const std::uint64_t begin = offset / unit * unit;
  const std::uint64_t end = (offset + length + unit - 1) / unit * unit;
  // Opened anew: a descriptor may be of a node that the kernel has replaced.
  FAMFS_ASSIGN_OR_RETURN(const UniqueFd fd, memory_.open(memory_.access));
  FAMFS_ASSIGN_OR_RETURN(MappedPages pages,
                         MappedPages::Map(fd.get(), begin, end - begin, access,
                                          memory_.name, unit));
  return std::make_unique<DevdaxMapping>(std::move(pages), offset - begin,
                                         length, memory_, access, medium_);
}

absl::Status DevdaxDevice::CreateExtent(Range range) {
  FAMFS_RETURN_IF_ERROR(CheckExtent(*this, range));
  FAMFS_ASSIGN_OR_RETURN(const auto mapping,
                         Map(range.offset, range.length, Access::kReadWrite));
  mapping->ZeroStreaming(0, mapping->size());
  return mapping->Check();
}

}  // namespace

absl::StatusOr<std::unique_ptr<DaxDevice>> AdoptDevdax(DevdaxMemory memory) {
  FAMFS_ASSIGN_OR_RETURN(const DevdaxMemory::Now now, memory.look());
  if (now.size == 0 || now.size % memory.align != 0) {
    return Unavailable("{}: its {} bytes are no multiple of its alignment, {}",
                       memory.name, now.size, memory.align);
  }
  return std::make_unique<DevdaxDevice>(std::move(memory), now);
}

}  // namespace famfs
