// Files that grow, on an emulated device.
#include "dax/node_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/units.h"
#include "dax/emulated.h"
#include "dax/extent_files.h"
#include "dax/extent_pin.h"
#include "tests/unit/base/status_matchers.h"
#include "tests/unit/base/temporary_directory.h"
#include "tests/unit/dax/dax_testing.h"

namespace famfs {
namespace {

using absl::StatusCode;
using ::testing::ElementsAre;
using testing::HasError;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::IsOk;
using testing::MakeEmulated;
using testing::MountPrivately;
using testing::SomeTag;
using testing::TemporaryDirectory;

using NodeFile = DaxDevice::NodeFile;

constexpr const char* kName = "volume.00000000000000a1";
constexpr const char* kOther = "volume.00000000000000a2";
constexpr std::size_t kMapped = 4 * kMiB;

/// A mapping of a file for storing, as FUSE makes one of a program's.
class Pages {
 public:
  explicit Pages(int fd)
      : base_(::mmap(nullptr, kMapped, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                     0)) {
    EXPECT_NE(base_, MAP_FAILED);
  }
  ~Pages() { ::munmap(base_, kMapped); }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;
  [[nodiscard]] char* bytes() const { return static_cast<char*>(base_); }
  /// 0, or the errno of giving pages back.
  [[nodiscard]] int GiveBack(std::size_t length) const {
    return ::madvise(base_, length, MADV_REMOVE) == 0 ? 0 : errno;
  }

 private:
  void* base_;
};

class NodeFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    FAMFS_ASSERT_OK_AND_ASSIGN(device_, MakeEmulated(directory_.path()));
  }

  std::string File(const std::string& name = kName) const {
    return directory_.path() + "/files/" + name;
  }
  NodeFile Look(const std::string& name = kName) const {
    struct stat info {};
    EXPECT_EQ(::lstat(File(name).c_str(), &info), 0);
    return {name, static_cast<std::uint64_t>(info.st_size),
            static_cast<std::uint64_t>(info.st_blocks) * 512};
  }
  UniqueFd Create(const std::string& name = kName) {
    EXPECT_THAT(device_->CreateNodeFile(name), IsOk());
    return OpenIt(name);
  }
  UniqueFd OpenIt(const std::string& name = kName) {
    auto fd = device_->OpenNodeFile(name, Access::kReadWrite);
    EXPECT_THAT(fd, IsOk());
    return fd.ok() ? *std::move(fd) : UniqueFd();
  }
  bool EndServing(const std::string& name = kName) {
    const auto over = device_->EndServingNodeFile(name);
    EXPECT_THAT(over, IsOk());
    return over.ok() && *over;
  }
  std::uint64_t Lacking(std::uint64_t allocated) {
    const auto lacking = device_->NodeFileLacking(kName, allocated);
    EXPECT_THAT(lacking, IsOk());
    return lacking.value_or(~std::uint64_t{0});
  }
  /// Whether the machine can forbid giving memory back; the file is served.
  static bool CanPin(const std::string& path) {
    return IsPinned(path).value_or(false);
  }

  const TemporaryDirectory directory_;
  std::unique_ptr<DaxDevice> device_;
};

TEST(NodeFileNameTest, IsTextADotAndSixteenDigits) {
  const std::string digits = ".0123456789abcdef";
  EXPECT_TRUE(IsNodeFileName("v" + digits));
  EXPECT_TRUE(IsNodeFileName("some.volume-1" + digits));
  EXPECT_TRUE(IsNodeFileName("name with \n and \xff" + digits));
  EXPECT_TRUE(IsNodeFileName(std::string(103, 'v') + digits));
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), digits,
        "." + digits, ".v" + digits, "a/b" + digits, "/v" + digits,
        "../v" + digits, "v/" + digits, std::string("v\0w", 3) + digits,
        std::string(104, 'v') + digits, std::string("v0123456789abcdef"),
        std::string("v.0123456789ABCDEF"), std::string("v.123456789abcdef"),
        std::string("v.0123456789abcdeg"), "v" + digits + ".tmp",
        std::string("README")}) {
    EXPECT_FALSE(IsNodeFileName(name)) << name;
  }
}

