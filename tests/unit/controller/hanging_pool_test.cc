// One pool whose device does not answer, beside one that does.
#include <gmock/gmock.h>

#include <future>
#include <set>
#include <string>
#include <vector>

#include "controller/pool_metrics.h"
#include "tests/unit/base/status_matchers.h"
#include "tests/unit/controller/fixture.h"

namespace famfs::controller {
namespace {

using ::famfs::testing::HasError;
using ::famfs::testing::IsOk;
using std::chrono::milliseconds;
using ::testing::HasSubstr;

constexpr milliseconds kSoon{500};
constexpr std::chrono::seconds kPatience{30};

class HangingPoolTest : public ProvisionerTest {
 protected:
  Pool& one() { return pools().Get("one"); }
  void ExpectThatTheOtherGoesOn(const std::string& name) {
    FAMFS_ASSERT_OK_AND_ASSIGN(const VolumeInfo made,
                               Create(name, 4 * kMiB, "two"));
    EXPECT_THAT(provisioner().Find(made.id), IsOk());
    EXPECT_GT(FreeOf("two").free, 0U);
    EXPECT_THAT(provisioner().Delete(made.id), IsOk());
  }
  std::set<std::string> PoolsWithFigures() {
    csi::Exposition page;
    CollectPools(pools(), page);
    std::set<std::string> names;
    for (const auto& family : std::move(page).Take()) {
      if (family.name != "famfs_csi_pool_size_bytes") continue;
      for (const auto& metric : family.metric) {
        names.insert(metric.label.front().value);
      }
    }
    return names;
  }
};

TEST_F(HangingPoolTest, AnOpeningThatHangsHoldsUpItsOwnPoolAlone) {
  opening().Close();
  Restart(kSoon);  // comes back all the same
  ASSERT_TRUE(opening().AwaitWaiting(1));
  for (int i = 0; i < 5; ++i) {
    EXPECT_THAT(Create("pvc", 4 * kMiB),
                HasError(absl::StatusCode::kUnavailable, "pool one is not"));
  }
  EXPECT_EQ(opening().waiting(), 1) << "no further thread waits there";
  ASSERT_NO_FATAL_FAILURE(ExpectThatTheOtherGoesOn("other"));
  EXPECT_THAT(pools().CheckAllOpen(),
              HasError(absl::StatusCode::kUnavailable, "not open: one"));
  opening().Open();
  one().Refresh(kPatience);
  EXPECT_THAT(Create("pvc", 4 * kMiB), IsOk());
  EXPECT_THAT(pools().CheckAllOpen(), IsOk());
}

TEST_F(HangingPoolTest, AnOpenPoolThatHangsDoesSoToo) {
  FAMFS_ASSERT_OK_AND_ASSIGN(const VolumeInfo there, Create("a", 4 * kMiB));
  Restart(kSoon);
  look().Close();
  ASSERT_TRUE(look().AwaitWaiting(1));
  EXPECT_THAT(Create("b", 4 * kMiB),
              HasError(absl::StatusCode::kUnavailable, "has not answered"));
  EXPECT_THAT(provisioner().Delete(there.id),
              HasError(absl::StatusCode::kUnavailable, "pool one"));
  EXPECT_THAT(provisioner().Find(there.id),
              HasError(absl::StatusCode::kUnavailable, "pool one"));
  EXPECT_THAT(provisioner().List(std::nullopt, 0),
              HasError(absl::StatusCode::kUnavailable, "pool one"));
  EXPECT_LE(look().waiting(), 1) << "no further thread waits there";
  ASSERT_NO_FATAL_FAILURE(ExpectThatTheOtherGoesOn("other"));
  EXPECT_THAT(pools().CheckAllOpen(),
              HasError(absl::StatusCode::kUnavailable, "not open: one"));
  EXPECT_EQ(PoolsWithFigures(), std::set<std::string>{"two"});
  look().Open();
  one().Refresh(kPatience);
  // It was not lost meanwhile.
  EXPECT_EQ(one().losses().other, 0U);
  FAMFS_ASSERT_OK_AND_ASSIGN(const VolumeInfo again,
                             provisioner().Find(there.id));
  EXPECT_EQ(again.id, there.id);
}

// One that hangs while it makes its memory; the pool's log does not.
TEST_F(HangingPoolTest, ACallThatHangsKeepsNoOthersOfItsNameWaiting) {
  Restart(kSoon);
  auto held = std::async(std::launch::async,
                         [this] { return Create("held", kGatedSize); });
  ASSERT_TRUE(gate().AwaitArrival());
  EXPECT_THAT(Create("held", kGatedSize),
              HasError(absl::StatusCode::kAborted, "under way"));
  EXPECT_THAT(Create("free", 4 * kMiB), IsOk());
  EXPECT_THAT(one().UnderWay(), HasSubstr("pool one: calls: 1"));
  gate().Open();
  FAMFS_ASSERT_OK_AND_ASSIGN(const VolumeInfo first, held.get());
  FAMFS_ASSERT_OK_AND_ASSIGN(const VolumeInfo again,
                             Create("held", kGatedSize));
  EXPECT_EQ(first.id, again.id);
  EXPECT_EQ(one().UnderWay(), "");
}

TEST_F(HangingPoolTest, TheCallsThatHaveAPoolAreBounded) {
  Restart(kSoon);
  std::vector<std::shared_ptr<Writer>> calls;
  for (std::size_t i = 0; i < Pool::kMaxCalls; ++i) {
    FAMFS_ASSERT_OK_AND_ASSIGN(calls.emplace_back(), one().Open());
  }
  EXPECT_THAT(one().Open(), HasError(absl::StatusCode::kUnavailable,
                                     "pool one is not available: 128 calls"));
  ASSERT_NO_FATAL_FAILURE(ExpectThatTheOtherGoesOn("other"));
  EXPECT_THAT(provisioner().List(std::nullopt, 0), IsOk()) << "only looks";
  calls.pop_back();
  EXPECT_THAT(one().Open(), IsOk());
}

TEST_F(HangingPoolTest, NoCallLooksUpAllVolumes) {
  FAMFS_ASSERT_OK_AND_ASSIGN(const VolumeInfo there, Create("a", 4 * kMiB));
  Restart();
  std::set<const PoolSnapshot::Volumes*> seen;
  std::vector<std::shared_ptr<const PoolSnapshot>> kept;
  const auto look_at_it = [&] {
    kept.push_back(one().snapshot());
    ASSERT_NE(kept.back(), nullptr);
    seen.insert(kept.back()->volumes.get());
  };
  for (int i = 0; i < 200; ++i) {
    ASSERT_THAT(provisioner().Find(there.id), IsOk());
    ASSERT_THAT(provisioner().List(std::nullopt, 1), IsOk());
    ASSERT_NO_FATAL_FAILURE(look_at_it());
  }
  EXPECT_EQ(seen.size(), 1U) << "nothing was made";
  ASSERT_THAT(Create("b", 4 * kMiB), IsOk());
  one().Refresh(kPatience);
  ASSERT_NO_FATAL_FAILURE(look_at_it());
  EXPECT_EQ(kept.back()->volumes->size(), 2U);
}

}  // namespace
}  // namespace famfs::controller
