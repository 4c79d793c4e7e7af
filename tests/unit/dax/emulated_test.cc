#include "dax/emulated.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/units.h"
#include "dax/extent_files.h"
#include "tests/unit/base/status_matchers.h"
#include "tests/unit/base/temporary_directory.h"
#include "tests/unit/dax/dax_testing.h"

namespace famfs {
namespace {

using absl::StatusCode;
using testing::AsBytes;
using ::testing::ElementsAre;
using testing::HasError;
using ::testing::HasSubstr;
using testing::Holds;
using ::testing::IsEmpty;
using testing::IsOk;
using testing::MakeEmulated;
using testing::SomeTag;
using testing::TemporaryDirectory;
using testing::TextAt;

class EmulatedTest : public ::testing::Test {
 protected:
  void SetUp() override {
    FAMFS_ASSERT_OK_AND_ASSIGN(device_, MakeEmulated(directory_.path()));
  }

  std::string Extent(const std::string& name) const {
    return directory_.path() + "/extents/" + name;
  }
  void MakeFile(const std::string& name, std::uint64_t size) const {
    std::ofstream(Extent(name)).close();
    ASSERT_EQ(::truncate(Extent(name).c_str(), static_cast<off_t>(size)), 0);
  }
  std::vector<std::string> Names() const {
    auto names = ListDirectory(directory_.path() + "/extents");
    EXPECT_THAT(names, IsOk());
    return names.ok() ? *names : std::vector<std::string>{};
  }

  const TemporaryDirectory directory_;
  std::unique_ptr<DaxDevice> device_;
};

TEST(ExtentNameTest, IsStrictHexadecimal) {
  EXPECT_EQ(ExtentName(0), "0");
  EXPECT_EQ(ExtentName(2 * kMiB), "200000");
  EXPECT_EQ(ParseExtentName("0"), 0U);
  EXPECT_EQ(ParseExtentName("200000"), 2 * kMiB);
  EXPECT_EQ(ParseExtentName("ffffffffffe00000"), 0xffffffffffe00000U);
  for (const char* name :
       {"", "00", "0200000", "0x200000", "A00000", "-200000", "+200000",
        " 200000", "200000 ", "200000.tmp", ".200000", "10000000000000000"}) {
    EXPECT_FALSE(ParseExtentName(name).has_value()) << name;
  }
  EXPECT_TRUE(IsUnfinishedExtentName(UnfinishedExtentName(2 * kMiB)));
  for (const char* name :
       {"", ".", "..", ".200000", ".200000.", ".200000.x", "200000",
        "200000.6b1f0e1c-6a0e-4f0e-9c3b-0d9f3f6a2b11",
        ".0200.6b1f0e1c-6a0e-4f0e-9c3b-0d9f3f6a2b11"}) {
    EXPECT_FALSE(IsUnfinishedExtentName(name)) << name;
  }
}

TEST_F(EmulatedTest, AnExtentIsAFileOfItsSizeWithItsPages) {
  ASSERT_THAT(device_->CreateExtent({4 * kMiB, 6 * kMiB}), IsOk());
  struct stat info {};
  ASSERT_EQ(::stat(Extent("400000").c_str(), &info), 0);
  EXPECT_EQ(static_cast<std::uint64_t>(info.st_size), 6 * kMiB);
  EXPECT_EQ(static_cast<std::uint64_t>(info.st_blocks) * 512, 6 * kMiB);
  EXPECT_EQ(info.st_mode & 07777, 0600U);
  EXPECT_THAT(Names(), ElementsAre("400000"));
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto mapping,
                             device_->Map(4 * kMiB, 6 * kMiB, Access::kRead));
  EXPECT_TRUE(Holds(*mapping, 0, 6 * kMiB, std::byte{0}));
}

TEST_F(EmulatedTest, ASparseDeviceTakesNoPages) {
  const TemporaryDirectory other;
  FAMFS_ASSERT_OK_AND_ASSIGN(
      const auto device,
      MakeEmulated(
          other.path(), Access::kReadWrite,
          {.size = kTiB, .tag = SomeTag(), .hosts = {}, .sparse = true}));
  ASSERT_THAT(device->CreateExtent({0, kTiB}), IsOk());
  struct stat info {};
  ASSERT_EQ(::stat((other.path() + "/extents/0").c_str(), &info), 0);
  EXPECT_EQ(static_cast<std::uint64_t>(info.st_size), kTiB);
  EXPECT_EQ(info.st_blocks, 0);
  FAMFS_ASSERT_OK_AND_ASSIGN(
      const auto mapping, device->Map(kTiB - 4096, 4096, Access::kReadWrite));
  mapping->Store(4090, AsBytes("at end"));
  ASSERT_EQ(::stat((other.path() + "/extents/0").c_str(), &info), 0);
  EXPECT_GT(info.st_blocks, 0);
}

TEST_F(EmulatedTest, AnExtentIsCreatedOnce) {
  ASSERT_THAT(device_->CreateExtent({0, 2 * kMiB}), IsOk());
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto mapping,
                             device_->Map(0, 2 * kMiB, Access::kReadWrite));
  mapping->Store(0, AsBytes("first"));
  EXPECT_THAT(device_->CreateExtent({0, 4 * kMiB}),
              HasError(StatusCode::kAlreadyExists, Extent("0")));
  EXPECT_EQ(TextAt(*mapping, 0, 5), "first");
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto extents, device_->ListExtents());
  EXPECT_THAT(extents, ElementsAre(Range{0, 2 * kMiB}));
}