TEST_F(NodeFilesTest, OneIsMadeEmptyAndOnce) {
  ASSERT_TRUE(device_->capabilities().has_node_files);
  ASSERT_THAT(device_->CreateNodeFile(kName), IsOk());
  struct stat info {};
  ASSERT_EQ(::stat(File().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600U);
  EXPECT_EQ(Look(), (NodeFile{kName, 0, 0}));
  EXPECT_THAT(device_->CreateNodeFile(kName),
              HasError(StatusCode::kAlreadyExists, File()));
  const UniqueFd fd = OpenIt();
  EXPECT_EQ(::fcntl(fd.get(), F_GETFL) & (O_ACCMODE | O_APPEND), O_RDWR);
  FAMFS_ASSERT_OK_AND_ASSIGN(const UniqueFd reading,
                             device_->OpenNodeFile(kName, Access::kRead));
  EXPECT_EQ(::fcntl(reading.get(), F_GETFL) & O_ACCMODE, O_RDONLY);
  ASSERT_EQ(::pwrite(fd.get(), "byte", 4, 3 * kMiB), 4);
  char text[4];
  ASSERT_EQ(::pread(reading.get(), text, 4, 3 * kMiB), 4);
  EXPECT_EQ(std::string(text, 4), "byte");
  EXPECT_EQ(Look().size, 3 * kMiB + 4);
}

TEST_F(NodeFilesTest, ADeviceOfAnOlderReleaseGetsItsDirectory) {
  const std::string files = directory_.path() + "/files";
  ASSERT_TRUE(std::filesystem::remove(files));
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto none, device_->ListNodeFiles());
  EXPECT_THAT(none, IsEmpty());
  EXPECT_THAT(device_->ListMedia(), IsOk());
  EXPECT_THAT(device_->MalformedExtents(), IsOk());
  EXPECT_THAT(device_->CleanUp(), IsOk());
  EXPECT_THAT(device_->RemoveNodeFile(kName), IsOk());
  EXPECT_TRUE(EndServing());
  EXPECT_THAT(device_->OpenNodeFile(kName, Access::kRead),
              HasError(StatusCode::kNotFound, File()));
  const mode_t before = ::umask(0077);
  const absl::Status created = device_->CreateNodeFile(kName);
  ::umask(before);
  ASSERT_THAT(created, IsOk());
  struct stat info {};
  ASSERT_EQ(::stat(files.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0755U);
}

TEST_F(NodeFilesTest, OfManyWhoMakeOneInANewDirectoryOneWins) {
  for (int round = 0; round < 50; ++round) {
    std::filesystem::remove_all(directory_.path() + "/files");
    std::atomic<int> winners = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        const absl::Status created = device_->CreateNodeFile(kName);
        if (created.ok()) {
          ++winners;
        } else {
          EXPECT_THAT(created, HasError(StatusCode::kAlreadyExists, File()));
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    ASSERT_EQ(winners, 1);
  }
}

TEST_F(NodeFilesTest, HostileNamesReachNothing) {
  std::ofstream(directory_.path() + "/secret.0123456789abcdef") << "secret";
  for (const std::string name :
       {"", ".", "..", "../secret.0123456789abcdef", "/etc/passwd",
        "../extents/0", "../device.yaml", ".v.0123456789abcdef"}) {
    const auto refused = HasError(StatusCode::kInvalidArgument, "no name of");
    EXPECT_THAT(device_->CreateNodeFile(name), refused) << name;
    EXPECT_THAT(device_->OpenNodeFile(name, Access::kRead), refused) << name;
    EXPECT_THAT(device_->EndServingNodeFile(name), refused) << name;
    EXPECT_THAT(device_->AllocateNodeFile(name, {0, kMiB}), refused) << name;
    EXPECT_THAT(device_->ResizeNodeFile(name, 0, 0), refused) << name;
    EXPECT_THAT(device_->TrimNodeFile(name, 0), refused) << name;
    EXPECT_THAT(device_->RemoveNodeFile(name), refused) << name;
    EXPECT_THAT(device_->NodeFileLacking(name, 0), refused) << name;
  }
  EXPECT_EQ(std::filesystem::file_size(directory_.path() +
                                       "/secret.0123456789abcdef"),
            6U);
}

TEST_F(NodeFilesTest, WhatIsNoRegularFileIsToldAndNeverFollowed) {
  const std::string target = directory_.path() + "/target";
  std::ofstream(target) << "target";
  std::filesystem::create_symlink(target, File());
  std::filesystem::create_directory(File(kOther));
  const std::string fifo = "volume.00000000000000a3";
  ASSERT_EQ(::mkfifo(File(fifo).c_str(), 0600), 0);
  for (const std::string& name :
       {std::string(kName), std::string(kOther), fifo}) {
    const auto refused =
        HasError(StatusCode::kDataLoss, File(name) + ": is not a regular file");
    EXPECT_THAT(device_->OpenNodeFile(name, Access::kRead), refused);
    EXPECT_THAT(device_->OpenNodeFile(name, Access::kReadWrite), refused);
    EXPECT_THAT(device_->AllocateNodeFile(name, {0, kMiB}), refused);
    EXPECT_THAT(device_->ResizeNodeFile(name, 0, 0), refused);
    EXPECT_THAT(device_->TrimNodeFile(name, 0), refused);
    EXPECT_THAT(device_->NodeFileLacking(name, 1), refused);
    EXPECT_THAT(device_->CreateNodeFile(name),
                HasError(StatusCode::kAlreadyExists, File(name)));
  }
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto files, device_->ListNodeFiles());
  EXPECT_THAT(files, IsEmpty());
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto malformed, device_->MalformedExtents());
  EXPECT_THAT(malformed, ElementsAre(HasSubstr(File()), HasSubstr(File(kOther)),
                                     HasSubstr(File(fifo))));
  EXPECT_THAT(device_->RemoveNodeFile(kName), IsOk());
  EXPECT_EQ(std::filesystem::file_size(target), 6U);
  // One that points nowhere makes nothing there.
  std::filesystem::create_symlink(directory_.path() + "/nowhere", File());
  EXPECT_THAT(device_->CreateNodeFile(kName),
              HasError(StatusCode::kAlreadyExists, File()));
  EXPECT_FALSE(std::filesystem::exists(directory_.path() + "/nowhere"));
}

