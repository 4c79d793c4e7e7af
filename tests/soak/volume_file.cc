#include "tests/soak/volume_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "base/units.h"
#include "dax/missing_memory.h"
#include "tests/integration/support/wait.h"

namespace famfs::soak {
namespace {

// A call that the server began and did not end has done a part; the next call
// would say why.
constexpr int kServerDied = ENOTCONN;

constexpr std::size_t kPiece = 256 * kKiB;

// From the signal to the end of the process.
constexpr milliseconds kDying{200};

}  // namespace

VolumeFile::VolumeFile(const Node& node, std::string path, bool writable,
                       Progress& progress, Diary& diary)
    : node_(node),
      path_(std::move(path)),
      writable_(writable),
      progress_(progress),
      diary_(diary) {}

VolumeFile::~VolumeFile() {
  if (!mapped_.empty()) ::munmap(mapped_.data(), mapped_.size());
}

int VolumeFile::TryOpen(int flags) {
  int error = 0;
  fd_.reset();
  node_.Run([&] {
    fd_.reset(::open(path_.c_str(), flags | O_CLOEXEC));
    if (!fd_.valid()) error = errno;
  });
  return error;
}

// What the kernel answers when a FUSE server dies or has died. A request that
// it was about to take ends with EIO: the kernel could not copy it.
bool VolumeFile::IsOfADeadServer(int error) const {
  return error == ENOTCONN || error == ECONNABORTED ||
         (error == EIO && progress_.ServerWasKilledWithin(kDying));
}

absl::Status VolumeFile::UntilServed(const char* what,
                                     const std::function<int()>& work) {
  const rig::Deadline deadline(kStepPatience);
  while (true) {
    const int error = work();
    if (error == 0) return absl::OkStatus();
    diary_.Note("{} {} on {}: {}", what, path_, node_.name(),
                std::strerror(error));
    if (!IsOfADeadServer(error) || deadline.Passed()) {
      return FailedPrecondition("{} {} on node {}: {}", what, path_,
                                node_.name(), std::strerror(error));
    }
    fd_.reset();
    ++progress_.reopened;
    if (!progress_.Pause(milliseconds(20))) return AnotherHasFailed();
  }
}

absl::Status VolumeFile::Open() {
  return UntilServed("open",
                     [&] { return TryOpen(writable_ ? O_RDWR : O_RDONLY); });
}

absl::Status VolumeFile::ExpectRefusal(int error, int flags) {
  return UntilServed("open that is to be refused", [&] {
    const int found = TryOpen(flags);
    fd_.reset();
    if (found == error) return 0;
    return found == 0 ? EEXIST : found;
  });
}

absl::Status VolumeFile::Write(const Contents& contents) {
  std::vector<std::byte> piece(kPiece);
  return UntilServed("write", [&] {
    if (!fd_.valid()) {
      if (const int error = TryOpen(O_RDWR); error != 0) return error;
    }
    for (std::uint64_t at = 0; at < contents.size(); at += piece.size()) {
      contents.Fill(piece, at);
      const ssize_t got = ::pwrite(fd_.get(), piece.data(), piece.size(),
                                   static_cast<off_t>(at));
      if (got < 0) return errno;
      if (static_cast<std::size_t>(got) != piece.size()) return kServerDied;
    }
    return ::fsync(fd_.get()) == 0 ? 0 : errno;
  });
}

absl::Status VolumeFile::Verify(const Contents& contents) {
  std::vector<std::byte> piece(kPiece);
  absl::Status same;
  FAMFS_RETURN_IF_ERROR(UntilServed("read", [&] {
    if (!fd_.valid()) {
      const int error = TryOpen(writable_ ? O_RDWR : O_RDONLY);
      if (error != 0) return error;
    }
    for (std::uint64_t at = 0; same.ok() && at < contents.size();
         at += piece.size()) {
      const ssize_t got = ::pread(fd_.get(), piece.data(), piece.size(),
                                  static_cast<off_t>(at));
      if (got < 0) return errno;
      if (static_cast<std::size_t>(got) != piece.size()) return kServerDied;
      same = contents.Compare(piece, at);
      progress_.bytes += piece.size();
    }
    return 0;
  }));
  return Annotate(same,
                  fmt::format("read of {} on node {}", path_, node_.name()));
}

absl::Status VolumeFile::Map(std::uint64_t length) {
  FAMFS_RETURN_IF_ERROR(UntilServed("mmap", [&] {
    if (!fd_.valid()) {
      const int error = TryOpen(writable_ ? O_RDWR : O_RDONLY);
      if (error != 0) return error;
    }
    void* const data =
        ::mmap(nullptr, length, PROT_READ | (writable_ ? PROT_WRITE : 0),
               MAP_SHARED, fd_.get(), 0);
    if (data == MAP_FAILED) return errno;
    mapped_ = {static_cast<std::byte*>(data), length};
    return 0;
  }));
  fd_.reset();
  return absl::OkStatus();
}

absl::Status VolumeFile::Store(const Contents& contents) {
  const std::byte* const missing =
      Guarded({mapped_}, [&] { contents.Fill(mapped_, 0); });
  if (missing == nullptr) return absl::OkStatus();
  return DataLoss("a store to byte {} of {} on node {}: SIGBUS",
                  missing - mapped_.data(), path_, node_.name());
}

absl::Status VolumeFile::VerifyMapped(const Contents& contents) {
  // A copy first: what is left by a SIGBUS must own nothing.
  std::vector<std::byte> copy(mapped_.size());
  const std::byte* const missing = Guarded({mapped_}, [&] {
    std::memcpy(copy.data(), mapped_.data(), copy.size());
  });
  if (missing != nullptr) {
    return DataLoss("a load of byte {} of {} on node {}: SIGBUS",
                    missing - mapped_.data(), path_, node_.name());
  }
  progress_.bytes += copy.size();
  return Annotate(contents.Compare(copy, 0),
                  fmt::format("mapping of {} on node {}", path_, node_.name()));
}

}  // namespace famfs::soak
