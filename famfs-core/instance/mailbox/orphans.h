// Files that hosts had open when they were removed (tree/hidden_name.h), and
// whose hosts are gone: the owner removes them.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <utility>

#include "instance/writer/writer.h"

namespace famfs {

/// For one thread at a time, and one writer after another.
class Orphans {
 public:
  using Clock = std::chrono::steady_clock;

  /// A host that lost its row takes another one within its poll interval: so
  /// long its files stay.
  explicit Orphans(Clock::duration grace = std::chrono::seconds(5))
      : grace_(grace) {}

  /// Removes those whose session was gone at each call since the grace began;
  /// how many. From time to time.
  std::size_t Remove(Writer& writer);

 private:
  const Clock::duration grace_;
  // Volume and name, and since when the host is known to be gone.
  absl::flat_hash_map<std::pair<std::string, std::string>, Clock::time_point>
      seen_;
};

}  // namespace famfs