TEST_F(EmulatedTest, OfManyWhoCreateOneExtentOneWins) {
  std::vector<absl::Status> results(8);
  std::vector<std::thread> threads;
  for (absl::Status& result : results) {
    threads.emplace_back([this, &result] {
      result = device_->CreateExtent({0, 4 * kMiB});
    });
  }
  for (std::thread& thread : threads) thread.join();
  int winners = 0;
  for (const absl::Status& result : results) {
    if (result.ok()) {
      ++winners;
    } else {
      EXPECT_THAT(result, HasError(StatusCode::kAlreadyExists, Extent("0")));
    }
  }
  EXPECT_EQ(winners, 1);
  EXPECT_THAT(Names(), ElementsAre("0"));
}

TEST_F(EmulatedTest, BadRangesAreRefusedAndLeaveNothing) {
  const struct {
    Range range;
    StatusCode code;
  } cases[] = {
      {{0, 0}, StatusCode::kInvalidArgument},
      {{kMiB, 2 * kMiB}, StatusCode::kInvalidArgument},
      {{0, kMiB}, StatusCode::kInvalidArgument},
      {{64 * kMiB, 2 * kMiB}, StatusCode::kOutOfRange},
      {{62 * kMiB, 4 * kMiB}, StatusCode::kOutOfRange},
      {{2 * kMiB, UINT64_MAX - 2 * kMiB + 1}, StatusCode::kOutOfRange},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(device_->CreateExtent(c.range),
                HasError(c.code, device_->spec()))
        << c.range.offset << " " << c.range.length;
  }
  EXPECT_THAT(Names(), IsEmpty());
}

TEST_F(EmulatedTest, AMappingLiesWithinOneExtent) {
  ASSERT_THAT(device_->CreateExtent({2 * kMiB, 4 * kMiB}), IsOk());
  ASSERT_THAT(device_->CreateExtent({6 * kMiB, 2 * kMiB}), IsOk());
  FAMFS_ASSERT_OK_AND_ASSIGN(
      const auto whole, device_->Map(2 * kMiB, 4 * kMiB, Access::kReadWrite));
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto inside,
                             device_->Map(3 * kMiB + 64, 64, Access::kRead));
  whole->Store(kMiB + 64, AsBytes("inside"));
  EXPECT_EQ(TextAt(*inside, 0, 6), "inside");

  EXPECT_THAT(device_->Map(0, 4096, Access::kRead),
              HasError(StatusCode::kNotFound, "no extent at 0x0"));
  EXPECT_THAT(device_->Map(8 * kMiB, 4096, Access::kRead),
              HasError(StatusCode::kNotFound, "no extent at 0x800000"));
  EXPECT_THAT(device_->Map(4 * kMiB, 4 * kMiB, Access::kRead),
              HasError(StatusCode::kOutOfRange, "end of their extent"));
  EXPECT_THAT(device_->Map(62 * kMiB, 4 * kMiB, Access::kRead),
              HasError(StatusCode::kOutOfRange, "beyond the device"));
  EXPECT_THAT(device_->Map(2 * kMiB, UINT64_MAX, Access::kRead),
              HasError(StatusCode::kOutOfRange, "beyond the device"));
  EXPECT_THAT(device_->Map(2 * kMiB, 0, Access::kRead),
              HasError(StatusCode::kInvalidArgument, "empty range"));
}

