// Several processes on one emulated device, and file systems with little room.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <filesystem>

#include "base/unique_fd.h"
#include "base/units.h"
#include "dax/emulated.h"
#include "dax/extent_files.h"
#include "tests/unit/base/status_matchers.h"
#include "tests/unit/base/temporary_directory.h"
#include "tests/unit/dax/dax_testing.h"

namespace famfs {
namespace {

/// Sees the names that appear in a directory from its construction on.
class CreationWatch {
 public:
  explicit CreationWatch(const std::string& directory)
      : fd_(::inotify_init1(IN_CLOEXEC)) {
    EXPECT_GE(::inotify_add_watch(fd_.get(), directory.c_str(), IN_CREATE), 0);
  }

  /// Until an extent's creation has begun; false after 60 s without one.
  [[nodiscard]] bool AwaitUnfinished() const {
    pollfd readable{.fd = fd_.get(), .events = POLLIN, .revents = 0};
    while (::poll(&readable, 1, 60'000) == 1) {
      alignas(inotify_event) char events[4096];
      const auto size = ::read(fd_.get(), events, sizeof(events));
      for (std::ptrdiff_t at = 0; at < size;) {
        const auto* event = reinterpret_cast<const inotify_event*>(events + at);
        if (event->len > 0 && IsUnfinishedExtentName(event->name)) return true;
        at += static_cast<std::ptrdiff_t>(sizeof(*event) + event->len);
      }
    }
    return false;
  }

 private:
  UniqueFd fd_;
};

using absl::StatusCode;
using testing::AsBytes;
using ::testing::ElementsAre;
using testing::HasError;
using testing::Holds;
using ::testing::IsEmpty;
using testing::IsOk;
using testing::MakeEmulated;
using testing::MountPrivately;
using testing::Process;
using testing::SomeTag;
using testing::TemporaryDirectory;
using testing::TextAt;

TEST(EmulatedProcessesTest, StoresOfOneProcessAreSeenByTheOther) {
  const TemporaryDirectory directory;
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto device, MakeEmulated(directory.path()));
  ASSERT_THAT(device->CreateExtent({2 * kMiB, 2 * kMiB}), IsOk());
  FAMFS_ASSERT_OK_AND_ASSIGN(
      const auto mapping, device->Map(2 * kMiB, 2 * kMiB, Access::kReadWrite));

  Process other([&directory](Process::Peer& parent) {
    const auto own =
        OpenDevice("emulated:" + directory.path(), Access::kReadWrite);
    if (!own.ok()) return 2;
    auto view = (*own)->Map(2 * kMiB, 2 * kMiB, Access::kReadWrite);
    if (!view.ok()) return 3;
    if (!parent.Await()) return 4;
    (*view)->Invalidate(0, 64);
    if (TextAt(**view, 0, 8) != "question") return 5;
    (*view)->Store(kMiB, AsBytes("answer"));
    (*view)->Store16(kMiB + 64, 42, 43);
    (*view)->WriteBack(kMiB, 128);
    return parent.Tell() ? 0 : 6;
  });
  mapping->Store(0, AsBytes("question"));
  mapping->WriteBack(0, 8);
  ASSERT_TRUE(other.peer().Tell());
  ASSERT_TRUE(other.peer().Await());
  mapping->Invalidate(kMiB, 128);
  EXPECT_EQ(TextAt(*mapping, kMiB, 6), "answer");
  std::uint64_t words[2];
  std::memcpy(words, mapping->data() + kMiB + 64, sizeof(words));
  EXPECT_THAT(words, ElementsAre(42U, 43U));
  EXPECT_EQ(other.Wait(), 0);
}

TEST(EmulatedProcessesTest, A16ByteStoreIsNeverSeenInHalves) {
  const TemporaryDirectory directory;
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto device, MakeEmulated(directory.path()));
  ASSERT_THAT(device->CreateExtent({0, 2 * kMiB}), IsOk());
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto mapping,
                             device->Map(0, 2 * kMiB, Access::kReadWrite));
  Process writer([&directory](Process::Peer& parent) {
    const auto own = OpenEmulatedDevice(directory.path(), Access::kReadWrite);
    if (!own.ok()) return 2;
    auto view = (*own)->Map(0, 2 * kMiB, Access::kReadWrite);
    if (!view.ok()) return 3;
    for (std::uint64_t i = 1; !parent.Told(); ++i) {
      for (int burst = 0; burst < 1000; ++burst) (*view)->Store16(0, i, i);
    }
    return 0;
  });
  int torn = 0;
  std::uint64_t highest = 0;
  // Until enough distinct values went by for a tear to have shown.
  for (std::uint64_t distinct = 0; distinct < 300;) {
    std::uint64_t words[2];
    asm volatile(
        "movdqa %1, %%xmm0\n\tmovdqu %%xmm0, %0"
        : "=m"(words)
        : "m"(*reinterpret_cast<const std::uint64_t(*)[2]>(mapping->data()))
        : "xmm0", "memory");
    if (words[0] != words[1]) ++torn;
    if (words[0] > highest) ++distinct;
    highest = std::max(highest, words[0]);
  }
  EXPECT_EQ(torn, 0);
  ASSERT_TRUE(writer.peer().Tell());
  EXPECT_EQ(writer.Wait(), 0);
}