TEST_F(NodeFilesTest, MemoryIsAllocatedBeyondTheSizeWhichStays) {
  const UniqueFd fd = Create();
  ASSERT_EQ(::pwrite(fd.get(), "abc", 3, 0), 3);
  ASSERT_THAT(device_->AllocateNodeFile(kName, {0, 2 * kMiB}), IsOk());
  EXPECT_EQ(Look(), (NodeFile{kName, 3, 2 * kMiB}));
  ASSERT_THAT(device_->AllocateNodeFile(kName, {2 * kMiB, 4 * kMiB}), IsOk());
  ASSERT_THAT(device_->AllocateNodeFile(kName, {0, 6 * kMiB}), IsOk());
  ASSERT_THAT(device_->AllocateNodeFile(kName, {0, 0}), IsOk());
  EXPECT_EQ(Look(), (NodeFile{kName, 3, 6 * kMiB}));
  ASSERT_EQ(::pwrite(fd.get(), "x", 1, 5 * kMiB), 1);
  EXPECT_EQ(Look(), (NodeFile{kName, 5 * kMiB + 1, 6 * kMiB}));
  EXPECT_EQ(Lacking(6 * kMiB), 0U);
  EXPECT_THAT(device_->AllocateNodeFile(kName, {UINT64_MAX, 1}),
              HasError(StatusCode::kInvalidArgument, File()));
  EXPECT_THAT(device_->AllocateNodeFile(kName, {1, UINT64_MAX}),
              HasError(StatusCode::kInvalidArgument, File()));
  EXPECT_THAT(device_->AllocateNodeFile(kOther, {0, kMiB}),
              HasError(StatusCode::kNotFound, File(kOther)));
}

TEST_F(NodeFilesTest, ASparseDeviceAllocatesNothing) {
  const TemporaryDirectory other;
  FAMFS_ASSERT_OK_AND_ASSIGN(
      const auto device,
      MakeEmulated(
          other.path(), Access::kReadWrite,
          {.size = kTiB, .tag = SomeTag(), .hosts = {}, .sparse = true}));
  ASSERT_THAT(device->CreateNodeFile(kName), IsOk());
  ASSERT_THAT(device->AllocateNodeFile(kName, {0, kTiB}), IsOk());
  ASSERT_THAT(device->ResizeNodeFile(kName, kTiB, kTiB), IsOk());
  ASSERT_THAT(device->ResizeNodeFile(kName, kTiB / 2, kTiB), IsOk());
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto files, device->ListNodeFiles());
  EXPECT_THAT(files, ElementsAre(NodeFile{kName, kTiB / 2, 0}));
  FAMFS_ASSERT_OK_AND_ASSIGN(const std::uint64_t lacking,
                             device->NodeFileLacking(kName, kTiB));
  EXPECT_EQ(lacking, 0U);
}

