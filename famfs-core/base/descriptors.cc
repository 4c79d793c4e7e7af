#include "base/descriptors.h"

#include <sys/resource.h>

#include <algorithm>
#include <limits>

namespace famfs {

void RaiseDescriptorLimit() {
  rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

int StrangersDescriptorLimit() {
  constexpr rlim_t kReserve = 1024;
  rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  const rlim_t all =
      std::min<rlim_t>(limit.rlim_cur, std::numeric_limits<int>::max());
  return static_cast<int>(all - std::min(all / 2, kReserve));
}

}  // namespace famfs
