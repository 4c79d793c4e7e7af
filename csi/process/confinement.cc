#include "csi/process/confinement.h"

#include <linux/capability.h>
#include <seccomp.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <span>

namespace famfs::csi {
namespace {

// To everybody.
constexpr std::array kRefused = {
    // The kernel itself.
    SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(reboot),
    SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(syslog),
    SCMP_SYS(swapon), SCMP_SYS(swapoff), SCMP_SYS(acct), SCMP_SYS(quotactl),
    SCMP_SYS(quotactl_fd), SCMP_SYS(ioperm), SCMP_SYS(iopl),
    SCMP_SYS(lookup_dcookie), SCMP_SYS(nfsservctl), SCMP_SYS(uselib),
    SCMP_SYS(userfaultfd), SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter),
    SCMP_SYS(io_uring_register), SCMP_SYS(modify_ldt),
    // Other processes.
    SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
    SCMP_SYS(pidfd_getfd), SCMP_SYS(kcmp), SCMP_SYS(process_madvise),
    SCMP_SYS(move_pages), SCMP_SYS(migrate_pages), SCMP_SYS(fanotify_init),
    // Other namespaces, keys, names and clocks.
    SCMP_SYS(setns), SCMP_SYS(unshare), SCMP_SYS(pivot_root), SCMP_SYS(chroot),
    SCMP_SYS(add_key), SCMP_SYS(request_key), SCMP_SYS(keyctl),
    SCMP_SYS(sethostname), SCMP_SYS(setdomainname), SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime), SCMP_SYS(clock_adjtime), SCMP_SYS(adjtimex),
    // Files past their paths' permissions.
    SCMP_SYS(open_by_handle_at)};

// To who neither mounts nor starts programs.
constexpr std::array kRefusedToMany = {
    SCMP_SYS(mount),      SCMP_SYS(umount2), SCMP_SYS(mount_setattr),
    SCMP_SYS(move_mount), SCMP_SYS(fsopen),  SCMP_SYS(fsconfig),
    SCMP_SYS(fsmount),    SCMP_SYS(fspick),  SCMP_SYS(open_tree),
    SCMP_SYS(execve),     SCMP_SYS(execveat)};

absl::Status DropCapabilities(std::uint64_t kept_capabilities) {
  for (int capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0;
       ++capability) {
    if ((kept_capabilities >> capability & 1) != 0 ||
        ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) == 0) {
      continue;  // to be kept, or gone already
    }
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) {
      return ErrnoError(errno, "dropping capabilities");
    }
  }
  __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3,
                                     .pid = 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets = {};
  if (::syscall(SYS_capget, &header, sets.data()) != 0) {
    return ErrnoError(errno, "capget");
  }
  for (std::size_t i = 0; i < sets.size(); ++i) {
    const auto kept = static_cast<std::uint32_t>(kept_capabilities >> (32 * i));
    sets[i].permitted &= kept;
    sets[i].effective = sets[i].permitted;
    sets[i].inheritable = 0;
  }
  if (::syscall(SYS_capset, &header, sets.data()) != 0) {
    return ErrnoError(errno, "capset");
  }
  return absl::OkStatus();
}

struct ReleaseFilter {
  void operator()(void* filter) const { ::seccomp_release(filter); }
};

absl::Status Refuse(void* filter, std::span<const int> calls) {
  for (const int call : calls) {
    const int error =
        ::seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 0);
    if (error != 0) return ErrnoError(-error, "seccomp_rule_add");
  }
  return absl::OkStatus();
}

absl::Status FilterCalls(bool mounts_and_starts) {
  // It sets no_new_privs, too.
  const std::unique_ptr<void, ReleaseFilter> filter(
      ::seccomp_init(SCMP_ACT_ALLOW));
  if (filter == nullptr) return Internal("seccomp_init failed");
  FAMFS_RETURN_IF_ERROR(Refuse(filter.get(), kRefused));
  if (!mounts_and_starts) {
    FAMFS_RETURN_IF_ERROR(Refuse(filter.get(), kRefusedToMany));
  }
  const int error = ::seccomp_load(filter.get());
  return error == 0 ? absl::OkStatus() : ErrnoError(-error, "seccomp_load");
}

}  // namespace

absl::Status Confine(const Rights& rights) {
  if (::geteuid() != 0) return absl::OkStatus();
  FAMFS_RETURN_IF_ERROR(DropCapabilities(rights.capabilities));
  return FilterCalls(rights.mounts_and_starts);
}

void ConfineOrWarn(const Rights& rights) {
  const absl::Status confined = Confine(rights);
  if (confined.ok()) return;
  spdlog::warn("this process keeps more rights than it needs: {}",
               Message(confined));
}

}  // namespace famfs::csi
