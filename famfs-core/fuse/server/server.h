// One FUSE session: one instance on one mount. Start returns when the mount is
// served; the session ends when the last mount of it is gone.
//
// Nothing here unmounts by itself: a server that ends leaves its mount point
// behind (ENOTCONN for new opens), and mapped memory goes on.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "dax/device.h"
#include "fuse/kernel/mount.h"
#include "fuse/operations/ops.h"

namespace famfs {

struct ServerOptions {
  std::string mount_point;
  /// What mountinfo shows as the source; empty: the device's spec.
  std::string source;
  DataPath data_path = DataPath::kAuto;
  /// >= 1; more are started while all of them are held up.
  unsigned threads = 4;
  std::chrono::milliseconds poll{200};
  bool allow_existing_mount = false;
  /// An open /dev/fuse, taken over; -1: one is opened. For who may not open it.
  int fuse_fd = -1;
  /// The mount is attached nowhere: TakeMount has it, and `mount_point` is only
  /// where somebody else will attach it.
  bool detached = false;
  std::string memory_report{};  // see MemoryErrors; empty: none
  /// The reader is one of a damaged instance: nothing can be opened for writing
  /// or changed, and nobody waits for this server.
  bool salvage = false;
};

class Server {
 public:
  /// The reader's devices are open for writing (not to salvage). IsPathRefused
  /// when the data path asked for cannot be served; Unimplemented when FUSE is
  /// too old; else another error. The mount is attached nowhere yet.
  static absl::StatusOr<std::unique_ptr<Server>> Start(
      std::unique_ptr<Reader> reader, const ServerOptions& options);
  /// Detaches the mount if it is still there, and waits for the session's end.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Attaches it to the mount point, once; errors are the mount point's. Not of
  /// a detached one.
  [[nodiscard]] absl::Status Attach();

  [[nodiscard]] DataPath data_path() const { return service_.path; }
  /// The detached mount, once; invalid where the server has attached it. If it
  /// is closed while it is attached nowhere, the session ends.
  [[nodiscard]] UniqueFd TakeMount() { return std::move(mount_.mount); }
  /// Tells the owner what it has not heard of files, for at most two seconds.
  /// For a process that ends without the destructor.
  void SettleFiles();
  /// Frees the row of the host table, when the mount is gone and nothing is
  /// open. For a process that ends without the destructor.
  void LeaveHostTable();
  /// A last look at what no descriptor is open of any more. For such a process,
  /// too.
  void EndServing();
  /// Becomes readable when the session has ended (unmounted everywhere).
  [[nodiscard]] int ended_fd() const { return ended_.get(); }
  /// Whether it ended because the kernel could not be heard any more.
  [[nodiscard]] bool failed() const { return failed_; }

 private:
  Server() = default;
  [[nodiscard]] absl::Status OpenSession(UniqueFd fuse_fd);
  [[nodiscard]] absl::Status Negotiate();
  static absl::StatusOr<std::unique_ptr<HostSession>> Register(
      DaxDevice& primary, std::uint32_t connection);
  [[nodiscard]] absl::Status JoinHostTable(std::uint32_t connection);
  void MakeFollower();
  [[nodiscard]] absl::Status FindOwner();
  /// The same where there was none at the start. In the follower's thread.
  void LookForOwner();
  /// What is done after each look at the log.
  void Round();
  [[nodiscard]] absl::Status StartThreads();
  void Work();
  [[nodiscard]] absl::Status AddWorker();
  /// In a thread of its own: adds workers when none is left to answer.
  void WatchWorkers();

  struct DestroySession {
    void operator()(fuse_session* session) const {
      fuse_session_destroy(session);
    }
  };

  ServerOptions options_;
  Service service_;
  std::unique_ptr<fuse_session, DestroySession> session_;
  NewMount mount_;  // `fuse` is the session's
  bool attached_ = false;
  std::atomic<bool> failed_ = false;
  std::uint32_t connection_ = 0;
  // The follower's thread's own.
  std::chrono::steady_clock::time_point next_look_for_owner_{};
  UniqueFd ended_;

  std::atomic<unsigned> idle_ = 0;        // workers that wait for a request
  std::atomic<std::uint64_t> taken_ = 0;  // requests
  Mutex mutex_;
  CondVar wake_;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> workers_ ABSL_GUARDED_BY(mutex_);
  std::thread watch_;
};

}  // namespace famfs
