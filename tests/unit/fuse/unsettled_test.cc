// What was stored and the log does not say yet.
#include "fuse/files/unsettled.h"

#include <gtest/gtest.h>

namespace famfs {
namespace {

constexpr NodeId kFile = 7;

TEST(Unsettled, KeepsTheMostThatWasStored) {
  UnsettledFiles files;
  EXPECT_FALSE(files.Find(kFile).has_value());
  files.Stored(kFile, 0, 100, 5);
  files.Stored(kFile, 0, 50, 7);
  EXPECT_EQ(files.Find(kFile), (Unsettled{100, 0, 7}));
}

TEST(Unsettled, ALaterTruncationForgetsWhatCameBefore) {
  UnsettledFiles files;
  files.Stored(kFile, 1, 100, 5);
  files.Stored(kFile, 2, 10, 6);
  EXPECT_EQ(files.Find(kFile), (Unsettled{10, 2, 6}));
  files.Stored(kFile, 1, 200, 7);
  EXPECT_EQ(files.Find(kFile), (Unsettled{10, 2, 7})) << "came late";
}

TEST(Unsettled, WhatIsStoredWhileTheOwnerIsToldStays) {
  UnsettledFiles files;
  files.Stored(kFile, 0, 100, 5);
  const auto told = files.Take(kFile, false);
  ASSERT_TRUE(told.has_value());
  EXPECT_FALSE(files.Take(kFile, false).has_value()) << "somebody tells it";
  EXPECT_TRUE(files.Waiting().empty());
  files.Stored(kFile, 0, 200, 9);
  files.Settled(kFile, *told);
  EXPECT_EQ(files.Find(kFile), (Unsettled{200, 0, 9}));
  EXPECT_EQ(files.Waiting(), std::vector<NodeId>{kFile});
}

TEST(Unsettled, WhatIsToldIsForgotten) {
  UnsettledFiles files;
  files.Stored(kFile, 0, 100, 5);
  const auto told = files.Take(kFile, true);
  ASSERT_TRUE(told.has_value());
  files.Settled(kFile, *told);
  EXPECT_FALSE(files.Find(kFile).has_value());
  EXPECT_FALSE(files.Take(kFile, true).has_value());
}

TEST(Unsettled, WhatFailedIsToldAgain) {
  UnsettledFiles files;
  files.Stored(kFile, 0, 100, 5);
  ASSERT_TRUE(files.Take(kFile, false).has_value());
  files.NotSettled(kFile);
  EXPECT_EQ(files.Waiting(), std::vector<NodeId>{kFile});
  EXPECT_TRUE(files.Take(kFile, false).has_value());
}

TEST(Unsettled, ATimeThatWasSetStands) {
  UnsettledFiles files;
  files.Stored(kFile, 0, 100, 5);
  files.ForgetTime(kFile);
  EXPECT_EQ(files.Find(kFile), (Unsettled{100, 0, 0}));
}

TEST(Unsettled, WhoNobodyInterruptsWaitsForTheOneThatTells) {
  UnsettledFiles files;
  files.Stored(kFile, 0, 100, 5);
  int ended = 0;
  UnsettledFiles::Then first = [&ended](int) { ++ended; };
  UnsettledFiles::Then second = first;
  const auto told = files.TakeToShare(kFile, first);
  ASSERT_TRUE(told.has_value());
  EXPECT_NE(first, nullptr) << "calls it itself";
  files.Stored(kFile, 0, 200, 6);
  EXPECT_FALSE(files.TakeToShare(kFile, second).has_value());
  EXPECT_EQ(second, nullptr);
  files.Settled(kFile, *told);
  const auto sharing = files.EndShared(kFile);
  ASSERT_EQ(sharing.size(), 1U);
  sharing[0](0);
  EXPECT_EQ(ended, 1);
  EXPECT_EQ(files.Waiting(), std::vector<NodeId>{kFile}) << "200 is not told";
  files.AwaitAnswers(std::chrono::steady_clock::time_point::max());
}

TEST(Unsettled, NotAnyNumberWaits) {
  UnsettledFiles files;
  files.Stored(kFile, 0, 100, 5);
  UnsettledFiles::Then first = [](int) {};
  ASSERT_TRUE(files.TakeToShare(kFile, first).has_value());
  std::size_t taken = 0;
  for (int i = 0; i < 5000; ++i) {
    UnsettledFiles::Then then = [](int) {};
    EXPECT_FALSE(files.TakeToShare(kFile, then).has_value());
    if (then == nullptr) ++taken;
  }
  files.NotSettled(kFile);
  EXPECT_EQ(files.EndShared(kFile).size(), taken);
  EXPECT_LT(taken, 5000U);
  EXPECT_EQ(files.Waiting(), std::vector<NodeId>{kFile});
}

TEST(Unsettled, AForgottenFileIsOverWhenItsAnswerCame) {
  UnsettledFiles files;
  files.Stored(kFile, 0, 100, 5);
  UnsettledFiles::Then then = [](int) {};
  ASSERT_TRUE(files.TakeToShare(kFile, then).has_value());
  files.Forget(kFile);
  files.NotSettled(kFile);
  EXPECT_TRUE(files.EndShared(kFile).empty());
  EXPECT_FALSE(files.Find(kFile).has_value());
}

}  // namespace
}  // namespace famfs
