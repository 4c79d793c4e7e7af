// The request half of a host's mailbox, as the host itself writes it, and the
// answer as it judges it: one request at a time.
//
// Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "instance/log/layout.h"
#include "media/mailbox_lines.h"
#include "media/tree_request.h"

namespace famfs {

/// A row of the host table, and whose it is.
struct SessionRow {
  std::size_t row = 0;
  std::uint32_t session = 0;
  bool operator==(const SessionRow&) const = default;
};

class Outbox {
 public:
  /// `layout`, opened for writing, outlives this.
  explicit Outbox(Layout& layout) : layout_(layout) {}

  /// Writes the message under the next number of the session: higher than all
  /// that this Outbox gave and that the row shows.
  void Send(const SessionRow& place, std::span<const std::byte> message);
  /// One cache line until there is an answer to what was sent, whole or not.
  /// It counts when the owner that stands now has noted it: nullopt as long as
  /// that is not so.
  [[nodiscard]] std::optional<TreeAnswer> Look() const;
  /// Whether a request of this session with a higher number is done, so that
  /// the owner ignores this one: it is to be sent again.
  [[nodiscard]] bool NumberIsSpent() const;
  /// Writes again what is no longer there as it was sent.
  void Mend();
  /// An owner that has not begun it never will.
  void Withdraw();

 private:
  [[nodiscard]] std::uint64_t HighestShown(const SessionRow& place) const;
  /// Whether the owner that stands now has noted that as the answer.
  [[nodiscard]] bool IsNoted(const TreeAnswer& answer) const;
  [[nodiscard]] bool IsOurs(std::uint32_t session, std::uint64_t number) const {
    return session == place_.session && number == number_;
  }

  Layout& layout_;
  SessionRow place_;
  std::uint64_t number_ = 0;  // of place_.session, given last
  std::vector<Line> lines_;
};

}  // namespace famfs
