// A server's part in deleting (docs/design.md §5, step 2): it keeps a row in
// the host table and raises the number there when nothing of the volumes that
// were deleted up to it is open here any more.
//
// What a handle holds, it holds by inode (OpenInodes), and a mapping keeps its
// handle. Nothing is left to write back then: on the data path `copy` each
// write was written back before it was answered, and the kernel sends a
// mapping's dirty pages before it gives up the handle.
//
// Devices with an extent file each need none of this (docs/design.md §5,
// exception): nobody waits for a row there, which is kept for its mailbox alone
// (instance/mailbox/asker.h).
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/status.h"
#include "dax/device.h"
#include "fuse/files/open_inodes.h"
#include "instance/deletion/host_session.h"
#include "instance/reader/reader.h"

namespace famfs {

/// Who this server is to the pool. FAMFS_BOOT_ID_FILE and
/// FAMFS_SYSTEM_UUID_FILE in the environment name other files than the
/// machine's.
absl::StatusOr<HostIdentity> MakeHostIdentity(std::uint32_t connection);

class DeletionAcknowledger {
 public:
  /// `session` may be null: then everything is always OK.
  DeletionAcknowledger(std::unique_ptr<HostSession> session,
                       const Reader& reader, const OpenInodes& files)
      : owned_(std::move(session)),
        session_(owned_.get()),
        reader_(reader),
        files_(files) {}

  /// May be null. Its row and number from any thread.
  [[nodiscard]] const HostSession* session() const { return session_; }
  /// A session that could not be had before. In AcknowledgeOnce's thread.
  void Adopt(std::unique_ptr<HostSession> session) {
    owned_ = std::move(session);
    session_ = owned_.get();
  }
  /// After the kernel was told what is gone. In one thread; errors are logged
  /// once until they change.
  void AcknowledgeOnce();
  /// OK: data files may be opened. Unavailable while the row cannot be seen,
  /// PermissionDenied for good when this host was evicted. From any thread.
  [[nodiscard]] absl::Status MayOpen() const;
  /// When the mount is gone: frees the row if nothing is open. No Round at the
  /// same time.
  void End();

 private:
  [[nodiscard]] absl::Status TryAcknowledge();

  std::unique_ptr<HostSession> owned_;
  std::atomic<HostSession*> session_;  // the same, for any thread
  const Reader& reader_;
  const OpenInodes& files_;
  std::chrono::steady_clock::time_point next_look_{};  // at predecessors
  std::string last_error_;
};

}  // namespace famfs
