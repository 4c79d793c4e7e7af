// How both ends of a mailbox write and read what media/mailbox_lines.h encodes.
// Each store ends with a write-back of exactly what it stored, each load begins
// with an invalidation of what it reads. `head` maps [0, 2 MiB) of the device;
// whether its memory was there, Mapping::Check tells.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "base/status.h"
#include "dax/device.h"
#include "media/append_claims.h"
#include "media/mailbox_lines.h"

namespace famfs {

/// From the last line to the first, each on its own: until the first one is
/// there, the message is not.
void StoreMessage(Mapping& head, std::size_t row, MailboxSide side,
                  std::span<const Line> lines);
/// Makes the message absent.
void WithdrawMessage(Mapping& head, std::size_t row, MailboxSide side);
/// Whether these lines stand there.
bool MessageStands(const Mapping& head, std::size_t row, MailboxSide side,
                   std::span<const Line> lines);

/// The first line of a half, in a copy.
Line LoadHeadLine(const Mapping& head, std::size_t row, MailboxSide side);
/// As DecodeMailboxHead and DecodeMailboxMessage.
absl::StatusOr<std::optional<MailboxHead>> LoadMailboxHead(const Mapping& head,
                                                           std::size_t row,
                                                           MailboxSide side,
                                                           const Uuid& fs_uuid);
absl::StatusOr<std::optional<MailboxMessage>> LoadMailboxMessage(
    const Mapping& head, std::size_t row, MailboxSide side,
    const Uuid& fs_uuid);

/// Into the row's pair.
void StoreDone(Mapping& head, std::size_t row, const DoneRecord& record,
               const Uuid& fs_uuid);
/// As DecodeDone.
absl::StatusOr<std::optional<DoneRecord>> LoadDone(const Mapping& head,
                                                   std::size_t row,
                                                   const Uuid& fs_uuid);

/// Into the row's pair.
void StoreAppendClaims(Mapping& head, std::size_t row,
                       const AppendClaims& claims, const Uuid& fs_uuid);
/// As DecodeAppendClaims.
absl::StatusOr<std::optional<AppendClaims>> LoadAppendClaims(
    const Mapping& head, std::size_t row, const Uuid& fs_uuid);

}  // namespace famfs
