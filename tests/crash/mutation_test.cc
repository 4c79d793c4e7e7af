// A suite that cannot fail shows nothing. Each write-back of each operation is
// left out, one at a time, and the crash suite must notice; those that it
// cannot notice are listed here, with the reason why they need not be noticed.
// FAMFS_MUTATION="compact: entries 1" tries one alone.
#include <stdlib.h>

#include <iostream>
#include <map>

#include "tests/crash/mutation.h"

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
  static const std::string kGeneration =
      "the generation tells readers that live on, the record's sequence too; "
      "after a crash the owner record has the epoch, the log the deletions";
  static const std::string kDirty =
      "what no row of the clean ranges names counts as dirty, and is zeroed "
      "again";
  static const std::string kCovered =
      "a promise that a file covers was kept: whoever opens next clears it";
  static const std::map<std::string, std::string> list = {
      {"open: owner record 1", kEpochTwice},
      {"open: state record 1", kEpochTwice},
      {"compact: compaction record 2", kRecovered},
      {"open: compaction record 2", kRecovered},
      {"compact: state record 1", kGeneration},
      {"mkfs: zeros of the log", kBeyond},
      {"mkfs --force: zeros of the log", kBeyond},
      {"mkfs: zeros of the superblock's region", kOverwritten},
      {"mkfs --force: zeros of the superblock's region", kOverwritten},
      {"mkfs: zeros of our region",
       "garbage is no record; an earlier life's lines are found with --force"},
      {"mkfs: state record 1", kFirst},
      {"mkfs --force: state record 1", kFirst},
      {"mkfs: superblock magic 1", "there was none"},
      {"commit: reservation 2", kCovered},
      {"create file: reservation 2", kCovered},
      {"create volume: reservation 3", kCovered},
      {"create volume: clean range 2", kDirty},
      {"devadd: zeros of the secondary's head", kOverwritten},
      {"reclaim: clean range 1", kDirty},
      {"reclaim: clean range 2", kDirty},
      {"reclaim: clean range 3", kDirty},
      {"reclaim: clean range 4", kDirty},
      {"reclaim: compaction record 2", kRecovered},
      {"reclaim: reservation 4",
       "the next scrub takes the same row; until then more is kept than need "
       "be"},
      {"take over: compaction record 2", kRecovered},
      {"take over: owner record 2", kEpochTwice},
      {"take over: state record 1", kEpochTwice},
      {"take over: state record 2", kGeneration},
  };
  return list;
}

/// A fence that is left out is made up for by the next one, which every
/// write-back ends with, so most are never missed. These are: what follows
/// relies on them, or the operation ends with them.
const std::set<std::string>& Fences() {
  static const std::set<std::string> list = {
      "acknowledge: host row 1",
      "commit: entries 1",
      "commit: reservation 1",
      "compact: compaction record 1",
      "compact: entries 1",
      "create file: reservation 1",
      "create volume: counters 1",
      "create volume: entries 1",
      "create volume: reservation 1",
      "delete: counters 1",
      "delete: entries 1",
      "devadd: counters 1",
      "devadd: entries 1",
      "evict: host row 1",
      "give up: reservation 1",
      "give up: reservation 2",
      "mkdir: counters 1",
      "mkdir: entries 1",
  };
  return list;
}

/// The reason why a write-back need not be noticed; empty: it must be.
std::string Why(const std::string& site) {
  const auto listed = Redundant().find(site);
  return listed == Redundant().end() ? "" : listed->second;
}

TEST_P(MutationTest, EachWriteBackLeftOutIsFound) {
  MakeMedia(GetParam());
  ASSERT_NO_FATAL_FAILURE(CheckUnmutated());
  const std::set<std::string> sites = Sites();
  const char* only = ::getenv("FAMFS_MUTATION");
  std::size_t found = 0;
  for (const std::string& site : sites) {
    if (only != nullptr && site != only) continue;
    if (const std::string reason = Why(site); !reason.empty()) {
      std::cout << "redundant  " << site << ": " << reason << "\n";
    } else if (ExpectFound(site, &Recorder::LeaveOut)) {
      ++found;
    }
  }
  std::cout << found << " of " << sites.size()
            << " write-backs left out are found\n";
}

