// The layer between libfuse3 and /dev/fuse: what kernels since 6.9 speak and
// libfuse 3.14 does not know. Its hooks see every message (through
// fuse_session_custom_io): the read hook notes what the kernel's INIT offers,
// the write hook adds to the INIT reply what we take of it, and never a bit
// that was not offered. The replies to an OPEN and a CREATE that carry a
// backing id are made here too, because libfuse's own have no room for one.
//
// Numbers: Linux' uapi/linux/fuse.h, protocol 7.39 (FUSE_DIRECT_IO_ALLOW_MMAP),
// 7.40 (FUSE_PASSTHROUGH,
// FUSE_NO_EXPORT_SUPPORT) and 7.41 (FUSE_ALLOW_IDMAP).
//
// Thread-safe after the INIT has been answered.
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/status.h"
#include "base/unique_fd.h"
#include "fuse/kernel/low_level.h"

namespace famfs {

// INIT flags; from bit 32 on they travel in flags2.
inline constexpr std::uint64_t kInitHandleKillprivV2 = 1ULL << 28;
inline constexpr std::uint64_t kInitExt = 1ULL << 30;
/// Offered by kernels that drop the pages of what is written past their cache.
inline constexpr std::uint64_t kInitDirectIoAllowMmap = 1ULL << 36;
inline constexpr std::uint64_t kInitPassthrough = 1ULL << 37;
/// Handles of files are given out but never opened: who has CAP_DAC_READ_SEARCH
/// in a pod would reach the whole instance through a handle of its root.
inline constexpr std::uint64_t kInitNoExportSupport = 1ULL << 38;
inline constexpr std::uint64_t kInitAllowIdmap = 1ULL << 40;

// Flags of an OPEN's reply.
inline constexpr std::uint32_t kOpenDirectIo = 1U << 0;
inline constexpr std::uint32_t kOpenNoFlush = 1U << 5;
inline constexpr std::uint32_t kOpenParallelDirectWrites = 1U << 6;
inline constexpr std::uint32_t kOpenPassthrough = 1U << 7;

/// Below these, in front of the data of a WRITE, nothing else travels.
inline constexpr std::size_t kMaxWrite = 1U << 20;  // bytes

class Wire {
 public:
  /// `fuse_fd`: an open /dev/fuse. `wanted`: the INIT flags to take where the
  /// kernel offers them. `user` is for the operations' own use.
  Wire(UniqueFd fuse_fd, std::uint64_t wanted, void* user)
      : fd_(std::move(fuse_fd)), wanted_(wanted), user_(user) {}

  /// Makes `session` talk through this layer. The session's userdata must be
  /// this Wire.
  [[nodiscard]] absl::Status Attach(fuse_session* session);

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] void* user() const { return user_; }

  // Valid after the INIT has been answered.
  [[nodiscard]] bool initialised() const { return init_answered_; }
  /// "7.45": the kernel's.
  [[nodiscard]] std::string protocol() const;
  [[nodiscard]] bool Offered(std::uint64_t flag) const {
    return (offered_ & flag) == flag;
  }
  [[nodiscard]] bool Negotiated(std::uint64_t flag) const {
    return init_answered_ && (offered_ & wanted_ & flag) == flag;
  }

  /// Registers an open regular file as backing file; its id, > 0. All opens of
  /// one inode must use one id while any of them lasts. Unimplemented (ELOOP)
  /// names hugetlbfs and stacked file systems, which the kernel refuses.
  absl::StatusOr<int> OpenBacking(int file_fd) const;
  void CloseBacking(int id) const;

  /// Whether the READ that the calling worker is about to answer fills pages of
  /// the kernel's cache (a splice, a fault, read-ahead) instead of going to the
  /// reader's own memory.
  static bool FillsPageCache();

  /// Whether the WRITE, SETATTR or OPEN (with O_TRUNC) that the calling worker
  /// is about to answer must take the setuid and setgid bits off the file
  /// (kInitHandleKillprivV2): who asks may not keep them.
  static bool KillsPrivileges();

  /// Answers an OPEN. Not zero: the opener is gone, and no RELEASE will follow.
  static int ReplyOpen(fuse_req_t request, std::uint64_t handle,
                       std::uint32_t flags, int backing_id);
  /// Answers a CREATE; as ReplyOpen.
  static int ReplyCreate(fuse_req_t request, const fuse_entry_param& entry,
                         std::uint64_t handle, std::uint32_t flags,
                         int backing_id);

 private:
  static ssize_t ReadHook(int fd, void* buffer, std::size_t length, void* self);
  static ssize_t WriteHook(int fd, iovec* parts, int count, void* self);
  void NoteInit(const void* message, std::size_t length);
  ssize_t SendInitReply(iovec* parts, int count);

  UniqueFd fd_;
  std::uint64_t wanted_;
  void* user_;
  std::uint64_t offered_ = 0;
  std::uint64_t init_unique_ = 0;
  std::uint32_t major_ = 0;
  std::uint32_t minor_ = 0;
  bool init_seen_ = false;
  bool init_answered_ = false;
};

}  // namespace famfs
