// The bytes of a tree volume's file that is a file of the device's own.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/mutex.h"
#include "base/page.h"
#include "base/units.h"
#include "fuse/files/tree_bytes.h"

namespace famfs {
namespace {

constexpr std::array<std::byte, 64 * kKiB> kZeros{};

class NodeFileBytes : public TreeBytes {
 public:
  explicit NodeFileBytes(UniqueFd fd) : fd_(std::move(fd)) {}

  absl::StatusOr<Bytes> Read(std::uint64_t offset,
                             std::uint64_t length) override {
    const auto buffer = std::make_shared_for_overwrite<char[]>(length);
    const ssize_t got =
        ::pread(fd_.get(), buffer.get(), length, static_cast<off_t>(offset));
    if (got < 0) return ErrnoError(errno, "reading a node's file");
    Bytes bytes;
    bytes.parts.push_back({buffer.get(), static_cast<std::size_t>(got)});
    bytes.holder = buffer;
    return bytes;
  }

  FileMemory::Done Write(std::uint64_t offset, std::span<const std::byte> bytes,
                         std::uint64_t /*size*/) override {
    const std::optional<Look> now = LookAtFile();
    if (!now.has_value() || offset + bytes.size() <= now->size) {
      return Store(offset, bytes);
    }
    // One at a time: what is zeroed may be what another one stores.
    const MutexLock lock(growing_);
    if (absl::Status zeroed = ZeroPageOfEnd(offset); !zeroed.ok()) {
      return {0, std::move(zeroed)};
    }
    return Store(offset, bytes);
  }

  FileMemory::Done WriteOwn(std::uint64_t offset,
                            std::span<const std::byte> bytes) override {
    return Store(offset, bytes);
  }

  absl::Status Zero(std::uint64_t offset, std::uint64_t length) override {
    for (std::uint64_t done = 0; done < length;) {
      const std::uint64_t step =
          std::min<std::uint64_t>(length - done, kZeros.size());
      const FileMemory::Done stored =
          Store(offset + done, std::span(kZeros).first(step));
      FAMFS_RETURN_IF_ERROR(stored.status);
      done += stored.bytes;
    }
    return absl::OkStatus();
  }

  absl::Status SetSize(std::uint64_t size) override {
    if (::ftruncate(fd_.get(), static_cast<off_t>(size)) == 0) {
      return absl::OkStatus();
    }
    return ErrnoError(errno, "setting the size of a node's file");
  }

  absl::Status Probe(std::uint64_t, std::uint64_t) override {
    return absl::OkStatus();
  }

  std::optional<Look> LookAtFile() const override {
    struct stat info = {};
    if (::fstat(fd_.get(), &info) != 0) return std::nullopt;
    return Look{static_cast<std::uint64_t>(info.st_size),
                info.st_mtim.tv_sec * 1'000'000'000LL + info.st_mtim.tv_nsec};
  }

  int fd() const override { return fd_.get(); }

 private:
  FileMemory::Done Store(std::uint64_t offset,
                         std::span<const std::byte> bytes) const {
    FileMemory::Done done;
    while (done.bytes < bytes.size()) {
      const ssize_t stored = ::pwrite(fd_.get(), bytes.data() + done.bytes,
                                      bytes.size() - done.bytes,
                                      static_cast<off_t>(offset + done.bytes));
      if (stored < 0 && errno == EINTR) continue;
      if (stored <= 0) {
        done.status =
            ErrnoError(stored < 0 ? errno : EIO, "writing a node's file");
        break;
      }
      done.bytes += static_cast<std::uint64_t>(stored);
    }
    return done;
  }

  /// A program may have stored through a mapping behind the file's end, in its
  /// last page; nothing else can be there.
  absl::Status ZeroPageOfEnd(std::uint64_t offset) {
    const std::optional<Look> now = LookAtFile();
    if (!now.has_value()) return ErrnoError(EIO, "looking at a node's file");
    const std::uint64_t end = std::min(offset, RoundUp(now->size, kPage));
    if (end <= now->size) return absl::OkStatus();
    return Zero(now->size, end - now->size);
  }

  const UniqueFd fd_;
  Mutex growing_;  // guards no member: one at a time makes the file longer
};

}  // namespace

absl::StatusOr<std::unique_ptr<TreeBytes>> OpenNodeFileBytes(
    DaxDevice& device, const std::string& name, bool read_only) {
  FAMFS_ASSIGN_OR_RETURN(
      UniqueFd fd, device.OpenNodeFile(
                       name, read_only ? Access::kRead : Access::kReadWrite));
  return std::make_unique<NodeFileBytes>(std::move(fd));
}

}  // namespace famfs