TEST_F(NodeFilesTest, AFullFileSystemIsSaidAndTakesNothing) {
  const TemporaryDirectory small;
  const std::string missing = MountPrivately("tmpfs", small.path(), "size=16M");
  if (!missing.empty()) GTEST_SKIP() << missing;
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto device, MakeEmulated(small.path()));
  ASSERT_THAT(device->CreateNodeFile(kName), IsOk());
  FAMFS_ASSERT_OK_AND_ASSIGN(const UniqueFd fd,
                             device->OpenNodeFile(kName, Access::kReadWrite));
  ASSERT_THAT(device->AllocateNodeFile(kName, {0, 4 * kMiB}), IsOk());
  ASSERT_EQ(::pwrite(fd.get(), "abc", 3, kMiB), 3);
  const std::vector<NodeFile> before = {{kName, kMiB + 3, 4 * kMiB}};
  const struct {
    Range range;
    const char* size;
  } cases[] = {
      {{4 * kMiB, 14 * kMiB}, "14.00 MiB"},  // seen before it is tried
      {{4 * kMiB, 13 * kMiB}, "13.00 MiB"},
      // Only the kernel can tell, since the memory there counts for it.
      {{10 * kMiB, 14 * kMiB}, "14.00 MiB"},
      {{0, 17 * kMiB}, "17.00 MiB"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(device->AllocateNodeFile(kName, c.range),
                HasError(StatusCode::kResourceExhausted,
                         std::string("no room for ") + c.size));
    FAMFS_ASSERT_OK_AND_ASSIGN(const auto files, device->ListNodeFiles());
    EXPECT_EQ(files, before) << c.size;
  }
  EXPECT_THAT(device->AllocateNodeFile(kName, {4 * kMiB, 8 * kMiB}), IsOk());
}

TEST_F(NodeFilesTest, WhereMemoryCannotBeAllocatedThatIsSaid) {
  const TemporaryDirectory other;
  const std::string missing = MountPrivately("ramfs", other.path(), "");
  if (!missing.empty()) GTEST_SKIP() << missing;
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto device, MakeEmulated(other.path()));
  ASSERT_THAT(device->CreateNodeFile(kName), IsOk());
  EXPECT_THAT(device->AllocateNodeFile(kName, {0, 2 * kMiB}),
              HasError(StatusCode::kUnimplemented, "put the device on tmpfs"));
  EXPECT_THAT(device->TrimNodeFile(kName, 0), IsOk());
}

TEST_F(NodeFilesTest, ShrinkingKeepsTheMemoryAndForgetsTheBytes) {
  for (const std::string name : {kName, kOther}) {
    UniqueFd fd = Create(name);
    if (name == kOther) {  // not served
      fd.reset();
      ASSERT_TRUE(EndServing(name));
      fd.reset(::open(File(name).c_str(), O_RDWR | O_CLOEXEC));
    }
    const Pages pages(fd.get());
    ASSERT_THAT(device_->AllocateNodeFile(name, {0, 4 * kMiB}), IsOk());
    ASSERT_THAT(device_->ResizeNodeFile(name, 3 * kMiB, 4 * kMiB), IsOk());
    EXPECT_EQ(Look(name), (NodeFile{name, 3 * kMiB, 4 * kMiB}));
    pages.bytes()[0] = 'a';
    pages.bytes()[kMiB + 10] = 'b';
    pages.bytes()[2 * kMiB] = 'c';
    ASSERT_THAT(device_->ResizeNodeFile(name, kMiB + 1, 2 * kMiB), IsOk());
    EXPECT_EQ(Look(name), (NodeFile{name, kMiB + 1, 2 * kMiB}));
    ASSERT_THAT(device_->ResizeNodeFile(name, kMiB + 1, 2 * kMiB), IsOk());
    EXPECT_EQ(Look(name), (NodeFile{name, kMiB + 1, 2 * kMiB}));
    ASSERT_THAT(device_->ResizeNodeFile(name, 3 * kMiB, 4 * kMiB), IsOk());
    EXPECT_EQ(pages.bytes()[0], 'a');
    EXPECT_EQ(pages.bytes()[kMiB + 10], 0);
    EXPECT_EQ(pages.bytes()[2 * kMiB], 0);
  }
  EXPECT_THAT(device_->ResizeNodeFile(kName, UINT64_MAX, UINT64_MAX),
              HasError(StatusCode::kInvalidArgument, File()));
}

