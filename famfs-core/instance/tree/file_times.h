// What storing does to a file's times.
#pragma once

#include <algorithm>
#include <cstdint>

#include "media/node_record.h"

namespace famfs {

/// The time of modification of a file whose bytes were stored to at `stored_ns`
/// (since 1970): that one. A time that was set stands against what was stored
/// before it was set, wherever it lies, and only against that.
inline std::int64_t MtimeAfterStore(const NodeRecord& record,
                                    std::int64_t stored_ns) {
  return stored_ns > record.ctime_ns ? stored_ns
                                     : std::max(record.mtime_ns, stored_ns);
}

}  // namespace famfs
