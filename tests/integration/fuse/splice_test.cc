// What reaches a passed-through file's bytes without read() and write():
// sendfile, splice, copy_file_range, fallocate. None may answer from, or leave
// behind, a second copy of the memory.
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <string>
#include <thread>

#include "tests/integration/fuse/fixture.h"

namespace famfs::itest {
namespace {

constexpr auto kEnd = static_cast<off_t>(kVolumeSize);

/// A volume on two mounts, whose stores the other sees.
class SpliceTest : public PassthroughTest {
 protected:
  void SetUp() override {
    PassthroughTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    AddVolume("v", "pvc-1");
    AddVolume("w", "pvc-2");
    a_ = MountIt({.data_path = "passthrough"});
    b_ = MountIt({.data_path = "passthrough"});
    ASSERT_TRUE(a_ && b_);
    stores_ = std::make_unique<Mapped>(b_->path() + "/v/data", O_RDWR);
    ASSERT_TRUE(stores_->ok());
    std::array<int, 2> ends = {-1, -1};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
    in_.reset(ends[0]);
    out_.reset(ends[1]);
  }
  [[nodiscard]] std::string file() const { return a_->path() + "/v/data"; }
  /// What sendfile() of `length` bytes carries; "" and errno when refused.
  std::string Sent(int fd, std::size_t length) {
    off_t start = 0;
    const ssize_t sent = ::sendfile(in_.get(), fd, &start, length);
    if (sent < 0) return "";
    std::string text(static_cast<std::size_t>(sent), '\0');
    EXPECT_EQ(::recv(out_.get(), text.data(), text.size(), MSG_WAITALL), sent);
    return text;
  }

