// What famfs does not do, each with one errno: names and sizes are made by the
// owner alone, so every change of them is EPERM here; attributes of the users'
// own are EOPNOTSUPP. What is missing in the table altogether (ioctl, ...)
// libfuse answers with ENOSYS, which the kernel turns into its own fallback, or
// ENOTTY. In the read-only view all of it is EROFS.
#include <cerrno>
#include <type_traits>

#include "fuse/operations/ops.h"

namespace famfs {
namespace {

template <typename Argument>
bool IsReadOnly(Argument argument) {
  if constexpr (std::is_same_v<Argument, fuse_ino_t>) {
    return Inode::FromKernel(argument).read_only;
  }
  return false;
}

template <int kError, typename... Arguments>
void Refuse(fuse_req_t request, Arguments... arguments) {
  fuse_reply_err(request, (IsReadOnly(arguments) || ...) ? EROFS : kError);
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
  table.setxattr = Refuse<EOPNOTSUPP>;
  table.removexattr = Refuse<EOPNOTSUPP>;
}

}  // namespace famfs
