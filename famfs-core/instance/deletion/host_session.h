// A reading host's own side of the host table (docs/design.md §5, Delete): one
// server session with its row. A server opens no file of its device before the
// row stands; afterwards no deleted volume's space is used again until this
// session has let go of it.
//
// Hosts share no lock and no atomics, so a row is taken by writing it and
// looking again. Two that take one row at the same moment: one of them finds
// the other's there, now or at its next Check, and takes another row.
//
// Rows of hosts that were evicted are the last to be taken. Whoever finds
// another one's record in a row that has stood before was evicted, too, and
// never registers again: what it maps may be another volume's by now.
//
// Not thread-safe, except usable(), row(), session() and evicted().
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/status.h"
#include "dax/device.h"
#include "dax/use_mark.h"
#include "instance/deletion/host_table.h"
#include "instance/log/layout.h"

namespace famfs {

struct HostIdentity {
  Uuid host;                     // system uuid
  std::uint64_t boot = 0;        // LoadBoot
  std::uint32_t session = 0;     // random
  std::uint32_t connection = 0;  // minor of the FUSE connection; 0: not known
};

/// The sessions among these whose FUSE connection (the record has its minor) is
/// certainly gone from this machine. Asked of all that are in question at once,
/// each time that they are looked at.
using FindGone = std::function<std::vector<std::uint32_t>(
    const std::vector<HostRecord>& sessions)>;

class HostSession {
 public:
  /// Closes what earlier sessions of this host left, as ClosePredecessors. Then
  /// takes a row. ResourceExhausted when all 128 are of live sessions, or
  /// cannot be read. `find_gone` is kept; without it no connection is known to
  /// be gone. The row says of itself that it ends with this process: nothing
  /// else may reach the memory for this session, as on the data path `copy`.
  static absl::StatusOr<std::unique_ptr<HostSession>> Register(
      DaxDevice& device, const HostIdentity& identity, FindGone find_gone = {});

  /// Closes the rows of other sessions of this host that are surely over, such
  /// as of a killed server or `famfs`: those of another boot, and those of this
  /// boot whose process has dropped its mark or, where it had none, whose
  /// connection is gone. That lasts as long as a mount or a mapping of it, and
  /// others come later, so this is to be called now and then. Reads the host
  /// table.
  void ClosePredecessors();
  /// Looks at the row; takes another one when it was lost. PermissionDenied
  /// when this host was evicted, IsReplaced when the device holds another
  /// instance (in whose table nothing is ever written): nothing but mounting
  /// again helps.
  [[nodiscard]] absl::Status Check();
  /// Raises the row's number: this host has let go of every volume deleted with
  /// a number up to it. Never lowers it.
  [[nodiscard]] absl::Status Acknowledge(std::uint64_t number);
  /// The mount is gone and nothing is open: the row is free again.
  void Close();

  /// Whether the row stands. From any thread.
  [[nodiscard]] bool usable() const { return standing_row_.load() < kHostRows; }
  /// Of the host table; nullopt while none stands. From any thread.
  [[nodiscard]] std::optional<std::size_t> row() const {
    const std::size_t row = standing_row_.load();
    return row < kHostRows ? std::optional(row) : std::nullopt;
  }
  /// Always the same. From any thread.
  [[nodiscard]] std::uint32_t session() const { return session_; }
  /// Whether this host was evicted. From any thread.
  [[nodiscard]] bool evicted() const { return evicted_.load(); }
  [[nodiscard]] std::uint64_t acknowledged() const {
    return record_.acknowledged;
  }

 private:
  HostSession(Layout layout, UseMark mark, const HostIdentity& identity,
              FindGone find_gone);
  [[nodiscard]] std::optional<bool> HasEnded(const HostRecord& record) const;
  [[nodiscard]] absl::Status TakeRow();
  [[nodiscard]] bool TryRow(std::size_t row, bool also_evicted);
  [[nodiscard]] absl::Status EndEvicted();
  void CloseRow();
  [[nodiscard]] bool IsOurs(const std::optional<HostRow>& found) const;

  Layout layout_;
  UseMark mark_;
  const FindGone find_gone_;
  const std::uint32_t session_;
  HostRecord record_;  // as last stored
  std::size_t row_ = 0;
  bool stood_ = false;  // a Check found it: nobody took it at the same moment
  std::atomic<bool> evicted_{false};
  std::atomic<std::size_t> standing_row_{kHostRows};  // kHostRows: none
};

}  // namespace famfs
