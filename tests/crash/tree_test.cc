// Tree volumes: every change in them is stopped at every store, as the
// operations of whole volumes are (crash_test.cc, sequences_test.cc).
#include <iostream>
#include <random>

#include "tests/crash/fixture.h"

namespace famfs::crash {
namespace {

class TreeCrashTest : public CrashTest,
                      public ::testing::WithParamInterface<bool> {
 protected:
  /// Runs `ops` after the base, and judges the crashes in the last one. False
  /// when it had no object, and nothing follows it.
  bool Run(const std::vector<Op>& ops) {
    live_->Checkpoint();
    bool goes_on = true;
    {
      History history(*live_, Locks("live"), base_.state, base_.names);
      history.Open();
      std::size_t first = history.steps().size();
      for (std::size_t i = 0; i < ops.size() && goes_on; ++i) {
        first = history.steps().size();
        goes_on = history.Do(ops[i]);
      }
      history.Close();
      if (goes_on) {
        ++sequences_;
        explorer_->Explore(*crashed_, history, first);
      }
    }
    live_->Rollback();
    return goes_on;
  }

  void RunTree(std::vector<Op>& ops, std::size_t length) {
    if (!ops.empty() && !Run(ops)) return;
    ASSERT_TRUE(explorer_->problems().empty())
        << NameOf(ops) << ": " << First(explorer_->problems());
    if (ops.size() == length) return;
    static const std::vector<Op> kOps = [] {
      std::vector<Op> all(std::begin(kTreeOps), std::end(kTreeOps));
      all.insert(all.end(), {Op::kCompact, Op::kReclaim, Op::kReopen});
      return all;
    }();
    for (const Op op : kOps) {
      ops.push_back(op);
      RunTree(ops, length);
      if (HasFatalFailure()) return;
      ops.pop_back();
    }
  }

  void Tell(const char* what) const {
    const Counts& counts = explorer_->counts();
    std::cout << what << ": " << counts.crashes << " crashes at "
              << counts.points << " points, " << counts.recoveries
              << " within recoveries; " << counts.judged << " judged, "
              << counts.taken_over << " also by take-over\n";
  }

  Base base_;
  std::unique_ptr<Explorer> explorer_;
  std::uint64_t sequences_ = 0;
};

TEST_P(TreeCrashTest, EveryStoreOfEveryChangeAndOfEveryRecovery) {
  MakeMedia(GetParam());
  History history(*live_, Locks("live"));
  RunTreeScenario(history);
  std::set<std::string> done;
  for (const Step& step : history.steps()) {
    done.insert(step.name.substr(0, step.name.find(':')));
  }
  for (const Op op : kTreeOps) {
    EXPECT_TRUE(done.contains(NameOf(op))) << "never done: " << NameOf(op);
  }
  ExplorerOptions options = Options();
  options.thorough_every = IsNightly() ? 1 : 4;
  options.recovery_every = IsNightly() ? 1 : 16;
  explorer_ = std::make_unique<Explorer>(options);
  explorer_->Explore(*crashed_, history, 0);
  EXPECT_TRUE(explorer_->problems().empty()) << First(explorer_->problems());
  Tell("a life with tree volumes");
}

TEST_P(TreeCrashTest, SequencesOfChanges) {
  MakeMedia(GetParam());
  base_ = MakeTreeBase();
  ExplorerOptions options = Options();
  options.subsets = IsNightly() ? 4 : 1;
  options.thorough_every = 16;
  options.recovery_every = 256;
  explorer_ = std::make_unique<Explorer>(options);
  std::vector<Op> ops;
  ASSERT_NO_FATAL_FAILURE(RunTree(ops, IsNightly() ? 3 : 2));
  EXPECT_TRUE(explorer_->problems().empty()) << First(explorer_->problems());
  Tell((std::to_string(sequences_) + " sequences of changes").c_str());
}

TEST_P(TreeCrashTest, LongRandomHistories) {
  MakeMedia(GetParam());
  base_ = MakeTreeBase();
  const std::uint64_t seeds = IsNightly() ? 200 : 3;
  constexpr int kLength = 40;
  ExplorerOptions options = Options();
  options.subsets = 1;
  explorer_ = std::make_unique<Explorer>(options);
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    std::mt19937_64 random(seed);
    live_->Checkpoint();
    {
      History history(*live_, Locks("live"), base_.state, base_.names);
      history.Open();
      for (int i = 0; i < kLength; ++i) history.Do(AnyOp(random));
      history.Close();
      explorer_->Explore(*crashed_, history, 0);
    }
    live_->Rollback();
    ASSERT_TRUE(explorer_->problems().empty())
        << "seed " << seed << ": " << First(explorer_->problems());
  }
  Tell("random lives with tree volumes");
}

INSTANTIATE_TEST_SUITE_P(Devices, TreeCrashTest, ::testing::Bool(),
                         [](const auto& device) {
                           return device.param ? "WithExtentFiles" : "Flat";
                         });

}  // namespace
}  // namespace famfs::crash