TEST_F(NodeFilesTest, LengtheningNeverShortens) {
  for (const std::string name : {kName, kOther}) {
    UniqueFd fd = Create(name);
    if (name == kOther) {  // not served
      fd.reset();
      ASSERT_TRUE(EndServing(name));
      fd.reset(::open(File(name).c_str(), O_RDWR | O_CLOEXEC));
    }
    ASSERT_THAT(device_->AllocateNodeFile(name, {0, 4 * kMiB}), IsOk());
    ASSERT_THAT(device_->LengthenNodeFile(name, 0), IsOk());
    EXPECT_EQ(Look(name), (NodeFile{name, 0, 4 * kMiB}));
    ASSERT_EQ(::pwrite(fd.get(), "x", 1, kMiB - 1), 1);
    ASSERT_THAT(device_->LengthenNodeFile(name, 3), IsOk());
    EXPECT_EQ(Look(name), (NodeFile{name, kMiB, 4 * kMiB}));
    ASSERT_THAT(device_->LengthenNodeFile(name, 3 * kMiB + 1), IsOk());
    EXPECT_EQ(Look(name), (NodeFile{name, 3 * kMiB + 1, 4 * kMiB}));
    char text[1];
    ASSERT_EQ(::pread(fd.get(), text, 1, kMiB - 1), 1);
    EXPECT_EQ(text[0], 'x');
  }
  EXPECT_THAT(device_->LengthenNodeFile(kName, UINT64_MAX),
              HasError(StatusCode::kInvalidArgument, File()));
  EXPECT_THAT(device_->LengthenNodeFile("v.0000000000000099", 1),
              HasError(StatusCode::kNotFound, "v.0000000000000099"));
}

TEST_F(NodeFilesTest, TrimmingTakesWhatLiesBehindAndNothingElse) {
  {
    const UniqueFd fd = Create();
    ASSERT_THAT(device_->AllocateNodeFile(kName, {0, 8 * kMiB}), IsOk());
    ASSERT_EQ(::pwrite(fd.get(), "end", 3, 2 * kMiB - 3), 3);
    const UniqueFd reading(::open(File().c_str(), O_RDONLY | O_CLOEXEC));
    if (CanPin(File())) {
      EXPECT_THAT(device_->TrimNodeFile(kName, 2 * kMiB),
                  HasError(StatusCode::kUnavailable, "still has it open"));
      EXPECT_EQ(Look(), (NodeFile{kName, 2 * kMiB, 8 * kMiB}));
      EXPECT_THAT(device_->TrimNodeFile(kName, 8 * kMiB), IsOk());
      // What lies within its size can go.
      ASSERT_EQ(::pwrite(fd.get(), "x", 1, 5 * kMiB), 1);
      EXPECT_THAT(device_->TrimNodeFile(kName, 4 * kMiB), IsOk());
      EXPECT_EQ(Look(), (NodeFile{kName, 4 * kMiB, 4 * kMiB}));
      EXPECT_TRUE(CanPin(File()));
    }
  }
  EXPECT_THAT(device_->TrimNodeFile(kName, 6 * kMiB), IsOk());
  ASSERT_THAT(device_->ResizeNodeFile(kName, 2 * kMiB, 6 * kMiB), IsOk());
  EXPECT_EQ(Look(), (NodeFile{kName, 2 * kMiB, 6 * kMiB}));
  EXPECT_THAT(device_->TrimNodeFile(kName, 2 * kMiB), IsOk());
  EXPECT_EQ(Look(), (NodeFile{kName, 2 * kMiB, 2 * kMiB}));
  EXPECT_THAT(device_->TrimNodeFile(kName, UINT64_MAX), IsOk());
  char text[3];
  const UniqueFd fd = OpenIt();
  ASSERT_EQ(::pread(fd.get(), text, 3, 2 * kMiB - 3), 3);
  EXPECT_EQ(std::string(text, 3), "end");
  EXPECT_THAT(device_->TrimNodeFile(kName, kMiB), IsOk());
  EXPECT_EQ(Look(), (NodeFile{kName, kMiB, kMiB}));
  EXPECT_THAT(device_->TrimNodeFile(kName, 0), IsOk());
  EXPECT_EQ(Look(), (NodeFile{kName, 0, 0}));
}

