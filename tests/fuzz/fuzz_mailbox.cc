// One half of a mailbox from hostile bytes, which another host writes there,
// and its last two lines as done records.
//
// Input: byte 0 chooses what is repaired, then up to 32 lines; what is missing
// is zero. Repairs (bits of byte 0) in all lines: checksums; tags; magics;
// session and number as in the first; indexes; lengths as the message's length
// demands; the sum over the message. The highest bit: the answer's half.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "media/checksum.h"
#include "media/mailbox_lines.h"
#include "require.h"

namespace famfs {
namespace {

// docs/format.md, "Mailbox".
constexpr std::size_t kLines = kMailboxHalf / kLineSize;
constexpr std::size_t kSessionAt = 16;
constexpr std::size_t kIndexAt = 20;
constexpr std::size_t kLengthAt = 22;
constexpr std::size_t kNumberAt = 24;
constexpr std::size_t kPayloadAt = 32;

using Half = std::array<std::byte, kMailboxHalf>;

Uuid FsUuid() {
  Uuid uuid;
  uuid.bytes.fill(std::uint8_t{0x5a});
  return uuid;
}

template <typename T>
void Put(Half& half, std::size_t line, std::size_t at, T value) {
  std::memcpy(half.data() + line * kLineSize + at, &value, sizeof(value));
}
template <typename T>
T Get(const Half& half, std::size_t line, std::size_t at) {
  T value;
  std::memcpy(&value, half.data() + line * kLineSize + at, sizeof(value));
  return value;
}

/// Lengths, and zeros behind them, for the length that the head line tells.
void RepairLengths(Half& half, MailboxSide side) {
  const std::size_t size =
      Get<std::uint16_t>(half, 0, kPayloadAt) % (MailboxCapacity(side) + 1);
  const std::size_t lines = MailboxLines(size);
  Put(half, 0, kPayloadAt, static_cast<std::uint16_t>(size));
  Put(half, 0, kPayloadAt + 2, static_cast<std::uint16_t>(lines));
  std::size_t rest = size;
  for (std::size_t i = 0; i < lines; ++i) {
    const std::size_t begin = i == 0 ? kMailboxPrefix : 0;
    const std::size_t part = std::min(rest, kMailboxPayload - begin);
    Put(half, i, kLengthAt, static_cast<std::uint16_t>(part));
    const std::size_t used = kPayloadAt + begin + part;
    std::memset(half.data() + i * kLineSize + used, 0, kLineSize - used);
    rest -= part;
  }
}

void RepairSum(Half& half, MailboxSide side) {
  const std::size_t size = Get<std::uint16_t>(half, 0, kPayloadAt);
  if (size > MailboxCapacity(side)) return;
  std::vector<std::byte> message;
  for (std::size_t i = 0; i < MailboxLines(size); ++i) {
    const std::size_t begin = i == 0 ? kMailboxPrefix : 0;
    const std::byte* from = half.data() + i * kLineSize + kPayloadAt + begin;
    message.insert(message.end(), from, from + kMailboxPayload - begin);
  }
  message.resize(size);
  Put(half, 0, kPayloadAt + 4, static_cast<std::uint32_t>(Crc32(message)));
}

void Repair(Half& half, unsigned what, MailboxSide side) {
  const auto session = Get<std::uint32_t>(half, 0, kSessionAt);
  const auto number = Get<std::uint64_t>(half, 0, kNumberAt);
  if ((what & 32) != 0) RepairLengths(half, side);
  if ((what & 64) != 0) RepairSum(half, side);
  for (std::size_t i = 0; i < kLines; ++i) {
    if ((what & 2) != 0) Put(half, i, 8, std::uint64_t{0x5a5a5a5a5a5a5a5a});
    if ((what & 4) != 0) {
      const bool request = side == MailboxSide::kRequest;
      Put<std::uint32_t>(half, i, 0, request ? 0x51524d46 : 0x4e414d46);
    }
    if ((what & 8) != 0) {
      Put(half, i, kSessionAt, session);
      Put(half, i, kNumberAt, number);
    }
    if ((what & 16) != 0) {
      Put(half, i, kIndexAt, static_cast<std::uint16_t>(i));
    }
    if ((what & 1) == 0) continue;
    Put<std::uint32_t>(half, i, 4, 0);
    const auto line = std::span(half).subspan(i * kLineSize, kLineSize);
    Put(half, i, 4, static_cast<std::uint32_t>(Crc32(line)));
  }
}

/// A message that was decoded lies there as it would be encoded.
void RequireMessage(const Half& half, MailboxSide side) {
  const auto head = DecodeMailboxHead(
      std::span<const std::byte>(half).first(kLineSize), side, FsUuid());
  const auto message = DecodeMailboxMessage(half, side, FsUuid());
  FUZZ_REQUIRE(message.ok() || absl::IsDataLoss(message.status()));
  if (!head.ok()) {
    FUZZ_REQUIRE(absl::IsDataLoss(head.status()) && !message.ok());
    return;
  }
  if (!message.ok() || !message->has_value()) return;
  const auto& [session, number, bytes] = **message;
  const std::vector<Line> lines =
      EncodeMailboxMessage(side, session, number, bytes, FsUuid());
  FUZZ_REQUIRE(!lines.empty() && lines.size() <= MaxMailboxLines(side));
  FUZZ_REQUIRE(head->has_value());
  FUZZ_REQUIRE(**head == (MailboxHead{
                             .session = session,
                             .number = number,
                             .lines = static_cast<std::uint32_t>(lines.size()),
                         }));
  FUZZ_REQUIRE(
      std::memcmp(lines.data(), half.data(), lines.size() * kLineSize) == 0);
}

void RequireDone(const Half& half) {
  const auto copies = std::span<const std::byte>(half).last(2 * kLineSize);
  const auto done = DecodeDone(copies, FsUuid());
  FUZZ_REQUIRE(done.ok() || absl::IsDataLoss(done.status()));
  if (!done.ok() || !done->has_value()) return;
  const Line line = EncodeDone(**done, FsUuid());
  const std::byte* copy = copies.data() + CopyAt(0, (*done)->sequence);
  // The last 16 bytes are not looked at, but are under the checksum.
  FUZZ_REQUIRE(std::memcmp(line.data(), copy, 4) == 0);
  FUZZ_REQUIRE(std::memcmp(line.data() + 8, copy + 8, kLineSize - 24) == 0);
}

void Run(std::uint8_t repair, std::span<const std::uint8_t> input) {
  const auto side =
      (repair & 128) != 0 ? MailboxSide::kAnswer : MailboxSide::kRequest;
  Half half{};
  std::memcpy(half.data(), input.data(), std::min(input.size(), half.size()));
  Repair(half, repair, side);
  RequireMessage(half, side);
  RequireDone(half);
}

}  // namespace
}  // namespace famfs

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  if (size > 1) famfs::Run(data[0], {data + 1, size - 1});
  return 0;
}
