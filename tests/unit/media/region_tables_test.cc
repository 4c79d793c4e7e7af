// The lines of the region's tables.
#include "media/region_tables.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "media/checksum.h"

namespace famfs {
namespace {

const Uuid kOurs = *Uuid::Parse("ceba7e51-f5b1-4e80-aba9-d224aad28b31");
const Uuid kHost = *Uuid::Parse("11111111-f5b1-4e80-aba9-d224aad28b31");
using Copies = std::array<std::byte, 2 * kLineSize>;

HostRecord Host(std::uint32_t sequence) {
  return {.sequence = sequence,
          .session = 0xabcdef01,
          .host = kHost,
          .boot = 0x1122334455667788,
          .acknowledged = 77,
          .connection = 0xfedcba,
          .state = HostState::kEvicted,
          .marked = true};
}
constexpr MediaExtent kExtent{3, 10 * kAllocUnit, 4 * kAllocUnit};

template <typename T>
T At(const Line& line, std::size_t offset) {
  T value{};
  std::memcpy(&value, line.data() + offset, sizeof(value));
  return value;
}

void Put(Copies& copies, std::uint64_t sequence, const Line& line) {
  std::copy(line.begin(), line.end(),
            copies.begin() + static_cast<std::ptrdiff_t>(CopyAt(0, sequence)));
}

TEST(RegionTablesTest, PairsComeBackAndTheNewestWins) {
  Copies copies{};
  const OwnerRecord owner{
      .sequence = 4, .epoch = 9, .host = kHost, .nonce = 0xabc};
  Put(copies, 4, EncodeOwner(owner, kOurs));
  EXPECT_EQ(*DecodeOwner(copies, kOurs), owner);
  Copies hosts{};
  Put(hosts, 6, EncodeHost(Host(6), kOurs));
  Put(hosts, 7, EncodeHost(Host(7), kOurs));
  EXPECT_EQ(*DecodeHost(hosts, kOurs), Host(7));
  hosts[kLineSize + 40] ^= std::byte{1};
  EXPECT_EQ(*DecodeHost(hosts, kOurs), Host(6));
  hosts[40] ^= std::byte{1};
  EXPECT_TRUE(absl::IsDataLoss(DecodeHost(hosts, kOurs).status()));
}

TEST(RegionTablesTest, LinesOfTheirOwnComeBackOrAreAbsentOrDamaged) {
  const ReservationRecord reservation{kExtent, kHost, 5};
  Line line = EncodeReservation(reservation, kOurs);
  EXPECT_EQ(*DecodeReservation(line, kOurs), reservation);
  EXPECT_EQ(*DecodeReservation(line, kHost), std::nullopt);
  EXPECT_EQ(*DecodeClean(line, kOurs), std::nullopt);
  line[50] ^= std::byte{1};
  EXPECT_TRUE(absl::IsDataLoss(DecodeReservation(line, kOurs).status()));
  std::fill(line.begin(), line.begin() + 8, std::byte{0});
  EXPECT_EQ(*DecodeReservation(line, kOurs), std::nullopt) << "cleared";
  const CleanRecord clean{kExtent};
  EXPECT_EQ(*DecodeClean(EncodeClean(clean, kOurs), kOurs), clean);
}

TEST(RegionTablesTest, FieldsThatAreNoneAreDamage) {
  for (const MediaExtent& wrong :
       {MediaExtent{0, 1, kAllocUnit}, MediaExtent{0, kAllocUnit, 0},
        MediaExtent{0, 0, 1}, MediaExtent{0, -kAllocUnit, kAllocUnit * 2}}) {
    EXPECT_TRUE(absl::IsDataLoss(
        DecodeClean(EncodeClean({wrong}, kOurs), kOurs).status()));
    EXPECT_TRUE(absl::IsDataLoss(
        DecodeReservation(EncodeReservation({wrong, kHost, 1}, kOurs), kOurs)
            .status()));
  }
  for (const int state : {0, 4, 255}) {
    HostRecord record = Host(2);
    record.state = static_cast<HostState>(state);
    Copies copies{};
    Put(copies, 2, EncodeHost(record, kOurs));
    EXPECT_TRUE(absl::IsDataLoss(DecodeHost(copies, kOurs).status())) << state;
  }
}

// docs/format.md has these tables: a change here is a change of the format.
TEST(RegionTablesTest, FieldsLieWhereTheFormatPageSays) {
  const Line owner = EncodeOwner(
      {.sequence = 4, .epoch = 9, .host = kHost, .nonce = 0xabc}, kOurs);
  EXPECT_EQ(std::memcmp(owner.data(), "FMOW", 4), 0);
  EXPECT_EQ(At<std::uint64_t>(owner, 16), 4U);
  EXPECT_EQ(At<std::uint64_t>(owner, 24), 9U);
  EXPECT_EQ(At<Uuid>(owner, 32), kHost);
  EXPECT_EQ(At<std::uint64_t>(owner, 48), 0xabcU);
  const Line host = EncodeHost(Host(6), kOurs);
  EXPECT_EQ(std::memcmp(host.data(), "FMHO", 4), 0);
  EXPECT_EQ(std::memcmp(host.data() + 8, kOurs.bytes.data(), 8), 0);
  EXPECT_EQ(At<std::uint32_t>(host, 16), 6U);
  EXPECT_EQ(At<std::uint32_t>(host, 20), 0xabcdef01U);
  EXPECT_EQ(At<Uuid>(host, 24), kHost);
  EXPECT_EQ(At<std::uint64_t>(host, 40), 0x1122334455667788U);
  EXPECT_EQ(At<std::uint64_t>(host, 48), 77U);
  EXPECT_EQ(At<std::uint32_t>(host, 56), 0x02fedcbaU);
  EXPECT_EQ(At<std::uint32_t>(host, 60), 1U);
  const Line reservation = EncodeReservation({kExtent, kHost, 5}, kOurs);
  EXPECT_EQ(std::memcmp(reservation.data(), "FMRE", 4), 0);
  EXPECT_EQ(At<MediaExtent>(reservation, 16), kExtent);
  EXPECT_EQ(At<Uuid>(reservation, 40), kHost);
  EXPECT_EQ(At<std::uint64_t>(reservation, 56), 5U);
  const Line clean = EncodeClean({kExtent}, kOurs);
  EXPECT_EQ(std::memcmp(clean.data(), "FMCL", 4), 0);
  EXPECT_EQ(At<MediaExtent>(clean, 16), kExtent);
  EXPECT_EQ(HostAt(0), 0x1000U);
  EXPECT_EQ(HostAt(127) + 2 * kLineSize, 0x5000U);
}

}  // namespace
}  // namespace famfs
