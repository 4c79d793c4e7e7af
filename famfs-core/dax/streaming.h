// Stores that go past the caches (MOVNT): for memory that is not read again
// soon, at the memory's own bandwidth and without displacing what is cached.
#pragma once

#include <cstddef>

namespace famfs {

/// Zeroes [to, to + length). On the medium when it returns: streaming stores
/// and SFENCE for whole lines, stores and write-back for what is left at both
/// ends. Lines of the range that are cached here are dropped by the processor.
void StreamZeros(void* to, std::size_t length);

/// Copies [from, from + length) to `to`, in the same way; the two do not
/// overlap. Several times cheaper than a copy and the write-back of its lines.
void StreamCopy(void* to, const void* from, std::size_t length);

}  // namespace famfs