TEST_P(MutationTest, EachFenceThatMattersLeftOutIsFound) {
  MakeMedia(GetParam());
  const std::set<std::string> sites = Sites();
  std::size_t found = 0;
  for (const std::string& site : Fences()) {
    // There are no reservations where extents are files.
    if (!sites.contains(site)) {
      EXPECT_TRUE(GetParam()) << "there is no " << site;
    } else if (ExpectFound(site, &Recorder::LeaveOutFence)) {
      ++found;
    }
  }
  std::cout << found << " of " << sites.size()
            << " fences left out are found\n";
}

TEST_P(MutationTest, ReuseBeforeCompactionIsFound) {
  MakeMedia(GetParam());
  const Base base = MakeBase(/*used=*/true);
  History history(*live_, Locks("live"), base.state, base.names);
  history.Open();
  history.CreateVolume(1);
  history.Do(Op::kDelete);
  history.ReuseBeforeCompaction();
  Tell("reuse before compaction", Explore(history, history.steps().size() - 1));
}

/// What happens on a device that hosts share, alone.
class ReuseTest : public MutationTest {
 protected:
  /// A volume that a host has open and that is deleted.
  void DeleteWhatIsOpen(History& history) {
    history.Open();
    ASSERT_TRUE(history.Do(Op::kRegister));
    history.CreateVolume(1);
    ASSERT_TRUE(history.Do(Op::kHold));
    ASSERT_TRUE(history.Do(Op::kDelete));
    ASSERT_EQ(history.state().held.size(), 1U);
  }
};

TEST_P(ReuseTest, AnAcknowledgementSkippedIsFound) {
  MakeMedia(GetParam());
  const Base base = MakeBase(/*used=*/true);
  for (const bool skipped : {false, true}) {
    live_->Checkpoint();
    {
      History history(*live_, Locks("live"), base.state, base.names);
      ASSERT_NO_FATAL_FAILURE(DeleteWhatIsOpen(history));
      if (skipped) {
        history.AcknowledgeWhatIsHeld();
      } else {
        history.Do(Op::kAcknowledge);
      }
      history.Do(Op::kReclaim);
      history.CreateVolume(1);
      history.Close();
      const std::vector<std::string> problems = Explore(history, 0);
      if (skipped) {
        Tell("an acknowledgement skipped", problems);
      } else {
        EXPECT_TRUE(problems.empty()) << First(problems);
      }
    }
    live_->Rollback();
  }
}

TEST_P(ReuseTest, AScrubSkippedIsFound) {
  MakeMedia(GetParam());
  const Base base = MakeBase(/*used=*/true);
  for (const bool skipped : {false, true}) {
    live_->Checkpoint();
    {
      History history(*live_, Locks("live"), base.state, base.names);
      if (skipped) {
        // Another one, which the base deleted, comes before it.
        history.recorder().LeaveOut("reclaim: zeroing 2");
      }
      ASSERT_NO_FATAL_FAILURE(DeleteWhatIsOpen(history));
      ASSERT_TRUE(history.Do(Op::kHold));
      ASSERT_TRUE(history.Do(Op::kAcknowledge));
      ASSERT_TRUE(history.Do(Op::kReclaim));
      history.CreateVolume(1);
      history.Close();
      const std::vector<std::string> problems = Explore(history, 0);
      if (skipped) {
        Tell("a scrub skipped", problems);
      } else {
        EXPECT_TRUE(problems.empty()) << First(problems);
      }
    }
    live_->Rollback();
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, ReuseTest, ::testing::Values(false),
                         [](const auto&) { return "Flat"; });
INSTANTIATE_TEST_SUITE_P(Devices, MutationTest, ::testing::Bool(),
                         [](const auto& device) {
                           return device.param ? "WithExtentFiles" : "Flat";
                         });

}  // namespace
}  // namespace famfs::crash
