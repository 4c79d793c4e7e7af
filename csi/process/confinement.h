// What a program of the driver gives up when it begins. Kubernetes lets only a
// privileged container mount for its node, or open a devdax device, and neither
// drops a privileged container's capabilities nor filters its system calls, so
// it is done here.
#pragma once

#include <cstdint>

#include "base/status.h"

namespace famfs::csi {

/// What it keeps.
struct Rights {
  std::uint64_t capabilities = 0;  // bits: 1 << CAP_SYS_ADMIN, ...
  /// Whether it mounts, or starts other programs.
  bool mounts_and_starts = false;
};

/// For this process and all that it starts, and for good: every capability but
/// those of `rights`; gaining any by exec; and the system calls that a storage
/// driver has no use for, which then fail with EPERM: kernel modules, kexec,
/// BPF, io_uring, tracing and reading other processes, namespaces, keys, file
/// handles, clocks, raw I/O ports; also mounting and exec, unless it does so.
/// Call it before there are threads. A process that is not root has nothing to
/// give up. After an error it may have kept some of it.
[[nodiscard]] absl::Status Confine(const Rights& rights);

/// Confine; an error is logged and borne.
void ConfineOrWarn(const Rights& rights);

}  // namespace famfs::csi
