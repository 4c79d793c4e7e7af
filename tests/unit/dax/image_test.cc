#include "dax/image.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "base/units.h"
#include "tests/unit/base/status_matchers.h"
#include "tests/unit/base/temporary_directory.h"
#include "tests/unit/dax/dax_testing.h"

namespace famfs {
namespace {

using absl::StatusCode;
using ::testing::ElementsAre;
using testing::HasError;
using testing::Holds;
using testing::IsOk;
using testing::MountPrivately;
using testing::TemporaryDirectory;

TEST(ImageTest, IsSparseAndNeverCreatedOverAFile) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("image");
  ASSERT_THAT(CreateImage(path, kTiB), IsOk());
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(static_cast<std::uint64_t>(info.st_size), kTiB);
  EXPECT_EQ(info.st_blocks, 0);
  EXPECT_THAT(CreateImage(path, 2 * kMiB),
              HasError(StatusCode::kAlreadyExists, path));
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(static_cast<std::uint64_t>(info.st_size), kTiB);
}

TEST(ImageTest, BadSizesCreateNothing) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("image");
  for (const std::uint64_t size :
       {std::uint64_t{0}, kMiB, 2 * kMiB + 1, ~(kExtentUnit - 1)}) {
    EXPECT_THAT(CreateImage(path, size),
                HasError(StatusCode::kInvalidArgument, "multiple of 2 MiB"));
  }
  EXPECT_NE(::access(path.c_str(), F_OK), 0);
  EXPECT_THAT(CreateImage(directory.File("a/b"), 2 * kMiB),
              HasError(StatusCode::kNotFound, "a/b"));
}

// Fills an image with 0xff, makes one extent in it and looks at all of it.
void ExpectCreateExtentZeroesItsRangeAlone(const std::string& path) {
  ASSERT_THAT(CreateImage(path, 16 * kMiB), IsOk());
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto device,
                             OpenImage(path, Access::kReadWrite));
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto mapping,
                             device->Map(0, 16 * kMiB, Access::kReadWrite));
  std::memset(mapping->mutable_data(), 0xff, mapping->size());
  ASSERT_THAT(device->CreateExtent({4 * kMiB, 6 * kMiB}), IsOk());
  mapping->Invalidate(0, mapping->size());
  EXPECT_TRUE(Holds(*mapping, 0, 4 * kMiB, std::byte{0xff}));
  EXPECT_TRUE(Holds(*mapping, 4 * kMiB, 6 * kMiB, std::byte{0}));
  EXPECT_TRUE(Holds(*mapping, 10 * kMiB, 6 * kMiB, std::byte{0xff}));
  mapping->mutable_data()[5 * kMiB] = std::byte{1};
  EXPECT_EQ(mapping->data()[5 * kMiB], std::byte{1});
}

TEST(ImageTest, CreateExtentZeroesItsRangeAlone) {
  const TemporaryDirectory directory;
  ExpectCreateExtentZeroesItsRangeAlone(directory.File("image"));
}

TEST(ImageTest, CreateExtentZeroesAlsoWhereHolesCannotBeMade) {
  const TemporaryDirectory directory;
  const std::string missing = MountPrivately("ramfs", directory.path(), "");
  if (!missing.empty()) GTEST_SKIP() << missing;
  ExpectCreateExtentZeroesItsRangeAlone(directory.File("image"));
}

TEST(ImageTest, IsOneExtentWithoutAFileOfItsOwn) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("image");
  ASSERT_THAT(CreateImage(path, 8 * kMiB), IsOk());
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto device,
                             OpenImage(path, Access::kReadWrite));
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto extents, device->ListExtents());
  EXPECT_THAT(extents, ElementsAre(Range{0, 8 * kMiB}));
  EXPECT_THAT(device->OpenExtent(0),
              HasError(StatusCode::kUnimplemented, path));
  EXPECT_THAT(device->RemoveExtent(0), IsOk());
  EXPECT_THAT(device->CreateExtent({8 * kMiB, 2 * kMiB}),
              HasError(StatusCode::kOutOfRange, "beyond the device"));
  EXPECT_THAT(device->CreateExtent({kMiB, 2 * kMiB}),
              HasError(StatusCode::kInvalidArgument, "multiples of 2 MiB"));
  EXPECT_THAT(device->Map(6 * kMiB, 4 * kMiB, Access::kRead),
              HasError(StatusCode::kOutOfRange, path));
  EXPECT_THAT(device->Map(UINT64_MAX, 2, Access::kRead),
              HasError(StatusCode::kOutOfRange, path));
}

TEST(ImageTest, OpenedForReadingItRefusesToBeChanged) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("image");
  ASSERT_THAT(CreateImage(path, 4 * kMiB), IsOk());
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto device, OpenImage(path, Access::kRead));
  EXPECT_THAT(device->Map(0, 4096, Access::kReadWrite),
              HasError(StatusCode::kPermissionDenied, path));
  EXPECT_THAT(device->CreateExtent({0, 2 * kMiB}),
              HasError(StatusCode::kPermissionDenied, path));
  EXPECT_THAT(device->Map(0, 4 * kMiB, Access::kRead), IsOk());
}

TEST(ImageTest, ATruncatedImageOpensUpToItsEndAndAnEmptyOneDoesNot) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("image");
  std::ofstream(path) << std::string(5000, 'x');
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto device, OpenImage(path, Access::kRead));
  EXPECT_EQ(device->size(), 5000U);
  EXPECT_THAT(device->Map(0, 2 * kMiB, Access::kRead),
              HasError(StatusCode::kOutOfRange, "5000"));
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto mapping,
                             device->Map(0, 5000, Access::kRead));
  EXPECT_TRUE(Holds(*mapping, 0, 5000, std::byte{'x'}));
  ASSERT_EQ(::truncate(path.c_str(), 0), 0);
  EXPECT_THAT(OpenImage(path, Access::kRead),
              HasError(StatusCode::kDataLoss, "is empty"));
}

}  // namespace
}  // namespace famfs
