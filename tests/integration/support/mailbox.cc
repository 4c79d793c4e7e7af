#include "tests/integration/support/mailbox.h"

#include "instance/devices/mailbox_store.h"
#include "instance/log/layout.h"
#include "media/region_tables.h"

namespace famfs::rig {

std::vector<TreeRequest> StandingRequests(DaxDevice& primary) {
  std::vector<TreeRequest> requests;
  auto layout = Layout::Open(primary, Access::kRead);
  if (!layout.ok()) return requests;
  for (std::size_t row = 0; row < kHostRows; ++row) {
    const auto message =
        LoadMailboxMessage(layout->head(), row, MailboxSide::kRequest,
                           layout->superblock().fs_uuid);
    if (!message.ok() || !message->has_value()) continue;
    auto request = DecodeTreeRequest((*message)->bytes);
    if (request.ok()) requests.push_back(*std::move(request));
  }
  return requests;
}

}  // namespace famfs::rig
