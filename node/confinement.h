// What a node's processes give up when they begin. Kubernetes lets only a
// privileged container mount for its node, and neither drops a privileged
// container's capabilities nor filters its system calls, so it is done here.
#pragma once

#include "base/status.h"

namespace famfs::node {

/// For this process and all that it starts, and for good: every capability but
/// CAP_SYS_ADMIN (mounting; FUSE passthrough), CAP_DAC_READ_SEARCH (to bind
/// what lies below a directory that only its pods may enter) and
/// CAP_LINUX_IMMUTABLE (so that pods cannot give a served extent's memory
/// back); gaining any by exec; and the system calls that a storage driver has
/// no use for, which then fail with EPERM: kernel modules, kexec, BPF, tracing
/// and reading other processes, file handles, clocks, raw I/O ports. Call it
/// before there are threads. A process that is not root has nothing to give up.
/// After an error it may have kept some of it.
[[nodiscard]] absl::Status Confine();

/// Confine; an error is logged and borne.
void ConfineOrTell();

}  // namespace famfs::node
