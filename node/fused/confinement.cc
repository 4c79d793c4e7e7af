#include "node/fused/confinement.h"

#include <linux/capability.h>

#include "csi/process/confinement.h"

namespace famfs::node {

void ConfineOrWarn() {
  csi::ConfineOrWarn({.capabilities = 1ULL << CAP_SYS_ADMIN |
                                      1ULL << CAP_DAC_READ_SEARCH |
                                      1ULL << CAP_LINUX_IMMUTABLE,
                      .mounts_and_starts = true});
}

}  // namespace famfs::node
