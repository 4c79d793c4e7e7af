// The pools of the configuration, each an instance that this process writes.
//
// A pool that cannot be opened (device missing, another writer, damaged log)
// makes its own calls UNAVAILABLE, with what to do, and is tried again by the
// next call and in each reclaim interval; the others go on. Each call and each
// look finds out whether an open pool was lost (controller/pool_opener.h).
//
// What a device lies on can hang: a file system that is frozen, a server that
// stands still. Whatever looks at a device or waits for who does may then wait
// for ever. So all looks at a pool are made by one thread of the pool's own,
// and who asks for one waits PoolOptions::patience for it. Nothing here waits
// for another pool.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "controller/configured_devices.h"
#include "controller/helper.h"
#include "controller/pool_opener.h"
#include "controller/pool_snapshot.h"
#include "controller/reclaimer.h"
#include "csi/config/config.h"
#include "dax/device.h"
#include "instance/writer/writer.h"

namespace famfs::controller {

struct PoolOptions {
  std::chrono::milliseconds reclaim_interval{10'000};
  DeviceOpener open_device = kOpenDevice;
  /// How long a call waits for the pool to be looked at.
  std::chrono::milliseconds patience{3'000};
};

/// Thread-safe.
class Pool {
 public:
  /// Looks at the open pool, in the pool's thread: it owns what it uses, since
  /// it may run when who asked has gone.
  using Question = std::function<absl::Status(Writer&)>;

  /// Calls that may use a pool's writer at the same time.
  static constexpr std::size_t kMaxCalls = 128;

  /// Begins to open it; from then on it is looked at once a second.
  /// Unavailable: no thread can be had.
  static absl::StatusOr<std::unique_ptr<Pool>> Start(
      csi::PoolSection section, const PoolOptions& options);
  /// Join().
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  [[nodiscard]] const std::string& name() const { return section_.name; }

  // These two look whether the pool stands, and open it where it is not open
  // (and, by policy, format the blank device), with the further devices of the
  // configuration. Unavailable names pool, device and remedy; also when the
  // pool does not answer within the patience, and when kMaxCalls are under way.

  /// The writer, for one call: while an old one is held, no other can be
  /// opened. What is done with it may take as long as it takes.
  absl::StatusOr<std::shared_ptr<Writer>> Open();
  /// What `question` answers. For what is short; one after another.
  [[nodiscard]] absl::Status Ask(const Question& question);

  /// Devices of the configuration, or else of the log, that are not there, each
  /// with why; they are looked for now. For who has the writer, and like that
  /// one's methods it takes as long as it takes. While some are missing nobody
  /// knows what the pool can never do.
  std::vector<std::string> MissingDevices(Writer& writer);

  // These never wait for the pool:

  /// OK: it stood when it was last looked at, and answers. Tells once when it
  /// does not.
  [[nodiscard]] absl::Status Standing();
  /// Of the instance that is, or was last, open.
  [[nodiscard]] std::optional<Uuid> fs_uuid() const;
  [[nodiscard]] PoolLosses losses() const;
  /// At most some two seconds old, unless the pool does not answer. Null: it is
  /// not open.
  [[nodiscard]] std::shared_ptr<const PoolSnapshot> snapshot() const;
  /// What is under way there, in words; empty: nothing.
  [[nodiscard]] std::string UnderWay() const;

  /// Has the snapshot made anew; waits at most `limit`.
  void Refresh(std::chrono::milliseconds limit);
  /// Waits for the pool's first opening, at most for the patience.
  void AwaitOpening();

  /// Deleted space is given back by a thread of the pool's own (Reclaimer).
  void ReclaimSoon() { reclaimer_.Soon(); }
  /// A scrub under way ends soon, and no other begins; hosts are soon answered
  /// no more. Does not wait.
  void StopServing() {
    ending_ = true;
    reclaimer_.Stop();
  }
  /// Looks at it no more, and waits for the look and the reclaimer's round that
  /// are under way. Calls from now on are UNAVAILABLE.
  void Join();

 private:
  using Clock = std::chrono::steady_clock;
  /// A call that has the writer.
  struct Call {
    Clock::time_point begun;
    bool told = false;
  };
  class Visit;

  Pool(csi::PoolSection section, const PoolOptions& options);

  // In the helper's thread.
  void Tick();
  absl::StatusOr<std::shared_ptr<Writer>> Look();
  void LookAndLog();
  void Publish(const absl::Status& standing);
  void RenewSnapshot(const Writer& writer);
  void LogScrub(const Writer& writer);
  void LogLongCalls();
  void LogThatItAnswers();

  bool Do(const Helper::Job& job);
  /// The error for who has waited in vain; tells it once.
  absl::Status NotAnswering();
  absl::StatusOr<std::list<Call>::iterator> Enter();
  void Leave(std::list<Call>::iterator call);
  std::shared_ptr<Writer> OpenedWriter() const;

  const csi::PoolSection section_;
  const PoolOptions options_;
  ConfiguredDevices devices_;

  // The helper's own.
  PoolOpener opener_;
  std::string logged_;  // the error of the last LookAndLog
  Clock::time_point next_try_{};
  Clock::time_point scrub_logged_{};
  std::uint64_t snapshot_changes_ = 0;  // when its volumes were looked up

  std::atomic<bool> opening_ = false;
  std::atomic<bool> ending_ = false;
  std::atomic<bool> logged_hang_ = false;
  /// Grows when volumes may have been made or deleted.
  std::atomic<std::uint64_t> changes_ = 0;

  mutable Mutex mutex_;  // held for moments
  CondVar left_;
  /// The oldest first.
  std::list<Call> calls_ ABSL_GUARDED_BY(mutex_);
  /// As of the last look.
  absl::Status standing_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<Writer> writer_ ABSL_GUARDED_BY(mutex_);
  std::optional<Uuid> fs_uuid_ ABSL_GUARDED_BY(mutex_);
  PoolLosses losses_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<const PoolSnapshot> snapshot_ ABSL_GUARDED_BY(mutex_);

  // Last: their threads use the members above.
  Reclaimer reclaimer_;
  std::unique_ptr<Helper> helper_;
};

/// All pools, in the configuration's order.
class PoolSet {
 public:
  /// Waits until each pool is open or known not to be, at most for the
  /// patience; errors of that are logged, never fatal. Pool::Start's errors.
  static absl::StatusOr<std::unique_ptr<PoolSet>> Start(
      const csi::Config& config, PoolOptions options = {});

  /// Unavailable names the pools that are not open. Never waits.
  [[nodiscard]] absl::Status CheckAllOpen() const;
  /// Before the end: no call has to wait for a scrub any more, and hosts ask
  /// the next controller.
  void StopServing();
  /// Pool::Join of each.
  void Join();
  /// What keeps the process from ending, in words. Never waits.
  [[nodiscard]] std::string UnderWay() const;

  [[nodiscard]] const std::vector<std::unique_ptr<Pool>>& pools() const {
    return pools_;
  }
  /// In the order of their names.
  [[nodiscard]] std::vector<Pool*> ByName() const;
  /// By a name that the configuration has.
  [[nodiscard]] Pool& Get(std::string_view name) const;

 private:
  PoolSet() = default;
  std::vector<std::unique_ptr<Pool>> pools_;
};

}  // namespace famfs::controller
