// Who changes tree volumes: the instance's owner, as the operations see it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "fuse/files/append_rights.h"
#include "media/append_claims.h"
#include "media/tree_request.h"

namespace famfs {

class Owner {
 public:
  using Id = std::uint64_t;  // never 0
  using Done = std::function<void(const TreeAnswer&)>;
  virtual ~Owner() = default;

  // From any thread.

  /// Asks for a change. `done` is called once, by a thread of the owner's,
  /// which waits for it; or by the caller's, once Stop was called.
  virtual Id Ask(TreeRequest request, Done done) = 0;
  /// Nobody waits for that any more: it ends soon, with EINTR unless it is
  /// done. Does not call `done` itself. Nothing happens for one that has ended.
  virtual void Forget(Id id) = 0;
  /// Ends all that wait; returns when each `done` was called.
  virtual void Stop() = 0;

  /// By which the owner knows this host; nullopt while there is none.
  [[nodiscard]] virtual std::optional<MailboxPlace> Place() const = 0;
  /// Writes which files this host may be appending to without asking, so that
  /// the owner sees it. False: it could not.
  virtual bool StoreClaims(const MailboxPlace& place,
                           const AppendClaimBits& files) = 0;
};

}  // namespace famfs
