// A million random operations on an instance in memory, against a model that is
// too simple to be wrong: creations, deletions, copies that are given up,
// hosts that let go of deleted volumes early, late or in part, reclaiming,
// openings, a log full of live entries and a device full of files. After each
// batch writer and reader are compared with the model, every byte of a new file
// is looked at, and upstream's rules are checked on the bytes.
//
//   model_test [--seed=N] [--operations=N] [--image=FILE]
//
// --image: where ReuseTest leaves the device it used (not the one with extent
// files), as a sparse file.
// --seed: one run with this seed alone, of each kind of device.
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>
#include <stdlib.h>

#include <charconv>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string_view>

#include "tests/model/model.h"

namespace famfs::model {

std::string image_file;

namespace {

std::optional<std::uint64_t> only_seed;
std::uint64_t operations = 1'000'000;  // in all runs together

class ModelTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    spdlog::set_level(spdlog::level::off);
    std::string name = ::testing::TempDir() + "/famfs-model-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    locks_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(locks_); }
  void Run(std::uint64_t seed, std::uint64_t count) {
    ModelRun run(GetParam(), seed, locks_);
    run.Run(count);
    const Statistics& s = run.statistics();
    std::cout << "seed " << seed << ": " << s.operations << " operations, "
              << s.created << " volumes created, " << s.deleted << " deleted, "
              << s.refused << " calls refused, " << s.changed
              << " changes of trees, " << s.full << " found it full, "
              << s.reclaimed << " reclaimed, " << s.compacted << " compacted, "
              << s.reopened << " openings, " << s.compared << " comparisons, "
              << s.checked << " checks of the rules\n";
  }

  std::string locks_;
};

TEST_P(ModelTest, RandomOperations) {
  if (only_seed) return Run(*only_seed, operations / 2);
  constexpr std::uint64_t kSeeds = 4;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Run(seed, operations / kSeeds / 2);
    ASSERT_FALSE(HasFatalFailure()) << "seed " << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, ModelTest, ::testing::Bool(),
                         [](const auto& device) {
                           return device.param ? "WithExtentFiles" : "Flat";
                         });

bool Parse(std::string_view argument, std::string_view name,
           std::uint64_t& value) {
  if (!argument.starts_with(name)) return false;
  argument.remove_prefix(name.size());
  const auto [end, error] = std::from_chars(
      argument.data(), argument.data() + argument.size(), value);
  return error == std::errc() && end == argument.data() + argument.size();
}

}  // namespace
}  // namespace famfs::model

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    std::uint64_t value = 0;
    constexpr std::string_view kImage = "--image=";
    if (std::string_view(argv[i]).starts_with(kImage)) {
      famfs::model::image_file = std::string(argv[i]).substr(kImage.size());
    } else if (famfs::model::Parse(argv[i], "--seed=", value)) {
      famfs::model::only_seed = value;
    } else if (!famfs::model::Parse(
                   argv[i], "--operations=", famfs::model::operations)) {
      std::cerr
          << "usage: model_test [--seed=N] [--operations=N] [--image=FILE]\n";
      return 2;
    }
  }
  return RUN_ALL_TESTS();
}
