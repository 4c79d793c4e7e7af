// Worker threads for what is limited by memory bandwidth: copies, fills,
// comparisons.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "base/status.h"
#include "tools/common/context.h"

namespace famfs {

/// Calls work(0) to work(count - 1), each once, in `threads` threads (fewer
/// where the machine has no more), about in order. The first error ends it: no
/// new index is begun, and it is answered.
[[nodiscard]] absl::Status RunParallel(
    unsigned threads, std::size_t count,
    const std::function<absl::Status(std::size_t)>& work);

/// The option -t,--threads; default: as many as the machine has, at most 8.
void AddThreads(Command* command, unsigned& threads);

}  // namespace famfs
