// The size of a page of this machine's memory (x86-64).
#pragma once

#include <cstddef>

namespace famfs {

/// Bytes. The base size, not a huge page's.
inline constexpr std::size_t kPage = 4096;

}  // namespace famfs
