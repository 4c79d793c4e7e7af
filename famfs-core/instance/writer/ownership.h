// Giving an instance to another host: its system uuid in the superblock, which
// is all that says who may write (media/format.h).
//
// The uuid and the superblock's checksum lie in one cache line, but no single
// store covers both. So the owner record of our region is written first, and a
// superblock whose checksum fits one of its two hosts is completed, not
// damaged.
#pragma once

#include "base/status.h"
#include "dax/device.h"
#include "instance/log/layout.h"

namespace famfs {

/// Writes the new owner's record, then the superblock. From the record on the
/// former owner's writer notices that it was overtaken. `layout` is stale
/// afterwards.
[[nodiscard]] absl::Status ChangeOwner(Layout& layout, const Uuid& new_owner);

/// Completes a ChangeOwner that a crash interrupted; anything else is left as
/// it is.
[[nodiscard]] absl::Status MendOwner(DaxDevice& device);

/// That a host took the next epoch; returned with its nonce.
OwnerRecord StoreNextOwner(Layout& layout, std::uint64_t epoch,
                           const Uuid& host);

}  // namespace famfs
