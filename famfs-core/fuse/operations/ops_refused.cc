// What famfs does not do, each with one errno: hard links are EPERM, as all
// changes of names outside of tree volumes are (ops_tree_names.cc); attributes
// of the users' own are EOPNOTSUPP. What is missing in the table altogether
// (ioctl, ...) libfuse answers with ENOSYS, which the kernel turns into its own
// fallback, or ENOTTY. In the read-only view all of it is EROFS.
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
  table.link = Refuse<EPERM>;
  table.setxattr = Refuse<EOPNOTSUPP>;
  table.removexattr = Refuse<EOPNOTSUPP>;
}

}  // namespace famfs
