// Follows the log for a mount: takes up new entries and tells the kernel which
// cached names and attributes are no longer true.
//
// The kernel is told from the follower's own thread alone: its notifications
// wait for inode locks that the kernel may hold for a request which is being
// answered. Threads that serve requests only queue what they found. The further
// devices are looked at by a thread of its own: one that does not answer does
// not keep the log from being followed.
#pragma once

#include <absl/container/flat_hash_set.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "fuse/kernel/low_level.h"
#include "fuse/operations/view.h"
#include "instance/reader/reader.h"

namespace famfs {

class Follower {
 public:
  /// `has_pages` tells whether the kernel may have cached pages of that file of
  /// a tree volume that another host has changed. In the follower's thread.
  /// `removed` is called for each node that left the tree, and `changed` for
  /// each other one of a tree volume that is not new, before CatchUp returns,
  /// in the thread that found out.
  /// `round` is called in the follower's thread at least once in each
  /// interval, after the log was looked at and the kernel was told; `always`
  /// also when the log cannot be followed.
  Follower(Reader& reader, fuse_session* session,
           std::function<bool(const Inode&)> has_pages,
           std::function<void(NodeId)> removed,
           std::function<void(NodeId)> changed, std::function<void()> round,
           std::function<void()> always)
      : reader_(reader),
        session_(session),
        has_pages_(std::move(has_pages)),
        removed_(std::move(removed)),
        changed_(std::move(changed)),
        round_(std::move(round)),
        always_(std::move(always)) {}
  ~Follower();

  /// Looks at the log every `interval` from now on, and at the further devices.
  /// Unavailable: no thread is to be had.
  [[nodiscard]] absl::Status Start(std::chrono::milliseconds interval);
  /// Waits for the end of the round under way, not for a device.
  void Stop();

  /// Takes up what is new in the log. From any thread that holds no View. An
  /// error is logged once until it changes; the tree stays as it was.
  absl::Status CatchUp();
  /// The kernel drops its pages of a file of a tree volume, soon: they are not
  /// what stands there.
  void DropPages(fuse_ino_t file);

  /// The device holds another instance by now: nothing of this mount's is there
  /// any more, for good.
  [[nodiscard]] bool replaced() const { return replaced_; }

 private:
  void Run(std::chrono::milliseconds interval);
  void LookAtDevices(std::chrono::milliseconds interval);
  void NotifyKernel(const Change& change, const Inode& view);
  /// Of a node in a tree volume: no names and attributes of it are cached.
  void NotifyOfPages(const Change& change, const Inode& view);
  void NotifyOfDropped(const absl::flat_hash_set<fuse_ino_t>& files);
  void LogError(const absl::Status& error);

  Reader& reader_;
  fuse_session* session_;
  std::function<bool(const Inode&)> has_pages_;
  std::function<void(NodeId)> removed_;
  std::function<void(NodeId)> changed_;
  std::function<void()> round_;
  std::function<void()> always_;

  std::atomic<bool> replaced_ = false;
  Mutex mutex_;
  CondVar wake_;
  std::deque<Change> pending_notifications_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<fuse_ino_t> pages_to_drop_ ABSL_GUARDED_BY(mutex_);
  std::string last_error_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
  std::thread devices_thread_;
};

}  // namespace famfs