  std::unique_ptr<Mount> a_, b_;
  std::unique_ptr<Mapped> stores_;
  UniqueFd in_, out_;
};

TEST_F(SpliceTest, AReadOnlyDescriptorSendsWhatTheOtherNodeJustStored) {
  const UniqueFd fd = OpenOrFail(file(), O_RDONLY);
  for (int i = 0; i < 1000; ++i) {
    const std::string text = fmt::format("round {:03}", i);
    stores_->Store(0, text);
    ASSERT_EQ(Sent(fd.get(), text.size()), text);
  }
}

TEST_F(SpliceTest, AWritableDescriptorIsRefusedRatherThanStale) {
  const UniqueFd fd = OpenOrFail(file(), O_RDWR);
  for (int i = 0; i < 100; ++i) {
    stores_->Store(0, fmt::format("round {:03}", i));
    ASSERT_EQ(Sent(fd.get(), 9), "");
    ASSERT_EQ(errno, EINVAL);
  }
  std::array<int, 2> pipe = {-1, -1};
  ASSERT_EQ(::pipe2(pipe.data(), O_CLOEXEC), 0);
  const UniqueFd read_end(pipe[0]);
  const UniqueFd write_end(pipe[1]);
  off64_t start = 0;
  EXPECT_EQ(ErrnoOf(::splice(fd.get(), &start, write_end.get(), nullptr, 9, 0)),
            EINVAL);
  // What programs then do is right, and read-ahead of it has left no pages.
  ::readahead(fd.get(), 0, 65536);
  std::array<char, 9> read = {};
  stores_->Store(0, "at last..");
  ASSERT_EQ(::pread(fd.get(), read.data(), read.size(), 0), 9);
  EXPECT_EQ(std::string_view(read.data(), 9), "at last..");
}

TEST_F(SpliceTest, ADirectWritableDescriptorSendsFreshBytes) {
  const UniqueFd fd = OpenOrFail(file(), O_RDWR | O_DIRECT);
  for (int i = 0; i < 100; ++i) {
    const std::string text = fmt::format("round {:03}", i);
    stores_->Store(0, text);
    ASSERT_EQ(Sent(fd.get(), text.size()), text);
  }
}

TEST_F(SpliceTest, AFileThatEndsInsideItsExtentIsNeverSentStale) {
  ASSERT_TRUE(writer()
                  .CreateFile("small", 5000, {.uid = 0, .gid = 0, .mode = 0666})
                  .ok());
  const Mapped stores(b_->path() + "/small", O_RDWR, 4096);
  ASSERT_TRUE(stores.ok());
  const UniqueFd fd = OpenOrFail(a_->path() + "/small", O_RDONLY);
  for (const char* text : {"before...", "after...."}) {
    stores.Store(0, text);
    EXPECT_EQ(Sent(fd.get(), 9), "");
    EXPECT_EQ(errno, EINVAL);
    std::array<char, 9> read = {};
    ASSERT_EQ(::pread(fd.get(), read.data(), read.size(), 0), 9);
    EXPECT_EQ(std::string_view(read.data(), 9), text);
  }
}

TEST_F(SpliceTest, ACopyBetweenVolumesTakesWhatTheOtherNodeJustStored) {
  const UniqueFd from = OpenOrFail(file(), O_RDWR);
  const UniqueFd to = OpenOrFail(a_->path() + "/w/data", O_RDWR);
  const Mapped seen(b_->path() + "/w/data", O_RDONLY);
  ASSERT_TRUE(seen.ok());
  for (int i = 0; i < 1000; ++i) {
    const std::string text = fmt::format("round {:03}", i);
    stores_->Store(4096, text);
    off64_t source = 4096;
    off64_t target = 8192;
    ASSERT_EQ(::copy_file_range(from.get(), &source, to.get(), &target,
                                text.size(), 0),
              static_cast<ssize_t>(text.size()));
    ASSERT_EQ(seen.Text(8192, text.size()), text);
  }
  // All of it, and no more than fits.
  off64_t source = 0;
  off64_t target = 0;
  ssize_t copied = 0;
  while (source < kEnd) {
    const ssize_t step = ::copy_file_range(from.get(), &source, to.get(),
                                           &target, 2 * kVolumeSize, 0);
    ASSERT_GT(step, 0);
    copied += step;
  }
  EXPECT_EQ(copied, kEnd);
  EXPECT_EQ(::copy_file_range(from.get(), &source, to.get(), &target, 1, 0), 0);
}

TEST_F(SpliceTest, PosixFallocateLosesNoStoreOfAnotherNode) {
  const UniqueFd fd = OpenOrFail(file(), O_RDWR);
  std::atomic<bool> done = false;
  // One store each to a word of its own in every page, over and over.
  std::thread other([&] {
    for (std::uint64_t round = 1; !done; ++round) {
      for (std::size_t at = 0; at < kVolumeSize; at += 4096) {
        auto* const word =
            reinterpret_cast<std::atomic<std::uint64_t>*>(stores_->data() + at);
        // Looked at a whole round later: who reads, and writes back what was
        // read, does so at any time in between.
        ASSERT_EQ(*word, round - 1) << "a store was lost at " << at;
        *word = round;
      }
    }
  });
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(::posix_fallocate(fd.get(), 0, kEnd), 0);
  }
  done = true;
  other.join();
}

class SpaceTest : public EachPathTest {
 protected:
  void SetUp() override {
    EachPathTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    AddVolume("v", "pvc-1");
    mount_ = MountIt();
    ASSERT_TRUE(mount_);
    fd_ = OpenOrFail(mount_->path() + "/v/data", O_RDWR);
  }
  void TearDown() override {
    if (mount_ == nullptr) return;
    EXPECT_EQ(FileSize(mount_->path() + "/v/data"), kEnd);
    EXPECT_EQ(FileSize(ExtentFile("v")), kEnd);
  }
  int Fallocate(int mode, off_t offset, off_t length) {
    return ErrnoOf(::fallocate(fd_.get(), mode, offset, length));
  }
  std::unique_ptr<Mount> mount_;
  UniqueFd fd_;
};

TEST_P(SpaceTest, SpaceWithinTheSizeIsThereAlready) {
  ASSERT_EQ(::pwrite(fd_.get(), "kept", 4, 4096), 4);
  EXPECT_EQ(Fallocate(0, 0, kEnd), 0);
  EXPECT_EQ(Fallocate(FALLOC_FL_KEEP_SIZE, 4096, 8192), 0);
  EXPECT_EQ(::posix_fallocate(fd_.get(), 0, kEnd), 0);
  std::array<char, 4> read = {};
  ASSERT_EQ(::pread(fd_.get(), read.data(), 4, 4096), 4);
  EXPECT_EQ(std::string_view(read.data(), 4), "kept");
}

TEST_P(SpaceTest, SpaceBeyondTheSizeIsEfbig) {
  EXPECT_EQ(Fallocate(0, 0, kEnd + 1), EFBIG);
  EXPECT_EQ(Fallocate(0, kEnd, 4096), EFBIG);
  EXPECT_EQ(Fallocate(FALLOC_FL_KEEP_SIZE, kEnd - 1, 2), EFBIG);
  EXPECT_EQ(Fallocate(FALLOC_FL_ZERO_RANGE, kEnd - 1, 2), EFBIG);
  EXPECT_EQ(::posix_fallocate(fd_.get(), 0, kEnd + 1), EFBIG);
  EXPECT_EQ(Fallocate(FALLOC_FL_COLLAPSE_RANGE, 0, 4096), EOPNOTSUPP);
}

TEST_P(SpaceTest, HolesAndZeroRangesAreZeros) {
  const std::string full(3 * 4096, 'x');
  for (const int mode :
       {FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE,
        FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE}) {
    ASSERT_EQ(::pwrite(fd_.get(), full.data(), full.size(), 0),
              static_cast<ssize_t>(full.size()));
    EXPECT_EQ(Fallocate(mode, 10, 2 * 4096), 0);
    std::string read(full.size(), '?');
    ASSERT_EQ(::pread(fd_.get(), read.data(), read.size(), 0),
              static_cast<ssize_t>(read.size()));
    std::string expected = full;
    expected.replace(10, 2 * 4096, 2 * 4096, '\0');
    EXPECT_TRUE(read == expected) << mode;
    const Mapped mapped(mount_->path() + "/v/data", O_RDONLY);
    EXPECT_TRUE(mapped.Text(0, expected.size()) == expected) << mode;
  }
  // A hole may reach past the end; it ends there.
  EXPECT_EQ(
      Fallocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, kEnd - 4096, 8192),
      0);
}

INSTANTIATE_TEST_SUITE_P(Paths, SpaceTest,
                         ::testing::Values("passthrough", "copy"),
                         [](const auto& path) {
                           return std::string(path.param);
                         });

}  // namespace
}  // namespace famfs::itest