TEST_F(EmulatedTest, ARemovedExtentLivesOnForItsMapping) {
  const Range range{2 * kMiB, 2 * kMiB};
  ASSERT_THAT(device_->CreateExtent(range), IsOk());
  FAMFS_ASSERT_OK_AND_ASSIGN(
      const auto old,
      device_->Map(range.offset, range.length, Access::kReadWrite));
  FAMFS_ASSERT_OK_AND_ASSIGN(const UniqueFd fd,
                             device_->OpenExtent(range.offset));
  old->Store(0, AsBytes("old"));
  ASSERT_THAT(device_->RemoveExtent(range.offset), IsOk());
  ASSERT_THAT(device_->RemoveExtent(range.offset), IsOk());
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto none, device_->ListExtents());
  EXPECT_THAT(none, IsEmpty());
  EXPECT_THAT(device_->Map(range.offset, 4096, Access::kRead),
              HasError(StatusCode::kNotFound, "0x200000"));

  ASSERT_THAT(device_->CreateExtent(range), IsOk());
  FAMFS_ASSERT_OK_AND_ASSIGN(
      const auto fresh,
      device_->Map(range.offset, range.length, Access::kReadWrite));
  EXPECT_TRUE(Holds(*fresh, 0, range.length, std::byte{0}));
  fresh->Store(0, AsBytes("new"));
  old->Store(3, AsBytes("er"));
  EXPECT_EQ(TextAt(*old, 0, 5), "older");
  EXPECT_EQ(TextAt(*fresh, 0, 3), "new");
  char text[5];
  ASSERT_EQ(::pread(fd.get(), text, 5, 0), 5);
  EXPECT_EQ(std::string(text, 5), "older");
}

TEST_F(EmulatedTest, ExtentsAreListedByOffsetAndStrangersIgnored) {
  for (const std::uint64_t offset : {32, 2, 16, 4}) {
    ASSERT_THAT(device_->CreateExtent({offset * kMiB, 2 * kMiB}), IsOk());
  }
  MakeFile("README", 7);
  MakeFile("0200000", 2 * kMiB);
  MakeFile("A00000", 2 * kMiB);
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto extents, device_->ListExtents());
  EXPECT_THAT(
      extents,
      ElementsAre(Range{2 * kMiB, 2 * kMiB}, Range{4 * kMiB, 2 * kMiB},
                  Range{16 * kMiB, 2 * kMiB}, Range{32 * kMiB, 2 * kMiB}));
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto problems, device_->MalformedExtents());
  EXPECT_THAT(problems, IsEmpty());
}

TEST_F(EmulatedTest, MalformedExtentsAreNamedAndNeverMapped) {
  ASSERT_THAT(device_->CreateExtent({0, 4 * kMiB}), IsOk());
  MakeFile("200000", 2 * kMiB);    // overlaps the extent at 0
  MakeFile("800000", 5000);        // no whole number of units
  MakeFile("a00000", 0);           // empty
  MakeFile("c01000", 2 * kMiB);    // offset is no unit
  MakeFile("3e00000", 4 * kMiB);   // reaches beyond the device
  MakeFile("10000000", 2 * kMiB);  // lies beyond the device
  std::filesystem::create_directory(Extent("1000000"));
  std::filesystem::create_symlink("0", Extent("1200000"));
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto extents, device_->ListExtents());
  EXPECT_THAT(extents, ElementsAre(Range{0, 4 * kMiB}));
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto problems, device_->MalformedExtents());
  EXPECT_THAT(problems,
              ::testing::UnorderedElementsAre(
                  HasSubstr(Extent("200000") + ": overlaps"),
                  HasSubstr(Extent("800000") + ": is no extent file"),
                  HasSubstr(Extent("a00000") + ": is no extent file"),
                  HasSubstr(Extent("c01000") + ": is no extent file"),
                  HasSubstr(Extent("3e00000") + ": is no extent file"),
                  HasSubstr(Extent("10000000") + ": is no extent file"),
                  HasSubstr(Extent("1000000") + ": is not a regular file"),
                  HasSubstr(Extent("1200000") + ": is not a regular file")));
  EXPECT_THAT(device_->Map(8 * kMiB, 4096, Access::kRead),
              HasError(StatusCode::kDataLoss, Extent("800000")));
  EXPECT_THAT(device_->Map(18 * kMiB, 4096, Access::kRead),
              HasError(StatusCode::kDataLoss, Extent("1200000")));
  EXPECT_THAT(device_->OpenExtent(8 * kMiB),
              HasError(StatusCode::kDataLoss, Extent("800000")));
}

