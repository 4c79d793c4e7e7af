// Files in tree volumes, through real mounts: bytes, sizes, times, mappings.
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csetjmp>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <future>
#include <random>

#include "tests/integration/fuse/tree_fixture.h"

namespace famfs::itest {
namespace {

using TreeFilesTest = TreeFuseTest;

INSTANTIATE_TEST_SUITE_P(Paths, TreeFilesTest,
                         ::testing::Values("passthrough", "copied", "copy"),
                         NameOfPath);

std::string Noise(std::size_t size) {
  std::string bytes(size, '\0');
  std::mt19937_64 random(7);
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

/// Not EXPECT_EQ: nobody reads megabytes of what differs.
::testing::AssertionResult SameBytes(std::string_view a, std::string_view b) {
  if (a == b) return ::testing::AssertionSuccess();
  const std::size_t at = static_cast<std::size_t>(
      std::mismatch(
          a.begin(),
          a.begin() + static_cast<std::ptrdiff_t>(std::min(a.size(), b.size())),
          b.begin())
          .first -
      a.begin());
  return ::testing::AssertionFailure()
         << a.size() << " and " << b.size() << " bytes, different from " << at;
}

/// A shared mapping of an open file, of any length.
class View {
 public:
  View(int fd, std::size_t size) : size_(size) {
    void* const at =
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    EXPECT_NE(at, MAP_FAILED) << std::strerror(errno);
    data_ = static_cast<char*>(at);
  }
  ~View() { ::munmap(data_, size_); }
  View(const View&) = delete;
  View& operator=(const View&) = delete;
  [[nodiscard]] char* data() const { return data_; }
  void Sync() const { EXPECT_EQ(::msync(data_, size_, MS_SYNC), 0); }

 private:
  std::size_t size_;
  char* data_ = nullptr;
};

TEST_P(TreeFilesTest, BytesAreWrittenAndReadAnywhere) {
  const std::string f = root_ + "f";
  const std::string noise = Noise(5 * kMiB + 123);
  const UniqueFd fd(::open(f.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  ASSERT_TRUE(fd.valid());
  ASSERT_EQ(::write(fd.get(), noise.data(), noise.size()),
            static_cast<ssize_t>(noise.size()));
  EXPECT_EQ(FileSize(f), static_cast<std::int64_t>(noise.size()));
  EXPECT_TRUE(SameBytes(rig::ReadWholeFile(f), noise)) << "while it is open";
  // A hole, within what is allocated and beyond it.
  ASSERT_EQ(::pwrite(fd.get(), "end", 3, 20 * kMiB), 3);
  EXPECT_EQ(FileSize(f), static_cast<std::int64_t>(20 * kMiB + 3));
  std::string expected = noise;
  expected.resize(20 * kMiB, '\0');
  expected += "end";
  EXPECT_TRUE(SameBytes(rig::ReadWholeFile(f), expected));
  EXPECT_TRUE(SameBytes(rig::ReadWholeFile(mount_->path() + "/.meta/ro/v/f"),
                        expected));
  EXPECT_EQ(DataPathOf(f), PathOfData());
}

TEST_P(TreeFilesTest, ALargeFileIsCopiedInAndOut) {
  const std::string noise = Noise(100 * kMiB);
  rig::WriteFile(memory_ / "source", noise);
  EXPECT_EQ(
      std::system(("cp " + (memory_ / "source") + " " + root_ + "f").c_str()),
      0);
  EXPECT_EQ(
      std::system(("cmp " + (memory_ / "source") + " " + root_ + "f").c_str()),
      0);
  EXPECT_EQ(std::system(("cp " + root_ + "f " + root_ + "g").c_str()), 0);
  EXPECT_EQ(
      std::system(
          ("cmp " + root_ + "f " + root_ + "g && rm " + root_ + "f").c_str()),
      0);
}

TEST_P(TreeFilesTest, AppendsFollowEachOther) {
  const std::string f = root_ + "f";
  for (const char* text : {"a", "bc", "def"}) {
    EXPECT_EQ(Write(f, text, O_APPEND), 0);
  }
  EXPECT_EQ(rig::ReadWholeFile(f), "abcdef");
  const UniqueFd a(::open(f.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  const UniqueFd b(::open(f.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(::write((i % 2 == 0 ? a : b).get(), "0123456789", 10), 10);
  }
  EXPECT_EQ(FileSize(f), 1006);
}

TEST_P(TreeFilesTest, TruncatingGoesBothWays) {
  const std::string f = root_ + "f";
  const std::string noise = Noise(3 * kMiB);
  ASSERT_EQ(Write(f, noise), 0);
  {
    const UniqueFd fd(::open(f.c_str(), O_RDWR | O_CLOEXEC));
    // Before the owner has heard of it.
    ASSERT_EQ(::pwrite(fd.get(), "x", 1, 3 * kMiB), 1);
    ASSERT_EQ(::ftruncate(fd.get(), 4 * kMiB), 0) << errno;
    EXPECT_EQ(FileSize(f), static_cast<std::int64_t>(4 * kMiB));
    EXPECT_TRUE(SameBytes(rig::ReadWholeFile(f),
                          noise + "x" + std::string(kMiB - 1, '\0')));
    ASSERT_EQ(::ftruncate(fd.get(), 1000), 0) << errno;
    EXPECT_TRUE(SameBytes(rig::ReadWholeFile(f), noise.substr(0, 1000)));
    ASSERT_EQ(::ftruncate(fd.get(), 5000), 0);
    EXPECT_TRUE(SameBytes(rig::ReadWholeFile(f),
                          noise.substr(0, 1000) + std::string(4000, '\0')));
  }
  EXPECT_EQ(FileSize(f), 5000);
  EXPECT_EQ(OpenErrno(f, O_WRONLY | O_TRUNC), 0);
  EXPECT_EQ(FileSize(f), 0);
  EXPECT_EQ(rig::ReadWholeFile(f), "");
  EXPECT_EQ(Write(f, "new", O_TRUNC), 0);
  EXPECT_EQ(rig::ReadWholeFile(f), "new");
}

TEST_P(TreeFilesTest, AFileIsMappedAsSoonAsItIsMadeAndSized) {
  const std::string f = root_ + "f";
  const UniqueFd fd(::open(f.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  ASSERT_TRUE(fd.valid());
  ASSERT_EQ(::ftruncate(fd.get(), 3 * kMiB), 0);
  const View view(fd.get(), 3 * kMiB);
  EXPECT_EQ(view.data()[3 * kMiB - 1], 0);
  std::memcpy(view.data() + kMiB, "stored", 6);
  view.Sync();
  EXPECT_EQ(rig::ReadWholeFile(f).substr(kMiB, 6), "stored");
  ASSERT_EQ(::pwrite(fd.get(), "written", 7, 2 * kMiB), 7);
  EXPECT_EQ(std::string_view(view.data() + 2 * kMiB, 7), "written");
}

TEST_P(TreeFilesTest, AMappingThatIsLargerSeesTheFileGrow) {
  const std::string f = root_ + "f";
  const UniqueFd fd(::open(f.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  const View view(fd.get(), 8 * kMiB);
  for (const std::size_t size : {1 * kMiB, 3 * kMiB, 8 * kMiB}) {
    ASSERT_EQ(::ftruncate(fd.get(), static_cast<off_t>(size)), 0);
    ASSERT_EQ(::pwrite(fd.get(), "here", 4, static_cast<off_t>(size - 4)), 4);
    EXPECT_EQ(std::string_view(view.data() + size - 4, 4), "here");
    view.data()[size / 2] = 'y';
  }
  view.Sync();
  EXPECT_EQ(rig::ReadWholeFile(f)[4 * kMiB], 'y');
}

TEST_P(TreeFilesTest, AnUnlinkedFileGoesOnForWhoHasIt) {
  const std::string f = root_ + "f";
  const UniqueFd fd(::open(f.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  ASSERT_EQ(::write(fd.get(), "first", 5), 5);
  ASSERT_EQ(::ftruncate(fd.get(), kMiB), 0);
  const View view(fd.get(), kMiB);
  ASSERT_EQ(::unlink(f.c_str()), 0);
  EXPECT_EQ(OpenErrno(f, O_RDONLY), ENOENT);
  EXPECT_EQ(Write(f, "second"), 0) << "a new file of that name";
  std::memcpy(view.data() + 100, "third", 5);
  view.Sync();
  ASSERT_EQ(::pwrite(fd.get(), "fourth", 6, 200), 6);
  char bytes[6] = {};
  ASSERT_EQ(::pread(fd.get(), bytes, 5, 100), 5);
  EXPECT_EQ(std::string_view(bytes, 5), "third");
  EXPECT_EQ(std::string_view(view.data(), 5), "first");
  EXPECT_EQ(std::string_view(view.data() + 200, 6), "fourth");
  struct stat info = {};
  ASSERT_EQ(::fstat(fd.get(), &info), 0);
  EXPECT_EQ(info.st_nlink, 0U);
  EXPECT_EQ(info.st_size, static_cast<off_t>(kMiB));
  EXPECT_EQ(rig::ReadWholeFile(f), "second");
}

TEST_P(TreeFilesTest, AFileThatIsMappedIsReplaced) {
  const std::string f = root_ + "f";
  ASSERT_EQ(Write(f, std::string(8192, 'a')), 0);
  const UniqueFd fd(::open(f.c_str(), O_RDWR | O_CLOEXEC));
  const View view(fd.get(), 8192);
  ASSERT_EQ(Write(root_ + "g", std::string(8192, 'b')), 0);
  ASSERT_EQ(::rename((root_ + "g").c_str(), f.c_str()), 0);
  EXPECT_EQ(view.data()[4097], 'a');
  view.data()[0] = 'c';
  view.Sync();
  EXPECT_EQ(rig::ReadWholeFile(f), std::string(8192, 'b'));
}

TEST_P(TreeFilesTest, AStoreIsSeenByItsTime) {
  const std::string f = root_ + "f";
  ASSERT_EQ(Write(f, "text"), 0);
  const timespec long_ago[2] = {{1000, 0}, {1000, 0}};
  const auto set_back = [&] {
    ASSERT_EQ(::utimensat(AT_FDCWD, f.c_str(), long_ago, 0), 0);
  };
  const auto mtime = [&f] {
    struct stat info = {};
    EXPECT_EQ(::stat(f.c_str(), &info), 0);
    return info.st_mtim.tv_sec;
  };
  set_back();
  EXPECT_EQ(mtime(), 1000);
  EXPECT_EQ(OpenErrno(f, O_RDWR), 0);
  EXPECT_EQ(mtime(), 1000) << "opened alone";
  {
    const UniqueFd fd(::open(f.c_str(), O_RDWR | O_CLOEXEC));
    ASSERT_EQ(::pwrite(fd.get(), "x", 1, 0), 1);
    EXPECT_GT(mtime(), 1000) << "before the close";
    ASSERT_EQ(::futimens(fd.get(), long_ago), 0);
  }
  EXPECT_EQ(mtime(), 1000) << "set after the store";
  {
    const UniqueFd fd(::open(f.c_str(), O_RDWR | O_CLOEXEC));
    const View view(fd.get(), 4);
    view.data()[0] = 'y';
    view.Sync();
  }
  EXPECT_GT(mtime(), 1000) << "stored through a mapping";
  set_back();
  EXPECT_EQ(mtime(), 1000);
}

TEST_P(TreeFilesTest, SpaceIsGivenAheadAndZeroed) {
  const std::string f = root_ + "f";
  const UniqueFd fd(::open(f.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  const auto allocate = [&fd](int mode, std::uint64_t at, std::uint64_t n) {
    return ErrnoOf(::fallocate(fd.get(), mode, static_cast<off_t>(at),
                               static_cast<off_t>(n)));
  };
  EXPECT_EQ(allocate(FALLOC_FL_KEEP_SIZE, 0, 10 * kMiB), 0);
  EXPECT_EQ(FileSize(f), 0);
  struct stat info = {};
  ASSERT_EQ(::fstat(fd.get(), &info), 0);
  EXPECT_EQ(info.st_blocks * 512, static_cast<off_t>(10 * kMiB));
  EXPECT_EQ(allocate(0, 0, 3 * kMiB), 0);
  EXPECT_EQ(FileSize(f), static_cast<std::int64_t>(3 * kMiB));
  const std::string noise = Noise(3 * kMiB);
  ASSERT_EQ(::pwrite(fd.get(), noise.data(), noise.size(), 0),
            static_cast<ssize_t>(noise.size()));
  EXPECT_EQ(allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100, kMiB), 0);
  EXPECT_EQ(allocate(FALLOC_FL_ZERO_RANGE, 3 * kMiB - 10, 20), 0);
  std::string expected = noise;
  expected.replace(100, kMiB, std::string(kMiB, '\0'));
  expected.replace(3 * kMiB - 10, 10, std::string(20, '\0'));
  EXPECT_TRUE(SameBytes(rig::ReadWholeFile(f), expected));
  EXPECT_EQ(allocate(FALLOC_FL_COLLAPSE_RANGE, 0, kMiB), EOPNOTSUPP);
  EXPECT_EQ(::lseek(fd.get(), 5, SEEK_DATA), 5);
  EXPECT_EQ(::lseek(fd.get(), 5, SEEK_HOLE), FileSize(f));
  EXPECT_EQ(ErrnoOf(::lseek(fd.get(), FileSize(f), SEEK_DATA)), ENXIO);
  EXPECT_EQ(allocate(FALLOC_FL_KEEP_SIZE, 0, 2 * kTreeCapacity), ENOSPC);
}

TEST_P(TreeFilesTest, AFullVolumeSaysSo) {
  AddTree("small", 4 * kMiB);
  const std::string d = mount_->path() + "/small/";
  EXPECT_EQ(Write(d + "a", std::string(3 * kMiB, 'a')), 0);
  EXPECT_EQ(Write(d + "b", "b"), ENOSPC);
  EXPECT_EQ(::unlink((d + "a").c_str()), 0);
}

TEST_P(TreeFilesTest, WhatOneMountClosedAnotherOpens) {
  const auto other = MountIt();
  ASSERT_NE(other, nullptr);
  const std::string there = other->path() + "/v/";
  EXPECT_EQ(FileSize(there + "f"), -1);
  const std::string noise = Noise(3 * kMiB);
  ASSERT_EQ(Write(root_ + "f", noise), 0);
  EXPECT_EQ(FileSize(there + "f"), static_cast<std::int64_t>(noise.size()));
  EXPECT_TRUE(SameBytes(rig::ReadWholeFile(there + "f"), noise));
  // A reader that has it open sees what is closed elsewhere when it looks.
  const UniqueFd reader(::open((there + "f").c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_EQ(Write(root_ + "f", "longer", O_APPEND), 0);
  EXPECT_EQ(FileSize(there + "f"), static_cast<std::int64_t>(noise.size() + 6));
  char bytes[7] = {};
  EXPECT_TRUE(rig::Eventually([&] {
    return ::pread(reader.get(), bytes, 6, static_cast<off_t>(noise.size())) ==
               6 &&
           std::string_view(bytes) == "longer";
  }));
  ASSERT_EQ(::rename((there + "f").c_str(), (there + "g").c_str()), 0);
  EXPECT_EQ(FileSize(root_ + "f"), -1);
  ASSERT_EQ(::truncate((there + "g").c_str(), 10), 0);
  EXPECT_EQ(FileSize(root_ + "g"), 10);
  EXPECT_TRUE(SameBytes(rig::ReadWholeFile(root_ + "g"), noise.substr(0, 10)));
}

TEST_P(TreeFilesTest, WhileTheOwnerIsAwayOnlyChangesWait) {
  ASSERT_EQ(Write(root_ + "f", "text"), 0);
  const UniqueFd fd(::open((root_ + "f").c_str(), O_RDWR | O_CLOEXEC));
  StopOwner();
  EXPECT_EQ(rig::ReadWholeFile(root_ + "f"), "text");
  EXPECT_EQ(::pwrite(fd.get(), "more than that", 14, 0), 14);
  EXPECT_EQ(FileSize(root_ + "f"), 14);
  std::vector<std::future<int>> made;
  for (int i = 0; i < 8; ++i) {  // more than there are threads
    made.push_back(std::async(std::launch::async, [this, i] {
      return Write(root_ + "n" + std::to_string(i), "new");
    }));
  }
  // A close waits for two seconds, and the owner hears of it later.
  const int copy = ::dup(fd.get());
  EXPECT_EQ(::close(copy), 0);
  EXPECT_EQ(rig::ReadWholeFile(root_ + "f"), "more than that");
  EXPECT_EQ(made[0].wait_for(std::chrono::milliseconds(100)),
            std::future_status::timeout);
  StartOwner();
  for (std::future<int>& one : made) EXPECT_EQ(one.get(), 0);
  EXPECT_EQ(::fsync(fd.get()), 0);
  const auto other = MountIt();
  ASSERT_NE(other, nullptr);
  EXPECT_EQ(rig::ReadWholeFile(other->path() + "/v/f"), "more than that");
  EXPECT_EQ(rig::ReadWholeFile(other->path() + "/v/n7"), "new");
}

TEST_P(TreeFilesTest, WhoWaitsForTheOwnerCanGiveUp) {
  StopOwner();
  const pid_t child = ::fork();
  if (child == 0) {
    ::mkdir((root_ + "d").c_str(), 0755);
    ::_exit(0);
  }
  ASSERT_GT(child, 0);
  ::kill(child, SIGKILL);
  EXPECT_TRUE(rig::WaitForExit(child));
  EXPECT_EQ(FileSize(root_ + "d"), -1);
  StartOwner();
}

TEST_P(TreeFilesTest, AServerThatEndsHasToldAll) {
  const std::string noise = Noise(kMiB);
  ASSERT_EQ(Write(root_ + "f", noise), 0);
  EXPECT_EQ(writer().Tree()->FindPath("v/f")->size, noise.size());
  mount_ = nullptr;  // killed
  mount_ = MountIt();
  ASSERT_NE(mount_, nullptr);
  EXPECT_TRUE(SameBytes(rig::ReadWholeFile(mount_->path() + "/v/f"), noise));
}

}  // namespace
}  // namespace famfs::itest
