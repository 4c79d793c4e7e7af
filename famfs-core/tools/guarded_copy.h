// Copies between mapped files that may lose their pages meanwhile: a source
// that another process shortens, a sparse image on a file system that fills up.
// The kernel tells either by SIGBUS, at the load or the store.
#pragma once

#include <cstddef>

namespace famfs {

enum class CopyFault {
  kNone,
  kSource,  // a byte of it could not be loaded
  kTarget,  // a byte of it could not be stored
};

/// StreamCopy (dax/streaming.h); a SIGBUS that it meets ends it. After a fault
/// any part of the target may be copied. The first call takes over the process'
/// handling of SIGBUS; one that comes from elsewhere still ends the process.
/// From any thread.
CopyFault GuardedStreamCopy(std::byte* to, const std::byte* from,
                            std::size_t length);

}  // namespace famfs
