// What the mutation tests share: a life is recorded with a mistake in it, and
// judged.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "tests/crash/fixture.h"

namespace famfs::crash {

using Mutate = std::function<void(Recorder&)>;

class MutationTest : public CrashTest,
                     public ::testing::WithParamInterface<bool> {
 protected:
  /// The life that is mutated.
  virtual void RunScenario(History& history) { RunBaseScenario(history); }

  /// The problems of the scenario so mutated, from the first step of this
  /// operation on. Rare ones need many subsets of lines.
  std::vector<std::string> ProblemsWith(const std::string& operation,
                                        const Mutate& mutate);
  std::vector<std::string> Problems(const std::string& operation,
                                    const Mutate& mutate,
                                    std::uint64_t subsets);
  [[nodiscard]] ExplorerOptions Thorough() const;

  std::set<std::string> Sites();
  void CheckUnmutated();
  /// One of them that is done to the site's operation must be noticed.
  bool ExpectFound(const std::string& site,
                   void (Recorder::*mutate)(const std::string&));
  /// Judges the steps from `first` on, and tells what is found.
  std::vector<std::string> Explore(const History& history, std::size_t first);
};

/// Fails when there are none.
void Tell(const std::string& what, const std::vector<std::string>& problems);

}  // namespace famfs::crash
