// The spec parser and what every Mapping does.
#include "dax/device.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <cstring>
#include <filesystem>

#include "base/units.h"
#include "dax/file_mapping.h"
#include "dax/image.h"
#include "tests/unit/base/status_matchers.h"
#include "tests/unit/base/temporary_directory.h"
#include "tests/unit/dax/dax_testing.h"

namespace famfs {
namespace {

using absl::StatusCode;
using testing::AsBytes;
using testing::HasError;
using testing::Holds;
using testing::IsOk;
using testing::MakeEmulated;
using testing::TemporaryDirectory;
using testing::TextAt;

/// The capabilities of a device that has no extent at 2 MiB, looked at from
/// outside.
void ExpectWhatItPromises(DaxDevice& device,
                          const DaxDevice::Capabilities& has) {
  static constexpr Range kExtent{kExtentUnit, kExtentUnit};
  const auto map = [&device] {
    return device.Map(kExtent.offset, kExtent.length, Access::kReadWrite);
  };
  EXPECT_EQ(map().ok(), !has.allocates_extents);
  ASSERT_THAT(device.CreateExtent(kExtent), IsOk());
  EXPECT_EQ(device.OpenExtent(kExtent.offset).ok(), has.can_pass_through);
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto old, map());
  old->Store(0, AsBytes("old"));
  ASSERT_THAT(device.RemoveExtent(kExtent.offset), IsOk());
  EXPECT_EQ(map().ok(), !has.allocates_extents);
  ASSERT_THAT(device.CreateExtent(kExtent), IsOk());
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto fresh, map());
  EXPECT_TRUE(Holds(*fresh, 0, 3, std::byte{0}));
  EXPECT_EQ(TextAt(*old, 0, 3) == "old", has.removed_extents_live_on);
  EXPECT_EQ(device.CreateNodeFile("v.00000000000000a1").ok(),
            has.has_node_files);
}

TEST(OpenDeviceTest, EveryKindIsFoundBySpecAndByPath) {
  const TemporaryDirectory directory;
  const std::string pool = directory.File("pool");
  const std::string image = directory.File("image");
  ASSERT_THAT(MakeEmulated(pool), IsOk());
  ASSERT_THAT(CreateImage(image, 4 * kMiB), IsOk());
  for (const std::string& spec : {"emulated:" + pool, pool, pool + "/"}) {
    FAMFS_ASSERT_OK_AND_ASSIGN(const auto device,
                               OpenDevice(spec, Access::kRead));
    EXPECT_EQ(device->spec(), "emulated:" + pool);
    EXPECT_EQ(device->size(), 64 * kMiB);
    EXPECT_EQ(device->tag(), testing::SomeTag());
  }
  for (const std::string& spec : {"image:" + image, image}) {
    FAMFS_ASSERT_OK_AND_ASSIGN(const auto device,
                               OpenDevice(spec, Access::kRead));
    EXPECT_EQ(device->spec(), "image:" + image);
    EXPECT_EQ(device->size(), 4 * kMiB);
    EXPECT_TRUE(device->tag().is_nil());
  }
}

TEST(OpenDeviceTest, EveryKindHasItsCapabilities) {
  const TemporaryDirectory directory;
  ASSERT_THAT(MakeEmulated(directory.File("pool")), IsOk());
  ASSERT_THAT(CreateImage(directory.File("image"), 4 * kMiB), IsOk());
  const struct {
    std::string spec;
    DaxDevice::Capabilities expected;
  } cases[] = {
      {"emulated:" + directory.File("pool"),
       {.can_pass_through = true,
        .removed_extents_live_on = true,
        .allocates_extents = true,
        .has_node_files = true}},
      {"image:" + directory.File("image"),
       {.can_pass_through = false,
        .removed_extents_live_on = false,
        .allocates_extents = false,
        .has_node_files = false}},
  };
  for (const auto& c : cases) {
    FAMFS_ASSERT_OK_AND_ASSIGN(const auto device,
                               OpenDevice(c.spec, Access::kReadWrite));
    const DaxDevice::Capabilities has = device->capabilities();
    EXPECT_EQ(has.can_pass_through, c.expected.can_pass_through) << c.spec;
    EXPECT_EQ(has.removed_extents_live_on, c.expected.removed_extents_live_on)
        << c.spec;
    EXPECT_EQ(has.allocates_extents, c.expected.allocates_extents) << c.spec;
    EXPECT_EQ(has.has_node_files, c.expected.has_node_files) << c.spec;
    ExpectWhatItPromises(*device, has);
  }
}

