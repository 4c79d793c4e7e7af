#include "instance/mailbox/outbox.h"

#include <algorithm>

#include "instance/devices/mailbox_store.h"

namespace famfs {

std::uint64_t Outbox::HighestShown(const SessionRow& place) const {
  const Mapping& head = layout_.head();
  const Uuid& fs_uuid = layout_.superblock().fs_uuid;
  std::uint64_t highest = 0;
  for (const MailboxSide side : {MailboxSide::kRequest, MailboxSide::kAnswer}) {
    const auto shown = LoadMailboxHead(head, place.row, side, fs_uuid);
    if (shown.ok() && shown->has_value() &&
        (*shown)->session == place.session) {
      highest = std::max(highest, (*shown)->number);
    }
  }
  const auto done = LoadDone(head, place.row, fs_uuid);
  if (done.ok() && done->has_value() && (*done)->session == place.session) {
    highest = std::max(highest, (*done)->number);
  }
  return highest;
}

void Outbox::Send(const SessionRow& place, std::span<const std::byte> message) {
  const std::uint64_t last = place.session == place_.session ? number_ : 0;
  place_ = place;
  number_ = std::max(last, HighestShown(place)) + 1;
  lines_ = EncodeMailboxMessage(MailboxSide::kRequest, place.session, number_,
                                message, layout_.superblock().fs_uuid);
  StoreMessage(layout_.head(), place.row, MailboxSide::kRequest, lines_);
}

bool Outbox::IsNoted(const TreeAnswer& answer) const {
  const auto done =
      LoadDone(layout_.head(), place_.row, layout_.superblock().fs_uuid);
  if (!done.ok() || !done->has_value()) return false;
  const DoneRecord& noted = **done;
  if (!IsOurs(noted.session, noted.number) || noted.status != answer.error) {
    return false;
  }
  const auto owner = layout_.LoadOwner();
  return owner.ok() && owner->has_value() && (*owner)->epoch == noted.epoch;
}

std::optional<TreeAnswer> Outbox::Look() const {
  const Mapping& head = layout_.head();
  const Uuid& fs_uuid = layout_.superblock().fs_uuid;
  const auto first =
      LoadMailboxHead(head, place_.row, MailboxSide::kAnswer, fs_uuid);
  if (!first.ok() || !first->has_value() ||
      !IsOurs((*first)->session, (*first)->number)) {
    return std::nullopt;
  }
  const auto message =
      LoadMailboxMessage(head, place_.row, MailboxSide::kAnswer, fs_uuid);
  if (!message.ok() || !message->has_value() ||
      !IsOurs((*message)->session, (*message)->number)) {
    return std::nullopt;
  }
  auto answer = DecodeTreeAnswer((*message)->bytes);
  if (!answer.ok() || !IsNoted(*answer) || head.lost()) return std::nullopt;
  return *std::move(answer);
}

bool Outbox::NumberIsSpent() const {
  const auto done =
      LoadDone(layout_.head(), place_.row, layout_.superblock().fs_uuid);
  return done.ok() && done->has_value() && (*done)->session == place_.session &&
         (*done)->number > number_;
}

void Outbox::Mend() {
  if (MessageStands(layout_.head(), place_.row, MailboxSide::kRequest,
                    lines_)) {
    return;
  }
  StoreMessage(layout_.head(), place_.row, MailboxSide::kRequest, lines_);
}

void Outbox::Withdraw() {
  WithdrawMessage(layout_.head(), place_.row, MailboxSide::kRequest);
}

}  // namespace famfs
