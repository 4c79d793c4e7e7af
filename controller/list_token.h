// ListVolumes' tokens: opaque to the caller, a stable sort key to us. Volumes
// are listed by pool and directory, both of which never change, so a page that
// begins after a key skips nothing when others are created or deleted
// meanwhile.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"

namespace famfs::controller {

struct ListKey {
  std::string pool;
  std::string directory;
  auto operator<=>(const ListKey&) const = default;
};

std::string EncodeListToken(const ListKey& last_listed);
/// Aborted, as the specification has it, for anything that EncodeListToken
/// cannot have made. Whether there is such a pool is not looked at.
absl::StatusOr<ListKey> DecodeListToken(std::string_view token);

}  // namespace famfs::controller
