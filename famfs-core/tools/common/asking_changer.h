// A Changer that asks the program which has the instance open.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string_view>

#include "base/mutex.h"
#include "instance/deletion/host_session.h"
#include "instance/deletion/space.h"
#include "instance/mailbox/asker.h"
#include "tools/common/changer.h"

namespace famfs {

/// A host of the instance while it lives, from the first change on: with a row
/// of the host table, as a server has one.
class AskingChanger final : public Changer {
 public:
  /// `wait`: for each answer. `refused`: why this process does not write
  /// itself, which is told where asking does not help.
  static absl::StatusOr<std::unique_ptr<Changer>> Open(
      std::shared_ptr<DeviceSet> devices, const Uuid& host,
      std::chrono::seconds wait, absl::Status refused);
  ~AskingChanger() override;

  [[nodiscard]] Reader::View Tree() const override;
  [[nodiscard]] const std::shared_ptr<DeviceSet>& devices() const override;
  [[nodiscard]] absl::Status CheckStanding() override
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<TreeAnswer> Change(const TreeRequest& request) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<TreeAnswer> TakeBack(const TreeRequest& request) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Hold(const Node& file) override ABSL_LOCKS_EXCLUDED(held_mutex_);
  void LetGo(const Node& file) override ABSL_LOCKS_EXCLUDED(held_mutex_);
  [[nodiscard]] std::uint64_t largest_growth() const override;
  absl::StatusOr<Writer*> WriterFor(std::string_view path) override;

 private:
  using Clock = std::chrono::steady_clock;

  AskingChanger(std::unique_ptr<Reader> reader, const Uuid& host,
                std::chrono::seconds wait, absl::Status refused)
      : reader_(std::move(reader)),
        host_(host),
        wait_(wait),
        refused_(std::move(refused)) {}

  /// Takes the row, once, and looks after it once a second.
  absl::Status KeepRow() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status TakeRow() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// So that deleted space waits for this process only where that stores.
  void Acknowledge() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_)
      ABSL_LOCKS_EXCLUDED(held_mutex_);
  /// `give_up` is asked now and then, and ends the wait with an error.
  absl::StatusOr<TreeAnswer> Await(const TreeRequest& request,
                                   const std::function<absl::Status()>& give_up)
      ABSL_LOCKS_EXCLUDED(mutex_);
  [[nodiscard]] absl::Status NobodyAnswered() const;
  absl::Status CatchUpTo(const TreeAnswer& answer);

  const std::unique_ptr<Reader> reader_;
  const Uuid host_;
  const std::chrono::seconds wait_;
  const absl::Status refused_;
  Mutex mutex_;
  std::unique_ptr<HostSession> session_ ABSL_GUARDED_BY(mutex_);
  Clock::time_point next_look_ ABSL_GUARDED_BY(mutex_);
  Mutex held_mutex_ ABSL_ACQUIRED_AFTER(mutex_);
  ExtentPlaces held_ ABSL_GUARDED_BY(held_mutex_);
  std::atomic<bool> nobody_answers_{false};  // one wait was in vain: no more
  // Made with the session, under the mutex, and never replaced.
  std::unique_ptr<Asker> asker_;
};

}  // namespace famfs
