// A server in this process, on a device that a test can hold: what one file's
// memory or a large zeroing takes keeps nobody from the other files.
#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstring>
#include <future>
#include <mutex>

#include "dax/image.h"
#include "fuse/server/server.h"
#include "instance/check/mkfs.h"
#include "tests/integration/fuse/fixture.h"
#include "tests/unit/instance_write/hook_device.h"

namespace famfs::itest {
namespace {

constexpr int kVolumes = 6;  // more than there are workers
constexpr std::uint64_t kLarge = 64 * kMiB;

/// Keeps who comes by until there are permits for all.
class Turnstile {
 public:
  void Pass() {
    std::unique_lock lock(mutex_);
    ++came_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return permits_ > 0; });
    --permits_;
  }
  [[nodiscard]] bool WaitFor(int came) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, rig::kPatience,
                             [&] { return came_ >= came; });
  }
  [[nodiscard]] int came() {
    const std::lock_guard lock(mutex_);
    return came_;
  }
  void Permit(int count) {
    const std::lock_guard lock(mutex_);
    permits_ += count;
    changed_.notify_all();
  }
  void Open() { Permit(1 << 20); }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int came_ = 0;
  int permits_ = 0;
};

class HeldUp : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = FuseMissing(); !why.empty()) {
      GTEST_SKIP() << why;
    }
    ASSERT_EQ(::setenv("FAMFS_SYSTEM_UUID_FILE", (dir_ / "uuid").c_str(), 1),
              0);
    ASSERT_TRUE(CreateImage(memory_ / "pool.img", 4 * kGiB).ok());
    std::shared_ptr<DaxDevice> image =
        *OpenImage(memory_ / "pool.img", Access::kReadWrite);
    const Uuid owner = Uuid::Random();
    MkfsOptions mkfs;
    mkfs.system_uuid = owner;
    mkfs.lock_directory = dir_ / "locks";
    ASSERT_TRUE(Mkfs(*image, mkfs).ok());
    auto writer = Writer::Open(
        image, {.system_uuid = owner, .lock_directory = dir_ / "locks"});
    ASSERT_TRUE(writer.ok()) << writer.status();
    for (int i = 0; i <= kVolumes; ++i) {
      VolumeAttributes attributes;
      attributes.name = fmt::format("pvc-{}", i);
      attributes.capacity = kLarge;
      const absl::Status made = (*writer)->CreateVolume(
          fmt::format("v{}", i), attributes, {.mode = 0777});
      ASSERT_TRUE(made.ok()) << made;
    }
    for (int i = 0; i < kVolumes; ++i) {
      held_.push_back((*writer)
                          ->Tree()
                          ->FindPath(fmt::format("v{}/data", i))
                          ->extents[0]
                          .offset);
    }
    auto reader = Reader::Open(std::make_shared<HookDevice>(image, hooks_));
    ASSERT_TRUE(reader.ok()) << reader.status();
    ServerOptions options;
    options.mount_point = mount_.path();
    options.data_path = DataPath::kCopy;
    auto server = Server::Start(*std::move(reader), options);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    const absl::Status attached = server_->Attach();
    ASSERT_TRUE(attached.ok()) << attached;
  }
  void TearDown() override {
    turnstile_.Open();
    server_.reset();
    ::unsetenv("FAMFS_SYSTEM_UUID_FILE");
  }

  [[nodiscard]] std::string File(int i) const {
    return fmt::format("{}/v{}/data", mount_.path(), i);
  }
  /// Everything that a pod asks first, of the volume that nothing holds.
  void ExpectAnswered() {
    auto answered = std::async(std::launch::async, [this] {
      struct stat info = {};
      std::array<char, 16> bytes{};
      const UniqueFd fd(::open(File(kVolumes).c_str(), O_RDWR | O_CLOEXEC));
      return fd.valid() && ::fstat(fd.get(), &info) == 0 &&
             ::pwrite(fd.get(), "beside", 6, 0) == 6 &&
             ::pread(fd.get(), bytes.data(), 6, 0) == 6 &&
             std::memcmp(bytes.data(), "beside", 6) == 0;
    });
    const bool in_time =
        answered.wait_for(rig::kPatience) == std::future_status::ready;
    EXPECT_TRUE(in_time);
    if (!in_time) turnstile_.Open();
    EXPECT_TRUE(answered.get());
  }
  static std::string StatusLine(pid_t thread, std::string_view key) {
    const std::string status =
        rig::ReadWholeFile(fmt::format("/proc/self/task/{}/status", thread));
    const std::size_t at = status.find(fmt::format("\n{}:", key)) + 1;
    return status.substr(at, status.find('\n', at) - at);
  }
  static int PunchAll(int fd) {
    return ErrnoOf(::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                               0, static_cast<off_t>(kLarge)));
  }

  rig::TempDir dir_{"famfs-held-up"};
  rig::TempDir mount_{"famfs-mount"};
  rig::Tmpfs memory_{"2G"};
  Hooks hooks_;
  Turnstile turnstile_;
  std::vector<std::uint64_t> held_;  // where the volumes but the last lie
  std::unique_ptr<Server> server_;
};

