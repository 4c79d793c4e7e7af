#include "media/mailbox_lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "media/checksum.h"
#include "media/tree_request.h"

namespace famfs {
namespace {

using ::testing::HasSubstr;
using Bytes = std::vector<std::byte>;
using enum MailboxSide;

const Uuid kOurs = *Uuid::Parse("ceba7e51-f5b1-4e80-aba9-d224aad28b31");
const Uuid kOthers = *Uuid::Parse("11111111-f5b1-4e80-aba9-d224aad28b31");
constexpr std::uint32_t kSession = 0xabcdef01;
constexpr std::uint64_t kNumber = 0x1122334455667788;

Bytes Pattern(std::size_t size, unsigned first = 1) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<std::byte>(first + i % 251);
  }
  return bytes;
}

/// One half of a row; nothing in it at first.
class Half {
 public:
  void Put(std::size_t index, const Line& line) {
    std::copy(line.begin(), line.end(), bytes_.data() + index * kLineSize);
  }
  void Put(const std::vector<Line>& lines) {
    for (std::size_t i = 0; i < lines.size(); ++i) Put(i, lines[i]);
  }
  std::span<std::byte> at(std::size_t index) {
    return std::span(bytes_).subspan(index * kLineSize, kLineSize);
  }
  /// Changes a field of a line behind a checksum that fits.
  template <typename T>
  void Set(std::size_t index, std::size_t offset, T value) {
    std::memcpy(at(index).data() + offset, &value, sizeof(value));
    std::memset(at(index).data() + 4, 0, 4);
    const auto crc = static_cast<std::uint32_t>(Crc32(at(index)));
    std::memcpy(at(index).data() + 4, &crc, sizeof(crc));
  }
  absl::StatusOr<std::optional<MailboxMessage>> Decode(
      MailboxSide side = kRequest, const Uuid& uuid = kOurs) const {
    return DecodeMailboxMessage(bytes_, side, uuid);
  }
  Bytes& bytes() { return bytes_; }

 private:
  Bytes bytes_ = Bytes(kMailboxHalf);
};

std::vector<Line> Lines(const Bytes& message, std::uint64_t number = kNumber,
                        std::uint32_t session = kSession,
                        MailboxSide side = kRequest) {
  return EncodeMailboxMessage(side, session, number, message, kOurs);
}

Half With(const std::vector<Line>& lines) {
  Half half;
  half.Put(lines);
  return half;
}

void ExpectAbsent(const Half& half) {
  const auto decoded = half.Decode();
  ASSERT_TRUE(decoded.ok()) << Message(decoded.status());
  EXPECT_EQ(*decoded, std::nullopt);
}

void ExpectDataLoss(const Half& half, const char* text) {
  const absl::Status status = half.Decode().status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << Message(status);
  EXPECT_THAT(std::string(Message(status)), HasSubstr(text));
}

TEST(MailboxLinesTest, MessagesOfAllLengthsComeBackOnBothSides) {
  for (const MailboxSide side : {kRequest, kAnswer}) {
    for (std::size_t size = 0; size <= MailboxCapacity(side); ++size) {
      const MailboxMessage message{kSession, kNumber, Pattern(size)};
      const std::vector<Line> lines =
          Lines(message.bytes, kNumber, kSession, side);
      EXPECT_EQ(lines.size(), MailboxLines(size));
      Half half = With(lines);
      ASSERT_EQ(*half.Decode(side), message) << size;
      EXPECT_EQ(*DecodeMailboxHead(half.at(0), side, kOurs),
                (MailboxHead{kSession, kNumber,
                             static_cast<std::uint32_t>(lines.size())}));
    }
    EXPECT_TRUE(Lines(Pattern(MailboxCapacity(side) + 1), 1, 1, side).empty());
  }
}

