#include "instance/mailbox/claims_writer.h"

#include <utility>

#include "instance/devices/mailbox_store.h"

namespace famfs {

absl::StatusOr<ClaimsWriter> ClaimsWriter::Open(DaxDevice& device) {
  FAMFS_ASSIGN_OR_RETURN(Layout layout,
                         Layout::Open(device, Access::kReadWrite));
  return ClaimsWriter(std::move(layout));
}

bool ClaimsWriter::Store(std::size_t row, std::uint32_t session,
                         const AppendClaimBits& files) {
  if (layout_.head().lost() && !layout_.Renew().ok()) return false;
  Mapping& head = layout_.head();
  const Uuid& fs_uuid = layout_.superblock().fs_uuid;
  const auto before = LoadAppendClaims(head, row, fs_uuid);
  const bool known = before.ok() && before->has_value();
  AppendClaims claims{.sequence = known ? (*before)->sequence + 1 : 2,
                      .session = session,
                      .files = files};
  StoreAppendClaims(head, row, claims, fs_uuid);
  if (!before.ok()) {
    // What stands in the other copy may say that it is newer.
    ++claims.sequence;
    StoreAppendClaims(head, row, claims, fs_uuid);
  }
  return head.Check().ok();
}

}  // namespace famfs
