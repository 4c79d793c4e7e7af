#include "fuse/files/append_rights.h"

#include <gtest/gtest.h>

namespace famfs {
namespace {

using Next = AppendRights::Next;

constexpr NodeId kLog = 7;
constexpr TreeId kLogId = 0x42;
constexpr std::uint32_t kMine = 5;
constexpr std::uint32_t kOthers = 6;
constexpr MailboxPlace kHere{.row = 3, .session = kMine};

class AppendRightsTest : public ::testing::Test {
 protected:
  void Begin(const std::optional<MailboxPlace>& place = kHere) {
    EXPECT_TRUE(rights_.BeginAsking(kLog, kLogId, place, store_));
  }
  void Grant(std::uint32_t revision) {
    Begin();
    rights_.EndAsking(kLog, revision, {revision, kOthers});
  }
  bool Holds(std::uint32_t revision, std::uint32_t session) {
    return rights_.Holds(kLog, kHere, {revision, session});
  }
  std::optional<std::uint32_t> Leave(bool is_told = true) {
    return rights_.Leave(
        kLog, [is_told] { return is_told; }, store_);
  }

  AppendRights rights_;
  AppendClaimBits written_;
  MailboxPlace written_in_;
  bool can_write_ = true;
  AppendRights::Store store_ = [this](const MailboxPlace& place,
                                      const AppendClaimBits& files) {
    if (!can_write_) return false;
    written_in_ = place;
    written_ = files;
    return true;
  };
};

TEST_F(AppendRightsTest, AFileIsClaimedBeforeItIsAskedFor) {
  EXPECT_FALSE(Holds(1, kOthers));
  Begin();
  EXPECT_TRUE(written_.Contains(kLogId));
  EXPECT_EQ(written_in_, kHere);
  EXPECT_FALSE(Holds(1, kOthers));
  rights_.EndAsking(kLog, 1, {1, kOthers});
  EXPECT_TRUE(Holds(1, kOthers));
  rights_.Stop(kLog);
  EXPECT_FALSE(Holds(1, kOthers));
  EXPECT_TRUE(written_.Contains(kLogId)) << "what was stored is not told yet";
  EXPECT_EQ(Leave(/*is_told=*/false), std::nullopt);
  EXPECT_TRUE(written_.Contains(kLogId));
  EXPECT_EQ(Leave(), std::nullopt);
  EXPECT_TRUE(written_.empty());
  EXPECT_TRUE(rights_.IsIdle());
}

TEST_F(AppendRightsTest, WithoutAClaimNothingIsTaken) {
  can_write_ = false;
  Grant(1);
  EXPECT_FALSE(Holds(1, kOthers));
  can_write_ = true;
  Begin(std::nullopt);
  rights_.EndAsking(kLog, 1, {1, kOthers});
  EXPECT_FALSE(Holds(1, kOthers));
}

TEST_F(AppendRightsTest, OwnRevisionsChangeNothing) {
  Grant(1);
  EXPECT_EQ(rights_.Look(kLog, kLogId, {2, kMine}), Next::kNothing);
  EXPECT_TRUE(Holds(2, kMine));
  EXPECT_TRUE(Holds(3, kMine));
}

TEST_F(AppendRightsTest, AnothersRevisionEndsIt) {
  Grant(1);
  EXPECT_FALSE(Holds(2, kOthers));
  Grant(2);
  EXPECT_EQ(rights_.Look(kLog, kLogId, {3, 0}), Next::kStop);
  rights_.Stop(kLog);
  EXPECT_EQ(Leave(), 3U) << "the owner is to hear";
}

/// Between its own last one and the one before there was another's.
TEST_F(AppendRightsTest, AHiddenRevisionEndsIt) {
  Grant(1);
  EXPECT_FALSE(Holds(3, kMine));
}

TEST_F(AppendRightsTest, WhatIsRevisedMeanwhileIsNotTaken) {
  Begin();
  rights_.EndAsking(kLog, 1, {2, kOthers});
  EXPECT_FALSE(Holds(2, kOthers));
  Begin();
  EXPECT_EQ(rights_.Look(kLog, kLogId, {2, 0}), Next::kNothing);
  rights_.EndAsking(kLog, 2, {2, 0});
  EXPECT_FALSE(Holds(2, 0));
  EXPECT_EQ(rights_.Leaving().size(), 1U) << "the owner waits for a word";
  EXPECT_EQ(Leave(), 2U);
}

TEST_F(AppendRightsTest, TheLastOfThoseThatAskCounts) {
  Begin();
  Begin();
  rights_.EndAsking(kLog, 1, {1, kOthers});
  EXPECT_FALSE(Holds(1, kOthers)) << "the other one says that this host asks";
  EXPECT_EQ(Leave(), std::nullopt);
  EXPECT_TRUE(written_.Contains(kLogId));
  rights_.EndAsking(kLog, 1, {1, kOthers});
  EXPECT_TRUE(Holds(1, kOthers));
}

/// Who found out that he has to ask may be overtaken by the answer to another
/// one's question: to the owner his own would be a word that nobody here
/// appends any more.
TEST_F(AppendRightsTest, WhoHasTheFileDoesNotAsk) {
  Grant(1);
  EXPECT_FALSE(rights_.BeginAsking(kLog, kLogId, kHere, store_));
  EXPECT_TRUE(Holds(1, kOthers));
  EXPECT_FALSE(Holds(2, kOthers));
  Begin();
  rights_.EndAsking(kLog, 2, {2, kOthers});
  EXPECT_TRUE(Holds(2, kOthers));
  Begin(std::nullopt);  // it has no row to append by
}

TEST_F(AppendRightsTest, WithItsRowAHostLosesAll) {
  Grant(1);
  const MailboxPlace there{.row = 9, .session = kMine};
  EXPECT_FALSE(rights_.Holds(kLog, there, {1, kOthers}));
  Grant(1);
  ASSERT_TRUE(Holds(1, kOthers));
  EXPECT_TRUE(rights_.BeginAsking(8, 8, there, store_));
  EXPECT_EQ(written_in_, there);
  EXPECT_TRUE(written_.Contains(8));
  EXPECT_FALSE(rights_.Holds(kLog, there, {1, kOthers}));
}

TEST_F(AppendRightsTest, ForABitThatAnotherFileHasTheOwnerHearsIt) {
  Grant(1);
  EXPECT_EQ(rights_.Look(8, kLogId + 1, {4, 0}), Next::kNothing);
  EXPECT_EQ(rights_.Look(8, kLogId + 256, {4, kOthers}), Next::kNothing);
  EXPECT_EQ(rights_.Look(8, kLogId + 256, {4, 0}), Next::kLeave);
  EXPECT_EQ(rights_.Leave(
                8, [] { return true; }, store_),
            4U);
  EXPECT_TRUE(Holds(1, kOthers));
  EXPECT_TRUE(written_.Contains(kLogId));
}

}  // namespace
}  // namespace famfs
