// File descriptors of the process: how many there may be, and how many of them
// are not for strangers.
#pragma once

#include <cstddef>

namespace famfs {

/// Raises RLIMIT_NOFILE to its hard limit. Once, at the start of main; a child
/// process inherits it. Does nothing where the system refuses.
void RaiseDescriptorLimit();

/// A descriptor with this number or a higher one means that few are left: a
/// connection that anybody can make is not worth it. Half of the limit, or all
/// but 1,024.
int StrangersDescriptorLimit();

}  // namespace famfs
