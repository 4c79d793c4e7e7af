// A suite that cannot fail shows nothing. Each write-back of each operation is
// left out, one at a time, and the crash suite must notice; those that it
// cannot notice are listed here, with the reason why they need not be noticed.
#include <iostream>
#include <map>

#include "tests/crash/fixture.h"

namespace famfs::crash {
namespace {

/// Not needed for what the suite asks, and why.
const std::map<std::string, std::string>& Redundant() {
  static const std::string kRecovered =
      "the log is whole and no older than the record: the next opening clears "
      "it";
  static const std::string kBeyond =
      "what stands beyond the log's end is cleared by each opening";
  static const std::string kOverwritten =
      "the superblock is stored whole afterwards; the rest has no meaning";
  static const std::string kFirst =
      "without a state record the first writer sets the region up, as in an "
      "instance that upstream made";
  static const std::string kEpochTwice =
      "the epoch stands in the state record and in the owner record; the next "
      "opening takes the one after the higher";
  static const std::map<std::string, std::string> list = {
      {"open: owner record 1", kEpochTwice},
      {"open: state record 1", kEpochTwice},
      {"compact: compaction record 2", kRecovered},
      {"open: compaction record 2", kRecovered},
      {"compact: state record 1",
       "the generation tells readers that live on, the record's sequence too; "
       "after a crash the owner record has the epoch, the log the deletions"},
      {"mkfs: zeros of the log", kBeyond},
      {"mkfs --force: zeros of the log", kBeyond},
      {"mkfs: zeros of the superblock's region", kOverwritten},
      {"mkfs --force: zeros of the superblock's region", kOverwritten},
      {"mkfs: zeros of our region",
       "garbage is no record; an earlier life's lines are found with --force"},
      {"mkfs: state record 1", kFirst},
      {"mkfs --force: state record 1", kFirst},
      {"mkfs: superblock magic 1", "there was none"},
  };
  return list;
}

/// The reason why a site need not be noticed; empty: it must be.
std::string WhyRedundant(const std::string& site) {
  const auto listed = Redundant().find(site);
  if (listed != Redundant().end()) return listed->second;
  // Tested by take-overs (tests/integration/deletion).
  if (site.find(": reservation") != std::string::npos) {
    return "promises of this host's own writer end with its process; they are "
           "kept for the take-over by another host";
  }
  return "";
}

class MutationTest : public CrashTest,
                     public ::testing::WithParamInterface<bool> {
 protected:
  /// The problems of the base scenario without the write-back at `site`. Rare
  /// ones need many subsets of lines.
  std::vector<std::string> ProblemsWithout(const std::string& site) {
    const auto problems = ProblemsWithout(site, 4);
    return problems.empty() ? ProblemsWithout(site, 24) : problems;
  }
  std::vector<std::string> ProblemsWithout(const std::string& site,
                                           std::uint64_t subsets) {
    live_->Checkpoint();
    ExplorerOptions options = Options();
    options.thorough_every = 1;
    options.subsets = subsets;
    options.enough = 1;
    Explorer explorer(options);
    {
      History history(*live_, Locks("live"));
      history.recorder().LeaveOut(site);
      RunBaseScenario(history);
      history.Close();
      explorer.Explore(*crashed_, history, 0);
    }
    live_->Rollback();
    return explorer.problems();
  }
};

TEST_P(MutationTest, EachWriteBackLeftOutIsFound) {
  MakeMedia(GetParam());
  std::set<std::string> sites;
  live_->Checkpoint();
  {
    History history(*live_, Locks("live"));
    RunBaseScenario(history);
    sites = history.recorder().sites();
  }
  live_->Rollback();
  ASSERT_TRUE(ProblemsWithout("nothing", 4).empty())
      << "the program itself has problems; what mutations add cannot be told";
  std::size_t found = 0;
  for (const std::string& site : sites) {
    const std::string reason = WhyRedundant(site);
    if (!reason.empty()) {
      std::cout << "redundant  " << site << ": " << reason << "\n";
      continue;
    }
    const std::vector<std::string> problems = ProblemsWithout(site);
    EXPECT_FALSE(problems.empty()) << "not found: " << site;
    if (problems.empty()) continue;
    ++found;
    std::cout << "found      " << site << ": "
              << problems.front().substr(0, 140) << "\n";
  }
  std::cout << found << " of " << sites.size() << " write-backs are found\n";
}

TEST_P(MutationTest, ReuseBeforeCompactionIsFound) {
  MakeMedia(GetParam());
  const Base base = MakeBase(/*used=*/true);
  History history(*live_, Locks("live"), base.state, base.names);
  history.Open();
  history.CreateVolume(1);
  history.Do(Op::kDelete);
  history.ReuseBeforeCompaction();
  Explorer explorer(Options());
  explorer.Explore(*crashed_, history, history.steps().size() - 1);
  EXPECT_FALSE(explorer.problems().empty());
}

INSTANTIATE_TEST_SUITE_P(Devices, MutationTest, ::testing::Bool(),
                         [](const auto& device) {
                           return device.param ? "WithExtentFiles" : "Flat";
                         });

}  // namespace
}  // namespace famfs::crash
