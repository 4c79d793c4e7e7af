// Files whose pages cannot be given back while they are served.
#include "dax/extent_pin.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>

#include "base/units.h"
#include "tests/unit/dax/dax_testing.h"

namespace famfs {
namespace {

using testing::MountPrivately;
using testing::Process;

constexpr std::size_t kSize = 2 * kMiB;

/// A tmpfs of its own with one file of kSize bytes.
class ExtentPinTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::TempDir() + "famfs-pin-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
    const std::string missing = MountPrivately("tmpfs", name, "size=16m");
    if (!missing.empty()) GTEST_SKIP() << missing;
    file_ = directory_ + "/extent";
    const UniqueFd fd(
        ::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    ASSERT_EQ(::fallocate(fd.get(), 0, 0, kSize), 0);
    Pin().reset();
    if (!IsPinned()) {
      GTEST_SKIP() << "no immutable files on tmpfs here (Linux 6.6 and "
                      "CAP_LINUX_IMMUTABLE)";
    }
    ASSERT_TRUE(ClearStalePin(file_).ok());
  }
  void TearDown() override {
    ::umount2(directory_.c_str(), MNT_DETACH);
    ::rmdir(directory_.c_str());
  }

  [[nodiscard]] absl::StatusOr<UniqueFd> Open() const {
    return OpenFile(file_, O_RDWR | O_NOFOLLOW);
  }
  [[nodiscard]] PinnedOpener Opener() const {
    return [this] { return Open(); };
  }
  UniqueFd Pin() const {
    auto fd = OpenAndPin(file_, Opener());
    EXPECT_TRUE(fd.ok()) << fd.status();
    return *std::move(fd);
  }
  /// 0, or the errno of giving the file's pages back through a mapping.
  static int GiveBack(int fd) {
    void* const base =
        ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    EXPECT_NE(base, MAP_FAILED);
    const int error = ::madvise(base, kSize, MADV_REMOVE) == 0 ? 0 : errno;
    ::munmap(base, kSize);
    return error;
  }
  [[nodiscard]] bool IsPinned() const {
    const auto pinned = famfs::IsPinned(file_);
    EXPECT_TRUE(pinned.ok()) << pinned.status();
    return pinned.ok() && *pinned;
  }

  std::string directory_;
  std::string file_;
};

TEST_F(ExtentPinTest, ForbidsGivingMemoryBackAndNothingElse) {
  const UniqueFd fd = Pin();
  EXPECT_EQ(GiveBack(fd.get()), EPERM);
  EXPECT_EQ(::pwrite(fd.get(), "x", 1, 0), 1);
  void* const base =
      ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  ASSERT_NE(base, MAP_FAILED);
  static_cast<char*>(base)[5] = 'y';
  char byte = 0;
  EXPECT_EQ(::pread(fd.get(), &byte, 1, 5), 1);
  EXPECT_EQ(byte, 'y');
  ::munmap(base, kSize);
}

TEST_F(ExtentPinTest, LastsAsLongAsAnyCopyOfTheDescriptor) {
  UniqueFd first = Pin();
  UniqueFd second = Pin();  // another server
  UniqueFd copy(::dup(first.get()));
  first.reset();
  second.reset();
  ASSERT_TRUE(ClearStalePin(file_).ok());
  EXPECT_EQ(GiveBack(copy.get()), EPERM);
  copy.reset();
  EXPECT_TRUE(IsPinned());
  ASSERT_TRUE(ClearStalePin(file_).ok());
  EXPECT_FALSE(IsPinned());
  const auto fd = Open();
  ASSERT_TRUE(fd.ok()) << fd.status();
  EXPECT_EQ(GiveBack(fd->get()), 0);
}

TEST_F(ExtentPinTest, TheFileIsOpenedForWritingAllTheSame) {
  const UniqueFd pinned = Pin();
  ASSERT_TRUE(absl::IsPermissionDenied(Open().status()));
  const auto fd = OpenDespitePin(file_, Opener());
  ASSERT_TRUE(fd.ok()) << fd.status();
  EXPECT_TRUE(IsPinned());
  EXPECT_EQ(GiveBack(fd->get()), EPERM);
}

TEST_F(ExtentPinTest, APinThatAKilledServerLeftGoesWithTheNextOpening) {
  Process server([this](Process::Peer& parent) {
    const UniqueFd fd = Pin();
    parent.Tell();
    parent.Await();
    return 0;
  });
  ASSERT_TRUE(server.peer().Await());
  server.Kill();
  EXPECT_EQ(server.Wait(), 128 + SIGKILL);
  EXPECT_TRUE(IsPinned());
  ASSERT_TRUE(OpenDespitePin(file_, Opener()).ok());
  EXPECT_FALSE(IsPinned());
}

TEST_F(ExtentPinTest, ItsPagesCanBeGivenAgainMeanwhile) {
  const auto fd = Open();
  ASSERT_TRUE(fd.ok());
  ASSERT_EQ(GiveBack(fd->get()), 0);
  const UniqueFd pinned = Pin();
  const auto fill = [&]() -> absl::Status {
    if (::fallocate(fd->get(), 0, 0, kSize) == 0) return absl::OkStatus();
    return ErrnoError(errno, "fallocate");
  };
  ASSERT_FALSE(fill().ok());
  EXPECT_TRUE(ChangeDespitePin(file_, fill).ok());
  EXPECT_TRUE(IsPinned());
}

TEST_F(ExtentPinTest, TheFileIsRemovedAllTheSame) {
  const UniqueFd fd = Pin();
  ASSERT_EQ(::unlink(file_.c_str()), -1);
  EXPECT_TRUE(RemoveDespitePin(file_).ok());
  EXPECT_TRUE(absl::IsNotFound(RemoveDespitePin(file_)));
  EXPECT_TRUE(ClearStalePin(file_).ok());
  EXPECT_EQ(::pwrite(fd.get(), "x", 1, 0), 1);
}

TEST_F(ExtentPinTest, ProcessesThatComeAndGoLeaveNone) {
  const auto body = [this](Process::Peer&) {
    for (int round = 0; round < 200; ++round) {
      auto fd = OpenAndPin(file_, Opener());
      if (!fd.ok()) return 1;
      fd->reset();
      if (!ClearStalePin(file_).ok()) return 2;
    }
    return 0;
  };
  Process first(body);
  Process second(body);
  EXPECT_EQ(first.Wait(), 0);
  EXPECT_EQ(second.Wait(), 0);
  EXPECT_FALSE(IsPinned());
}

}  // namespace
}  // namespace famfs
