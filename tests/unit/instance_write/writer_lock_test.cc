// Who may hold the one writer's lock, who is told to hold it, and what stays of
// it.
#include "instance/writer/writer_lock.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "fixture.h"

namespace famfs {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class WriterLockTest : public WriteTest {
 protected:
  [[nodiscard]] absl::StatusOr<WriterLock> Acquire() const {
    return WriterLock::Acquire(Path("locks"), uuid_);
  }
  [[nodiscard]] std::string File() const {
    return Path("locks/" + uuid_.ToString() + ".writer");
  }
  static mode_t ModeOf(const std::string& path) {
    struct stat info {};
    EXPECT_EQ(::lstat(path.c_str(), &info), 0) << path;
    return info.st_mode & 07777;
  }

  const Uuid uuid_ = Uuid::Random();
};

/// A process that holds a shared lock on the file until this object goes.
class Stranger {
 public:
  explicit Stranger(const std::string& path) {
    std::array<int, 2> ready{};
    EXPECT_EQ(::pipe(ready.data()), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      const int fd = ::open(path.c_str(), O_RDONLY);
      const char told = ::flock(fd, LOCK_SH | LOCK_NB) == 0 ? 'y' : 'n';
      static_cast<void>(!::write(ready[1], &told, 1));
      for (;;) ::pause();
    }
    char told = 0;
    EXPECT_EQ(::read(ready[0], &told, 1), 1);
    EXPECT_EQ(told, 'y');
    ::close(ready[0]);
    ::close(ready[1]);
  }
  ~Stranger() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Stranger(const Stranger&) = delete;
  Stranger& operator=(const Stranger&) = delete;
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

TEST_F(WriterLockTest, NobodyElseCanOpenItsFile) {
  const mode_t before = ::umask(0);
  const auto lock = Acquire();
  ::umask(before);
  ASSERT_OK(lock);
  EXPECT_EQ(ModeOf(Path("locks")), 0700U);
  EXPECT_EQ(ModeOf(File()), 0600U);
}

TEST_F(WriterLockTest, AFileThatEverybodyCouldLockIsTheOwnersAgain) {
  std::filesystem::create_directory(Path("locks"));
  std::ofstream(File()) << "1 old\n";
  ::chmod(File().c_str(), 0644);
  const auto lock = Acquire();
  ASSERT_OK(lock);
  EXPECT_EQ(ModeOf(File()), 0600U);
}

TEST_F(WriterLockTest, ADirectoryThatIsThereKeepsItsMode) {
  std::filesystem::create_directory(Path("locks"));
  ::chmod(Path("locks").c_str(), 0755);
  ASSERT_OK(Acquire());
  EXPECT_EQ(ModeOf(Path("locks")), 0755U);
}

TEST_F(WriterLockTest, ItsFileGoesWithIt) {
  {
    const auto lock = Acquire();
    ASSERT_OK(lock);
    EXPECT_TRUE(std::filesystem::exists(File()));
    EXPECT_FALSE(Acquire().ok());
    EXPECT_TRUE(std::filesystem::exists(File())) << "not by who was refused";
  }
  EXPECT_FALSE(std::filesystem::exists(File()));
}

TEST_F(WriterLockTest, AFileThatAKilledWriterLeftIsNoObstacle) {
  std::filesystem::create_directory(Path("locks"));
  std::ofstream(File()) << "1 gone\n";
  ::chmod(File().c_str(), 0600);
  ASSERT_OK(Acquire());
  EXPECT_FALSE(std::filesystem::exists(File()));
}

TEST_F(WriterLockTest, ASymbolicLinkIsNotFollowed) {
  std::filesystem::create_directory(Path("locks"));
  std::ofstream(Path("victim")) << "precious";
  std::filesystem::create_symlink(Path("victim"), File());
  const auto lock = Acquire();
  EXPECT_FALSE(lock.ok());
  EXPECT_THAT(Say(lock), HasSubstr(File()));
  EXPECT_EQ(std::filesystem::file_size(Path("victim")), 8U);
}

TEST_F(WriterLockTest, NothingUnderItsNameIsWaitedFor) {
  std::filesystem::create_directory(Path("locks"));
  ASSERT_EQ(::mkfifo(File().c_str(), 0600), 0);
  const auto lock = Acquire();
  EXPECT_THAT(Say(lock), HasSubstr("no regular file"));
}

TEST_F(WriterLockTest, AnotherUsersFileIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to give a file away";
  std::filesystem::create_directory(Path("locks"));
  std::ofstream(File()) << "";
  ASSERT_EQ(::chown(File().c_str(), 12345, 12345), 0);
  const auto lock = Acquire();
  EXPECT_TRUE(absl::IsPermissionDenied(lock.status())) << Say(lock);
  EXPECT_THAT(Say(lock), HasSubstr("12345"));
}

TEST_F(WriterLockTest, TheOneThatHoldsItIsToldAndNotTheOneThatWroteThere) {
  std::filesystem::create_directory(Path("locks"));
  std::ofstream(File()) << "1 famfs-csi-controller\n";
  ::chmod(File().c_str(), 0600);
  const Stranger stranger(File());
  const auto lock = Acquire();
  EXPECT_TRUE(absl::IsUnavailable(lock.status()));
  EXPECT_THAT(Say(lock),
              AllOf(HasSubstr(fmt::format("pid {} (", stranger.pid())),
                    Not(HasSubstr("famfs-csi-controller"))));
}

TEST_F(WriterLockTest, WhoRemovesItNeverLetsTwoIn) {
  std::atomic<int> inside{0};
  std::atomic<int> taken{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      while (taken < 2000) {
        const auto lock = Acquire();
        if (!lock.ok()) {
          EXPECT_TRUE(absl::IsUnavailable(lock.status())) << Say(lock);
          continue;
        }
        EXPECT_EQ(++inside, 1);
        ++taken;
        --inside;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace famfs
