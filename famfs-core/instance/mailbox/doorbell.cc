#include "instance/mailbox/doorbell.h"

#include <linux/futex.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <ctime>

#include "media/region.h"

namespace famfs {
namespace {

// Not private: the word is shared by processes.
long Futex(const std::uint32_t* word, int operation, std::uint32_t value,
           const timespec* timeout) {
  return ::syscall(SYS_futex, word, operation, value, timeout, nullptr, 0);
}

}  // namespace

bool CanSleepOn(DaxDevice& device) {
  const absl::StatusOr<UniqueFd> file = device.OpenKnownFile(Access::kRead);
  struct stat kind {};
  struct statfs info {};
  // The node of a dax device lies on such a file system, its memory does not.
  return file.ok() && ::fstat(file->get(), &kind) == 0 &&
         S_ISREG(kind.st_mode) && ::fstatfs(file->get(), &info) == 0 &&
         info.f_type == TMPFS_MAGIC;
}

Doorbell::Doorbell(Mapping& head, std::size_t at, bool can_sleep_on)
    : word_(reinterpret_cast<std::uint32_t*>(head.mutable_data() +
                                             kRegionOffset + at)),
      can_sleep_on_(can_sleep_on) {}

void Doorbell::Ring() {
  __atomic_fetch_add(word_, 1, __ATOMIC_SEQ_CST);
  Futex(word_, FUTEX_WAKE, INT_MAX, nullptr);
}

std::uint32_t Doorbell::rings() const {
  return __atomic_load_n(word_, __ATOMIC_SEQ_CST);
}

void Doorbell::WaitWhile(std::uint32_t seen,
                         std::chrono::nanoseconds timeout) const {
  const auto nanoseconds = std::max<std::int64_t>(timeout.count(), 0);
  const timespec wait{.tv_sec = nanoseconds / 1'000'000'000,
                      .tv_nsec = nanoseconds % 1'000'000'000};
  if (can_sleep_on_) {
    if (Futex(word_, FUTEX_WAIT, seen, &wait) == 0) return;
    if (errno == EAGAIN || errno == ETIMEDOUT || errno == EINTR) return;
  }
  // There is no waiting for words of such memory.
  ::clock_nanosleep(CLOCK_MONOTONIC, 0, &wait, nullptr);
}

}  // namespace famfs
