// Files whose pages cannot be given back while they are served or mapped.
#include "dax/extent_pin.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <optional>
#include <thread>

#include "base/units.h"
#include "tests/unit/dax/dax_testing.h"

namespace famfs {
namespace {

using testing::MountPrivately;
using testing::Process;

constexpr std::size_t kSize = 2 * kMiB;

/// A mapping of a file for storing; the descriptor may be closed.
class Pages {
 public:
  explicit Pages(int fd, int protection = PROT_READ | PROT_WRITE)
      : base_(::mmap(nullptr, kSize, protection, MAP_SHARED, fd, 0)) {
    EXPECT_NE(base_, MAP_FAILED);
  }
  ~Pages() { ::munmap(base_, kSize); }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;
  [[nodiscard]] char* bytes() const { return static_cast<char*>(base_); }
  /// 0, or the errno of giving the file's pages back.
  [[nodiscard]] int GiveBack() const {
    return ::madvise(base_, kSize, MADV_REMOVE) == 0 ? 0 : errno;
  }

 private:
  void* base_;
};

/// The calling process loses a capability, for good.
bool Drop(unsigned capability) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> sets{};
  if (::syscall(SYS_capget, &header, sets.data()) != 0) return false;
  auto& set = sets[capability / 32];
  const std::uint32_t kept = ~(1U << (capability % 32));
  set.effective &= kept;
  set.permitted &= kept;
  set.inheritable &= kept;
  return ::syscall(SYS_capset, &header, sets.data()) == 0;
}

/// A tmpfs of its own with one file of kSize bytes.
/// How many descriptors of this process are of that file.
int Openings(const std::string& path) {
  int found = 0;
  std::error_code gone;
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc/self/fd")) {
    if (std::filesystem::read_symlink(entry, gone) == path) ++found;
  }
  return found;
}

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
  }
  void TearDown() override {
    ::umount2(directory_.c_str(), MNT_DETACH);
    ::rmdir(directory_.c_str());
  }

  [[nodiscard]] absl::StatusOr<UniqueFd> Open() const {
    return OpenFile(file_, O_RDWR | O_NOFOLLOW);
  }
  [[nodiscard]] PinnedOpener Opener() const {
    return [this](int more_flags) {
      return OpenFile(file_, O_RDWR | O_NOFOLLOW | more_flags);
    };
  }
  UniqueFd Pin() const {
    auto fd = OpenAndPin(file_, Opener());
    EXPECT_TRUE(fd.ok()) << fd.status();
    return *std::move(fd);
  }
  /// Whether no pin is left.
  [[nodiscard]] bool Unpin() const {
    const auto over = famfs::Unpin(file_);
    EXPECT_TRUE(over.ok()) << over.status();
    return over.ok() && *over;
  }
  static int GiveBack(int fd) { return Pages(fd).GiveBack(); }
  [[nodiscard]] bool IsPinned() const {
    const auto pinned = famfs::IsPinned(file_);
    EXPECT_TRUE(pinned.ok()) << pinned.status();
    return pinned.ok() && *pinned;
  }
  [[nodiscard]] bool IsWhole() const {
    struct stat info {};
    return ::stat(file_.c_str(), &info) == 0 && info.st_blocks == kSize / 512;
  }
  /// What a process leaves that is killed while it opens the file.
  void SetAppendOnly() const {
    const UniqueFd fd(::open(file_.c_str(), O_RDONLY | O_CLOEXEC));
    const int flags = FS_APPEND_FL;
    ASSERT_EQ(::ioctl(fd.get(), FS_IOC_SETFLAGS, &flags), 0);
  }

  std::string directory_;
  std::string file_;
};

TEST_F(ExtentPinTest, ForbidsGivingMemoryBackAndNothingElse) {
  const UniqueFd fd = Pin();
  EXPECT_EQ(GiveBack(fd.get()), EPERM);
  EXPECT_EQ(::pwrite(fd.get(), "x", 1, 0), 1);
  const Pages pages(fd.get());
  pages.bytes()[5] = 'y';
  char byte = 0;
  EXPECT_EQ(::pread(fd.get(), &byte, 1, 5), 1);
  EXPECT_EQ(byte, 'y');
}

TEST_F(ExtentPinTest, LastsAsLongAsAnyDescriptor) {
  UniqueFd first = Pin();
  UniqueFd second = Pin();  // another server
  UniqueFd copy(::dup(first.get()));
  first.reset();
  second.reset();
  EXPECT_FALSE(Unpin());
  EXPECT_EQ(GiveBack(copy.get()), EPERM);
  copy.reset();
  EXPECT_TRUE(IsPinned());
  EXPECT_TRUE(Unpin());
  EXPECT_FALSE(IsPinned());
  const auto fd = Open();
  ASSERT_TRUE(fd.ok()) << fd.status();
  EXPECT_EQ(GiveBack(fd->get()), 0);
}

