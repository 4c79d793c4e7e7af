#include "tests/integration/support/frozen_disk.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/units.h"

namespace famfs::rig {
namespace {

// More than the least size of a famfs; it is sparse.
constexpr off_t kSize = 6LL << 30;

absl::Status Run(const std::vector<std::string>& argv) {
  FAMFS_ASSIGN_OR_RETURN(const auto process, Process::Start({.argv = argv}));
  FAMFS_ASSIGN_OR_RETURN(const int status, process->Wait());
  if (status == 0) return absl::OkStatus();
  return Unavailable("{} ended with {}: {}", argv.front(), status,
                     process->output());
}

}  // namespace

absl::StatusOr<std::unique_ptr<FrozenDisk>> FrozenDisk::Create() {
  std::unique_ptr<FrozenDisk> disk(new FrozenDisk());
  FAMFS_RETURN_IF_ERROR(disk->Mount());
  FAMFS_RETURN_IF_ERROR(disk->StartGuard());
  return disk;
}

absl::Status FrozenDisk::Mount() {
  const std::string file = place_ / "disk";
  WriteFile(file, "");
  if (::truncate(file.c_str(), kSize) != 0) return ErrnoError(errno, file);
  FAMFS_RETURN_IF_ERROR(Run({"/bin/sh", "-c", "mkfs.ext4 -q -F " + file}));
  FAMFS_RETURN_IF_ERROR(
      Run({"/bin/sh", "-c", "mount -o loop " + file + " " + mount_.path()}));
  mounted_ = true;
  root_.reset(::open(mount_.path().c_str(), O_RDONLY | O_CLOEXEC));
  return root_.valid() ? absl::OkStatus() : ErrnoError(errno, mount_.path());
}

absl::Status FrozenDisk::StartGuard() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return ErrnoError(errno, "pipe");
  const UniqueFd read_end(ends[0]);
  guard_.reset(ends[1]);
  guard_pid_ = ::fork();
  if (guard_pid_ < 0) return ErrnoError(errno, "fork");
  if (guard_pid_ > 0) return absl::OkStatus();
  // The child: nothing but system calls.
  ::close(ends[1]);
  char byte = 0;
  while (::read(ends[0], &byte, 1) < 0 && errno == EINTR) {
  }
  ::ioctl(root_.get(), FITHAW, 0);
  ::_exit(0);
}

FrozenDisk::~FrozenDisk() {
  if (root_.valid()) Thaw();
  guard_.reset();
  if (guard_pid_ > 0) ::waitpid(guard_pid_, nullptr, 0);
  root_.reset();
  if (mounted_) ::umount2(mount_.path().c_str(), MNT_DETACH);
}

absl::Status FrozenDisk::Freeze() const {
  if (::ioctl(root_.get(), FIFREEZE, 0) == 0) return absl::OkStatus();
  return ErrnoError(errno, "freeze " + mount_.path());
}

void FrozenDisk::Thaw() const { ::ioctl(root_.get(), FITHAW, 0); }

}  // namespace famfs::rig