TEST_F(NodeFilesTest, ARemovedOneLivesOnForWhoHasIt) {
  const UniqueFd fd = Create();
  ASSERT_THAT(device_->AllocateNodeFile(kName, {0, 2 * kMiB}), IsOk());
  ASSERT_THAT(device_->RemoveNodeFile(kName), IsOk());
  ASSERT_THAT(device_->RemoveNodeFile(kName), IsOk());
  EXPECT_TRUE(EndServing());
  EXPECT_THAT(device_->OpenNodeFile(kName, Access::kReadWrite),
              HasError(StatusCode::kNotFound, File()));
  EXPECT_THAT(device_->TrimNodeFile(kName, 0),
              HasError(StatusCode::kNotFound, File()));
  const UniqueFd fresh = Create();
  ASSERT_EQ(::pwrite(fd.get(), "old", 3, 0), 3);
  EXPECT_EQ(::ftruncate(fd.get(), 2), 0);
  EXPECT_EQ(Look().size, 0U);
}

TEST_F(NodeFilesTest, TheyAreListedByNameAndStrangersLeftOut) {
  for (const char* name : {kOther, kName}) {
    ASSERT_THAT(device_->CreateNodeFile(name), IsOk());
  }
  ASSERT_THAT(device_->AllocateNodeFile(kOther, {0, 2 * kMiB}), IsOk());
  ASSERT_THAT(device_->CreateExtent({0, 2 * kMiB}), IsOk());
  for (const char* name : {"README", "200000", ".hidden.0123456789abcdef"}) {
    std::ofstream(File(name)) << "x";
  }
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto files, device_->ListNodeFiles());
  EXPECT_THAT(
      files, ElementsAre(NodeFile{kName, 0, 0}, NodeFile{kOther, 0, 2 * kMiB}));
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto extents, device_->ListExtents());
  EXPECT_THAT(extents, ElementsAre(Range{0, 2 * kMiB}));
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto media, device_->ListMedia());
  EXPECT_EQ(media.size(), 3U);
  struct stat info {};
  ASSERT_EQ(::stat(File().c_str(), &info), 0);
  EXPECT_THAT(media,
              ::testing::Contains(DaxDevice::Medium{info.st_dev, info.st_ino}));
  ASSERT_THAT(device_->CleanUp(), IsOk());
  EXPECT_TRUE(std::filesystem::exists(File("README")));
  EXPECT_TRUE(std::filesystem::exists(File()));
}

TEST_F(NodeFilesTest, ADeviceOpenedForReadingChangesNothing) {
  Create();
  ASSERT_TRUE(EndServing());
  FAMFS_ASSERT_OK_AND_ASSIGN(
      const auto reader, OpenEmulatedDevice(directory_.path(), Access::kRead));
  const auto refused =
      HasError(StatusCode::kPermissionDenied, "opened for reading only");
  EXPECT_THAT(reader->CreateNodeFile(kOther), refused);
  EXPECT_THAT(reader->OpenNodeFile(kName, Access::kReadWrite), refused);
  EXPECT_THAT(reader->AllocateNodeFile(kName, {0, kMiB}), refused);
  EXPECT_THAT(reader->ResizeNodeFile(kName, 1, 1), refused);
  EXPECT_THAT(reader->TrimNodeFile(kName, 0), refused);
  EXPECT_THAT(reader->RemoveNodeFile(kName), refused);
  EXPECT_THAT(reader->OpenNodeFile(kName, Access::kRead), IsOk());
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto files, reader->ListNodeFiles());
  EXPECT_THAT(files, ElementsAre(NodeFile{kName, 0, 0}));
}

TEST_F(NodeFilesTest, NobodyGivesTheMemoryOfAServedOneBackWhileItGrows) {
  UniqueFd fd = Create();
  if (!CanPin(File())) GTEST_SKIP() << "no immutable files on tmpfs here";
  const auto pages = std::make_unique<Pages>(fd.get());
  ASSERT_THAT(device_->AllocateNodeFile(kName, {0, 2 * kMiB}), IsOk());
  ASSERT_EQ(::ftruncate(fd.get(), kMiB), 0);
  ASSERT_THAT(device_->AllocateNodeFile(kName, {0, 2 * kMiB}), IsOk());
  EXPECT_EQ(pages->GiveBack(kMiB), EPERM);
  ASSERT_EQ(::pwrite(fd.get(), "x", 1, 2 * kMiB - 1), 1);
  pages->bytes()[2 * kMiB - 2] = 'y';
  EXPECT_EQ(pages->GiveBack(2 * kMiB), EPERM);
  EXPECT_EQ(::fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                        4096),
            -1);
  const UniqueFd second = OpenIt();  // another server
  ASSERT_THAT(device_->AllocateNodeFile(kName, {2 * kMiB, 2 * kMiB}), IsOk());
  ASSERT_EQ(::pwrite(second.get(), "z", 1, 4 * kMiB - 1), 1);
  ASSERT_THAT(device_->ResizeNodeFile(kName, 3 * kMiB, 4 * kMiB), IsOk());
  EXPECT_EQ(pages->GiveBack(2 * kMiB), EPERM);
  EXPECT_EQ(Look(), (NodeFile{kName, 3 * kMiB, 4 * kMiB}));
  fd.reset();
  EXPECT_FALSE(EndServing());
}

