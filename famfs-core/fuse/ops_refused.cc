// What famfs does not do, each with one errno: names and sizes are made by the
// owner alone, so every change of them is EPERM here; space cannot be given or
// taken, so fallocate is EOPNOTSUPP. What is missing in the table altogether
// (setxattr, copy_file_range, ioctl, ...) libfuse answers with ENOSYS, which
// the kernel turns into EOPNOTSUPP, its own fallback, or ENOTTY.
#include <cerrno>

#include "fuse/ops.h"

namespace famfs {
namespace {

template <int kError, typename... Arguments>
void Refuse(fuse_req_t request, Arguments... /*unused*/) {
  fuse_reply_err(request, kError);
}

}  // namespace

void FillRefusals(fuse_lowlevel_ops& table) {
  table.mknod = Refuse<EPERM>;
  table.mkdir = Refuse<EPERM>;
  table.unlink = Refuse<EPERM>;
  table.rmdir = Refuse<EPERM>;
  table.symlink = Refuse<EPERM>;
  table.rename = Refuse<EPERM>;
  table.link = Refuse<EPERM>;
  table.create = Refuse<EPERM>;
  table.fallocate = Refuse<EOPNOTSUPP>;
}

}  // namespace famfs
