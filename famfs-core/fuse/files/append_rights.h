// Which files of tree volumes this host appends to without asking the owner:
// of each append that is not its alone it asks for a range
// (TreeOp::kAppend). A file is this host's alone from the owner's answer on
// until a revision of the node appears that this host did not ask for.
//
// Before it asks it claims the file in the memory (media/append_claims.h), and
// takes the claim back when what it stored is told: until then the owner gives
// the file to nobody.
//
// Thread-safe. By the Namespace's ids, without a view.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/mutex.h"
#include "instance/tree/node.h"
#include "media/append_claims.h"

namespace famfs {

/// A row of the host table, and whose it is.
struct MailboxPlace {
  std::size_t row = 0;
  std::uint32_t session = 0;
  bool operator==(const MailboxPlace&) const = default;
};

class AppendRights {
 public:
  /// Writes the claims; false: it could not.
  using Store =
      std::function<bool(const MailboxPlace&, const AppendClaimBits&)>;
  /// A node's last one, and the session that asked for it.
  struct Revision {
    std::uint32_t number = 0;
    std::uint32_t session = 0;
  };

  /// Whether the file is this host's alone now; it no longer is when `now` says
  /// so. Under the lock that appends to the file are under.
  bool Holds(NodeId id, const MailboxPlace& place, const Revision& now);

  /// Claims the file. The owner may be asked all the same when that could not
  /// be written. Ends with EndAsking. False: it is this host's alone by now, so
  /// the owner must not be asked, who takes that for a word that it is no
  /// longer.
  [[nodiscard]] bool BeginAsking(NodeId id, TreeId node,
                                 const std::optional<MailboxPlace>& place,
                                 const Store& store);
  /// `alone_from`: the revision from which the owner gives the file to this
  /// host alone, which does not take it where anything came in between.
  void EndAsking(NodeId id, std::optional<std::uint32_t> alone_from,
                 const Revision& now);

  /// Nothing is claimed: there is nothing to look at.
  [[nodiscard]] bool IsIdle() const;
  enum class Next { kNothing, kStop, kLeave };
  /// The node was revised. kStop: Stop, then Leave. kLeave: Leave.
  Next Look(NodeId id, TreeId node, const Revision& now);
  /// Nothing more is appended without asking. Under the lock of Holds. False:
  /// nothing was, since the file was left.
  bool Stop(NodeId id);
  /// Those that are stopped and that nobody asks for.
  [[nodiscard]] std::vector<NodeId> Leaving() const;
  /// Takes the claim back when all that was stored is told, unless the file is
  /// held or asked for again. The revision that the owner wants to hear of, if
  /// any. `is_told` is called under this lock.
  std::optional<std::uint32_t> Leave(NodeId id,
                                     const std::function<bool()>& is_told,
                                     const Store& store);

 private:
  struct Entry {
    TreeId node = kVolumeRoot;
    bool is_held = false;
    std::uint32_t revision = 0;  // the last that is accounted for
    int asking = 0;
    bool is_claimed = false;  // before it was asked
    bool is_spoiled = false;  // revised while it was asked
    bool is_leaving = false;
    std::uint32_t told_at = 0;  // the owner wants an answer; 0: not
  };
  void DropAll() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// Whether this host knows of that revision.
  bool Accounts(Entry& entry, const Revision& now) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool StoreAll(const Store& store) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable Mutex mutex_;  // for moments; the claims are written under it
  MailboxPlace place_ ABSL_GUARDED_BY(mutex_);
  AppendClaimBits stored_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<NodeId, Entry> files_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace famfs
