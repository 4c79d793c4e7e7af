#include "tests/crash/mutation.h"

#include <algorithm>
#include <iostream>

namespace famfs::crash {

std::vector<std::string> MutationTest::ProblemsWith(
    const std::string& operation, const Mutate& mutate) {
  const auto problems = Problems(operation, mutate, 3);
  return problems.empty() ? Problems(operation, mutate, 24) : problems;
}

std::vector<std::string> MutationTest::Problems(const std::string& operation,
                                                const Mutate& mutate,
                                                std::uint64_t subsets) {
  live_->Checkpoint();
  ExplorerOptions options = Thorough();
  options.subsets = subsets;
  Explorer explorer(options);
  {
    History history(*live_, Locks("live"));
    mutate(history.recorder());
    RunScenario(history);
    history.Close();
    const auto& steps = history.steps();
    const auto first =
        std::find_if(steps.begin(), steps.end(), [&](const Step& step) {
          return step.name == operation ||
                 step.name.starts_with(operation + ":");
        });
    explorer.Explore(*crashed_, history,
                     static_cast<std::size_t>(first - steps.begin()));
  }
  live_->Rollback();
  return explorer.problems();
}

ExplorerOptions MutationTest::Thorough() const {
  ExplorerOptions options = Options();
  options.thorough_every = 1;
  options.enough = 1;
  return options;
}

std::set<std::string> MutationTest::Sites() {
  live_->Checkpoint();
  std::set<std::string> sites;
  {
    History history(*live_, Locks("live"));
    RunScenario(history);
    sites = history.recorder().sites();
  }
  live_->Rollback();
  return sites;
}

void MutationTest::CheckUnmutated() {
  const std::vector<std::string> problems = Problems(
      "mkfs", [](Recorder&) {}, 3);
  ASSERT_TRUE(problems.empty())
      << "the program itself has problems; what mutations add cannot be told: "
      << First(problems);
}

bool MutationTest::ExpectFound(const std::string& site,
                               void (Recorder::*mutate)(const std::string&)) {
  const std::vector<std::string> problems =
      ProblemsWith(site.substr(0, site.find(':')),
                   [&](Recorder& recorder) { (recorder.*mutate)(site); });
  EXPECT_FALSE(problems.empty()) << "not found: " << site;
  if (problems.empty()) return false;
  Tell(site, problems);
  return true;
}

std::vector<std::string> MutationTest::Explore(const History& history,
                                               std::size_t first) {
  Explorer explorer(Thorough());
  explorer.Explore(*crashed_, history, first);
  return explorer.problems();
}

void Tell(const std::string& what, const std::vector<std::string>& problems) {
  ASSERT_FALSE(problems.empty()) << "not found: " << what;
  std::cout << "found      " << what << ": " << problems.front().substr(0, 140)
            << "\n";
}

}  // namespace famfs::crash