TEST(OpenDeviceTest, ARelativePathStaysGoodInAnotherDirectory) {
  const TemporaryDirectory directory;
  ASSERT_THAT(MakeEmulated(directory.File("pool")), IsOk());
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(directory.path());
  const auto device = OpenDevice("pool", Access::kRead);
  std::filesystem::current_path(before);
  ASSERT_THAT(device, IsOk());
  EXPECT_THAT(OpenDevice((*device)->spec(), Access::kRead), IsOk());
  EXPECT_THAT((*device)->ListExtents(), IsOk());
}

TEST(OpenDeviceTest, WhatIsMissingOrWrongIsSaidWithWhatToDo) {
  const TemporaryDirectory directory;
  const std::string none = directory.File("none");
  const std::string fifo = directory.File("fifo");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  const struct {
    std::string spec;
    StatusCode code;
    std::string text;
  } cases[] = {
      {"", StatusCode::kInvalidArgument, "emulated:DIR, image:FILE"},
      {none, StatusCode::kNotFound, "create it with `famfs mkfs`"},
      {"emulated:" + none, StatusCode::kNotFound, none + "/device.yaml"},
      {"image:" + none, StatusCode::kNotFound, "create it with `famfs mkfs`"},
      {directory.path(), StatusCode::kNotFound, "device.yaml"},
      {"image:" + directory.path(), StatusCode::kInvalidArgument,
       directory.path()},
      {"emulated:", StatusCode::kInvalidArgument, "a path must follow"},
      {"image:", StatusCode::kInvalidArgument, "a path must follow"},
      {"tape:/dev/st0", StatusCode::kInvalidArgument, "\"tape\" is no kind"},
      {"devdax:" + none, StatusCode::kNotFound, "`famfs devices` lists"},
      {"devdax:" + directory.path(), StatusCode::kInvalidArgument,
       "no character device"},
      {"/dev/null", StatusCode::kInvalidArgument, "1:3 is none"},
      {"tag:3f2504e0-4f89-41d3-9a0c-0305e82c3301", StatusCode::kNotFound,
       "no dax device of this host has this tag"},
      {"tag:pool", StatusCode::kInvalidArgument, "is no UUID"},
      {fifo, StatusCode::kInvalidArgument, "neither a directory"},
      {"image:" + fifo, StatusCode::kInvalidArgument, "not a regular file"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(OpenDevice(c.spec, Access::kRead), HasError(c.code, c.text))
        << c.spec;
  }
}

TEST(OpenDeviceTest, AColonBehindASlashBelongsToThePath) {
  const TemporaryDirectory directory;
  ASSERT_THAT(CreateImage(directory.File("a:b"), 2 * kMiB), IsOk());
  EXPECT_THAT(OpenDevice(directory.File("a:b"), Access::kRead), IsOk());
}

class MappingTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string path = directory_.File("image");
    ASSERT_THAT(CreateImage(path, 4 * kMiB), IsOk());
    FAMFS_ASSERT_OK_AND_ASSIGN(device_, OpenImage(path, Access::kReadWrite));
    FAMFS_ASSERT_OK_AND_ASSIGN(mapping_,
                               device_->Map(0, 8192, Access::kReadWrite));
  }

  TemporaryDirectory directory_;
  std::unique_ptr<DaxDevice> device_;
  std::unique_ptr<Mapping> mapping_;
};