TEST(EmulatedProcessesTest, NobodySeesAnExtentThatIsNotComplete) {
  const TemporaryDirectory directory;
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto device, MakeEmulated(directory.path()));
  Process watcher([&directory](Process::Peer& parent) {
    const auto own = OpenEmulatedDevice(directory.path(), Access::kRead);
    if (!own.ok()) return 2;
    bool told = false;
    while (!parent.Told()) {
      const auto malformed = (*own)->MalformedExtents();
      if (!malformed.ok() || !malformed->empty()) return 3;
      const auto extents = (*own)->ListExtents();
      if (!extents.ok()) return 4;
      for (const Range& range : *extents) {
        if (range != Range{2 * kMiB, 32 * kMiB}) return 5;
        struct stat info {};
        if (::stat((directory.path() + "/extents/200000").c_str(), &info) ==
                0 &&
            static_cast<std::uint64_t>(info.st_blocks) * 512 != 32 * kMiB) {
          return 6;
        }
      }
      if (!told && !parent.Tell()) return 7;
      told = true;
    }
    return 0;
  });
  ASSERT_TRUE(watcher.peer().Await());
  for (int i = 0; i < 20; ++i) {
    ASSERT_THAT(device->CreateExtent({2 * kMiB, 32 * kMiB}), IsOk());
    ASSERT_THAT(device->RemoveExtent(2 * kMiB), IsOk());
  }
  ASSERT_TRUE(watcher.peer().Tell());
  EXPECT_EQ(watcher.Wait(), 0);
}

