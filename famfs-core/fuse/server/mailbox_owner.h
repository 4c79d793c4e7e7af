// The pool's owner, asked through this host's mailbox.
#pragma once

#include <memory>

#include "base/status.h"
#include "dax/device.h"
#include "fuse/operations/owner.h"
#include "instance/deletion/host_session.h"

namespace famfs {

/// `primary`, opened for writing, and `session`, whose row the mailbox is of,
/// live longer. Errors as Asker::Start.
absl::StatusOr<std::unique_ptr<Owner>> AskByMailbox(DaxDevice& primary,
                                                    const HostSession& session);

}  // namespace famfs
