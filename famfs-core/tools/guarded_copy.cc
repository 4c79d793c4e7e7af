#include "tools/guarded_copy.h"

#include <setjmp.h>
#include <signal.h>

#include <cstdint>
#include <mutex>

#include "dax/streaming.h"

namespace famfs {
namespace {

constexpr std::uintptr_t kPage = 4096;

thread_local sigjmp_buf* return_to = nullptr;
thread_local std::uintptr_t fault_at = 0;

void OnBusError(int number, siginfo_t* info, void* /*context*/) {
  if (return_to == nullptr) {
    // Not ours: the instruction meets it again, and ends the process.
    ::signal(number, SIG_DFL);
    return;
  }
  fault_at = reinterpret_cast<std::uintptr_t>(info->si_addr);
  siglongjmp(*return_to, 1);
}

void TakeOverBusErrors() {
  struct sigaction action {};
  action.sa_sigaction = OnBusError;
  action.sa_flags = SA_SIGINFO;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGBUS, &action, nullptr);
}

}  // namespace

CopyFault GuardedStreamCopy(std::byte* to, const std::byte* from,
                            std::size_t length) {
  static std::once_flag once;
  std::call_once(once, TakeOverBusErrors);
  // Nothing between here and the loads and stores has a destructor, so a jump
  // over it leaves nothing behind.
  sigjmp_buf here;
  if (sigsetjmp(here, 1) != 0) {
    return_to = nullptr;
    const auto source = reinterpret_cast<std::uintptr_t>(from);
    const bool in_source =
        fault_at >= source / kPage * kPage && fault_at < source + length;
    return in_source ? CopyFault::kSource : CopyFault::kTarget;
  }
  return_to = &here;
  StreamCopy(to, from, length);
  return_to = nullptr;
  return CopyFault::kNone;
}

}  // namespace famfs
