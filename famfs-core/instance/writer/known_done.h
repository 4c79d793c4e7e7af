// What a Writer knows to be done of a host's requests (writer/done_notes.h).
#pragma once

#include <cstdint>

#include "media/tree_request.h"

namespace famfs {

/// Of a session: the highest number that is done, and how it ended.
struct KnownDone {
  std::uint64_t number = 0;  // 0: nothing is known to be done
  TreeAnswer answer;         // generation and entries: as they are now
  /// The note in the row is damaged, and so it is not known what else is done.
  bool in_doubt = false;
};

}  // namespace famfs
