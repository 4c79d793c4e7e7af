// Programs that map a volume cannot give its memory back to the machine, with
// or without a descriptor; what was given back all the same is found, told and
// given again.
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <thread>

#include "dax/extent_pin.h"
#include "instance/check/fsck.h"
#include "tests/integration/fuse/fixture.h"

namespace famfs::itest {
namespace {

constexpr std::uint64_t kBlock = 512;  // of stat's st_blocks

class GiveBackTest : public PassthroughTest {
 protected:
  void SetUp() override {
    PassthroughTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    AddVolume("v", "pvc-1");
    extent_ = ExtentFile("v");
    const auto open = [this](int more_flags) {
      return OpenFile(extent_, O_RDWR | more_flags);
    };
    ASSERT_TRUE(OpenAndPin(extent_, open).ok());
    if (!IsPinned()) {
      GTEST_SKIP() << "no immutable files on tmpfs here (Linux 6.6 and "
                      "CAP_LINUX_IMMUTABLE)";
    }
    ASSERT_TRUE(Unpin(extent_).ok());
    ASSERT_FALSE(IsPinned());
  }
  static int GiveBack(const Mapped& mapped) {
    return ErrnoOf(::madvise(mapped.data(), kVolumeSize, MADV_REMOVE));
  }
  [[nodiscard]] std::uint64_t Held() const {
    struct stat info {};
    EXPECT_EQ(::stat(extent_.c_str(), &info), 0);
    return static_cast<std::uint64_t>(info.st_blocks) * kBlock;
  }
  /// Whether the memory can be given back at some time of the next rounds of
  /// the server.
  static bool CanGiveBackSoon(const Mapped& mapped) {
    return rig::Eventually([&] { return GiveBack(mapped) != EPERM; },
                           rig::Duration(500));
  }
  /// Until the last server has seen that nobody maps the volume.
  [[nodiscard]] bool IsUnpinnedSoon() const {
    return rig::Eventually([&] { return !IsPinned(); });
  }
  [[nodiscard]] bool IsPinned() const {
    const auto pinned = famfs::IsPinned(extent_);
    EXPECT_TRUE(pinned.ok()) << pinned.status();
    return pinned.ok() && *pinned;
  }
  void Punch() const {
    const UniqueFd fd(::open(extent_.c_str(), O_RDWR | O_CLOEXEC));
    ASSERT_EQ(::fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                          0, static_cast<off_t>(4 * kMiB)),
              0);
    ASSERT_EQ(Held(), kVolumeSize - 4 * kMiB);
  }

