#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>

#include <exception>
#include <thread>

#include "tests/integration/support/rig.h"

namespace famfs::rig {
namespace {

// Leaves the caller's mounts alone whatever their propagation was.
absl::Status EnterNewNamespace() {
  if (::unshare(CLONE_NEWNS) != 0) {
    return ErrnoError(errno, "unshare(CLONE_NEWNS)");
  }
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return ErrnoError(errno, "making / private");
  }
  return absl::OkStatus();
}

}  // namespace

void Isolation::SetUp() {
  const absl::Status status = EnterNewNamespace();
  ASSERT_TRUE(status.ok()) << Message(status);
}

absl::StatusOr<MountNamespace> MountNamespace::Create() {
  // A namespace belongs to a thread: make it in one of its own and keep its
  // descriptor, which is all that holds it.
  absl::StatusOr<UniqueFd> fd = Internal("not run");
  std::thread([&fd] {
    const absl::Status status = EnterNewNamespace();
    fd = status.ok() ? OpenFile("/proc/thread-self/ns/mnt", O_RDONLY)
                     : absl::StatusOr<UniqueFd>(status);
  }).join();
  if (!fd.ok()) return fd.status();
  return MountNamespace(*std::move(fd));
}

void MountNamespace::Run(const std::function<void()>& body) const {
  std::exception_ptr thrown;  // for the caller: in a thread it ends the program
  std::thread([&] {
    // setns wants a thread that shares its root and working directory with no
    // other.
    if (::unshare(CLONE_FS) != 0 || ::setns(fd(), CLONE_NEWNS) != 0) {
      ADD_FAILURE() << "setns: " << std::strerror(errno);
      return;
    }
    try {
      body();
    } catch (...) {
      thrown = std::current_exception();
    }
  }).join();
  if (thrown) std::rethrow_exception(thrown);
}

}  // namespace famfs::rig
