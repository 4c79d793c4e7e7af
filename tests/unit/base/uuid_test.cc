#include "base/uuid.h"

#include <gtest/gtest.h>

#include <set>
#include <string_view>

#include "tests/unit/base/status_matchers.h"

namespace famfs {
namespace {

using testing::HasError;

TEST(UuidTest, BytesStandInTheOrderOfTheText) {
  FAMFS_ASSERT_OK_AND_ASSIGN(
      const Uuid uuid, Uuid::Parse("00112233-4455-6677-8899-AABBCCDDEEFF"));
  for (std::size_t i = 0; i < uuid.bytes.size(); ++i) {
    EXPECT_EQ(uuid.bytes[i], i * 0x11) << i;
  }
  EXPECT_EQ(uuid.ToString(), "00112233-4455-6677-8899-aabbccddeeff");
  EXPECT_FALSE(uuid.is_nil());
  EXPECT_TRUE(Uuid{}.is_nil());
}

TEST(UuidTest, WhatIsNoUuidIsRefused) {
  using std::string_view_literals::operator""sv;
  for (const std::string_view text :
       {""sv, "x"sv, "00112233-4455-6677-8899-aabbccddeef"sv,
        "00112233-4455-6677-8899-aabbccddeefff"sv,
        "00112233445566778899aabbccddeeff"sv,
        "{00112233-4455-6677-8899-aabbccddeeff}"sv,
        "00112233-4455-6677-8899-aabbccddeefg"sv,
        " 00112233-4455-6677-8899-aabbccddeef"sv,
        "00112233-4455-6677-8899-aabbccddeeff\0x"sv}) {
    EXPECT_THAT(Uuid::Parse(text),
                HasError(absl::StatusCode::kInvalidArgument, "is not a UUID"))
        << text;
  }
}

TEST(UuidTest, RandomOnesDifferAndAreVersion4) {
  std::set<Uuid> seen;
  for (int i = 0; i < 1000; ++i) {
    const Uuid uuid = Uuid::Random();
    EXPECT_EQ(uuid.bytes[6] >> 4, 4);
    EXPECT_TRUE(seen.insert(uuid).second);
    FAMFS_ASSERT_OK_AND_ASSIGN(const Uuid again, Uuid::Parse(uuid.ToString()));
    EXPECT_EQ(again, uuid);
  }
}

}  // namespace
}  // namespace famfs
