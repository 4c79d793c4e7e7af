// A reader on a host whose cache returns old lines follows a writer through
// creations, deletions and compactions, store by store. It only ever shows
// states that the instance had, none that is older than one it showed before or
// than what was acknowledged when it looked, and in the end the last one.
#include <iostream>

#include "instance/reader/reader.h"
#include "tests/crash/fixture.h"
#include "tests/crash/stale_device.h"

namespace famfs::crash {
namespace {

class StaleTest : public CrashTest, public ::testing::WithParamInterface<bool> {
 protected:
  struct Outcome {
    std::string problem;  // the first
    std::uint64_t refreshes = 0;
    std::uint64_t unavailable = 0;
  };

  /// Both media hold the base; the history happens on one of them.
  void MakeHistory(std::uint64_t seed, bool in_trees = false) {
    MakeMedia(GetParam());
    base_ = in_trees ? MakeTreeBase() : MakeBase(/*used=*/true);
    history_ = std::make_unique<History>(*live_, Locks("live"), base_.state,
                                         base_.names);
    std::mt19937_64 random(seed);
    history_->Open();
    for (int i = 0; i < 30; ++i) {
      const Op any =
          in_trees ? AnyOp(random) : kAllOps[random() % std::size(kAllOps)];
      history_->Do(i % 5 == 4 ? Op::kCompact : any);
    }
    history_->Close();
  }

  /// Follows the history. `at_rest`: the writer stands still while the reader
  /// looks, at each event once; else it goes on meanwhile.
  Outcome Follow(std::uint64_t seed, bool at_rest,
                 const std::function<bool(Range)>& left_out = nullptr);

  /// Which states the reader may show: those of the steps [first, last]; -1 is
  /// the base.
  [[nodiscard]] int StepInFlight() const {
    const auto& steps = history_->steps();
    // Steps without an event begin where they end.
    int step = StepAcknowledged();
    while (step + 1 < static_cast<int>(steps.size()) &&
           steps[static_cast<std::size_t>(step + 1)].begin < at_) {
      ++step;
    }
    return step;
  }
  [[nodiscard]] int StepAcknowledged() const {
    const auto& steps = history_->steps();
    int step = -1;
    while (step + 1 < static_cast<int>(steps.size()) &&
           steps[static_cast<std::size_t>(step + 1)].end <= at_) {
      ++step;
    }
    return step;
  }
  [[nodiscard]] const State& StateAfter(int step) const {
    return step < 0 ? base_.state
                    : history_->steps()[static_cast<std::size_t>(step)].after;
  }

