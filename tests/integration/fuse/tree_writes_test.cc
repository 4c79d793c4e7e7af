// Writes to files in tree volumes that meet other changes, through real mounts.
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <future>
#include <memory>
#include <random>
#include <thread>

#include "tests/integration/fuse/tree_fixture.h"

namespace famfs::itest {
namespace {

using TreeWritesTest = TreeFuseTest;

INSTANTIATE_TEST_SUITE_P(Paths, TreeWritesTest,
                         ::testing::Values("passthrough", "copied", "copy"),
                         NameOfPath);

/// Bytes that O_DIRECT takes.
class Aligned {
 public:
  explicit Aligned(std::size_t size)
      : size_(size),
        bytes_(static_cast<char*>(std::aligned_alloc(4096, size))) {
    std::mt19937_64 random(11);
    for (std::size_t i = 0; i < size; ++i) {
      bytes_[i] = static_cast<char>(random());
    }
  }
  ~Aligned() { std::free(bytes_); }
  Aligned(const Aligned&) = delete;
  Aligned& operator=(const Aligned&) = delete;
  [[nodiscard]] std::string_view text() const { return {bytes_, size_}; }

 private:
  std::size_t size_;
  char* bytes_;
};

/// Not the bytes: nobody reads megabytes of what differs.
bool Holds(const std::string& path, std::string_view bytes) {
  return rig::ReadWholeFile(path) == bytes;
}

TEST_P(TreeWritesTest, ALargeDirectWriteIsWholeAlthoughItsPartsComeAtOnce) {
  const Aligned noise(24 * kMiB);
  for (int i = 0; i < 6; ++i) {
    const std::string f = root_ + std::to_string(i);
    const UniqueFd fd(
        ::open(f.c_str(), O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0644));
    ASSERT_TRUE(fd.valid());
    // With the room that it needs, no part waits for another one.
    ASSERT_EQ(::fallocate(fd.get(), FALLOC_FL_KEEP_SIZE, 0, 24 * kMiB), 0);
    ASSERT_EQ(::write(fd.get(), noise.text().data(), noise.text().size()),
              static_cast<ssize_t>(noise.text().size()));
    ASSERT_TRUE(Holds(f, noise.text())) << i;
    ASSERT_EQ(::unlink(f.c_str()), 0);
  }
}

TEST_P(TreeWritesTest, DirectWritesOfManyThreadsKeepEachOther) {
  constexpr std::size_t kPart = 256 * 1024;
  constexpr std::size_t kThreads = 8;
  const Aligned noise(16 * kMiB);
  const std::string f = root_ + "f";
  const UniqueFd fd(
      ::open(f.c_str(), O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0644));
  ASSERT_TRUE(fd.valid());
  std::vector<std::thread> threads;
  for (std::size_t mine = 0; mine < kThreads; ++mine) {
    threads.emplace_back([&, mine] {
      for (std::size_t at = mine * kPart; at < noise.text().size();
           at += kThreads * kPart) {
        EXPECT_EQ(::pwrite(fd.get(), noise.text().data() + at, kPart,
                           static_cast<off_t>(at)),
                  static_cast<ssize_t>(kPart));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(Holds(f, noise.text()));
}

TEST_P(TreeWritesTest, AnOpenThatTruncatesCutsWhatNobodyWasToldOf) {
  const std::string f = root_ + "f";
  const UniqueFd fd(::open(f.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  ASSERT_EQ(::write(fd.get(), "never settled", 13), 13);
  for (const int access : {O_WRONLY, O_RDONLY}) {
    ASSERT_EQ(OpenErrno(f, access | O_TRUNC), 0);
    EXPECT_EQ(FileSize(f), 0);
    ASSERT_EQ(::pwrite(fd.get(), "x", 1, 4), 1);
    EXPECT_EQ(rig::ReadWholeFile(f), std::string("\0\0\0\0x", 5));
  }
}

TEST_P(TreeWritesTest, PagesThatComeAfterACutMakeNoFileLonger) {
  const auto other = MountIt();
  ASSERT_NE(other, nullptr);
  const std::string there = other->path() + "/v/f";
  const std::string f = root_ + "f";
  ASSERT_EQ(Write(f, std::string(2 * kMiB, 'a')), 0);
  {
    const UniqueFd fd(::open(f.c_str(), O_RDWR | O_CLOEXEC));
    void* const view = ::mmap(nullptr, 2 * kMiB, PROT_READ | PROT_WRITE,
                              MAP_SHARED, fd.get(), 0);
    ASSERT_NE(view, MAP_FAILED);
    static_cast<char*>(view)[kMiB] = 'x';
    ASSERT_EQ(::truncate(there.c_str(), 10), 0);
    EXPECT_EQ(FileSize(root_ + "none"), -1) << "the log was looked at";
    ::msync(view, 2 * kMiB, MS_SYNC);
    ::munmap(view, 2 * kMiB);
  }
  EXPECT_EQ(FileSize(there), 10);
  EXPECT_EQ(FileSize(f), 10);
}

TEST_P(TreeWritesTest, AHoleOfManyMegabytesIsZero) {
  const std::string f = root_ + "f";
  const UniqueFd fd(::open(f.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  ASSERT_EQ(::pwrite(fd.get(), "end", 3, 60 * kMiB), 3);
  std::string expected(60 * kMiB, '\0');
  expected.append("end");
  EXPECT_TRUE(Holds(f, expected));
  ASSERT_EQ(::fallocate(fd.get(), 0, 0, 100 * kMiB), 0);
  expected.resize(100 * kMiB);
  EXPECT_TRUE(Holds(f, expected));
  ASSERT_EQ(::pwrite(fd.get(), "more", 4, kMiB), 4);
  ASSERT_EQ(::fallocate(fd.get(), FALLOC_FL_ZERO_RANGE, 0, 110 * kMiB), 0);
  expected.assign(110 * kMiB, '\0');
  EXPECT_TRUE(Holds(f, expected));
}

TEST_P(TreeWritesTest, WhatAnotherMountMadeMeanwhileIsOpenedByItsOwnRules) {
  const auto other = MountIt();
  ASSERT_NE(other, nullptr);
  const std::string there = other->path() + "/v/";
  for (const bool allowed : {false, true}) {
    const std::string name = allowed ? "open" : "closed";
    StopOwner();
    // Its kernel has looked and found nothing; its creation waits.
    auto opened = std::async(std::launch::async, [&] {
      return RunAs(1000, [&] {
        return OpenErrno(there + name, O_RDWR | O_CREAT | O_TRUNC);
      });
    });
    ASSERT_TRUE(rig::Eventually([&] { return IsAsked(name); }));
    TreeRequest create;
    create.volume = "v";
    create.name = name;
    create.mode = allowed ? 0666 : 0600;
    ASSERT_EQ(writer().ChangeTree(create, {}).error, 0);
    StartOwner();
    EXPECT_EQ(opened.get(), allowed ? 0 : EACCES);
  }
}

}  // namespace
}  // namespace famfs::itest
