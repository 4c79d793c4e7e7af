#include "controller/reopen_pause.h"

#include <gtest/gtest.h>

namespace famfs::controller {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = ReopenPause::Clock;

class ReopenPauseTest : public ::testing::Test {
 protected:
  /// Opened as soon as it may be, and overtaken `stood` later.
  seconds OvertakenAfter(Clock::duration stood) {
    now_ += pause_.length();
    pause_.Opened(now_);
    now_ += stood;
    pause_.Overtaken(now_);
    return pause_.length();
  }
  ReopenPause pause_;
  Clock::time_point now_ = Clock::now();
};

TEST_F(ReopenPauseTest, APoolThatWasNeverOvertakenMayBeOpened) {
  EXPECT_TRUE(pause_.IsOver(now_));
}

TEST_F(ReopenPauseTest, EndsAfterItsLength) {
  EXPECT_EQ(OvertakenAfter(seconds(5)), ReopenPause::kFirst);
  EXPECT_FALSE(pause_.IsOver(now_));
  EXPECT_FALSE(pause_.IsOver(now_ + ReopenPause::kFirst - milliseconds(1)));
  EXPECT_TRUE(pause_.IsOver(now_ + ReopenPause::kFirst));
}

TEST_F(ReopenPauseTest, DoublesWhileTwoWritersTakeThePoolFromEachOther) {
  EXPECT_EQ(OvertakenAfter(seconds(5)), seconds(1));
  EXPECT_EQ(OvertakenAfter(seconds(5)), seconds(2));
  EXPECT_EQ(OvertakenAfter(seconds(5)), seconds(4));
  seconds longest{0};
  for (int i = 0; i < 20; ++i) longest = OvertakenAfter(seconds(5));
  EXPECT_EQ(longest, ReopenPause::kLongest);
}

TEST_F(ReopenPauseTest, IsShortAgainAfterAPoolHasStoodForLong) {
  OvertakenAfter(seconds(5));
  OvertakenAfter(seconds(5));
  EXPECT_EQ(OvertakenAfter(ReopenPause::kSettled), ReopenPause::kFirst);
}

}  // namespace
}  // namespace famfs::controller
