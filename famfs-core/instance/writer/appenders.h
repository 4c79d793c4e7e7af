// Which hosts may append to a file of a tree volume, as the owner decides it.
// Who asks to append (TreeOp::kAppend) gets a range of the file or, while no
// other host asks, the file: then it appends without asking, until it is told
// to stop, by a revision of the node that it did not ask for.
//
// What was given is known here, for this owner, and from the hosts' claims
// (media/append_claims.h), which a host writes before it asks and takes back
// when it has told what it stored: a file whose claim is not there is nobody's.
// What an earlier owner gave is known by the claims alone.
//
// Guarded by the lock of the state.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "instance/deletion/host_table.h"
#include "instance/log/layout.h"
#include "media/node_record.h"

namespace famfs {

class Appenders {
 public:
  using Clock = std::chrono::steady_clock;
  enum class Verdict {
    kAlone,   // the file is the asker's from now on
    kShared,  // a range
    kWait,    // another host has to stop first
  };

  /// `layout` lives longer.
  explicit Appenders(const Layout& layout) : layout_(layout) {}

  /// A live session asks: so it appends by itself no longer. Session 0: none
  /// that could be told to stop. `revision`: the node's.
  Verdict Ask(std::string_view volume, TreeId node, std::uint32_t session,
              std::uint32_t revision, Clock::time_point now);
  /// After kWait: whether the node has to be revised, so that who appends sees
  /// it. Once for each host that is to stop.
  [[nodiscard]] bool HasToRevise(std::string_view volume, TreeId node) const;
  /// It was, with that revision.
  void Revised(std::string_view volume, TreeId node, std::uint32_t revision,
               Clock::time_point now);
  /// The session does not append by itself as of that revision, whatever its
  /// claims say.
  void GiveUp(std::string_view volume, TreeId node, std::uint32_t session,
              std::uint64_t revision);
  /// A host that should have stopped long ago: its session, for messages; 0:
  /// none.
  [[nodiscard]] std::uint32_t WaitsFor(std::string_view volume, TreeId node,
                                       Clock::time_point now) const;

 private:
  struct File {
    std::uint32_t alone = 0;       // the session that it was given to
    std::uint32_t alone_from = 0;  // the revision then
    std::uint32_t revised = 0;     // to tell who appends; 0: not yet
    Clock::time_point revised_at{};
    /// Sessions that an earlier owner may have given it to.
    std::vector<std::uint32_t> earlier{};
    std::uint32_t last_asker = 0;
    Clock::time_point last_asked{};
    Clock::time_point shared_until{};
  };
  using Key = std::pair<std::string, TreeId>;

  File& FindOrAdd(std::string_view volume, TreeId node);
  [[nodiscard]] const File* Find(std::string_view volume, TreeId node) const;
  /// Forgets those that do not append to it any more; whether any is left.
  bool IsTaken(File& file, TreeId node) const;
  [[nodiscard]] bool MayAppend(const std::vector<HostRow>& rows,
                               std::uint32_t session, TreeId node) const;
  void LookAtClaims();

  const Layout& layout_;
  bool has_looked_ = false;
  /// Sessions that claimed any file when this owner was first asked.
  std::vector<std::uint32_t> earlier_;
  absl::flat_hash_map<Key, File> files_;
  /// Of so many it is looked which are still somebody's.
  static constexpr std::size_t kMostFiles = 4096;
  std::size_t forgets_at_ = kMostFiles;
};

}  // namespace famfs
