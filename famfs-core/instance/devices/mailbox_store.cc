#include "instance/devices/mailbox_store.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "instance/devices/metadata_store.h"

namespace famfs {
namespace {

std::size_t LineAt(std::size_t row, MailboxSide side, std::size_t index) {
  return MailboxAt(row, side) + index * kLineSize;
}

void Load(const Mapping& head, std::size_t at, std::span<std::byte> to) {
  const std::size_t start = kRegionOffset + at;
  head.Invalidate(start, to.size());
  std::memcpy(to.data(), head.data() + start, to.size());
}

}  // namespace

void StoreMessage(Mapping& head, std::size_t row, MailboxSide side,
                  std::span<const Line> lines) {
  for (std::size_t i = lines.size(); i-- > 0;) {
    StoreLine(head, LineAt(row, side, i), lines[i]);
  }
}

void WithdrawMessage(Mapping& head, std::size_t row, MailboxSide side) {
  ClearLine(head, LineAt(row, side, 0));
}

bool MessageStands(const Mapping& head, std::size_t row, MailboxSide side,
                   std::span<const Line> lines) {
  for (std::size_t i = 0; i < lines.size(); ++i) {
    Line there;
    Load(head, LineAt(row, side, i), there);
    if (there != lines[i]) return false;
  }
  return true;
}

Line LoadHeadLine(const Mapping& head, std::size_t row, MailboxSide side) {
  Line line;
  Load(head, LineAt(row, side, 0), line);
  return line;
}

absl::StatusOr<std::optional<MailboxHead>> LoadMailboxHead(
    const Mapping& head, std::size_t row, MailboxSide side,
    const Uuid& fs_uuid) {
  return DecodeMailboxHead(LoadHeadLine(head, row, side), side, fs_uuid);
}

absl::StatusOr<std::optional<MailboxMessage>> LoadMailboxMessage(
    const Mapping& head, std::size_t row, MailboxSide side,
    const Uuid& fs_uuid) {
  FAMFS_ASSIGN_OR_RETURN(const auto first,
                         LoadMailboxHead(head, row, side, fs_uuid));
  if (!first) return std::nullopt;
  // A copy: another host may write while it is looked at. The other lines of
  // the half are nobody's business.
  std::array<std::byte, kMailboxHalf> half{};
  Load(head, MailboxAt(row, side),
       std::span(half).first(first->lines * kLineSize));
  return DecodeMailboxMessage(half, side, fs_uuid);
}

void StoreDone(Mapping& head, std::size_t row, const DoneRecord& record,
               const Uuid& fs_uuid) {
  StoreLine(head, CopyAt(DoneAt(row), record.sequence),
            EncodeDone(record, fs_uuid));
}

absl::StatusOr<std::optional<DoneRecord>> LoadDone(const Mapping& head,
                                                   std::size_t row,
                                                   const Uuid& fs_uuid) {
  std::array<std::byte, 2 * kLineSize> copies;
  Load(head, DoneAt(row), copies);
  return DecodeDone(copies, fs_uuid);
}

void StoreAppendClaims(Mapping& head, std::size_t row,
                       const AppendClaims& claims, const Uuid& fs_uuid) {
  StoreLine(head, CopyAt(AppendClaimsAt(row), claims.sequence),
            EncodeAppendClaims(claims, fs_uuid));
}

absl::StatusOr<std::optional<AppendClaims>> LoadAppendClaims(
    const Mapping& head, std::size_t row, const Uuid& fs_uuid) {
  std::array<std::byte, 2 * kLineSize> copies;
  Load(head, AppendClaimsAt(row), copies);
  return DecodeAppendClaims(copies, fs_uuid);
}

}  // namespace famfs