TEST_F(MappingTest, StoresChangeTheirRangeAndNothingElse) {
  std::memset(mapping_->mutable_data(), 0xee, mapping_->size());
  mapping_->Store(100, AsBytes("memory"));
  mapping_->Store(8192, {});
  mapping_->StoreZeros(200, 50);
  mapping_->Store16(256, 0x0807060504030201, 0x100f0e0d0c0b0a09);
  mapping_->WriteBack(0, mapping_->size());
  EXPECT_TRUE(Holds(*mapping_, 0, 100, std::byte{0xee}));
  EXPECT_EQ(TextAt(*mapping_, 100, 6), "memory");
  EXPECT_TRUE(Holds(*mapping_, 106, 94, std::byte{0xee}));
  EXPECT_TRUE(Holds(*mapping_, 200, 50, std::byte{0}));
  EXPECT_TRUE(Holds(*mapping_, 250, 6, std::byte{0xee}));
  for (std::size_t i = 0; i < 16; ++i) {
    EXPECT_EQ(mapping_->data()[256 + i], std::byte(i + 1)) << i;
  }
  EXPECT_TRUE(Holds(*mapping_, 272, 8192 - 272, std::byte{0xee}));
}

TEST_F(MappingTest, TwoMappingsOfOneRangeShareTheirBytes) {
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto reader,
                             device_->Map(4096, 4096, Access::kRead));
  mapping_->Store(4096 + 17, AsBytes("shared"));
  mapping_->WriteBack(4096, 64);
  reader->Invalidate(0, 64);
  EXPECT_EQ(TextAt(*reader, 17, 6), "shared");
}

TEST_F(MappingTest, ARangeNeedNotBeginOnAPage) {
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto odd,
                             device_->Map(4096 + 64, 128, Access::kReadWrite));
  EXPECT_EQ(odd->size(), 128U);
  odd->Store(0, AsBytes("line"));
  odd->Store16(16, 1, 2);
  EXPECT_EQ(TextAt(*mapping_, 4096 + 64, 4), "line");
  EXPECT_EQ(mapping_->data()[4096 + 64 + 16], std::byte{1});
}

TEST_F(MappingTest, AStoreOutsideOfTheMappingEndsTheProcess) {
  const auto killed = ::testing::KilledBySignal(SIGABRT);
  EXPECT_EXIT(mapping_->Store(8190, AsBytes("abc")), killed, "");
  EXPECT_EXIT(mapping_->StoreZeros(SIZE_MAX, 2), killed, "");
  EXPECT_EXIT(mapping_->Store16(8184, 1, 2), killed, "");
  EXPECT_EXIT(mapping_->WriteBack(8192, 1), killed, "");
  EXPECT_EXIT(mapping_->Invalidate(0, 8193), killed, "");
  EXPECT_EXIT(mapping_->Store16(8, 1, 2), killed, "");
}

TEST_F(MappingTest, AReadOnlyMappingCannotBeStoredTo) {
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto reader,
                             device_->Map(0, 4096, Access::kRead));
  EXPECT_EXIT(
      {
        testing::LetFaultsKill();
        reader->Store(0, AsBytes("x"));
      },
      ::testing::KilledBySignal(SIGSEGV), "");
}

TEST_F(MappingTest, NoMappingReachesBeyondTheFile) {
  // The file was shortened behind the device's back: SIGBUS would wait there.
  ASSERT_EQ(::truncate(directory_.File("image").c_str(), 3 * kMiB), 0);
  EXPECT_THAT(device_->Map(2 * kMiB, 2 * kMiB, Access::kRead),
              HasError(StatusCode::kOutOfRange, "do not lie within"));
  EXPECT_THAT(device_->Map(2 * kMiB, kMiB, Access::kRead), IsOk());
}

}  // namespace
}  // namespace famfs
