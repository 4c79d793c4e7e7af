// Copies between mapped files that may lose their pages meanwhile
// (dax/missing_memory.h): a source that another process shortens, a sparse
// image on a file system that fills up.
#pragma once

#include <cstddef>

namespace famfs {

enum class CopyFault {
  kNone,
  kSource,  // a byte of it could not be loaded
  kTarget,  // a byte of it could not be stored
};

/// StreamCopy (dax/streaming.h), left at the first byte that is missing. After
/// a fault any part of the target may be copied. From any thread.
CopyFault GuardedStreamCopy(std::byte* to, const std::byte* from,
                            std::size_t length);

}  // namespace famfs
