// Words of our region by which processes of one machine wake each other, so
// that nobody has to wait for the end of a poll interval: a request's, which
// all hosts ring and the owner listens to, and one a row for its answers.
//
// They are no part of what stands on the medium: they have no checksum, nobody
// writes them back or judges them, and between machines they mean nothing. So a
// ring may be missed, or heard without one; whoever waits looks at the mailbox
// itself when a wait ends, and every wait ends.
//
// Thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "dax/device.h"

namespace famfs {

/// Whether a thread may sleep on a word of the device. To do so the kernel
/// makes the word's page writable, and on a file system that is frozen, or
/// whose server stands still, that never ends, and meanwhile no other thread of
/// the process can map anything: one hung pool would hang all. A file system
/// that is memory has nothing to wait for. May wait for the file system itself.
bool CanSleepOn(DaxDevice& device);

class Doorbell {
 public:
  /// The word at `at` of our region; `head` maps [0, 2 MiB) of the device for
  /// writing and outlives this. `can_sleep_on`: of CanSleepOn; without it each
  /// wait lasts its whole time.
  Doorbell(Mapping& head, std::size_t at, bool can_sleep_on);

  /// Wakes all who wait for it on this machine.
  void Ring();
  /// To be looked at before the mailbox, for WaitWhile.
  [[nodiscard]] std::uint32_t rings() const;
  /// Until the number of rings is another one than `seen`, or `timeout` has
  /// passed, or for no reason.
  void WaitWhile(std::uint32_t seen, std::chrono::nanoseconds timeout) const;

 private:
  std::uint32_t* word_;
  bool can_sleep_on_;
};

}  // namespace famfs
