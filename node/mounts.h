// Mounting by the kernel's newer calls: a clone is made and given its
// attributes while it is attached nowhere, so a read-only publication is never
// writable for a moment.
//
// What may wait for a FUSE server runs in a helper with a limit; everything
// else touches no mounted file system.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "base/status.h"
#include "base/unique_fd.h"
#include "csi/capabilities.h"
#include "node/mountinfo.h"
#include "node/place.h"

namespace famfs::node {

/// How long one question to a FUSE server may take.
inline constexpr std::chrono::seconds kServerPatience{10};

/// Runs `work` in a thread of its own and waits for it, at most `limit`: then
/// Unavailable, and the result is dropped (a descriptor is closed) whenever it
/// comes. `what` begins the message. At most 64 such threads may hang.
absl::StatusOr<UniqueFd> Bounded(
    const std::string& what, std::chrono::milliseconds limit,
    std::function<absl::StatusOr<UniqueFd>()> work);

/// A clone of the one mount (nothing below it) that `path` leads to, rooted
/// there, attached nowhere; gone when closed. Unavailable when the server has
/// gone or does not answer.
absl::StatusOr<UniqueFd> CloneMount(const std::string& path);

/// Adds the attributes that are set to a clone's.
[[nodiscard]] absl::Status SetAttributes(const UniqueFd& clone,
                                         const csi::MountFlags& flags);
/// The attributes that a mount has.
csi::MountFlags AttributesOf(const MountEntry& entry);

/// At an existing directory.
[[nodiscard]] absl::Status AttachMount(const UniqueFd& clone,
                                       const Place& place);

/// Takes the topmost mount away. A busy one is detached lazily, which is
/// logged, unless other mounts hang on it: FailedPrecondition names them.
[[nodiscard]] absl::Status UnmountTop(const Place& place,
                                      const MountTable& table);
/// Lazily: for mounts whose server is dead.
[[nodiscard]] absl::Status DetachTop(const Place& place);

}  // namespace famfs::node