TEST(MailboxLinesTest, HoldsTheLongestRequestAndAnswer) {
  EXPECT_EQ(MailboxCapacity(kRequest), 984U);
  EXPECT_EQ(MailboxCapacity(kAnswer), 952U);
  EXPECT_EQ(Lines(Pattern(kMaxTreeRequest)).size(), 31U);
  EXPECT_EQ(Lines(Pattern(kMaxTreeAnswer)).size(), 2U);
}

// docs/format.md has these tables: a change here is a change of the format.
TEST(MailboxLinesTest, LieWhereTheFormatPageSays) {
  EXPECT_EQ(MailboxAt(0, kRequest), 0x80000U);
  EXPECT_EQ(MailboxAt(0, kAnswer), 0x80800U);
  EXPECT_EQ(MailboxAt(127, kAnswer), 0xff800U);
  EXPECT_EQ(DoneAt(0), 0x80f80U);
  EXPECT_EQ(DoneAt(127) + 2 * kLineSize, kRegionSize);
  const Bytes message = Pattern(30);
  const std::vector<Line> lines = Lines(message);
  const auto at = [&](std::size_t line, std::size_t offset, std::size_t width) {
    std::uint64_t value = 0;
    std::memcpy(&value, lines[line].data() + offset, width);
    return value;
  };
  ASSERT_EQ(lines.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(std::memcmp(lines[i].data(), "FMRQ", 4), 0);
    EXPECT_EQ(std::memcmp(lines[i].data() + 8, kOurs.bytes.data(), 8), 0);
    EXPECT_EQ(at(i, 16, 4), kSession);
    EXPECT_EQ(at(i, 20, 2), i);
    EXPECT_EQ(at(i, 22, 2), i == 0 ? 24U : 6U);
    EXPECT_EQ(at(i, 24, 8), kNumber);
  }
  EXPECT_EQ(at(0, 32, 2), 30U);
  EXPECT_EQ(at(0, 34, 2), 2U);
  EXPECT_EQ(at(0, 36, 4), Crc32(message));
  EXPECT_EQ(std::memcmp(lines[0].data() + 40, message.data(), 24), 0);
  EXPECT_EQ(std::memcmp(lines[1].data() + 32, message.data() + 24, 6), 0);
  const Line answer = Lines(message, 1, 1, kAnswer)[0];
  EXPECT_EQ(std::memcmp(answer.data(), "FMAN", 4), 0);
}

TEST(MailboxLinesTest, NothingOfTheOtherSideOrAnotherFileSystem) {
  ExpectAbsent(Half());
  const Half half = With(Lines(Pattern(100)));
  EXPECT_EQ(*half.Decode(kAnswer), std::nullopt);
  EXPECT_EQ(*half.Decode(kRequest, kOthers), std::nullopt);
  Half mixed = half;
  mixed.Put(1, EncodeMailboxMessage(kRequest, kSession, kNumber, Pattern(100),
                                    kOthers)[1]);
  ExpectAbsent(mixed);
}

TEST(MailboxLinesTest, HalfWrittenIsAbsent) {
  // A longer message follows: from its last line to its head.
  const std::vector<Line> before = Lines(Pattern(200), 4);
  const std::vector<Line> after = Lines(Pattern(300, 9), 5);
  Half half = With(before);
  for (std::size_t i = after.size(); i-- > 0;) {
    half.Put(i, after[i]);
    const auto decoded = half.Decode();
    ASSERT_TRUE(decoded.ok()) << i;
    if (i >= before.size()) {
      EXPECT_EQ((*decoded)->number, 4U) << i;
    } else if (i > 0) {
      EXPECT_EQ(*decoded, std::nullopt) << i;
    }
  }
  EXPECT_EQ(*half.Decode(), (MailboxMessage{kSession, 5, Pattern(300, 9)}));
  // A shorter one: what stands behind it is not looked at.
  half.Put(Lines(Pattern(10), 6));
  EXPECT_EQ(*half.Decode(), (MailboxMessage{kSession, 6, Pattern(10)}));
}

