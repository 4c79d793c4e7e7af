// Tree volumes under load, for as long as a machine has time: random operations
// on files, races for names, kills of every program, churn.
//
//   trees_test [--seed=N] [--nightly] [--gtest_filter=...]
#include <gtest/gtest.h>
#include <unistd.h>

#include <charconv>
#include <iostream>
#include <random>
#include <string_view>

#include "tests/integration/support/rig.h"
#include "tests/trees/options.h"

namespace famfs::trees {
namespace {

const auto* const kIsolation =
    ::testing::AddGlobalTestEnvironment(new rig::Isolation);

bool Parse(std::string_view argument, RunOptions& options) {
  constexpr std::string_view kSeed = "--seed=";
  if (argument == "--nightly") {
    options.nightly = true;
    return true;
  }
  if (!argument.starts_with(kSeed)) return false;
  argument.remove_prefix(kSeed.size());
  const char* const end = argument.data() + argument.size();
  const auto [at, error] = std::from_chars(argument.data(), end, options.seed);
  return error == std::errc() && at == end && options.seed != 0;
}

}  // namespace

RunOptions& Told() {
  static RunOptions options;
  return options;
}

}  // namespace famfs::trees

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  auto& options = famfs::trees::Told();
  for (int i = 1; i < argc; ++i) {
    if (!famfs::trees::Parse(argv[i], options)) {
      std::cerr << "usage: trees_test [--seed=N] [--nightly]; N is not 0\n";
      return 2;
    }
  }
  if (options.seed == 0) options.seed = std::random_device()() | 1U;
  std::cout << "trees: seed " << options.seed << std::endl;
  return RUN_ALL_TESTS();
}