TEST_F(NodeFilesTest, ThereIsNoMomentInWhichItCouldBeGivenBack) {
  const UniqueFd server = Create();
  if (!CanPin(File())) GTEST_SKIP() << "no immutable files on tmpfs here";
  const Pages pages(server.get());
  std::atomic<bool> done = false;
  std::atomic<std::uint64_t> given_back = 0;
  std::atomic<std::uint64_t> tried = 0;
  std::thread program([&] {
    for (; !done; ++tried) {
      if (pages.GiveBack(kMiB) == 0) ++given_back;
    }
  });
  for (int round = 0; round < 300 || tried < 300; ++round) {
    EXPECT_THAT(device_->AllocateNodeFile(kName, {0, 4 * kMiB}), IsOk());
    EXPECT_THAT(device_->ResizeNodeFile(kName, 2 * kMiB, 4 * kMiB), IsOk());
    EXPECT_THAT(device_->ResizeNodeFile(kName, kMiB, 4 * kMiB), IsOk());
    OpenIt();
    EXPECT_FALSE(EndServing());
    EXPECT_EQ(::pwrite(server.get(), "x", 1, 3 * kMiB), 1);
  }
  done = true;
  program.join();
  EXPECT_EQ(given_back, 0U);
  EXPECT_EQ(Look(), (NodeFile{kName, 3 * kMiB + 1, 4 * kMiB}));
}

TEST_F(NodeFilesTest, WhatAKilledServerLeftIsEndedByTheOwner) {
  Create();
  if (!CanPin(File())) GTEST_SKIP() << "no immutable files on tmpfs here";
  ASSERT_THAT(device_->CleanUp(), IsOk());
  EXPECT_FALSE(CanPin(File()));
  OpenIt();
  ASSERT_TRUE(CanPin(File()));
  ASSERT_THAT(device_->RemoveNodeFile(kName), IsOk());
}

TEST_F(NodeFilesTest, WhatWasGivenBackIsFoundAndGivenAgain) {
  Create();
  ASSERT_TRUE(EndServing());
  const UniqueFd fd(::open(File().c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_TRUE(fd.valid());
  ASSERT_THAT(device_->AllocateNodeFile(kName, {0, 4 * kMiB}), IsOk());
  ASSERT_EQ(::ftruncate(fd.get(), 2 * kMiB), 0);
  EXPECT_EQ(Lacking(4 * kMiB), 0U);
  ASSERT_EQ(::ftruncate(fd.get(), kMiB), 0);  // takes along what lies behind
  EXPECT_EQ(Lacking(4 * kMiB), 3 * kMiB);
  ASSERT_EQ(Pages(fd.get()).GiveBack(64 * kKiB), 0);
  EXPECT_EQ(Lacking(4 * kMiB), 3 * kMiB + 64 * kKiB);
  ASSERT_THAT(device_->AllocateNodeFile(kName, {0, 4 * kMiB}), IsOk());
  EXPECT_EQ(Lacking(4 * kMiB), 0U);
  EXPECT_EQ(Look(), (NodeFile{kName, kMiB, 4 * kMiB}));
  EXPECT_THAT(device_->NodeFileLacking(kOther, 1),
              HasError(StatusCode::kNotFound, File(kOther)));
}

TEST(NodeFilesElsewhereTest, OtherKindsHaveNone) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("image");
  std::ofstream(path).close();
  std::filesystem::resize_file(path, 4 * kMiB);
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto device,
                             OpenDevice("image:" + path, Access::kReadWrite));
  EXPECT_FALSE(device->capabilities().has_node_files);
  const auto none = HasError(StatusCode::kUnimplemented, path);
  EXPECT_THAT(device->CreateNodeFile(kName), none);
  EXPECT_THAT(device->OpenNodeFile(kName, Access::kRead), none);
  EXPECT_THAT(device->AllocateNodeFile(kName, {0, 1}), none);
  EXPECT_THAT(device->ResizeNodeFile(kName, 0, 0), none);
  EXPECT_THAT(device->TrimNodeFile(kName, 0), none);
  EXPECT_THAT(device->NodeFileLacking(kName, 0), none);
  EXPECT_THAT(device->RemoveNodeFile(kName), IsOk());
  EXPECT_THAT(device->EndServingNodeFile(kName), IsOk());
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto files, device->ListNodeFiles());
  EXPECT_THAT(files, IsEmpty());
}