TEST(MailboxLinesTest, LineOfAnotherSessionNumberOrWritingIsAbsent) {
  const std::vector<Line> lines = Lines(Pattern(100));
  Half half = With(lines);
  half.Put(2, Lines(Pattern(100), kNumber + 1)[2]);
  ExpectAbsent(half);
  half.Put(2, Lines(Pattern(100), kNumber, kSession + 1)[2]);
  ExpectAbsent(half);
  half.Put(2, Lines(Pattern(100, 7))[2]);
  ExpectAbsent(half);
  half.Put(2, Lines(Pattern(80))[2]);  // the same number, but a shorter line
  ExpectAbsent(half);
  half.Put(2, lines[2]);
  EXPECT_TRUE((*half.Decode()).has_value());
}

TEST(MailboxLinesTest, MissingLineIsAbsent) {
  for (std::size_t missing = 0; missing < 4; ++missing) {
    Half half = With(Lines(Pattern(100)));
    half.Put(missing, Line{});
    ExpectAbsent(half);
  }
}

TEST(MailboxLinesTest, LengthsThatCannotBeAreDataLoss) {
  const Half whole = With(Lines(Pattern(100)));
  const auto with = [&](std::size_t offset, std::uint16_t value) {
    Half half = whole;
    half.Set(0, offset, value);
    return half;
  };
  ExpectDataLoss(with(32, 985), "985 bytes in 4 lines");
  ExpectDataLoss(with(32, 0xffff), "65535 bytes");
  ExpectDataLoss(with(32, 121), "121 bytes in 4 lines");
  ExpectDataLoss(with(34, 0), "100 bytes in 0 lines");
  ExpectDataLoss(with(34, 3), "in 3 lines");
  ExpectDataLoss(with(34, 0xffff), "in 65535 lines");
  ExpectDataLoss(with(20, 1), "line 0 calls itself 1");
  ExpectDataLoss(with(22, 25), "holds 25 of 24 bytes");
  Half half = with(32, 985);
  EXPECT_TRUE(absl::IsDataLoss(
      DecodeMailboxHead(half.at(0), kRequest, kOurs).status()));
}

TEST(MailboxLinesTest, LinesInAnothersPlaceOrWithMoreThanTheirLengthAreLoss) {
  const std::vector<Line> lines = Lines(Pattern(100));
  Half half = With(lines);
  half.Put(1, lines[2]);
  ExpectDataLoss(half, "line 1 calls itself 2");
  half = With(lines);
  half.Set<std::uint16_t>(1, 22, 33);
  ExpectDataLoss(half, "holds 33 of 32 bytes");
  half = With(lines);
  half.Set<std::uint16_t>(1, 22, 0xffff);
  ExpectDataLoss(half, "holds 65535 of 32");
  half = With(lines);
  half.Set<std::uint8_t>(3, 63, 1);
  ExpectDataLoss(half, "bytes behind the 12 of line 3 are set");
}

TEST(MailboxLinesTest, SumThatDoesNotFitIsAnotherWriting) {
  Half half = With(Lines(Pattern(100)));
  half.Set<std::uint32_t>(0, 36, 0);
  ExpectAbsent(half);
  half = With(Lines(Pattern(100)));
  half.Set<std::uint8_t>(1, 40, 0);
  ExpectAbsent(half);
}

TEST(MailboxLinesTest, EveryBitFlippedIsAbsent) {
  for (const std::size_t size : {0U, 24U, 32U, 100U}) {
    Half half = With(Lines(Pattern(size)));
    for (std::size_t bit = 0; bit < MailboxLines(size) * kLineSize * 8; ++bit) {
      const auto mask = std::byte{1} << (bit % 8);
      half.bytes()[bit / 8] ^= mask;
      ExpectAbsent(half);
      half.bytes()[bit / 8] ^= mask;
    }
    EXPECT_TRUE((*half.Decode()).has_value());
  }
}

