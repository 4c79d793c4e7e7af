// Opens a pool's instance, and finds out when it is lost.
//
// An open pool can be lost: another writer takes it over, or its device is made
// anew. Its writer is given up then, and the pool opened again, as the instance
// that the device holds now; after a pause when it was overtaken (ReopenPause).
// What was open once is never made anew by the same process: a device that is
// blank then has lost its volumes, and that is for somebody to see.
//
// While a pool is open its hosts' mailboxes are answered: what pods change in
// tree volumes.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/status.h"
#include "controller/configured_devices.h"
#include "controller/reopen_pause.h"
#include "csi/config/config.h"
#include "instance/mailbox/answerer.h"
#include "instance/writer/writer.h"

namespace famfs::controller {

/// How often this process lost a pool that it had open.
struct PoolLosses {
  std::uint64_t overtaken = 0;  // by another writer
  std::uint64_t replaced = 0;   // its device held another instance, or none
  std::uint64_t other = 0;      // memory of its log was missing
};

/// For use by one thread at a time. Each method may wait for ever, where a
/// device or what it lies on does not answer.
class PoolOpener {
 public:
  /// `devices` are those of the section, and outlive this object.
  PoolOpener(csi::PoolSection section, DeviceOpener open_device,
             ConfiguredDevices& devices)
      : section_(std::move(section)),
        open_device_(std::move(open_device)),
        devices_(devices) {}

  /// Whether the open writer still stands, looked at now. One that was lost is
  /// given up: writer() is null from then on. Of a pool that is not open, why;
  /// OK when nobody has tried yet.
  [[nodiscard]] absl::Status Check();
  /// Opens what is not open and, by policy, formats a blank device on the first
  /// time. Errors say why it cannot be opened now.
  [[nodiscard]] absl::Status Open();

  /// For good, at the process' end: a host's request under way ends first, and
  /// scrubbing for it ends soon.
  void StopAnswering();

  /// Null while the pool is not open.
  [[nodiscard]] const std::shared_ptr<Writer>& writer() const {
    return writer_;
  }
  [[nodiscard]] const PoolLosses& losses() const { return losses_; }
  /// It was lost, and the pause after that is over.
  [[nodiscard]] bool IsDueAgain() const;

 private:
  using Clock = ReopenPause::Clock;

  [[nodiscard]] absl::Status MayOpen() const;
  absl::StatusOr<std::shared_ptr<Writer>> OpenDevicesAndWriter() const;
  void TakeUp(std::shared_ptr<Writer> writer);
  void AnswerHosts();
  void Lose(const absl::Status& why);

  const csi::PoolSection section_;
  const DeviceOpener open_device_;
  ConfiguredDevices& devices_;

  std::shared_ptr<Writer> writer_;
  bool answers_ = true;
  std::unique_ptr<Answerer> answerer_;  // of the writer; null: none to be had
  std::weak_ptr<Writer> lost_writer_;   // calls may still end with it
  absl::Status lost_;              // why; OK: it never was, or is open again
  std::optional<Uuid> last_uuid_;  // of the instance that was last open
  ReopenPause pause_;
  PoolLosses losses_;
};

}  // namespace famfs::controller
