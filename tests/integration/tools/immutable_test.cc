// Extents with the immutable flag of a server that was killed: whoever comes
// next copes with it, or says what to do.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include <filesystem>

#include "base/unique_fd.h"
#include "base/units.h"
#include "dax/extent_pin.h"
#include "tests/integration/support/rig.h"
#include "tests/integration/tools/famfs_command.h"

namespace famfs {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

/// An instance with the files f0 and f1, whose extents are immutable.
class Immutable : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const std::string name : {"f0", "f1"}) {
      ASSERT_THAT(place_.Write("creat", device_, {name, "--size", "2M"}),
                  Exits(kOk));
    }
    for (const auto& entry : fs::directory_iterator(extents_)) {
      if (entry.file_size() != 2 * kMiB || entry.path().filename() == "0") {
        continue;
      }
      files_.push_back(entry.path());
      const UniqueFd fd(::open(files_.back().c_str(), O_RDONLY | O_CLOEXEC));
      const int flags = FS_IMMUTABLE_FL;
      if (::ioctl(fd.get(), FS_IOC_SETFLAGS, &flags) != 0) {
        GTEST_SKIP() << "no immutable files on tmpfs here (Linux 6.6 and "
                        "CAP_LINUX_IMMUTABLE)";
      }
    }
    ASSERT_EQ(files_.size(), 2U);
  }
  void TearDown() override {
    RunProgram({"/usr/bin/chattr", "-R", "-f", "-ia", extents_});
  }
  [[nodiscard]] std::size_t Flags() const {
    std::size_t flags = 0;
    for (const std::string& file : files_) {
      if (IsPinned(file).value_or(false)) ++flags;
    }
    return flags;
  }
  /// `famfs ARGUMENTS...` without CAP_LINUX_IMMUTABLE.
  static Outcome Weak(const std::vector<std::string>& arguments) {
    std::vector<std::string> argv = {"/usr/bin/setpriv",
                                     "--bounding-set=-linux_immutable",
                                     rig::Binary("famfs")};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return RunProgram(argv);
  }

  const Workplace place_;
  const std::string device_ = place_.Emulated("pool");
  const std::string extents_ = place_.File("pool/extents");
  std::vector<std::string> files_;
};

TEST_F(Immutable, FsckIsNotConcernedAndItsRepairTakesTheFlagOff) {
  EXPECT_THAT(Famfs({"fsck", device_}), Exits(kOk));
  EXPECT_EQ(Flags(), 2U);
  EXPECT_THAT(place_.Write("fsck", device_, {"--repair"}), Exits(kOk));
  EXPECT_EQ(Flags(), 0U);
}

TEST_F(Immutable, ARepairWithoutTheCapabilitySaysWhatToDo) {
  std::vector<std::string> repair = {"fsck", device_, "--repair"};
  const auto identity = place_.Identity();
  repair.insert(repair.end(), identity.begin(), identity.end());
  const Outcome left = Weak(repair);
  EXPECT_THAT(left, Exits(kOk));
  EXPECT_THAT(left.out, HasSubstr("left as it is: " + extents_));
  EXPECT_THAT(left.out, HasSubstr("run `chattr -ia " + extents_));
  EXPECT_EQ(Flags(), 2U);
}

TEST_F(Immutable, AnyCommandThatWritesTakesTheFlagOff) {
  EXPECT_THAT(place_.Write("mkdir", device_, {"d"}), Exits(kOk));
  EXPECT_EQ(Flags(), 0U);
}

TEST_F(Immutable, AForcedMkfsReplacesTheInstance) {
  EXPECT_THAT(place_.Write("mkfs", device_, {"--force"}), Exits(kOk));
  EXPECT_THAT(Famfs({"fsck", device_}), Exits(kOk));
  EXPECT_FALSE(fs::exists(files_[0]) || fs::exists(files_[1]));
}

TEST_F(Immutable, AMkfsWithoutTheCapabilityWorksAfterWhatItAdvises) {
  std::vector<std::string> mkfs = {"mkfs", device_, "--force"};
  const auto identity = place_.Identity();
  mkfs.insert(mkfs.end(), identity.begin(), identity.end());
  // One file after the other.
  for (std::size_t left = files_.size(); left > 0; --left) {
    const Outcome refused = Weak(mkfs);
    EXPECT_THAT(refused, Exits(kProblems));
    const std::string advice = "run `chattr -ia ";
    const std::size_t at = refused.err.find(advice);
    ASSERT_NE(at, std::string::npos) << refused.err;
    const std::size_t begin = at + advice.size();
    const std::string file =
        refused.err.substr(begin, refused.err.find('`', begin) - begin);
    ASSERT_THAT(RunProgram({"/usr/bin/chattr", "-ia", file}), Exits(0));
  }
  EXPECT_THAT(Weak(mkfs), Exits(kOk));
}

TEST_F(Immutable, TheDirectoryGoesAfterWhatTheDocumentationAdvises) {
  std::error_code error;
  fs::remove_all(place_.File("pool"), error);
  EXPECT_EQ(error, std::errc::operation_not_permitted);
  ASSERT_THAT(RunProgram({"/usr/bin/chattr", "-R", "-ia", place_.File("pool")}),
              Exits(0));
  fs::remove_all(place_.File("pool"), error);
  EXPECT_FALSE(error) << error.message();
}

}  // namespace
}  // namespace famfs
