#include "fuse/operations/follower.h"

#include <spdlog/spdlog.h>

#include <cerrno>

#include "base/text.h"
#include "base/thread.h"

namespace famfs {

absl::Status Follower::Start(std::chrono::milliseconds interval) {
  FAMFS_ASSIGN_OR_RETURN(thread_,
                         StartThread([this, interval] { Run(interval); }));
  FAMFS_ASSIGN_OR_RETURN(devices_thread_, StartThread([this, interval] {
                           LookAtDevices(interval);
                         }));
  return absl::OkStatus();
}

Follower::~Follower() {
  Stop();
  if (devices_thread_.joinable()) devices_thread_.join();
}

void Follower::Stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.NotifyAll();
  if (thread_.joinable()) thread_.join();
}

absl::Status Follower::CatchUp() {
  absl::StatusOr<std::vector<Change>> changes = reader_.Refresh();
  if (!changes.ok()) {
    LogError(changes.status());
    return changes.status();
  }
  for (const Change& change : *changes) {
    if (change.kind == Change::Kind::kRemoved) {
      removed_(change.id);
    } else if (change.in_tree && change.kind != Change::Kind::kAdded) {
      changed_(change.id);
    }
  }
  const MutexLock lock(mutex_);
  if (!last_error_.empty()) {
    spdlog::info("the log can be followed again");
    last_error_.clear();
  }
  bool added = false;
  for (Change& change : *changes) {
    // Names that were missing are never cached: nothing to tell.
    if (change.kind == Change::Kind::kAdded) continue;
    pending_notifications_.push_back(std::move(change));
    added = true;
  }
  if (added) wake_.NotifyAll();
  return absl::OkStatus();
}

void Follower::LogError(const absl::Status& error) {
  const MutexLock lock(mutex_);
  if (last_error_ == Message(error)) return;
  last_error_ = std::string(Message(error));
  if (IsReplaced(error)) {
    replaced_ = true;
    spdlog::critical("{}: from now on every call is answered ESTALE",
                     last_error_);
    return;
  }
  if (absl::IsUnavailable(error)) {
    spdlog::error(
        "the log cannot be followed at the moment, new opens are refused with "
        "EAGAIN: {}",
        last_error_);
    return;
  }
  spdlog::error(
      "the log cannot be followed, new opens are refused with EIO: {} "
      "(famfs fsck tells more)",
      last_error_);
}

void Follower::Run(std::chrono::milliseconds interval) {
  using Clock = std::chrono::steady_clock;
  MutexLock lock(mutex_);
  auto end = Clock::now() + interval;
  while (!stopping_) {
    while (!stopping_ && pending_notifications_.empty() &&
           pages_to_drop_.empty() && wake_.WaitUntil(mutex_, end)) {
    }
    if (!pages_to_drop_.empty()) {
      absl::flat_hash_set<fuse_ino_t> files;
      files.swap(pages_to_drop_);
      lock.Unlock();
      NotifyOfDropped(files);
      lock.Lock();
      if (pending_notifications_.empty() && Clock::now() < end) continue;
    }
    if (!stopping_ && pending_notifications_.empty()) {
      lock.Unlock();
      always_();
      const absl::Status caught_up = CatchUp();
      lock.Lock();
      // What it found is told in the next turn, before the round.
      if (!pending_notifications_.empty()) continue;
      lock.Unlock();
      if (caught_up.ok()) round_();
      lock.Lock();
      end = Clock::now() + interval;
      continue;
    }
    std::deque<Change> batch;
    batch.swap(pending_notifications_);
    lock.Unlock();
    for (const Change& change : batch) {
      NotifyKernel(change, {.read_only = false});
      NotifyKernel(change, {.read_only = true});
    }
    always_();
    round_();
    lock.Lock();
    end = Clock::now() + interval;
  }
}

void Follower::LookAtDevices(std::chrono::milliseconds interval) {
  MutexLock lock(mutex_);
  for (;;) {
    const auto end = std::chrono::steady_clock::now() + interval;
    while (!stopping_ && wake_.WaitUntil(mutex_, end)) {
    }
    if (stopping_) return;
    lock.Unlock();
    reader_.devices()->Verify();
    lock.Lock();
  }
}

// Telling that a name is gone waits for its directory's lock, which a creation
// holds that waits for the owner; and it needs no telling.
void Follower::NotifyOfPages(const Change& change, const Inode& view) {
  if (change.kind == Change::Kind::kRemoved) return;
  const Inode file = Inode::FromKernel(view.Of(change.id));
  if (!has_pages_(file)) return;
  const int error =
      fuse_lowlevel_notify_inval_inode(session_, view.Of(change.id), 0, 0);
  if (error != 0 && error != -ENOENT) {
    spdlog::warn("telling the kernel about {}: {}", Printable(change.name),
                 Message(ErrnoError(-error, "notification")));
  }
}

void Follower::DropPages(fuse_ino_t file) {
  const MutexLock lock(mutex_);
  if (pages_to_drop_.insert(file).second) wake_.NotifyAll();
}

void Follower::NotifyOfDropped(const absl::flat_hash_set<fuse_ino_t>& files) {
  for (const fuse_ino_t file : files) {
    // An error: the kernel has none of it, or its inode is gone.
    static_cast<void>(fuse_lowlevel_notify_inval_inode(session_, file, 0, 0));
  }
}

void Follower::NotifyKernel(const Change& change, const Inode& view) {
  if (change.in_tree) {
    NotifyOfPages(change, view);
    return;
  }
  int error = 0;
  if (change.kind == Change::Kind::kRemoved) {
    error = fuse_lowlevel_notify_inval_entry(session_, view.Of(change.parent),
                                             change.name.data(),
                                             change.name.size());
    spdlog::debug("{} is gone: kernel told ({})", Printable(change.name),
                  error);
  }
  if (error == 0 || error == -ENOENT) {
    // Offset -1: attributes alone; pages in use keep their bytes.
    error =
        fuse_lowlevel_notify_inval_inode(session_, view.Of(change.id), -1, 0);
  }
  if (error != 0 && error != -ENOENT) {
    spdlog::warn("telling the kernel about {}: {}", Printable(change.name),
                 Message(ErrnoError(-error, "notification")));
  }
}

}  // namespace famfs