TEST(EmulatedProcessesTest, AKilledCreatorLeavesOnlyWhatCleanUpRemoves) {
  const TemporaryDirectory directory;
  const std::string extents = directory.path() + "/extents";
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto device,
                             MakeEmulated(directory.path(), Access::kReadWrite,
                                          {.size = kGiB, .tag = SomeTag()}));
  bool left = false;
  for (int attempt = 0; attempt < 50 && !left; ++attempt) {
    const CreationWatch watch(extents);
    Process creator([&directory](Process::Peer& parent) {
      const auto own = OpenEmulatedDevice(directory.path(), Access::kReadWrite);
      if (!own.ok() || !parent.Tell()) return 2;
      while (!parent.Told()) {
        if (!(*own)->CreateExtent({0, 256 * kMiB}).ok()) return 3;
        if (!(*own)->RemoveExtent(0).ok()) return 4;
      }
      return 0;
    });
    ASSERT_TRUE(creator.peer().Await());
    // A kill right away could come before the first creation, every time.
    ASSERT_TRUE(watch.AwaitUnfinished());
    creator.Kill();
    EXPECT_EQ(creator.Wait(), 128 + SIGKILL);
    FAMFS_ASSERT_OK_AND_ASSIGN(const auto names, ListDirectory(extents));
    left = std::any_of(names.begin(), names.end(), IsUnfinishedExtentName);
    FAMFS_ASSERT_OK_AND_ASSIGN(const auto malformed,
                               device->MalformedExtents());
    EXPECT_THAT(malformed, IsEmpty());
    FAMFS_ASSERT_OK_AND_ASSIGN(const auto listed, device->ListExtents());
    for (const Range& range : listed) {
      EXPECT_EQ(range, (Range{0, 256 * kMiB}));
    }
    ASSERT_THAT(device->RemoveExtent(0), IsOk());
  }
  ASSERT_TRUE(left) << "no kill hit a creation";
  // The offset is usable whether or not somebody has cleaned up.
  EXPECT_THAT(device->CreateExtent({0, 2 * kMiB}), IsOk());
  ASSERT_THAT(device->CleanUp(), IsOk());
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto names, ListDirectory(extents));
  EXPECT_THAT(names, ElementsAre("0"));
}

TEST(EmulatedProcessesTest, AFullFileSystemIsSaidAndLeavesNothing) {
  const TemporaryDirectory directory;
  const std::string missing =
      MountPrivately("tmpfs", directory.path(), "size=16M");
  if (!missing.empty()) GTEST_SKIP() << missing;
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto device, MakeEmulated(directory.path()));
  ASSERT_THAT(device->CreateExtent({0, 4 * kMiB}), IsOk());
  const auto free_blocks = [&directory] {
    struct statfs info {};
    EXPECT_EQ(::statfs(directory.path().c_str(), &info), 0);
    return info.f_bfree;
  };
  const auto before = free_blocks();
  EXPECT_THAT(
      device->CreateExtent({8 * kMiB, 32 * kMiB}),
      HasError(StatusCode::kResourceExhausted, "no room for 32.00 MiB"));
  EXPECT_EQ(free_blocks(), before);
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto names,
                             ListDirectory(directory.path() + "/extents"));
  EXPECT_THAT(names, ElementsAre("0"));
  EXPECT_THAT(device->CreateExtent({8 * kMiB, 8 * kMiB}), IsOk());
}

TEST(EmulatedProcessesTest, AFileSystemWithoutAllocationIsRefused) {
  const TemporaryDirectory directory;
  const std::string missing = MountPrivately("ramfs", directory.path(), "");
  if (!missing.empty()) GTEST_SKIP() << missing;
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto device, MakeEmulated(directory.path()));
  EXPECT_THAT(device->CreateExtent({0, 2 * kMiB}),
              HasError(StatusCode::kUnimplemented, "put the device on tmpfs"));
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto names,
                             ListDirectory(directory.path() + "/extents"));
  EXPECT_THAT(names, IsEmpty());
}

TEST(EmulatedProcessesTest, AReadOnlyFileSystemCannotBeOpenedForWriting) {
  const TemporaryDirectory directory;
  std::string missing = MountPrivately("tmpfs", directory.path(), "size=16M");
  if (!missing.empty()) GTEST_SKIP() << missing;
  ASSERT_THAT(MakeEmulated(directory.path()), IsOk());
  missing = testing::RemountReadOnly(directory.path());
  if (!missing.empty()) GTEST_SKIP() << missing;
  EXPECT_THAT(OpenEmulatedDevice(directory.path(), Access::kReadWrite),
              HasError(StatusCode::kPermissionDenied, directory.path()));
  EXPECT_THAT(OpenEmulatedDevice(directory.path(), Access::kRead), IsOk());
}

}  // namespace
}  // namespace famfs