  std::string extent_;
};

TEST_F(GiveBackTest, NoMountLetsAProgramDoIt) {
  const auto a = MountIt();
  const auto b = MountIt();
  ASSERT_TRUE(a && b);
  {
    const Mapped on_a(a->path() + "/v/data", O_RDWR);
    on_a.Store(0, "stays");
    EXPECT_EQ(GiveBack(on_a), EPERM);
    {
      // The second server opens the same file for writing.
      const Mapped on_b(b->path() + "/v/data", O_RDWR);
      ASSERT_TRUE(on_b.ok());
      EXPECT_EQ(GiveBack(on_b), EPERM);
      on_b.Store(8, "too");
    }
    EXPECT_EQ(GiveBack(on_a), EPERM);
    EXPECT_EQ(on_a.Text(0, 5), "stays");
    EXPECT_EQ(on_a.Text(8, 3), "too");
  }
  EXPECT_EQ(Held(), kVolumeSize);
  // Whom nobody serves can be removed by whoever owns it.
  EXPECT_TRUE(IsUnpinnedSoon());
}

TEST_F(GiveBackTest, AMappingNeedsNoDescriptor) {
  const auto mount = MountIt();
  ASSERT_TRUE(mount);
  {
    Mapped mapped(mount->path() + "/v/data", O_RDWR);
    mapped.Store(0, "stays");
    mapped.CloseDescriptor();
    EXPECT_FALSE(CanGiveBackSoon(mapped));
    EXPECT_EQ(mapped.Text(0, 5), "stays");
    // Opened and closed once more.
    EXPECT_EQ(OpenErrno(mount->path() + "/v/data", O_RDWR), 0);
    EXPECT_FALSE(CanGiveBackSoon(mapped));
  }
  EXPECT_TRUE(IsUnpinnedSoon());
  EXPECT_EQ(Held(), kVolumeSize);
}

TEST_F(GiveBackTest, OneServersEndDoesNotEndTheOthers) {
  const auto a = MountIt();
  const auto b = MountIt();
  ASSERT_TRUE(a && b);
  {
    Mapped on_b(b->path() + "/v/data", O_RDWR);
    on_b.CloseDescriptor();
    {
      Mapped on_a(a->path() + "/v/data", O_RDWR);
      on_a.CloseDescriptor();
      EXPECT_FALSE(CanGiveBackSoon(on_a));
    }
    EXPECT_FALSE(CanGiveBackSoon(on_b));
    ASSERT_EQ(::umount2(a->path().c_str(), MNT_DETACH), 0);
    EXPECT_TRUE(a->server().Wait().ok());
    EXPECT_EQ(GiveBack(on_b), EPERM);
  }
  EXPECT_TRUE(IsUnpinnedSoon());
}

TEST_F(GiveBackTest, OtherOpensLeaveNoMomentForIt) {
  const auto a = MountIt();
  const auto b = MountIt();
  ASSERT_TRUE(a && b);
  const Mapped mapped(a->path() + "/v/data", O_RDWR);
  std::atomic<bool> done = false;
  std::atomic<int> given_back = 0;
  std::thread program([&] {
    while (!done) {
      if (GiveBack(mapped) == 0) ++given_back;
    }
  });
  for (int round = 0; round < 100; ++round) {
    EXPECT_EQ(OpenErrno(b->path() + "/v/data", O_RDWR), 0);
    EXPECT_EQ(OpenErrno(a->path() + "/v/data", O_RDONLY), 0);
  }
  done = true;
  program.join();
  EXPECT_EQ(given_back, 0);
  EXPECT_EQ(Held(), kVolumeSize);
}

TEST_F(GiveBackTest, WhatIsMappedWhenTheServerEndsIsTheOwnersToEnd) {
  for (const bool killed : {false, true}) {
    auto mount = MountIt();
    ASSERT_TRUE(mount);
    {
      Mapped mapped(mount->path() + "/v/data", O_RDWR);
      mapped.CloseDescriptor();
      if (killed) {
        mount->server().Kill();
      } else {
        EXPECT_TRUE(mount->server().Stop().ok());
      }
      ASSERT_EQ(::umount2(mount->path().c_str(), MNT_DETACH), 0);
      ASSERT_TRUE(writer().RefillMemory().ok());
      EXPECT_EQ(GiveBack(mapped), EPERM);
    }
    EXPECT_TRUE(IsPinned());
    ASSERT_TRUE(rig::Eventually(
        [&] { return writer().RefillMemory().ok() && !IsPinned(); }));
  }
}

TEST_F(GiveBackTest, AServerThatEndsLeavesNoFlagOfWhatNobodyMaps) {
  const auto mount = MountIt();
  ASSERT_TRUE(mount);
  {
    const Mapped mapped(mount->path() + "/v/data", O_RDWR);
    EXPECT_TRUE(IsPinned());
  }
  ASSERT_EQ(::umount2(mount->path().c_str(), MNT_DETACH), 0);
  EXPECT_TRUE(mount->server().Wait().ok());
  EXPECT_FALSE(IsPinned());
}

TEST_F(GiveBackTest, ADeletedVolumeGoesWhileItIsMapped) {
  const auto mount = MountIt();
  ASSERT_TRUE(mount);
  const Mapped mapped(mount->path() + "/v/data", O_RDWR);
  mapped.Store(0, "lives on");
  ASSERT_TRUE(writer().DeleteVolume("v").ok());
  ASSERT_TRUE(writer().Compact().ok());
  EXPECT_FALSE(std::filesystem::exists(extent_));
  EXPECT_EQ(mapped.Text(0, 8), "lives on");
}

TEST_F(GiveBackTest, AServersSuccessorServesWhatItLeft) {
  auto mount = MountIt();
  ASSERT_TRUE(mount);
  {
    const Mapped mapped(mount->path() + "/v/data", O_RDWR);
    mount->server().Kill();
    EXPECT_TRUE(IsPinned());
    const auto next = MountIt();
    ASSERT_TRUE(next);
    const Mapped again(next->path() + "/v/data", O_RDWR);
    EXPECT_EQ(GiveBack(again), EPERM);
    // Also through the dead one's mount.
    EXPECT_EQ(GiveBack(mapped), EPERM);
  }
}

TEST_F(GiveBackTest, WhatWasGivenBackIsFoundAndGivenAgain) {
  Punch();
  auto device = device_->Open(Access::kRead);
  ASSERT_TRUE(device.ok());
  const FsckReport report = Fsck(**device);
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_EQ(report.findings[0].rule, "memory");
  EXPECT_NE(
      report.findings[0].message.find("file 'v/data' lacks 4194304 bytes"),
      std::string::npos)
      << report.findings[0].message;
  ASSERT_TRUE(writer().RefillMemory().ok());
  EXPECT_EQ(writer().refilled_bytes(), 4 * kMiB);
  EXPECT_EQ(Held(), kVolumeSize);
  EXPECT_TRUE(Fsck(**device).clean());
}

TEST_F(GiveBackTest, ItIsGivenAgainWhileThePodHasItMapped) {
  const auto mount = MountIt();
  ASSERT_TRUE(mount);
  Punch();
  const Mapped mapped(mount->path() + "/v/data", O_RDWR);
  mapped.Store(kVolumeSize - 8, "there");
  ASSERT_TRUE(writer().RefillMemory().ok());
  EXPECT_EQ(Held(), kVolumeSize);
  EXPECT_TRUE(IsPinned());
  EXPECT_EQ(mapped.Text(kVolumeSize - 8, 5), "there");
}

}  // namespace
}  // namespace famfs::itest