TEST(MailboxLinesTest, OtherSizesAreOurOwnMistake) {
  const Bytes bytes(kMailboxHalf);
  const std::span all(bytes);
  EXPECT_TRUE(absl::IsInternal(
      DecodeMailboxMessage(all.first(kLineSize), kRequest, kOurs).status()));
  EXPECT_TRUE(
      absl::IsInternal(DecodeMailboxHead(all, kRequest, kOurs).status()));
}

using Copies = std::array<std::byte, 2 * kLineSize>;

DoneRecord Done(std::uint64_t sequence) {
  return {.sequence = sequence,
          .session = kSession,
          .number = kNumber,
          .status = 39,
          .epoch = 12};
}

void Put(Copies& copies, const DoneRecord& record) {
  const Line line = EncodeDone(record, kOurs);
  std::copy(line.begin(), line.end(),
            copies.data() + CopyAt(0, record.sequence));
}

TEST(DoneRecordTest, TheNewestComesBack) {
  Copies copies{};
  EXPECT_EQ(*DecodeDone(copies, kOurs), std::nullopt);
  Put(copies, Done(7));
  EXPECT_EQ(*DecodeDone(copies, kOurs), Done(7));
  EXPECT_EQ(*DecodeDone(copies, kOthers), std::nullopt);
  DoneRecord next = Done(8);
  next.status = 0;
  next.number = RequestMark::kMaxNumber;
  Put(copies, next);
  EXPECT_EQ(*DecodeDone(copies, kOurs), next);
  copies[40] ^= std::byte{1};
  EXPECT_EQ(*DecodeDone(copies, kOurs), Done(7));
  copies[kLineSize + 40] ^= std::byte{1};
  EXPECT_TRUE(absl::IsDataLoss(DecodeDone(copies, kOurs).status()));
}

TEST(DoneRecordTest, EveryBitFlippedIsRefusedOrAbsent) {
  Copies copies{};
  Put(copies, Done(8));
  for (std::size_t bit = 0; bit < kLineSize * 8; ++bit) {
    const auto mask = std::byte{1} << (bit % 8);
    copies[bit / 8] ^= mask;
    const auto decoded = DecodeDone(copies, kOurs);
    if (decoded.ok()) {
      EXPECT_EQ(*decoded, std::nullopt) << bit;
    } else {
      EXPECT_TRUE(absl::IsDataLoss(decoded.status())) << bit;
    }
    copies[bit / 8] ^= mask;
  }
}

/// What nobody counts up to would be the newest for ever.
TEST(DoneRecordTest, NumbersAtTheirEndsAreDamage) {
  Copies copies{};
  Put(copies, Done(7));
  Put(copies, Done(~0ULL - 1));
  EXPECT_EQ(*DecodeDone(copies, kOurs), Done(7));
  DoneRecord next = Done(8);
  next.number = RequestMark::kMaxNumber + 1;
  Put(copies, next);
  EXPECT_TRUE(absl::IsDataLoss(DecodeDone(copies, kOurs).status()));
}

TEST(DoneRecordTest, StatusIsAnErrno) {
  for (const std::int32_t status : {-1, 4096}) {
    Copies copies{};
    DoneRecord record = Done(8);
    record.status = status;
    Put(copies, record);
    EXPECT_TRUE(absl::IsDataLoss(DecodeDone(copies, kOurs).status()));
  }
}

// docs/format.md has this table: a change here is a change of the format.
TEST(DoneRecordTest, LiesWhereTheFormatPageSays) {
  const Line line = EncodeDone(Done(8), kOurs);
  const auto at = [&](std::size_t offset, std::size_t width) {
    std::uint64_t value = 0;
    std::memcpy(&value, line.data() + offset, width);
    return value;
  };
  EXPECT_EQ(std::memcmp(line.data(), "FMDN", 4), 0);
  EXPECT_EQ(at(16, 8), 8U);
  EXPECT_EQ(at(24, 8), kNumber);
  EXPECT_EQ(at(32, 8), 12U);
  EXPECT_EQ(at(40, 4), kSession);
  EXPECT_EQ(at(44, 4), 39U);
}

}  // namespace
}  // namespace famfs
