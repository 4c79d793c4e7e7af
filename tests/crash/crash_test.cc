// Stops every operation at every store, drops cache lines that were not written
// back, and opens the instance again (design: Writing safely). One history in
// which everything happens; also all short ones (sequences_test.cc) and long
// random ones.
#include <iostream>
#include <random>

#include "tests/crash/fixture.h"

namespace famfs::crash {
namespace {

class BaseScenarioTest : public CrashTest,
                         public ::testing::WithParamInterface<bool> {};

TEST_P(BaseScenarioTest, EveryStoreOfEveryOperationAndOfEveryRecovery) {
  MakeMedia(GetParam());
  History history(*live_, Locks("live"));
  RunBaseScenario(history);
  ExplorerOptions options = Options();
  options.subsets += 2;
  options.thorough_every = 1;
  options.recovery_every = 1;
  Explorer explorer(options);
  explorer.Explore(*crashed_, history, 0);
  EXPECT_TRUE(explorer.problems().empty()) << First(explorer.problems());
  const Counts& counts = explorer.counts();
  std::cout << counts.crashes << " crashes at " << counts.points << " points, "
            << counts.recoveries << " within recoveries; " << counts.judged
            << " judged, " << counts.taken_over << " also by take-over\n";
}

INSTANTIATE_TEST_SUITE_P(Devices, BaseScenarioTest, ::testing::Bool(),
                         [](const auto& device) {
                           return device.param ? "WithExtentFiles" : "Flat";
                         });

/// Seeds are printed; each history has so many operations.
constexpr int kLength = 40;

TEST_P(BaseScenarioTest, LongRandomHistories) {
  MakeMedia(GetParam());
  const Base base = MakeBase(/*used=*/false);
  const std::uint64_t seeds = IsNightly() ? 200 : 3;
  ExplorerOptions options = Options();
  options.subsets = 1;
  Explorer explorer(options);
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    std::mt19937_64 random(seed);
    live_->Checkpoint();
    {
      History history(*live_, Locks("live"), base.state, base.names);
      history.Open();
      for (int i = 0; i < kLength; ++i) {
        history.Do(kAllOps[random() % std::size(kAllOps)]);
      }
      history.Close();
      explorer.Explore(*crashed_, history, 0);
    }
    live_->Rollback();
    ASSERT_TRUE(explorer.problems().empty())
        << "seed " << seed << ": " << First(explorer.problems());
  }
  const Counts& counts = explorer.counts();
  std::cout << "seeds 1 to " << seeds << " of " << kLength
            << " operations: " << counts.crashes << " crashes at "
            << counts.points << " points; " << counts.judged << " judged\n";
}

}  // namespace
}  // namespace famfs::crash
