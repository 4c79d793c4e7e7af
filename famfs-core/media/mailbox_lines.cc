#include "media/mailbox_lines.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "media/checksum.h"
#include "media/region_lines.h"
#include "media/tree_request.h"

namespace famfs {
namespace {

using region::Judge;
using region::LineHead;
using region::LineState;
using region::NewestLine;
using region::SealLine;
using region::TagOf;

constexpr std::uint32_t kRequestMagic = 0x51524d46;  // "FMRQ"
constexpr std::uint32_t kAnswerMagic = 0x4e414d46;   // "FMAN"
constexpr std::uint32_t kDoneMagic = 0x4e444d46;     // "FMDN"

struct MessageLine {
  LineHead head;
  std::uint32_t session;
  std::uint16_t index;
  std::uint16_t length;  // bytes of the message in this line
  std::uint64_t number;
  std::array<std::byte, kMailboxPayload> payload;  // zeros behind the message
};
static_assert(offsetof(MessageLine, index) == 20);
static_assert(offsetof(MessageLine, number) == 24);
static_assert(offsetof(MessageLine, payload) == 32);

/// The head line's payload begins with it.
struct Prefix {
  std::uint16_t length;  // bytes of the whole message
  std::uint16_t lines;
  std::uint32_t crc;  // of the whole message
};
static_assert(sizeof(Prefix) == kMailboxPrefix);

struct DoneLine {
  LineHead head;
  std::uint64_t sequence;
  std::uint64_t number;
  std::uint64_t epoch;
  std::uint32_t session;
  std::int32_t status;
  std::uint64_t node;
  std::uint64_t reserved;  // zero when written, not looked at
};
static_assert(offsetof(DoneLine, session) == 40);

static_assert(MailboxCapacity(MailboxSide::kRequest) >= kMaxTreeRequest);
static_assert(MailboxCapacity(MailboxSide::kAnswer) >= kMaxTreeAnswer);
static_assert(MailboxAt(0, MailboxSide::kAnswer) +
                  MaxMailboxLines(MailboxSide::kAnswer) * kLineSize ==
              DoneAt(0));
static_assert(DoneAt(0) % (2 * kLineSize) == 0, "copies by sequence mod 2");

std::uint32_t MagicOf(MailboxSide side) {
  return side == MailboxSide::kRequest ? kRequestMagic : kAnswerMagic;
}

const char* NameOf(MailboxSide side) {
  return side == MailboxSide::kRequest ? "request" : "answer";
}

/// Where line `index` keeps its part of the message, in its payload.
std::size_t PartAt(std::size_t index) {
  return index == 0 ? kMailboxPrefix : 0;
}

/// How much of a message of `size` bytes line `index` keeps, which is one of
/// its lines.
std::size_t PartSize(std::size_t index, std::size_t size) {
  const std::size_t before = index * kMailboxPayload;  // prefix and message
  const std::size_t until =
      std::min(before + kMailboxPayload, kMailboxPrefix + size);
  return until - before - PartAt(index);
}

Prefix PrefixOf(const MessageLine& line) {
  Prefix prefix;
  std::memcpy(&prefix, line.payload.data(), sizeof(prefix));
  return prefix;
}

absl::Status CheckHead(const MessageLine& line, MailboxSide side) {
  if (line.number > RequestMark::kMaxNumber) {
    return DataLoss(
        "mailbox, {} of session {:#x}: the number {} is more than "
        "{}",
        NameOf(side), line.session, line.number, RequestMark::kMaxNumber);
  }
  const Prefix prefix = PrefixOf(line);
  if (prefix.length > MailboxCapacity(side) ||
      prefix.lines != MailboxLines(prefix.length)) {
    return DataLoss("mailbox, {} {} of session {:#x}: {} bytes in {} lines",
                    NameOf(side), line.number, line.session, prefix.length,
                    prefix.lines);
  }
  return absl::OkStatus();
}

/// A whole line against its place: what no order of writes explains.
absl::Status CheckPlace(const MessageLine& line, std::size_t index,
                        MailboxSide side) {
  const std::size_t room = kMailboxPayload - PartAt(index);
  if (line.index != index || line.length > room) {
    return DataLoss(
        "mailbox, {} {} of session {:#x}: line {} calls itself {} and holds {} "
        "of {} bytes",
        NameOf(side), line.number, line.session, index, line.index, line.length,
        room);
  }
  const auto tail = std::span(line.payload).last(room - line.length);
  if (std::any_of(tail.begin(), tail.end(),
                  [](std::byte b) { return b != std::byte{0}; })) {
    return DataLoss(
        "mailbox, {} {} of session {:#x}: bytes behind the {} of line {} are "
        "set",
        NameOf(side), line.number, line.session, line.length, index);
  }
  return absl::OkStatus();
}

bool Find(std::span<const std::byte> half, std::size_t index, MailboxSide side,
          const Uuid& fs_uuid, MessageLine& line) {
  return Judge(half.subspan(index * kLineSize, kLineSize), MagicOf(side),
               fs_uuid, line) == LineState::kValid;
}

}  // namespace

std::vector<Line> EncodeMailboxMessage(MailboxSide side, std::uint32_t session,
                                       std::uint64_t number,
                                       std::span<const std::byte> message,
                                       const Uuid& fs_uuid) {
  if (message.size() > MailboxCapacity(side)) return {};
  const Prefix prefix{
      .length = static_cast<std::uint16_t>(message.size()),
      .lines = static_cast<std::uint16_t>(MailboxLines(message.size())),
      .crc = static_cast<std::uint32_t>(Crc32(message))};
  std::vector<Line> lines;
  lines.reserve(prefix.lines);
  std::span<const std::byte> rest = message;
  for (std::size_t i = 0; i < prefix.lines; ++i) {
    const std::size_t count = PartSize(i, message.size());
    MessageLine line{.head = {MagicOf(side), 0, TagOf(fs_uuid)},
                     .session = session,
                     .index = static_cast<std::uint16_t>(i),
                     .length = static_cast<std::uint16_t>(count),
                     .number = number,
                     .payload = {}};
    if (i == 0) std::memcpy(line.payload.data(), &prefix, sizeof(prefix));
    std::copy_n(rest.begin(), count, line.payload.begin() + PartAt(i));
    rest = rest.subspan(count);
    lines.push_back(SealLine(line));
  }
  return lines;
}

absl::StatusOr<std::optional<MailboxHead>> DecodeMailboxHead(
    std::span<const std::byte> line, MailboxSide side, const Uuid& fs_uuid) {
  if (line.size() != kLineSize) {
    return Internal("mailbox: asked to decode {} bytes, not {}", line.size(),
                    kLineSize);
  }
  MessageLine head;
  if (!Find(line, 0, side, fs_uuid, head)) return std::nullopt;
  FAMFS_RETURN_IF_ERROR(CheckHead(head, side));
  return MailboxHead{.session = head.session,
                     .number = head.number,
                     .lines = PrefixOf(head).lines};
}

absl::StatusOr<std::optional<MailboxMessage>> DecodeMailboxMessage(
    std::span<const std::byte> row_half, MailboxSide side,
    const Uuid& fs_uuid) {
  if (row_half.size() != kMailboxHalf) {
    return Internal("mailbox: asked to decode {} bytes, not {}",
                    row_half.size(), kMailboxHalf);
  }
  MessageLine line;
  if (!Find(row_half, 0, side, fs_uuid, line)) return std::nullopt;
  FAMFS_RETURN_IF_ERROR(CheckHead(line, side));
  const Prefix prefix = PrefixOf(line);
  MailboxMessage message{
      .session = line.session, .number = line.number, .bytes = {}};
  for (std::size_t i = 0; i < prefix.lines; ++i) {
    // The head is the copy that was checked: the memory may have changed.
    if (i > 0 && !Find(row_half, i, side, fs_uuid, line)) return std::nullopt;
    if (line.session != message.session || line.number != message.number) {
      return std::nullopt;
    }
    FAMFS_RETURN_IF_ERROR(CheckPlace(line, i, side));
    // One number may be written again with other bytes, as by a host that took
    // over and answers once more; this line is then of the other writing.
    if (line.length != PartSize(i, prefix.length)) return std::nullopt;
    const auto part = std::span(line.payload).subspan(PartAt(i), line.length);
    message.bytes.insert(message.bytes.end(), part.begin(), part.end());
  }
  if (Crc32(message.bytes) != prefix.crc) return std::nullopt;
  return message;
}

Line EncodeDone(const DoneRecord& record, const Uuid& fs_uuid) {
  return SealLine(DoneLine{.head = {kDoneMagic, 0, TagOf(fs_uuid)},
                           .sequence = record.sequence,
                           .number = record.number,
                           .epoch = record.epoch,
                           .session = record.session,
                           .status = record.status,
                           .node = record.node,
                           .reserved = 0});
}

absl::StatusOr<std::optional<DoneRecord>> DecodeDone(
    std::span<const std::byte> copies, const Uuid& fs_uuid) {
  FAMFS_ASSIGN_OR_RETURN(
      const std::optional<DoneLine> line,
      NewestLine<DoneLine>(copies, kDoneMagic, fs_uuid, "done record"));
  if (!line) return std::nullopt;
  if (line->status < 0 || line->status > kMaxErrno) {
    return DataLoss("done record of session {:#x}: {} is no errno",
                    line->session, line->status);
  }
  if (line->number > RequestMark::kMaxNumber) {
    return DataLoss(
        "done record of session {:#x}: the number {} is more than "
        "{}",
        line->session, line->number, RequestMark::kMaxNumber);
  }
  return DoneRecord{.sequence = line->sequence,
                    .session = line->session,
                    .number = line->number,
                    .status = line->status,
                    .epoch = line->epoch,
                    .node = line->node};
}

}  // namespace famfs
