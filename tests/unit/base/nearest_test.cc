#include "base/nearest.h"

#include <gtest/gtest.h>

namespace famfs {
namespace {

constexpr std::string_view kWords[] = {"pool", "dataPath", "uid", "gid"};

TEST(NearestWord, FindsATypingMistake) {
  EXPECT_EQ(NearestWord("datapath", kWords), "dataPath");
  EXPECT_EQ(NearestWord("dataPaht", kWords), "dataPath");
  EXPECT_EQ(NearestWord("pools", kWords), "pool");
  EXPECT_EQ(DidYouMean("poll", kWords), " (did you mean \"pool\"?)");
}

TEST(NearestWord, IsSilentWhenNothingIsNear) {
  EXPECT_EQ(NearestWord("replicas", kWords), "");
  EXPECT_EQ(NearestWord("", kWords), "");
  EXPECT_EQ(DidYouMean(std::string(100'000, 'x'), kWords), "");
}

}  // namespace
}  // namespace famfs
