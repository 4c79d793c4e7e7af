// The changes in tree volumes with a mistake in them: the suite must notice
// each one (mutation_test.cc does so with the operations of whole volumes).
#include <iostream>
#include <map>

#include "tests/crash/mutation.h"

namespace famfs::crash {
namespace {

/// Not needed for what the suite asks, and why.
const std::map<std::string, std::string>& Redundant() {
  static const std::string kDirty =
      "what no row of the clean ranges names counts as dirty, and is zeroed "
      "again";
  static const std::string kCovered =
      "a promise that a file covers was kept: whoever opens next clears it";
  static const std::map<std::string, std::string> list = {
      {"tree extend: clean range 1",
       "what a creation does, too, and there it is found"},
      {"tree extend: clean range 2", kDirty},
      {"tree grow: reservation 2", kCovered},
      {"tree replace: state record 1",
       "of pieces that wait the log has the number, too"},
  };
  return list;
}

/// What every append does is tried for one that publishes several entries; with
/// all others in the nightly run.
bool IsTried(const std::string& site) {
  if (!site.starts_with("tree ")) return false;
  const bool is_append = site.find(": entries") != std::string::npos ||
                         site.find(": counters") != std::string::npos ||
                         site.find(": data") != std::string::npos;
  return IsNightly() || !is_append || site.starts_with("tree replace") ||
         site.starts_with("tree grow");
}

class TreeMutationTest : public MutationTest {
 protected:
  void RunScenario(History& history) override { RunTreeScenario(history); }

  /// After the base, in which pieces of a file are dead.
  std::vector<std::string> ProblemsOf(
      const std::function<void(History&)>& goes_on) {
    live_->Checkpoint();
    std::vector<std::string> problems;
    {
      History history(*live_, Locks("live"), base_.state, base_.names);
      history.Open();
      goes_on(history);
      history.Close();
      problems = Explore(history, 0);
    }
    live_->Rollback();
    return problems;
  }

  Base base_;
};

TEST_P(TreeMutationTest, EachWriteBackLeftOutIsFound) {
  MakeMedia(GetParam());
  ASSERT_NO_FATAL_FAILURE(CheckUnmutated());
  const std::set<std::string> sites = Sites();
  const char* only = ::getenv("FAMFS_MUTATION");
  std::size_t found = 0;
  std::size_t tried = 0;
  for (const std::string& site : sites) {
    if (only != nullptr ? site != only : !IsTried(site)) continue;
    ++tried;
    const auto redundant = Redundant().find(site);
    if (redundant != Redundant().end()) {
      std::cout << "redundant  " << site << ": " << redundant->second << "\n";
    } else if (ExpectFound(site, &Recorder::LeaveOut)) {
      ++found;
    }
  }
  std::cout << found << " of " << tried
            << " write-backs of changes in trees left out are found\n";
}

/// A removal and what takes its name; both names of an exchange; a piece and
/// the revision that counts it.
TEST_P(TreeMutationTest, ABatchInTwoAppendsIsFound) {
  MakeMedia(GetParam());
  for (const char* operation :
       {"tree replace", "tree exchange", "tree extend"}) {
    Tell(std::string(operation) + " in two appends",
         ProblemsWith(operation, [&](Recorder& recorder) {
           recorder.PublishInTwo(operation);
         }));
  }
}

/// Without extent files, which are zero when they are made and live on when
/// they are removed.
using FlatTreeMutationTest = TreeMutationTest;

TEST_P(FlatTreeMutationTest, APieceNamedBeforeItsBytesAreZeroIsFound) {
  MakeMedia(GetParam());
  for (const char* operation : {"tree extend", "tree grow"}) {
    const std::string site = std::string(operation) + ": zeroing 1";
    Tell(site + " after the entry",
         ProblemsWith(operation,
                      [&](Recorder& recorder) { recorder.PutOff(site); }));
  }
}

/// The deletion number is on the medium before the record that has it.
TEST_P(TreeMutationTest, ADeletionNumberNotTakenIsFound) {
  MakeMedia(GetParam());
  for (const char* operation : {"tree remove", "tree cut"}) {
    const std::string site = std::string(operation) + ": state record 1";
    Tell("no number: " + site, ProblemsWith(operation, [&](Recorder& recorder) {
           recorder.LeaveOut(site);
         }));
  }
}

/// A host has pieces open that a compaction forgets: their space is given out.
TEST_P(FlatTreeMutationTest, DeadPiecesForgottenByACompactionAreFound) {
  MakeMedia(GetParam());
  base_ = MakeTreeBase();
  for (const bool mutated : {false, true}) {
    const std::vector<std::string> problems = ProblemsOf([&](History& history) {
      ASSERT_TRUE(history.Do(Op::kRegister));
      ASSERT_TRUE(history.Do(Op::kTreeExtend));
      ASSERT_TRUE(history.Do(Op::kTreeStore));
      ASSERT_TRUE(history.Do(Op::kTreeReplace));
      if (mutated) {
        history.CompactWithoutDeadPieces();
      } else {
        ASSERT_TRUE(history.Do(Op::kCompact));
      }
    });
    if (mutated) {
      Tell("a compaction that forgets dead pieces", problems);
    } else {
      EXPECT_TRUE(problems.empty()) << First(problems);
    }
  }
}

std::string NameOf(const ::testing::TestParamInfo<bool>& device) {
  return device.param ? "WithExtentFiles" : "Flat";
}

INSTANTIATE_TEST_SUITE_P(Devices, TreeMutationTest, ::testing::Bool(), NameOf);
INSTANTIATE_TEST_SUITE_P(Devices, FlatTreeMutationTest,
                         ::testing::Values(false), NameOf);

}  // namespace
}  // namespace famfs::crash
