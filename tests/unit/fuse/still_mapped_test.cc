// Extents that are asked about until nobody maps them.
#include "fuse/files/still_mapped.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <set>
#include <vector>

#include "base/units.h"

namespace famfs {
namespace {

using std::chrono::milliseconds;
using Clock = StillMapped::Clock;

/// A device of which only the mappings matter.
class MappedDevice final : public DaxDevice {
 public:
  std::string spec() const override { return "mapped"; }
  std::uint64_t size() const override { return kGiB; }
  Uuid tag() const override { return {}; }
  Capabilities capabilities() const override {
    return {.can_pass_through = true,
            .removed_extents_live_on = true,
            .allocates_extents = true};
  }
  absl::StatusOr<std::unique_ptr<Mapping>> Map(std::uint64_t, std::uint64_t,
                                               Access) override {
    return Unimplemented("no memory");
  }
  absl::Status CreateExtent(Range) override { return absl::OkStatus(); }
  absl::Status RemoveExtent(std::uint64_t) override { return absl::OkStatus(); }
  absl::StatusOr<std::vector<Range>> ListExtents() override {
    return std::vector<Range>{};
  }
  absl::StatusOr<UniqueFd> OpenExtent(std::uint64_t) override {
    return Unimplemented("no files");
  }
  absl::StatusOr<bool> EndServing(std::uint64_t offset) override {
    asked.push_back(offset);
    if (on_ask) on_ask();
    if (broken.contains(offset)) return PermissionDenied("not yours");
    return !mapped.contains(offset);
  }

  std::set<std::uint64_t> mapped;
  std::set<std::uint64_t> broken;
  std::vector<std::uint64_t> asked;
  std::function<void()> on_ask;
};

class StillMappedTest : public ::testing::Test {
 protected:
  void RoundAt(milliseconds time) { list_.Round(start_ + time); }
  std::size_t Asked() const { return device_->asked.size(); }

  std::shared_ptr<MappedDevice> device_ = std::make_shared<MappedDevice>();
  const Clock::time_point start_ = Clock::now();
  StillMapped list_;
};

TEST_F(StillMappedTest, WhatNobodyMapsIsOverInTheNextRound) {
  list_.Add(device_, kMiB);
  EXPECT_EQ(Asked(), 0U);  // whoever closes a file does not wait
  RoundAt(milliseconds(0));
  EXPECT_EQ(Asked(), 1U);
  EXPECT_EQ(list_.size(), 0U);
  RoundAt(milliseconds(60'000));
  EXPECT_EQ(Asked(), 1U);
}

TEST_F(StillMappedTest, WhatIsMappedIsAskedForAtGrowingIntervals) {
  device_->mapped = {kMiB};
  list_.Add(device_, kMiB);
  // Rounds come every 10 ms for a minute.
  std::vector<std::size_t> by_second;
  for (int ms = 0; ms < 60'000; ms += 10) {
    if (ms % 10'000 == 0) by_second.push_back(Asked());
    RoundAt(milliseconds(ms));
  }
  // 0, 0.1, 0.3, 0.7, 1.5, 3.1, 6.3 s; 12.7 s, then each 10 s.
  EXPECT_EQ(by_second, (std::vector<std::size_t>{0, 7, 8, 9, 10, 11}));
  device_->mapped.clear();
  RoundAt(milliseconds(62'000) + StillMapped::kLongestPause);
  EXPECT_EQ(list_.size(), 0U);
}

TEST_F(StillMappedTest, WhatIsClosedAgainIsLookedAtAtOnce) {
  device_->mapped = {kMiB};
  list_.Add(device_, kMiB);
  RoundAt(milliseconds(0));
  RoundAt(milliseconds(10));
  EXPECT_EQ(Asked(), 1U);
  list_.Add(device_, kMiB);
  EXPECT_EQ(list_.size(), 1U);
  RoundAt(milliseconds(20));
  EXPECT_EQ(Asked(), 2U);
}

TEST_F(StillMappedTest, WhatIsClosedDuringALookIsLookedAtOnceMore) {
  list_.Add(device_, kMiB);
  device_->on_ask = [this] {
    device_->on_ask = nullptr;
    list_.Add(device_, kMiB);
  };
  RoundAt(milliseconds(0));
  EXPECT_EQ(list_.size(), 1U);
  RoundAt(milliseconds(10));
  EXPECT_EQ(Asked(), 2U);
  EXPECT_EQ(list_.size(), 0U);
}

TEST_F(StillMappedTest, ARoundHasABoundAndNobodyIsForgotten) {
  const std::size_t count = 3 * StillMapped::kLooksPerRound;
  for (std::size_t i = 0; i < count; ++i) {
    device_->mapped.insert(i * kMiB);
    list_.Add(device_, i * kMiB);
  }
  for (int round = 0; round < 3; ++round) {
    const std::size_t before = Asked();
    RoundAt(milliseconds(round));
    EXPECT_EQ(Asked() - before, StillMapped::kLooksPerRound);
  }
  const std::set<std::uint64_t> all(device_->asked.begin(),
                                    device_->asked.end());
  EXPECT_EQ(all.size(), count);
}

TEST_F(StillMappedTest, WhatCannotBeEndedIsGivenUp) {
  device_->broken = {kMiB};
  list_.Add(device_, kMiB);
  RoundAt(milliseconds(0));
  EXPECT_EQ(list_.size(), 0U);
}

TEST_F(StillMappedTest, AtTheEndEachIsAskedForOnceMore) {
  device_->mapped = {kMiB, 2 * kMiB};
  list_.Add(device_, kMiB);
  list_.Add(device_, 2 * kMiB);
  RoundAt(milliseconds(0));
  device_->mapped = {2 * kMiB};
  list_.End();
  EXPECT_EQ(Asked(), 4U);
  EXPECT_EQ(list_.size(), 1U);
}

}  // namespace
}  // namespace famfs