TEST_F(ExtentPinTest, LastsAsLongAsAMappingWithoutADescriptor) {
  {
    UniqueFd fd = Pin();
    const Pages pages(fd.get());
    fd.reset();
    EXPECT_FALSE(Unpin());
    EXPECT_EQ(pages.GiveBack(), EPERM);
    EXPECT_TRUE(IsPinned());
  }
  EXPECT_TRUE(Unpin());
  EXPECT_FALSE(IsPinned());
}

TEST_F(ExtentPinTest, WhoCannotStoreKeepsNothingPinned) {
  Pin().reset();
  const UniqueFd fd(::open(file_.c_str(), O_RDONLY | O_CLOEXEC));
  const Pages pages(fd.get(), PROT_READ);
  EXPECT_TRUE(Unpin());
  EXPECT_EQ(pages.GiveBack(), EACCES);
}

TEST_F(ExtentPinTest, AskingDoesNotWaitForWhoHoldsTheLock) {
  Pin().reset();
  UniqueFd lock(::open(file_.c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_EQ(::flock(lock.get(), LOCK_EX), 0);
  EXPECT_FALSE(Unpin());
  lock.reset();
  EXPECT_TRUE(Unpin());
}

TEST_F(ExtentPinTest, TheFileIsOpenedForWritingAllTheSame) {
  const UniqueFd pinned = Pin();
  ASSERT_TRUE(absl::IsPermissionDenied(Open().status()));
  std::optional<Pages> pages;
  const auto fd = OpenDespitePin(file_, Opener(), [&pages](int opened) {
    pages.emplace(opened);
    return absl::OkStatus();
  });
  ASSERT_TRUE(fd.ok()) << fd.status();
  EXPECT_TRUE(IsPinned());
  EXPECT_EQ(pages->GiveBack(), EPERM);
  // Nothing of the way in which it was opened is left.
  EXPECT_EQ(::fcntl(fd->get(), F_GETFL) & O_APPEND, 0);
  EXPECT_EQ(::pwrite(fd->get(), "x", 1, 5), 1);
  EXPECT_EQ(pages->bytes()[5], 'x');
}

TEST_F(ExtentPinTest, ThereIsNoMomentWithoutIt) {
  const UniqueFd server = Pin();
  const Pages pages(server.get());
  std::atomic<bool> done = false;
  std::atomic<std::uint64_t> given_back = 0;
  std::atomic<std::uint64_t> tried = 0;
  std::thread program([&] {
    for (; !done; ++tried) {
      if (pages.GiveBack() == 0) ++given_back;
    }
  });
  const auto fill = [](int fd) -> absl::Status {
    if (::fallocate(fd, 0, 0, kSize) == 0) return absl::OkStatus();
    return ErrnoError(errno, "fallocate");
  };
  for (int round = 0; round < 300 || tried < 300; ++round) {
    Pin().reset();
    EXPECT_TRUE(OpenDespitePin(file_, Opener()).ok());
    EXPECT_TRUE(FillDespitePin(file_, Opener(), fill).ok());
    EXPECT_FALSE(Unpin());
  }
  done = true;
  program.join();
  EXPECT_EQ(given_back, 0U);
  EXPECT_TRUE(IsWhole());
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

TEST_F(ExtentPinTest, WhatAServerLeftThatWasKilledWhileItOpenedIsAPin) {
  ASSERT_TRUE(Unpin());
  {
    const auto fd = Open();
    ASSERT_TRUE(fd.ok());
    SetAppendOnly();
    EXPECT_TRUE(IsPinned());
    EXPECT_FALSE(Unpin());
    ASSERT_TRUE(OpenDespitePin(file_, Opener(), [](int opened) {
                  return Pages(opened).GiveBack() == EPERM
                             ? absl::OkStatus()
                             : Internal("it was given back");
                }).ok());
    EXPECT_EQ(GiveBack(Pin().get()), EPERM);
    SetAppendOnly();
  }
  EXPECT_TRUE(Unpin());
  EXPECT_FALSE(IsPinned());
  SetAppendOnly();
  EXPECT_TRUE(RemoveDespitePin(file_).ok());
}

TEST_F(ExtentPinTest, ItsPagesCanBeGivenAgainMeanwhile) {
  ASSERT_TRUE(Unpin());
  {
    const auto fd = Open();
    ASSERT_TRUE(fd.ok());
    ASSERT_EQ(GiveBack(fd->get()), 0);
  }
  const UniqueFd pinned = Pin();
  const auto fill = [](int fd) -> absl::Status {
    if (::fallocate(fd, 0, 0, kSize) == 0) return absl::OkStatus();
    return ErrnoError(errno, "fallocate");
  };
  ASSERT_FALSE(fill(pinned.get()).ok());
  EXPECT_TRUE(FillDespitePin(file_, Opener(), fill).ok());
  EXPECT_TRUE(IsPinned());
  EXPECT_TRUE(IsWhole());
  EXPECT_EQ(GiveBack(pinned.get()), EPERM);
}

TEST_F(ExtentPinTest, TheFileIsRemovedAllTheSame) {
  const UniqueFd fd = Pin();
  ASSERT_EQ(::unlink(file_.c_str()), -1);
  EXPECT_TRUE(RemoveDespitePin(file_).ok());
  EXPECT_TRUE(absl::IsNotFound(RemoveDespitePin(file_)));
  EXPECT_TRUE(Unpin());
  EXPECT_EQ(::pwrite(fd.get(), "x", 1, 0), 1);
}

/// By a server that lets go of the file.
TEST_F(ExtentPinTest, TheFileIsRemovedAlsoWhenItsPinGoesMeanwhile) {
  Pin().reset();
  UniqueFd server(::open(file_.c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_EQ(::flock(server.get(), LOCK_EX), 0);
  absl::Status removed;
  std::thread remover([&] { removed = RemoveDespitePin(file_); });
  // It has been refused once it has opened the file, to lock it.
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (Openings(file_) < 2 && std::chrono::steady_clock::now() < end) {
    std::this_thread::yield();
  }
  const int no_flags = 0;
  EXPECT_EQ(::ioctl(server.get(), FS_IOC_SETFLAGS, &no_flags), 0);
  server.reset();
  remover.join();
  EXPECT_TRUE(removed.ok()) << removed;
}

TEST_F(ExtentPinTest, WithoutTheCapabilityWhatToDoIsTold) {
  Pin().reset();
  Process program([this](Process::Peer&) {
    if (!Drop(CAP_LINUX_IMMUTABLE)) return 1;
    const auto opened = OpenDespitePin(file_, Opener());
    for (const absl::Status& status : {RemoveDespitePin(file_), opened.status(),
                                       famfs::Unpin(file_).status()}) {
      if (!absl::IsPermissionDenied(status)) return 2;
      const std::string remedy = "chattr -ia " + file_;
      if (Message(status).find(remedy) == std::string_view::npos) return 3;
    }
    return 0;
  });
  EXPECT_EQ(program.Wait(), 0);
  EXPECT_TRUE(IsPinned());
}

TEST_F(ExtentPinTest, WhereNoLeaseCanBeHadItStays) {
  Pin().reset();
  ASSERT_TRUE(Unpin());
  ASSERT_EQ(::chown(file_.c_str(), 4711, 4711), 0);
  Pin().reset();
  Process program([this](Process::Peer&) {
    if (!Drop(CAP_LEASE)) return 1;
    if (Unpin() || !IsPinned()) return 2;
    const auto fd = OpenDespitePin(file_, Opener());
    return fd.ok() && IsPinned() ? 0 : 3;
  });
  EXPECT_EQ(program.Wait(), 0);
  EXPECT_TRUE(Unpin());
}

TEST_F(ExtentPinTest, ProcessesAndThreadsThatComeAndGoLeaveNone) {
  const auto serve = [this] {
    for (int round = 0; round < 200; ++round) {
      auto fd = OpenAndPin(file_, Opener());
      if (!fd.ok()) return 1;
      std::optional<Pages> pages;
      // Under the flock: while another one opens, the file is append-only,
      // which the kernel does not map. (A program maps FUSE's file, which never
      // is.)
      const auto map = [&pages](int file) {
        pages.emplace(file);
        return absl::OkStatus();
      };
      if (!OpenDespitePin(file_, Opener(), map).ok()) return 2;
      fd->reset();
      if (Unpin()) return 3;  // it is mapped
      if (pages->GiveBack() != EPERM) return 4;
    }
    return 0;
  };
  const auto body = [&serve](Process::Peer&) {
    int other = 0;
    std::thread thread([&] { other = serve(); });
    const int own = serve();
    thread.join();
    return own != 0 ? own : other;
  };
  Process first(body);
  Process second(body);
  EXPECT_EQ(first.Wait(), 0);
  EXPECT_EQ(second.Wait(), 0);
  EXPECT_TRUE(IsWhole());
  EXPECT_TRUE(Unpin());
  EXPECT_FALSE(IsPinned());
}

}  // namespace
}  // namespace famfs
