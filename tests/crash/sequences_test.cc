// All sequences of up to three operations, on a fresh instance and on a used
// one, with a crash at every store and write-back (most crash bugs of file
// systems need no more than three operations: B3/ACE).
//
// The sequences are a tree: the crashes of a common beginning are judged once.
#include <iostream>

#include "tests/crash/fixture.h"

namespace famfs::crash {
namespace {

struct Start {
  bool has_extent_files;
  bool used;
};

class SequencesTest : public CrashTest,
                      public ::testing::WithParamInterface<Start> {
 protected:
  /// Runs `ops`, and judges the crashes in the last one. False when it had no
  /// object, and nothing follows it.
  bool Run(const std::vector<Op>& ops) {
    live_->Checkpoint();
    bool goes_on = true;
    {
      History history(*live_, Locks("live"), base_.state, base_.names);
      history.Open();
      for (std::size_t i = 0; i < ops.size() && goes_on; ++i) {
        goes_on = history.Do(ops[i]);
      }
      history.Close();
      if (goes_on) {
        ++sequences_;
        explorer_->Explore(*crashed_, history, ops.size());
      }
    }
    live_->Rollback();
    return goes_on;
  }

  void RunTree(std::vector<Op>& ops, std::size_t length) {
    if (!Run(ops) || ops.size() == length) return;
    ASSERT_TRUE(explorer_->problems().empty())
        << NameOf(ops) << ": " << First(explorer_->problems());
    for (const Op op : std::span(kAllOps).first(kSequenceOps)) {
      ops.push_back(op);
      RunTree(ops, length);
      if (HasFatalFailure()) return;
      ops.pop_back();
    }
  }

  Base base_;
  std::unique_ptr<Explorer> explorer_;
  std::uint64_t sequences_ = 0;
};

TEST_P(SequencesTest, OfUpToThreeOperations) {
  MakeMedia(GetParam().has_extent_files);
  base_ = MakeBase(GetParam().used);
  ExplorerOptions options = Options();
  options.thorough_every = 16;
  options.recovery_every = 64;
  explorer_ = std::make_unique<Explorer>(options);
  std::vector<Op> ops;
  ASSERT_NO_FATAL_FAILURE(RunTree(ops, 3));
  EXPECT_TRUE(explorer_->problems().empty()) << First(explorer_->problems());
  const Counts& counts = explorer_->counts();
  std::cout << sequences_ << " sequences: " << counts.crashes << " crashes at "
            << counts.points << " points, " << counts.recoveries
            << " within recoveries; " << counts.judged << " judged\n";
}

INSTANTIATE_TEST_SUITE_P(
    Starts, SequencesTest,
    ::testing::Values(Start{false, false}, Start{false, true},
                      Start{true, false}, Start{true, true}),
    [](const auto& start) {
      return std::string(start.param.used ? "Used" : "Fresh") +
             (start.param.has_extent_files ? "WithExtentFiles" : "Flat");
    });

}  // namespace
}  // namespace famfs::crash
