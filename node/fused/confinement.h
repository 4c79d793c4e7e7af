// What a node's processes give up when they begin.
#pragma once

namespace famfs::node {

/// csi::ConfineOrWarn for this process and all that it starts, also
/// famfs-fused, with what they need: CAP_SYS_ADMIN (mounting; FUSE
/// passthrough), CAP_DAC_READ_SEARCH (to bind what lies below a directory that
/// only its pods may enter) and CAP_LINUX_IMMUTABLE (so that pods cannot give a
/// served extent's memory back). Call it before there are threads.
void ConfineOrWarn();

}  // namespace famfs::node
