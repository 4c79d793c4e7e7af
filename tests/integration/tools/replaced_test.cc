// An instance that is made anew while a command works on it: what it read or
// stored is not told as done.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/integration/support/rig.h"
#include "tests/integration/tools/famfs_command.h"

namespace famfs {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

/// An image, where the new instance's bytes lie where the old one's did.
class ReplacedUnderCommand : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(Fill());
    fs::create_directory(place_.File("out"));
  }
  void Fill() const {
    ASSERT_THAT(place_.Write("creat", device_,
                             {"big", "--size", "512M", "--seed", "1"}),
                Exits(kOk));
  }
  /// Whether the process has some MiB of the image mapped, which are no longer
  /// the superblock and the log.
  [[nodiscard]] bool WorksOnFiles(pid_t pid) const {
    constexpr std::uint64_t kFiles = 16ULL << 20;  // bytes
    std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
    for (std::string line; std::getline(maps, line);) {
      if (!line.ends_with(place_.File("pool.img"))) continue;
      // "start-end perms offset ..."
      const std::string offset = line.substr(line.find(' ') + 6);
      if (std::stoull(offset, nullptr, 16) >= kFiles) return true;
    }
    return false;
  }
  /// Starts `famfs`, stops it in its midst, makes the instance anew and has it
  /// go on to its end.
  [[nodiscard]] Outcome Run(std::vector<std::string> words) const {
    words.insert(words.begin(), rig::Binary("famfs"));
    auto process = rig::Process::Start(
        {.argv = words, .environment = {}, .working_directory = {}});
    EXPECT_TRUE(process.ok()) << process.status();
    EXPECT_TRUE(
        rig::Eventually([&] { return WorksOnFiles((*process)->pid()); }));
    (*process)->Signal(SIGSTOP);
    EXPECT_THAT(
        Famfs({"mkfs", device_, "--force", "--force-in-use", "--system-uuid",
               kOwner, "--lock-directory", place_.File("other-locks")}),
        Exits(kOk));
    (*process)->Signal(SIGCONT);
    Outcome outcome;
    outcome.exit = (*process)->Wait().value_or(-1);
    outcome.err = (*process)->output();
    return outcome;
  }

  const Workplace place_;
  const std::string device_ = place_.Image("pool.img");
};

TEST_F(ReplacedUnderCommand, ACopyOutIsNoCopy) {
  const Outcome cp = Run({"cp", device_, ":big", place_.File("out/big")});
  EXPECT_THAT(cp, Exits(kProblems));
  EXPECT_THAT(cp.err, HasSubstr("is there no longer"));
  EXPECT_TRUE(fs::is_empty(place_.File("out")));
}

TEST_F(ReplacedUnderCommand, ACopyInStoresNoMore) {
  ASSERT_THAT(Famfs({"cp", device_, ":big", place_.File("source")}),
              Exits(kOk));
  const Outcome cp =
      Run({"cp", device_, place_.File("source"), ":copy", "--system-uuid",
           kOwner, "--lock-directory", place_.LockDirectory()});
  EXPECT_THAT(cp, Exits(kProblems));
  EXPECT_THAT(cp.err, HasSubstr("is there no longer"));
  EXPECT_THAT(Famfs({"fsck", device_}), Exits(kOk));
}

TEST_F(ReplacedUnderCommand, NothingIsVerified) {
  const Outcome verify = Run({"verify", device_, ":big", "--seed", "1"});
  EXPECT_THAT(verify, Exits(kProblems));
  EXPECT_THAT(verify.err, HasSubstr("is there no longer"));
}

}  // namespace
}  // namespace famfs