TEST_F(HeldUp, FilesThatCannotBeOpenedNowKeepNobodyFromTheOthers) {
  hooks_.before_map = [this](Range range) {
    if (std::count(held_.begin(), held_.end(), range.offset) > 0) {
      turnstile_.Pass();
    }
  };
  std::vector<std::future<int>> opens;
  for (int i = 0; i < kVolumes; ++i) {
    opens.push_back(std::async(
        std::launch::async, [this, i] { return OpenErrno(File(i), O_RDWR); }));
  }
  // More than there are workers at first: others stand in for them.
  EXPECT_TRUE(turnstile_.WaitFor(kVolumes));
  ExpectAnswered();
  EXPECT_EQ(turnstile_.came(), kVolumes) << "each of them is held still";
  turnstile_.Open();
  for (auto& open : opens) EXPECT_EQ(open.get(), 0);
}

TEST_F(HeldUp, LargeZeroingsKeepNobodyFromTheOthers) {
  hooks_.before_zeroing = [this](std::size_t) { turnstile_.Pass(); };
  std::vector<UniqueFd> files;
  std::vector<std::future<int>> punches;
  for (int i = 0; i < kVolumes; ++i) {
    files.push_back(OpenOrFail(File(i), O_RDWR));
    ASSERT_EQ(::pwrite(files.back().get(), "x", 1, kLarge - 1), 1);
    punches.push_back(
        std::async(std::launch::async, PunchAll, files.back().get()));
  }
  EXPECT_TRUE(turnstile_.WaitFor(1));
  ExpectAnswered();
  EXPECT_EQ(turnstile_.came(), 1) << "nothing has been zeroed yet";
  turnstile_.Open();
  for (auto& punch : punches) EXPECT_EQ(punch.get(), 0);
  for (const UniqueFd& file : files) {
    char last = 'x';
    EXPECT_EQ(::pread(file.get(), &last, 1, kLarge - 1), 1);
    EXPECT_EQ(last, '\0');
  }
}

TEST_F(HeldUp, ASignalEndsALargeZeroing) {
  struct sigaction action = {};
  action.sa_handler = [](int) {};
  ASSERT_EQ(::sigaction(SIGUSR1, &action, nullptr), 0);
  hooks_.before_zeroing = [this](std::size_t) { turnstile_.Pass(); };
  const UniqueFd file = OpenOrFail(File(0), O_RDWR);
  std::promise<pid_t> thread;
  auto punch = std::async(std::launch::async, [&] {
    thread.set_value(::gettid());
    return PunchAll(file.get());
  });
  const pid_t caller = thread.get_future().get();
  ASSERT_TRUE(turnstile_.WaitFor(1));
  ASSERT_TRUE(rig::Eventually(
      [&] { return StatusLine(caller, "State").ends_with("S (sleeping)"); }));
  const auto times_slept = [&] {
    return StatusLine(caller, "voluntary_ctxt_switches");
  };
  const std::string slept = times_slept();
  ASSERT_EQ(::tgkill(::getpid(), caller, SIGUSR1), 0);
  // It wakes up for that, and sleeps again when it has told the kernel; which
  // hands the interruption over before these.
  ASSERT_TRUE(rig::Eventually([&] { return times_slept() != slept; }));
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(OpenErrno(File(kVolumes), O_RDONLY), 0);
  }
  turnstile_.Open();
  EXPECT_EQ(punch.get(), EINTR);
  EXPECT_LT(turnstile_.came(), static_cast<int>(kLarge / Zeroing::kSlice));
}

TEST_F(HeldUp, AnEndOfTheServerAnswersWhatIsLeft) {
  hooks_.before_zeroing = [this](std::size_t) { turnstile_.Pass(); };
  const UniqueFd file = OpenOrFail(File(0), O_RDWR);
  auto punch = std::async(std::launch::async, PunchAll, file.get());
  ASSERT_TRUE(turnstile_.WaitFor(1));
  // What ends the connection: the mount is busy.
  EXPECT_EQ(ErrnoOf(::umount2(mount_.path().c_str(), MNT_FORCE)), EBUSY);
  EXPECT_EQ(punch.get(), ECONNABORTED);
  turnstile_.Open();
  server_.reset();
  EXPECT_EQ(::umount2(mount_.path().c_str(), MNT_DETACH), 0);
}

}  // namespace
}  // namespace famfs::itest
