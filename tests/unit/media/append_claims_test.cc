// Which files a host says that it may be appending to.
#include "media/append_claims.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

namespace famfs {
namespace {

const Uuid kOurFs = *Uuid::Parse("ceba7e51-f5b1-4e80-aba9-d224aad28b31");
const Uuid kOtherFs = *Uuid::Parse("11111111-f5b1-4e80-aba9-d224aad28b31");
using ClaimCopies = std::array<std::byte, 2 * kLineSize>;

void PutClaims(ClaimCopies& copies, const AppendClaims& claims) {
  const Line line = EncodeAppendClaims(claims, kOurFs);
  std::copy(
      line.begin(), line.end(),
      copies.begin() + static_cast<std::ptrdiff_t>(CopyAt(0, claims.sequence)));
}

TEST(AppendClaimsTest, ABitIsOneOfEveryId) {
  AppendClaimBits bits;
  EXPECT_TRUE(bits.empty());
  for (const TreeId id : {TreeId{1}, TreeId{64}, TreeId{255}, ~TreeId{0}}) {
    bits = {};
    bits.Set(id);
    EXPECT_FALSE(bits.empty());
    for (TreeId other = 0; other < 1000; ++other) {
      EXPECT_EQ(bits.Contains(other), other % 256 == id % 256) << other;
    }
  }
}

TEST(AppendClaimsTest, TheNewestComesBack) {
  ClaimCopies copies{};
  EXPECT_EQ(*DecodeAppendClaims(copies, kOurFs), std::nullopt);
  AppendClaims claims{.sequence = 2, .session = 7, .files = {}};
  PutClaims(copies, claims);
  EXPECT_EQ(*DecodeAppendClaims(copies, kOurFs), claims);
  claims.sequence = 3;
  claims.files.Set(0x1234567890abcdef);
  PutClaims(copies, claims);
  EXPECT_EQ(*DecodeAppendClaims(copies, kOurFs), claims);
  EXPECT_EQ(*DecodeAppendClaims(copies, kOtherFs), std::nullopt);
}

/// docs/format.md, "Append claims".
TEST(AppendClaimsTest, StandsWhereTheFormatSays) {
  AppendClaims claims{.sequence = 4, .session = 0xabcdef01, .files = {}};
  claims.files.Set(65);
  const Line line = EncodeAppendClaims(claims, kOurFs);
  EXPECT_EQ(std::memcmp(line.data(), "FMAP", 4), 0);
  EXPECT_EQ(line[16], std::byte{4});
  EXPECT_EQ(line[56], std::byte{0x01});
  EXPECT_EQ(line[59], std::byte{0xab});
  EXPECT_EQ(line[32], std::byte{2}) << "bit 65, in the second word";
  EXPECT_EQ(AppendClaimsAt(0), 0x5000U);
  EXPECT_EQ(AppendClaimsAt(128), 0x9000U);
}

TEST(AppendClaimsTest, WhatIsDamagedIsTold) {
  ClaimCopies copies{};
  PutClaims(copies, {.sequence = 2, .session = 7, .files = {}});
  copies[30] ^= std::byte{1};
  EXPECT_TRUE(absl::IsDataLoss(DecodeAppendClaims(copies, kOurFs).status()));
  copies = {};
  PutClaims(copies, {.sequence = std::numeric_limits<std::uint64_t>::max() - 1,
                     .session = 7,
                     .files = {}});
  EXPECT_TRUE(absl::IsDataLoss(DecodeAppendClaims(copies, kOurFs).status()));
}

}  // namespace
}  // namespace famfs
