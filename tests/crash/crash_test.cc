// Stops every operation at every store, drops cache lines that were not written
// back, and opens the instance again (design: Writing safely).
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>
#include <stdlib.h>

#include <filesystem>
#include <iostream>

#include "tests/crash/scenario.h"
#include "tests/crash/verdict.h"

namespace famfs::crash {
namespace {

constexpr std::uint64_t kRandomSeeds = 3;

/// The ways to lose lines: all, none, and some at random.
struct Fate {
  Loss loss;
  std::uint64_t seed;
};
std::vector<Fate> Fates() {
  std::vector<Fate> fates = {{Loss::kAll, 0}, {Loss::kNone, 0}};
  for (std::uint64_t seed = 1; seed <= kRandomSeeds; ++seed) {
    fates.push_back({Loss::kRandom, seed});
  }
  return fates;
}

class CrashTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    spdlog::set_level(spdlog::level::off);
    std::string name = ::testing::TempDir() + "/famfs-crash-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    locks_ = name;
  }
  void TearDown() override {
    std::filesystem::remove_all(locks_);
    spdlog::set_level(spdlog::level::info);
  }

  static std::shared_ptr<Medium> MediumAt(const Scenario& scenario,
                                          std::size_t count, Fate fate) {
    auto medium = std::make_shared<Medium>(scenario.has_extent_files);
    ApplyAndCrash(*medium, std::span(scenario.events).first(count), fate.loss,
                  fate.seed + count);
    return medium;
  }

  /// Crashes at each event, until there are `enough` problems; returns them,
  /// each with its place.
  std::vector<std::string> CrashEverywhere(const Scenario& scenario,
                                           std::size_t enough) {
    std::vector<std::string> problems;
    for (std::size_t count = 0; count <= scenario.events.size(); ++count) {
      const Expected expected = ExpectedAt(scenario, count);
      for (const Fate fate : Fates()) {
        if (problems.size() >= enough) return problems;
        ++crashes_;
        const auto medium = MediumAt(scenario, count, fate);
        for (const std::string& problem :
             Judge(medium, expected, locks_, Depth::kThorough)) {
          problems.push_back(fmt::format(
              "after {} events, in '{}', loss {} seed {}: {}", count,
              expected.step, static_cast<int>(fate.loss), fate.seed, problem));
        }
      }
    }
    return problems;
  }

  std::string locks_;
  std::uint64_t crashes_ = 0;
};

std::string First(const std::vector<std::string>& problems) {
  std::string text = fmt::format("{} problems\n", problems.size());
  for (std::size_t i = 0; i < problems.size() && i < 10; ++i) {
    text += problems[i] + "\n";
  }
  return text;
}

TEST_P(CrashTest, EveryStoreOfEveryOperation) {
  const Scenario scenario = Record(GetParam(), locks_);
  const std::vector<std::string> problems = CrashEverywhere(scenario, 100);
  EXPECT_TRUE(problems.empty()) << First(problems);
  std::cout << crashes_ << " crashes at " << scenario.events.size() + 1
            << " points\n";
}

TEST_P(CrashTest, EveryStoreOfEveryRecovery) {
  const Scenario scenario = Record(GetParam(), locks_);
  const std::size_t formatted = scenario.steps.front().end;
  std::vector<std::string> problems;
  for (std::size_t count = formatted; count <= scenario.events.size();
       ++count) {
    const Fate fate{Loss::kRandom, 77};
    const Expected expected = ExpectedAt(scenario, count);
    Recorder recovery;
    {
      const auto medium = MediumAt(scenario, count, fate);
      const auto writer =
          Writer::Open(std::make_shared<RecordingDevice>(medium, &recovery),
                       FixedWriterOptions(locks_));
      ASSERT_TRUE(writer.ok()) << Message(writer.status());
    }
    for (std::size_t second = 0; second < recovery.events.size(); ++second) {
      ++crashes_;
      const auto medium = MediumAt(scenario, count, fate);
      ApplyAndCrash(*medium, std::span(recovery.events).first(second),
                    Loss::kRandom, second);
      for (const std::string& problem :
           Judge(medium, expected, locks_, Depth::kBrief)) {
        problems.push_back(
            fmt::format("after {} events, in '{}', and {} of the recovery: {}",
                        count, expected.step, second, problem));
      }
    }
  }
  EXPECT_TRUE(problems.empty()) << First(problems);
  std::cout << crashes_ << " crashes within recoveries\n";
}

INSTANTIATE_TEST_SUITE_P(Devices, CrashTest, ::testing::Bool(),
                         [](const auto& device) {
                           return device.param ? "WithExtentFiles" : "Flat";
                         });

/// A suite that cannot fail shows nothing: each of these programs lacks one of
/// the writer's write-backs, and must be found out.
class MutationTest : public CrashTest {
 protected:
  static constexpr std::uint64_t kEntries = kLogOffset + EntryAt(0);
  void ExpectFound(const std::function<bool(const Range&)>& mutation) {
    const Scenario scenario = Record(GetParam(), locks_, mutation);
    EXPECT_FALSE(CrashEverywhere(scenario, 1).empty());
  }
};

TEST_P(MutationTest, EntriesAreNotWrittenBack) {
  ExpectFound([](const Range& range) {
    return range.offset >= kEntries && range.length % sizeof(MediaEntry) == 0;
  });
}

TEST_P(MutationTest, CountersAreNotWrittenBack) {
  ExpectFound([](const Range& range) {
    return range.offset == kLogOffset + kLogCountersAt && range.length == 16;
  });
}

TEST_P(MutationTest, TheCompactingHeaderIsNotWrittenBack) {
  ExpectFound([](const Range& range) {
    return range.offset == kLogOffset && range.length == sizeof(MediaLogHeader);
  });
}

TEST_P(MutationTest, TheImageIsNotWrittenBack) {
  ExpectFound([](const Range& range) {
    return range.offset >= kLogOffset + kMinLogLength;
  });
}

TEST_P(MutationTest, TheCompactionRecordIsNotWrittenBack) {
  ExpectFound([](const Range& range) {
    return range.offset >= kRegionOffset + kCompactionAt &&
           range.offset < kRegionOffset + kCompactionAt + 2 * kLineSize;
  });
}

TEST_P(MutationTest, TheSuperblockIsNotWrittenBack) {
  ExpectFound([](const Range& range) {
    return range.offset == 0 && range.length == sizeof(MediaSuperblock);
  });
}

INSTANTIATE_TEST_SUITE_P(Devices, MutationTest, ::testing::Values(true),
                         [](const auto& /*device*/) {
                           return "WithExtentFiles";
                         });

}  // namespace
}  // namespace famfs::crash
