// Two nodes, one memory.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/fuse/fixture.h"

namespace famfs::itest {
namespace {

TEST_F(PassthroughTest, TwoMountsInTwoNamespacesSeeEachOthersStores) {
  AddVolume("v", "pvc-1");
  const auto a = rig::MountNamespace::Create();
  const auto b = rig::MountNamespace::Create();
  ASSERT_TRUE(a.ok() && b.ok());
  const auto on_a = MountIt({.data_path = "passthrough", .host = &*a});
  const auto on_b = MountIt({.data_path = "passthrough", .host = &*b});
  ASSERT_TRUE(on_a && on_b);
  // Each mount is seen by its own host alone.
  EXPECT_EQ(FileSize(on_a->path() + "/v/data"), -1);
  std::unique_ptr<Mapped> at_a;
  std::unique_ptr<Mapped> at_b;
  a->Run([&] {
    at_a = std::make_unique<Mapped>(on_a->path() + "/v/data", O_RDWR);
  });
  b->Run([&] {
    at_b = std::make_unique<Mapped>(on_b->path() + "/v/data", O_RDWR);
  });
  ASSERT_TRUE(at_a->ok() && at_b->ok());
  at_a->Store(0, "from a");
  EXPECT_EQ(at_b->Text(0, 6), "from a");
  at_b->Store(kVolumeSize - 6, "from b");
  EXPECT_EQ(at_a->Text(kVolumeSize - 6, 6), "from b");
  // The same word, not a copy of it.
  auto* const word_a = reinterpret_cast<std::atomic<int>*>(at_a->data() + 64);
  auto* const word_b = reinterpret_cast<std::atomic<int>*>(at_b->data() + 64);
  int expected = 0;
  EXPECT_TRUE(word_a->compare_exchange_strong(expected, 7));
  EXPECT_FALSE(word_b->compare_exchange_strong(expected = 0, 9));
  EXPECT_EQ(expected, 7);
}

TEST_F(PassthroughTest, WritesAndMappingsOfAllHandlesMeetInOnePage) {
  AddVolume("v", "pvc-1");
  const auto mount = MountIt({.data_path = "passthrough"});
  ASSERT_TRUE(mount);
  const std::string file = mount->path() + "/v/data";
  const Mapped mapped(file, O_RDWR);
  const Mapped read_only(file, O_RDONLY);
  ASSERT_TRUE(mapped.ok() && read_only.ok());
  ASSERT_EQ(::pwrite(mapped.fd(), "written", 7, 4096), 7);
  EXPECT_EQ(mapped.Text(4096, 7), "written");
  EXPECT_EQ(read_only.Text(4096, 7), "written");
  mapped.Store(8192, "stored");
  char bytes[6] = {};
  ASSERT_EQ(::pread(read_only.fd(), bytes, 6, 8192), 6);
  EXPECT_EQ(std::string_view(bytes, 6), "stored");
  ASSERT_EQ(::pread(mapped.fd(), bytes, 6, 8192), 6);
  EXPECT_EQ(std::string_view(bytes, 6), "stored");
}

TEST_F(PassthroughTest, TheWholeMappingIsOfHugePagesWhereRawTmpfsIs) {
  AddVolume("v", "pvc-1");
  const auto mount = MountIt({.data_path = "passthrough"});
  ASSERT_TRUE(mount);
  const std::string raw_file = memory_ / "raw";
  {
    const UniqueFd fd(::open(raw_file.c_str(), O_RDWR | O_CREAT, 0600));
    ASSERT_EQ(::fallocate(fd.get(), 0, 0, kVolumeSize), 0);
  }
  const Mapped raw(raw_file, O_RDWR);
  const Mapped ours(mount->path() + "/v/data", O_RDWR);
  ASSERT_TRUE(raw.ok() && ours.ok());
  for (std::size_t at = 0; at < kVolumeSize; at += 4096) {
    raw.Store(at, "x");
    ours.Store(at, "x");
  }
  if (raw.PmdMapped() != kVolumeSize) {
    GTEST_SKIP() << "raw tmpfs (huge=always) is not mapped by huge pages on "
                    "this machine: "
                 << raw.PmdMapped() << " of " << kVolumeSize << " bytes";
  }
  EXPECT_EQ(ours.PmdMapped(), kVolumeSize);
}

TEST_F(PassthroughTest, AFileThatEndsInsideItsExtentEndsThereForRead) {
  const absl::Status made = writer().CreateFile("small", 1000, {0, 0, 0644});
  ASSERT_TRUE(made.ok()) << made;
  const auto mount = MountIt({.data_path = "passthrough"});
  ASSERT_TRUE(mount);
  EXPECT_EQ(rig::ReadWholeFile(mount->path() + "/small").size(), 1000U);
}

TEST_P(EachPathTest, ManyOpensOfOneFileAtOnceShareItsBackingFile) {
  AddVolume("v", "pvc-1");
  const auto mount = MountIt();
  ASSERT_TRUE(mount);
  const std::string file = mount->path() + "/v/data";
  constexpr int kThreads = 8;
  std::atomic<int> failures = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 300; ++round) {
        if (OpenErrno(file, round % 2 == 0 ? O_RDWR : O_RDONLY) != 0) {
          ++failures;
        }
        const UniqueFd fd(::open(file.c_str(), O_RDWR | O_CLOEXEC));
        char byte = 0;
        if (::pwrite(fd.get(), &i, 1, i) != 1 ||
            ::pread(fd.get(), &byte, 1, i) != 1 || byte != i) {
          ++failures;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
}

TEST_P(EachPathTest, TheDataPathIsLoggedAndAnAttributeOfFilesAndDirectories) {
  AddVolume("v", "pvc-1");
  const auto mount = MountIt();
  ASSERT_TRUE(mount);
  EXPECT_NE(
      mount->server().output().find(std::string("data path ") + GetParam()),
      std::string::npos);
  for (const char* name : {"", "/v", "/v/data"}) {
    EXPECT_EQ(DataPathOf(mount->path() + name), GetParam()) << name;
  }
}

TEST_P(EachPathTest, NewEntriesAppearWithoutARemount) {
  const auto mount = MountIt();
  ASSERT_TRUE(mount);
  const std::string file = mount->path() + "/v/data";
  EXPECT_EQ(FileSize(file), -1);  // and the kernel must not remember that
  AddVolume("v", "pvc-1");
  EXPECT_EQ(FileSize(file), static_cast<std::int64_t>(kVolumeSize));
  AddVolume("w", "pvc-2");
  std::set<std::string> names;
  DIR* const directory = ::opendir(mount->path().c_str());
  ASSERT_NE(directory, nullptr);
  while (const dirent* entry = ::readdir(directory))
    names.insert(entry->d_name);
  ::closedir(directory);
  EXPECT_EQ(names, (std::set<std::string>{".", "..", ".meta", "v", "w"}));
}

TEST_P(EachPathTest, AVolumeHasItsOwnStatfsAndTheRootThePools) {
  AddVolume("v", "pvc-1");
  const auto mount = MountIt();
  ASSERT_TRUE(mount);
  struct statvfs volume = {};
  struct statvfs pool = {};
  ASSERT_EQ(::statvfs((mount->path() + "/v/data").c_str(), &volume), 0);
  ASSERT_EQ(::statvfs(mount->path().c_str(), &pool), 0);
  EXPECT_EQ(volume.f_blocks * volume.f_frsize, kVolumeSize);
  EXPECT_EQ(volume.f_bavail * volume.f_frsize, kVolumeSize);
  EXPECT_EQ(pool.f_blocks * pool.f_frsize, 8 * kGiB);
  auto device = device_->Open(Access::kRead);
  ASSERT_TRUE(device.ok()) << device.status();
  const auto reader = Reader::Open(*std::move(device));
  ASSERT_TRUE(reader.ok()) << reader.status();
  const PoolFigures figures = (*reader)->Figures();
  EXPECT_EQ(pool.f_bavail * pool.f_frsize, figures.free - figures.unbacked);
}

TEST_P(EachPathTest, TenThousandEntriesAreListedOnceEach) {
  constexpr int kEntries = 10'000;
  for (int i = 0; i < kEntries; ++i) {
    const absl::Status made =
        writer().Mkdir(fmt::format("directory-{}", i), {0, 0, 0755});
    ASSERT_TRUE(made.ok()) << made;
  }
  const auto mount = MountIt();
  ASSERT_TRUE(mount);
  DIR* const directory = ::opendir(mount->path().c_str());
  ASSERT_NE(directory, nullptr);
  for (const int round : {1, 2}) {
    std::set<std::string> names;
    int listed = 0;
    while (const dirent* entry = ::readdir(directory)) {
      names.insert(entry->d_name);
      ++listed;
    }
    EXPECT_EQ(listed, kEntries + 3) << "round " << round;
    EXPECT_EQ(names.size(), static_cast<std::size_t>(listed));
    ::rewinddir(directory);
  }
  ::closedir(directory);
}

TEST_F(FuseTest, WhatOneCopyMountWroteAnotherReadsAfterOpeningAgain) {
  AddVolume("v", "pvc-1");
  const auto a = MountIt({.data_path = "copy"});
  const auto b = MountIt({.data_path = "copy"});
  ASSERT_TRUE(a && b);
  {
    const Mapped before(b->path() + "/v/data", O_RDONLY);
    ASSERT_TRUE(before.ok());
    EXPECT_EQ(before.Text(0, 1), std::string_view("\0", 1));
  }
  {
    const Mapped writing(a->path() + "/v/data", O_RDWR);
    ASSERT_TRUE(writing.ok());
    writing.Store(0, "stored");
    ASSERT_EQ(::pwrite(writing.fd(), "written", 7, kVolumeSize - 7), 7);
  }  // munmap and close send what is dirty
  const Mapped after(b->path() + "/v/data", O_RDONLY);
  ASSERT_TRUE(after.ok());
  EXPECT_EQ(after.Text(0, 6), "stored");
  EXPECT_EQ(after.Text(kVolumeSize - 7, 7), "written");
}

INSTANTIATE_TEST_SUITE_P(Paths, EachPathTest,
                         ::testing::Values("passthrough", "copy"),
                         [](const auto& path) {
                           return std::string(path.param);
                         });

}  // namespace
}  // namespace famfs::itest
