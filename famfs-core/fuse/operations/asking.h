// Requests of the kernel's that wait for the instance's owner. No thread waits:
// each goes on when the owner has answered and the log was followed to where
// the change shows, in one of a few threads: what one of them opens or stores
// may take a while, and the owner's answers to the others do not wait for it.
// They wait as long as it takes; who is interrupted gives up (EINTR).
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "fuse/kernel/low_level.h"
#include "fuse/operations/follower.h"
#include "fuse/operations/owner.h"
#include "instance/reader/reader.h"

namespace famfs {

/// Thread-safe.
class Asking {
 public:
  using Then = std::function<void(const TreeAnswer&)>;

  /// All of them live longer; `owner` is stopped before this is.
  Asking(Owner& owner, Follower& follower, Reader& reader)
      : owner_(owner), follower_(follower), reader_(reader) {}
  ~Asking() { Stop(); }
  Asking(const Asking&) = delete;
  Asking& operator=(const Asking&) = delete;

  /// Once. Until then, and where no thread is to be had, which is logged, all
  /// goes on in the owner's thread.
  void Start();
  /// Waits until each `then` was called of what the owner has answered.
  void Stop();

  /// `then` is called once; with error 0 this server's tree shows the change.
  /// What takes long is for Zeroing. `request`: of the kernel's, not yet
  /// answered, whose caller may be interrupted; null: nobody's. ENOMEM where
  /// too many callers wait already.
  void Ask(fuse_req_t request, TreeRequest change, Then then);

 private:
  struct Wait {
    Owner::Id id = 0;  // 0: not known yet
    bool is_forgotten = false;
  };

  void Run();
  static void Interrupted(fuse_req_t request, void* token);
  void Forget(std::uint64_t token);
  void Finish(std::uint64_t token, fuse_req_t request, TreeAnswer answer,
              Then then);
  void GoOn(TreeAnswer answer, const Then& then);
  /// 0, or the errno.
  int CatchUpTo(const TreeAnswer& answer);

  Owner& owner_;
  Follower& follower_;
  Reader& reader_;
  Mutex mutex_;  // for moments
  std::uint64_t last_token_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_map<std::uint64_t, Wait> waits_ ABSL_GUARDED_BY(mutex_);
  struct Answered {
    TreeAnswer answer;
    Then then;
  };
  CondVar wake_;
  std::deque<Answered> answered_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool has_threads_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace famfs
