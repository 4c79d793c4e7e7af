// Zeroing of large ranges by several threads.
#pragma once

#include <cstdint>
#include <functional>

#include "base/status.h"
#include "dax/device.h"

namespace famfs {

struct ScrubOptions {
  unsigned threads = 0;               // 0: two, or up to four by the processors
  std::uint64_t chunk = 64ULL << 20;  // bytes between two calls of `step`
  /// Called before each chunk with the bytes done so far; an error ends the
  /// scrub with it. From several threads, one at a time. May be null.
  std::function<absl::Status(std::uint64_t done)> step{};
};

/// Zeroes the range by streaming stores, with fewer threads where the machine
/// has no more (Mapping::ZeroStreaming); holes of an
/// image stay holes. On the medium when it returns OK; after an error any part
/// of it may be zero.
[[nodiscard]] absl::Status Scrub(DaxDevice& device, Range range,
                                 const ScrubOptions& options = {});

}  // namespace famfs
