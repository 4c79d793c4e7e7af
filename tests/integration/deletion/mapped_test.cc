// A volume of an emulated device is deleted while a program maps it, so that
// its extent's file has the immutable flag: a controller and a host.
#include <gmock/gmock.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>

#include "dax/extent_pin.h"
#include "tests/integration/deletion/host.h"
#include "tests/integration/deletion/pool_fixture.h"
#include "tests/integration/support/device.h"
#include "tests/integration/tools/famfs_command.h"

namespace famfs::itest {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const std::vector<std::string> kWithoutTheCapability = {
    "/usr/bin/setpriv", "--bounding-set=-linux_immutable"};

class MappedTest : public PoolTest {
 protected:
  void SetUp() override {
    if (::access("/dev/fuse", R_OK | W_OK) != 0) {
      GTEST_SKIP() << "this machine has no /dev/fuse that this user may open";
    }
    auto device = rig::Device::Create(memory_ / "pool");
    ASSERT_TRUE(device.ok()) << device.status();
    spec_ = device->spec();
    extents_ = device->directory() + "/extents";
    Configure(spec_, device->system_uuid());
    a_ = std::make_unique<Host>(dir_, "a", spec_);
    ASSERT_NO_FATAL_FAILURE(a_->Serve());
    if (a_->server().output().find("data path passthrough") ==
        std::string::npos) {
      GTEST_SKIP() << "the kernel has no FUSE passthrough: "
                   << a_->server().output();
    }
  }
  void TearDown() override {
    a_.reset();
    PoolTest::TearDown();
  }
  std::set<std::string> Extents() const {
    std::set<std::string> paths;
    for (const auto& entry : fs::directory_iterator(extents_)) {
      paths.insert(entry.path());
    }
    return paths;
  }
  /// The extents of the device that have the flag.
  std::size_t Pinned() const {
    const std::set<std::string> all = Extents();
    return static_cast<std::size_t>(
        std::count_if(all.begin(), all.end(), [](const std::string& path) {
          return IsPinned(path).value_or(false);
        }));
  }
  /// A mapping without a descriptor; skips the test where there is no flag.
  void Map(const std::string& id) {
    mapped_ = a_->Map(FileOf(id), kVolume);
    mapped_[0] = 'm';
    if (Pinned() == 0) {
      GTEST_SKIP() << "no immutable files on tmpfs here (Linux 6.6 and "
                      "CAP_LINUX_IMMUTABLE)";
    }
  }
  int GiveBack() const {
    return ::madvise(mapped_, kVolume, MADV_REMOVE) == 0 ? 0 : errno;
  }
  void Unmap() { ::munmap(mapped_, kVolume); }

  std::string spec_;
  std::string extents_;
  std::unique_ptr<Host> a_;
  char* mapped_ = nullptr;
};

TEST_F(MappedTest, TheVolumeGoesAndTheMappingLivesOn) {
  ASSERT_NO_FATAL_FAILURE(StartController());
  const std::int64_t whole = Capacity();
  const std::string id = Create("mapped");
  Map(id);
  if (IsSkipped()) return;
  EXPECT_EQ(GiveBack(), EPERM);
  const std::set<std::string> before = Extents();
  Delete(id);
  EXPECT_TRUE(
      rig::Eventually([&] { return Extents().size() < before.size(); }));
  EXPECT_EQ(mapped_[0], 'm');
  EXPECT_EQ(Capacity(), whole - kVolume) << "the machine's memory";
  Unmap();
  EXPECT_TRUE(Becomes(whole));
  EXPECT_EQ(Pinned(), 0U);
}

TEST_F(MappedTest, WithoutTheCapabilityItsMemoryWaitsAndTheOthersDoNot) {
  ASSERT_NO_FATAL_FAILURE(StartController(kWithoutTheCapability));
  const std::int64_t whole = Capacity();
  const std::string id = Create("mapped");
  const std::string other = Create("other");
  Map(id);
  if (IsSkipped()) return;
  Delete(id);
  Delete(other);
  ASSERT_TRUE(controller_->WaitForOutput("cannot be taken off without").ok());
  EXPECT_THAT(controller_->output(), HasSubstr("chattr -ia " + extents_));
  EXPECT_TRUE(Becomes(whole - kVolume));
  const std::string third = Create("third");
  EXPECT_EQ(a_->TryOpen(FileOf(third)), 0);
  // Also for a controller that starts meanwhile.
  stub_.reset();
  const auto ended = controller_->Stop();
  EXPECT_TRUE(ended.ok() && *ended == 0);
  ASSERT_NO_FATAL_FAILURE(StartController(kWithoutTheCapability));
  EXPECT_EQ(Capacity(), whole - 2 * kVolume);
  EXPECT_EQ(mapped_[0], 'm');
  // The server takes the flag off when the mapping is gone.
  Unmap();
  EXPECT_TRUE(Becomes(whole - kVolume));
  Delete(third);
  EXPECT_TRUE(Becomes(whole));
}

TEST_F(MappedTest, TheOwnerTakesOffWhatAKilledServerLeft) {
  ASSERT_NO_FATAL_FAILURE(StartController());
  const std::string id = Create("mapped");
  Map(id);
  if (IsSkipped()) return;
  a_->Kill();
  a_->Unmount();
  EXPECT_FALSE(rig::Eventually([&] { return Pinned() == 0; },
                               rig::Duration(500)));  // rounds of the owner
  EXPECT_EQ(GiveBack(), EPERM);
  Unmap();
  EXPECT_TRUE(rig::Eventually([&] { return Pinned() == 0; }));
  EXPECT_GT(fs::remove_all(extents_), 0U);
}

TEST_F(MappedTest, AForcedMkfsTakesTheDeviceAllTheSame) {
  ASSERT_NO_FATAL_FAILURE(StartController());
  const std::string id = Create("mapped");
  Map(id);
  if (IsSkipped()) return;
  stub_.reset();
  ASSERT_TRUE(controller_->Stop().ok());
  std::vector<std::string> mkfs = {rig::Binary("famfs"), "mkfs", spec_,
                                   "--force", "--force-in-use"};
  std::vector<std::string> weak = kWithoutTheCapability;
  weak.insert(weak.end(), mkfs.begin(), mkfs.end());
  const Outcome refused = RunProgram(weak);
  EXPECT_THAT(refused, Exits(kProblems));
  EXPECT_THAT(refused.err, HasSubstr("chattr -ia " + extents_));
  EXPECT_THAT(RunProgram(mkfs), Exits(kOk));
  EXPECT_EQ(Extents().size(), 2U) << "superblock and log";
  EXPECT_EQ(mapped_[0], 'm');
  Unmap();
}

}  // namespace
}  // namespace famfs::itest
