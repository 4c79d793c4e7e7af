#include "controller/list_token.h"

#include <gtest/gtest.h>

namespace famfs::controller {
namespace {

TEST(ListToken, ComesBackAsItWas) {
  const ListKey key{"fast", "0123456789abcdef-01234567"};
  const std::string token = EncodeListToken(key);
  EXPECT_EQ(token.find("fast"), std::string::npos) << "it should be opaque";
  const auto decoded = DecodeListToken(token);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(*decoded, key);
}

TEST(ListToken, RefusesWhatItDidNotMake) {
  for (const char* token :
       {"x", "1", "invalid-token", "====", "djEv", "ZmFzdC9kaXI", "\xff\xfe"}) {
    EXPECT_TRUE(absl::IsAborted(DecodeListToken(token).status())) << token;
  }
}

TEST(ListToken, RefusesOtherSpellingsOfOneOfItsOwn) {
  const std::string token = EncodeListToken({"fast", "0123456789abcdef-01"});
  for (const std::string& other :
       {token + "=", token + "==", " " + token, token + token,
        EncodeListToken({"", "x"}), EncodeListToken({"fast", ""}),
        EncodeListToken({"fast", "a/b"})}) {
    EXPECT_TRUE(absl::IsAborted(DecodeListToken(other).status())) << other;
  }
}

TEST(ListToken, OfTheLongestNamesIsWithinTheSpecificationsLimit) {
  EXPECT_LE(
      EncodeListToken({std::string(63, 'p'), std::string(25, 'd')}).size(),
      128U);
}

}  // namespace
}  // namespace famfs::controller
