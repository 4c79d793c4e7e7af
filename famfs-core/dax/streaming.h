// Stores that go past the caches (MOVNT): for memory that is not read again
// soon, at the memory's own bandwidth and without displacing what is cached.
#pragma once

#include <cstddef>

namespace famfs {

/// Zeroes [to, to + length). On the medium when it returns: streaming stores
/// and SFENCE for whole lines, stores and write-back for what is left at both
/// ends. Lines of the range that are cached here are dropped by the processor.
void StreamZeros(void* to, std::size_t length);

}  // namespace famfs
