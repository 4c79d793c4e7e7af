#include "dax/guarded_copy.h"

#include <cstdint>

#include "base/page.h"
#include "dax/missing_memory.h"
#include "dax/streaming.h"

namespace famfs {
CopyFault GuardedStreamCopy(std::byte* to, const std::byte* from,
                            std::size_t length) {
  const std::byte* const missing = Guarded(
      {{from, length}, {to, length}}, [=] { StreamCopy(to, from, length); });
  if (missing == nullptr) return CopyFault::kNone;
  // The kernel may tell the page alone, which begins before the source does.
  const auto page = reinterpret_cast<std::uintptr_t>(from) / kPage * kPage;
  const auto at = reinterpret_cast<std::uintptr_t>(missing);
  return at >= page && missing < from + length ? CopyFault::kSource
                                               : CopyFault::kTarget;
}

}  // namespace famfs
