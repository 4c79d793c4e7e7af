#include "base/file_lock.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <thread>

#include "base/unique_fd.h"

namespace famfs {
namespace {

using std::chrono::milliseconds;

class FileLockTest : public ::testing::Test {
 protected:
  void TearDown() override { ::unlink(path_.c_str()); }
  [[nodiscard]] UniqueFd Open() const {
    return UniqueFd(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  }
  static bool Try(const UniqueFd& fd, FileLock kind) {
    const auto locked = TryLockFile(fd.get(), kind);
    EXPECT_TRUE(locked.ok()) << locked.status();
    return locked.value_or(false);
  }

  const std::string path_ =
      fmt::format("{}famfs-lock-{}", ::testing::TempDir(), ::getpid());
};

TEST_F(FileLockTest, OneExclusiveHolder) {
  const UniqueFd first = Open();
  UniqueFd second = Open();
  EXPECT_TRUE(Try(first, FileLock::kExclusive));
  EXPECT_FALSE(Try(second, FileLock::kExclusive));
  EXPECT_FALSE(Try(second, FileLock::kShared));
}

TEST_F(FileLockTest, ManySharedOnes) {
  const UniqueFd first = Open();
  const UniqueFd second = Open();
  const UniqueFd third = Open();
  EXPECT_TRUE(Try(first, FileLock::kShared));
  EXPECT_TRUE(Try(second, FileLock::kShared));
  EXPECT_FALSE(Try(third, FileLock::kExclusive));
}

TEST_F(FileLockTest, GoesWithItsDescriptor) {
  UniqueFd first = Open();
  const UniqueFd second = Open();
  ASSERT_TRUE(Try(first, FileLock::kExclusive));
  first.reset();
  EXPECT_TRUE(Try(second, FileLock::kExclusive));
}

TEST_F(FileLockTest, PatienceMeetsTheEndOfTheHolder) {
  UniqueFd first = Open();
  const UniqueFd second = Open();
  ASSERT_TRUE(Try(first, FileLock::kExclusive));
  EXPECT_FALSE(
      LockFile(second.get(), FileLock::kExclusive, milliseconds(20)).value());
  std::thread holder([&first] { first.reset(); });
  EXPECT_TRUE(LockFile(second.get(), FileLock::kExclusive, milliseconds(60000))
                  .value());
  holder.join();
}

TEST_F(FileLockTest, NoFile) {
  EXPECT_FALSE(TryLockFile(-1, FileLock::kShared).ok());
}

}  // namespace
}  // namespace famfs