TEST_F(EmulatedTest, OpenExtentGivesTheFileThatBeginsThere) {
  ASSERT_THAT(device_->CreateExtent({2 * kMiB, 4 * kMiB}), IsOk());
  FAMFS_ASSERT_OK_AND_ASSIGN(const UniqueFd fd, device_->OpenExtent(2 * kMiB));
  EXPECT_EQ(::fcntl(fd.get(), F_GETFL) & O_ACCMODE, O_RDWR);
  ASSERT_EQ(::pwrite(fd.get(), "byte", 4, 0), 4);
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto mapping,
                             device_->Map(2 * kMiB, 4096, Access::kRead));
  EXPECT_EQ(TextAt(*mapping, 0, 4), "byte");
  EXPECT_THAT(device_->OpenExtent(4 * kMiB),
              HasError(StatusCode::kNotFound, "begins at 0x400000"));
}

TEST_F(EmulatedTest, ADeviceOpenedForReadingChangesNothing) {
  ASSERT_THAT(device_->CreateExtent({0, 2 * kMiB}), IsOk());
  FAMFS_ASSERT_OK_AND_ASSIGN(
      const auto reader, OpenEmulatedDevice(directory_.path(), Access::kRead));
  const std::string why = "opened for reading only";
  EXPECT_THAT(reader->Map(0, 2 * kMiB, Access::kReadWrite),
              HasError(StatusCode::kPermissionDenied, why));
  EXPECT_THAT(reader->CreateExtent({2 * kMiB, 2 * kMiB}),
              HasError(StatusCode::kPermissionDenied, why));
  EXPECT_THAT(reader->RemoveExtent(0),
              HasError(StatusCode::kPermissionDenied, why));
  EXPECT_THAT(reader->CleanUp(), HasError(StatusCode::kPermissionDenied, why));
  EXPECT_THAT(reader->Map(0, 2 * kMiB, Access::kRead), IsOk());
  FAMFS_ASSERT_OK_AND_ASSIGN(const UniqueFd fd, reader->OpenExtent(0));
  EXPECT_EQ(::fcntl(fd.get(), F_GETFL) & O_ACCMODE, O_RDONLY);
  EXPECT_THAT(Names(), ElementsAre("0"));
}

TEST_F(EmulatedTest, ADeviceWithoutItsExtentsDirectoryIsNotOpened) {
  std::filesystem::remove(directory_.path() + "/extents");
  EXPECT_THAT(OpenEmulatedDevice(directory_.path(), Access::kRead),
              HasError(StatusCode::kNotFound, directory_.path() + "/extents"));
}

TEST_F(EmulatedTest, CleanUpRemovesUnfinishedExtentsAndNothingElse) {
  ASSERT_THAT(device_->CreateExtent({0, 2 * kMiB}), IsOk());
  const std::string unfinished = UnfinishedExtentName(2 * kMiB);
  MakeFile(unfinished, 2 * kMiB);
  MakeFile(".200000", 1);
  MakeFile("notes", 1);
  MakeFile("200000", 1);
  ASSERT_THAT(device_->CleanUp(), IsOk());
  EXPECT_THAT(Names(), ::testing::UnorderedElementsAre("0", ".200000", "notes",
                                                       "200000"));
}

}  // namespace
}  // namespace famfs