  Base base_;
  std::unique_ptr<History> history_;
  std::size_t at_ = 0;  // events that happened on the shared medium
};

StaleTest::Outcome StaleTest::Follow(
    std::uint64_t seed, bool at_rest,
    const std::function<bool(Range)>& left_out) {
  Outcome outcome;
  std::mt19937_64 random(seed);
  crashed_->Checkpoint();
  CrashSite site(*crashed_);
  StaleCache cache(*crashed_, seed);
  at_ = 0;
  const auto go_on = [&] {
    if (at_ < history_->events().size()) {
      site.Advance(history_->events()[at_++]);
    }
    if (random() % 2 == 0) site.EvictOne(random);
    cache.DropSome();
  };
  auto reader = Reader::Open(MakeStaleDevice(cache));
  if (!reader.ok()) outcome.problem = std::string(Message(reader.status()));
  if (!at_rest) cache.OnFetch(go_on);
  cache.LeaveOut(left_out);
  int shown = -1;
  for (bool last = false; !last && outcome.problem.empty();) {
    last = at_ == history_->events().size();
    if (!last && at_rest) go_on();
    const int floor = std::max(shown, StepAcknowledged());
    const bool in_step = StepAcknowledged() != StepInFlight();
    const auto changes = (*reader)->Refresh();
    ++outcome.refreshes;
    if (!changes.ok()) {
      ++outcome.unavailable;
      // Of a writer that stands still in the middle of a compaction.
      if (at_rest && in_step && absl::IsUnavailable(changes.status())) continue;
      outcome.problem =
          fmt::format("after event {}: {}", at_, Message(changes.status()));
      break;
    }
    const State state = StateOf(*(*reader)->Tree());
    int step = floor;
    while (step <= StepInFlight() && !SameTree(state, StateAfter(step))) {
      ++step;
    }
    if (step > StepInFlight()) {
      outcome.problem = fmt::format(
          "after event {}: a state that is none of those after the steps {} to "
          "{}",
          at_, floor, StepInFlight());
    }
    shown = std::max(shown, step);
  }
  crashed_->Rollback();
  return outcome;
}

TEST_P(StaleTest, AReaderShowsOnlyStatesThatWereAndNeverGoesBack) {
  const std::uint64_t seeds = IsNightly() ? 2000 : 60;
  std::uint64_t refreshes = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    MakeHistory(seed % 4);
    const Outcome outcome = Follow(seed, /*at_rest=*/false);
    ASSERT_EQ(outcome.problem, "") << "seed " << seed;
    refreshes += outcome.refreshes;
  }
  std::cout << "seeds 1 to " << seeds << ": " << refreshes
            << " refreshes beside a writer\n";
}

TEST_P(StaleTest, AReaderLooksAtEachStoreOfAWriterThatStandsStill) {
  const std::uint64_t seeds = IsNightly() ? 200 : 12;
  std::uint64_t refreshes = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    MakeHistory(seed);
    const Outcome outcome = Follow(seed, /*at_rest=*/true);
    ASSERT_EQ(outcome.problem, "") << "seed " << seed;
    refreshes += outcome.refreshes;
  }
  std::cout << "seeds 1 to " << seeds << ": " << refreshes
            << " refreshes, one after each event\n";
}

/// Renames, cuts, removals: no name is seen twice or not at all, no size with
/// the pieces of another.
TEST_P(StaleTest, AReaderShowsOnlyTreesThatWere) {
  const std::uint64_t seeds = IsNightly() ? 1000 : 24;
  std::uint64_t refreshes = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    MakeHistory(seed % 4, /*in_trees=*/true);
    const Outcome outcome = Follow(seed, /*at_rest=*/seed % 8 == 0);
    ASSERT_EQ(outcome.problem, "") << "seed " << seed;
    refreshes += outcome.refreshes;
  }
  std::cout << "seeds 1 to " << seeds << ": " << refreshes
            << " refreshes of tree volumes\n";
}

/// A reader that leaves out one kind of invalidation shows what was not. Not
/// needed for that, and so not tried: the state record's (the compaction record
/// beside it moves with every compaction) and the image's (its checksum tells
/// an old one; a reader would only wait longer).
TEST_P(StaleTest, EachInvalidationLeftOutIsFound) {
  const std::map<std::string, std::function<bool(Range)>> kinds = {
      {"compaction record",
       [](Range r) { return r.offset == kRegionOffset + kCompactionAt; }},
      {"log header", [](Range r) { return r.offset == kLogOffset; }},
      {"entries",
       [](Range r) {
         return r.offset > kLogOffset && r.offset < kLogOffset + kMinLogLength;
       }},
  };
  for (const auto& [kind, left_out] : kinds) {
    std::string problem;
    for (std::uint64_t seed = 1; seed <= 60 && problem.empty(); ++seed) {
      if (seed % 8 == 1) MakeHistory(seed);
      problem = Follow(seed, seed % 2 == 0, left_out).problem;
    }
    EXPECT_NE(problem, "") << "not found: " << kind;
    std::cout << "found      invalidation of the " << kind << ": " << problem
              << "\n";
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, StaleTest, ::testing::Bool(),
                         [](const auto& device) {
                           return device.param ? "WithExtentFiles" : "Flat";
                         });

}  // namespace
}  // namespace famfs::crash
