#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "base/new_file.h"
#include "base/unique_fd.h"
#include "tests/unit/base/status_matchers.h"
#include "tests/unit/base/temporary_directory.h"

namespace famfs {
namespace {

using testing::HasError;
using testing::IsOk;
using testing::TemporaryDirectory;

bool IsOpen(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

std::vector<std::string> NamesIn(const std::string& directory) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    names.push_back(entry.path().filename().string());
  }
  return names;
}

TEST(UniqueFdTest, ClosesOnceWhereverItWasMoved) {
  int number = -1;
  {
    UniqueFd first(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    ASSERT_TRUE(first.valid());
    number = first.get();
    UniqueFd second(std::move(first));
    UniqueFd third;
    third = std::move(second);
    EXPECT_EQ(third.get(), number);
    EXPECT_TRUE(IsOpen(number));
  }
  EXPECT_FALSE(IsOpen(number));
}

TEST(UniqueFdTest, ReleasedOnesStayOpen) {
  UniqueFd fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int number = fd.release();
  EXPECT_FALSE(fd.valid());
  fd.reset();
  EXPECT_TRUE(IsOpen(number));
  ::close(number);
}

TEST(OpenFileTest, ErrorsNameThePathAndDescriptorsAreNotInherited) {
  EXPECT_THAT(OpenFile("/dev/shm/famfs-no-such-file", O_RDONLY),
              HasError(absl::StatusCode::kNotFound,
                       "open /dev/shm/famfs-no-such-file: No such file"));
  FAMFS_ASSERT_OK_AND_ASSIGN(const UniqueFd fd,
                             OpenFile("/dev/null", O_RDONLY));
  EXPECT_EQ(::fcntl(fd.get(), F_GETFD), FD_CLOEXEC);
}

TEST(ReadFileTest, ReadsUpToItsLimitAndNoByteMore) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("file");
  const std::string content(200'000, 'x');
  ASSERT_THAT(WriteFileAtomically(path, content), IsOk());
  FAMFS_ASSERT_OK_AND_ASSIGN(const std::string exact,
                             ReadFile(path, content.size()));
  EXPECT_EQ(exact, content);
  FAMFS_ASSERT_OK_AND_ASSIGN(const std::string unlimited,
                             ReadFile(path, SIZE_MAX));
  EXPECT_EQ(unlimited, content);
  EXPECT_THAT(ReadFile(path, content.size() - 1),
              HasError(absl::StatusCode::kOutOfRange, path));
  EXPECT_THAT(ReadFile(path, 0), HasError(absl::StatusCode::kOutOfRange, path));
  EXPECT_THAT(ReadFile("/dev/zero", 4096),
              HasError(absl::StatusCode::kOutOfRange, "4096"));
  EXPECT_THAT(ReadFile(directory.path()),
              HasError(absl::StatusCode::kInvalidArgument, directory.path()));
}

TEST(WriteFileAtomicallyTest, ReplacesTheContentWithTheModeThatWasNamed) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("file");
  const mode_t umask_before = ::umask(0077);
  ASSERT_THAT(WriteFileAtomically(path, "one"), IsOk());
  ASSERT_THAT(WriteFileAtomically(path, "two", 0640), IsOk());
  ::umask(umask_before);
  FAMFS_ASSERT_OK_AND_ASSIGN(const std::string content, ReadFile(path));
  EXPECT_EQ(content, "two");
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0640U);
  EXPECT_THAT(NamesIn(directory.path()), ::testing::ElementsAre("file"));
}

TEST(WriteFileAtomicallyTest, AFailureLeavesNoTemporaryFile) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("is-a-directory");
  ASSERT_TRUE(std::filesystem::create_directory(path));
  EXPECT_FALSE(WriteFileAtomically(path, "x").ok());
  EXPECT_THAT(NamesIn(directory.path()),
              ::testing::ElementsAre("is-a-directory"));
}

TEST(WriteFileAtomicallyTest, ReadersSeeTheOldOrTheNewContentOnly) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("file");
  const std::string a(100'000, 'a');
  const std::string b(70'000, 'b');
  ASSERT_THAT(WriteFileAtomically(path, a), IsOk());
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (int i = 0; i < 200; ++i) {
      EXPECT_THAT(WriteFileAtomically(path, i % 2 == 0 ? b : a), IsOk());
    }
    done = true;
  });
  int torn = 0;
  while (!done) {
    const auto content = ReadFile(path);
    if (!content.ok() || (*content != a && *content != b)) ++torn;
  }
  writer.join();
  EXPECT_EQ(torn, 0);
}

TEST(RenameNewTest, NeverReplaces) {
  const TemporaryDirectory directory;
  const std::string from = directory.File("from");
  const std::string to = directory.File("to");
  ASSERT_THAT(WriteFileAtomically(from, "new"), IsOk());
  ASSERT_THAT(WriteFileAtomically(to, "old"), IsOk());
  EXPECT_THAT(RenameNew(from, to),
              HasError(absl::StatusCode::kAlreadyExists, to));
  EXPECT_EQ(*ReadFile(to), "old");
  EXPECT_EQ(*ReadFile(from), "new");
  ASSERT_EQ(::unlink(to.c_str()), 0);
  EXPECT_THAT(RenameNew(from, to), IsOk());
  EXPECT_EQ(*ReadFile(to), "new");
  EXPECT_THAT(NamesIn(directory.path()), ::testing::ElementsAre("to"));
}

}  // namespace
}  // namespace famfs