TEST(NodeFilesElsewhereTest, NewDevicesRefuseWhatAnEarlierOneLeft) {
  const TemporaryDirectory directory;
  ASSERT_THAT(MakeEmulated(directory.path()), IsOk());
  std::filesystem::remove(directory.path() + "/device.yaml");
  std::ofstream(directory.path() + "/files/" + kName) << "left";
  EXPECT_THAT(MakeEmulated(directory.path()),
              HasError(StatusCode::kAlreadyExists, "/files is not empty"));
}

TEST_F(NodeFilesTest, OneIsMappedUpToItsSize) {
  ASSERT_THAT(device_->CreateNodeFile(kName), IsOk());
  ASSERT_THAT(device_->AllocateNodeFile(kName, {0, 2 * kMiB}), IsOk());
  ASSERT_THAT(device_->ResizeNodeFile(kName, 10'000, 2 * kMiB), IsOk());
  {
    FAMFS_ASSERT_OK_AND_ASSIGN(
        const auto to,
        device_->MapNodeFile(kName, 5'000, 5'000, Access::kReadWrite));
    const std::array<std::byte, 3> bytes = {std::byte{1}, std::byte{2},
                                            std::byte{3}};
    to->Store(4'997, bytes);
    EXPECT_THAT(to->Check(), IsOk());
  }
  FAMFS_ASSERT_OK_AND_ASSIGN(
      const auto from, device_->MapNodeFile(kName, 0, 10'000, Access::kRead));
  EXPECT_EQ(from->bytes()[9'997], std::byte{1});
  EXPECT_EQ(from->bytes()[9'999], std::byte{3});
  EXPECT_THAT(device_->MapNodeFile(kName, 0, 10'001, Access::kRead),
              HasError(StatusCode::kOutOfRange, "10000"));
  EXPECT_THAT(device_->MapNodeFile(kName, 0, 0, Access::kRead),
              HasError(StatusCode::kInvalidArgument, "empty"));
  EXPECT_THAT(device_->MapNodeFile(kOther, 0, 1, Access::kRead),
              HasError(StatusCode::kNotFound, kOther));
}

TEST_F(NodeFilesTest, AServedOneIsMappedForWritingAllTheSame) {
  const UniqueFd served = Create();
  ASSERT_THAT(device_->ResizeNodeFile(kName, kMapped, 0), IsOk());
  FAMFS_ASSERT_OK_AND_ASSIGN(
      const auto mapping,
      device_->MapNodeFile(kName, 0, kMapped, Access::kReadWrite));
  const std::byte one{1};
  mapping->Store(7, {&one, 1});
  char seen = 0;
  EXPECT_EQ(::pread(served.get(), &seen, 1, 7), 1);
  EXPECT_EQ(seen, 1);
}

TEST_F(NodeFilesTest, OneThatIsCutWhileItIsMappedIsLostNotFatal) {
  ASSERT_THAT(device_->CreateNodeFile(kName), IsOk());
  ASSERT_THAT(device_->ResizeNodeFile(kName, kMapped, 0), IsOk());
  FAMFS_ASSERT_OK_AND_ASSIGN(
      const auto mapping,
      device_->MapNodeFile(kName, 0, kMapped, Access::kRead));
  ASSERT_THAT(device_->ResizeNodeFile(kName, 4096, 0), IsOk());
  EXPECT_EQ(mapping->bytes()[2 * kMiB], std::byte{0});
  EXPECT_THAT(mapping->Check(),
              HasError(StatusCode::kDataLoss, "made shorter, to 4096 bytes"));
}

}  // namespace
}  // namespace famfs
