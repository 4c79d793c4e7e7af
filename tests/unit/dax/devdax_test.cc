// Mapping a dax device: whole units, never beyond its end, and what is left
// when its memory goes. A file in memory stands in for the device; where a node
// has to be opened, /dev/zero does.
#include "dax/devdax.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>

#include "base/units.h"
#include "dax/missing_memory.h"
#include "dax/scrub.h"
#include "dax/use_mark.h"
#include "tests/unit/base/status_matchers.h"
#include "tests/unit/base/temporary_directory.h"
#include "tests/unit/dax/dax_testing.h"
#include "tests/unit/dax/devdax_stand_in.h"
#include "tests/unit/dax/made_up_sysfs.h"

namespace famfs {
namespace {

using absl::StatusCode;
using testing::AsBytes;
using ::testing::ElementsAre;
using testing::HasError;
using testing::Holds;
using testing::IsOk;
using testing::MadeUpSysfs;
using testing::OpenStandIn;
using testing::StandIn;
using testing::TextAt;

constexpr std::uint64_t kSize = 64 * kMiB;

class DevdaxTest : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  void SetUp() override {
    const std::uint64_t align = GetParam();
    memory_->size = RoundUp(kSize, align);
    memory_->Cut(memory_->size);
    device_ = Open(Access::kReadWrite);
  }
  [[nodiscard]] std::unique_ptr<DaxDevice> Open(Access access) const {
    auto device = OpenStandIn(memory_, access, GetParam(), testing::SomeTag());
    EXPECT_THAT(device, IsOk());
    return *std::move(device);
  }
  [[nodiscard]] std::unique_ptr<Mapping> Map(
      std::uint64_t offset, std::uint64_t length,
      Access access = Access::kReadWrite) const {
    auto mapping = device_->Map(offset, length, access);
    EXPECT_THAT(mapping, IsOk());
    return *std::move(mapping);
  }

  const std::shared_ptr<StandIn> memory_ = std::make_shared<StandIn>();
  std::unique_ptr<DaxDevice> device_;
};

std::string UnitName(const ::testing::TestParamInfo<std::uint64_t>& unit) {
  return unit.param == kGiB ? "1GiB" : unit.param == 4096 ? "4KiB" : "2MiB";
}
// Mappings of the file are aligned to pages alone; what is lost is the unit.
INSTANTIATE_TEST_SUITE_P(Units, DevdaxTest,
                         ::testing::Values(4096, 2 * kMiB, kGiB), UnitName);

TEST_P(DevdaxTest, AnyRangeIsMappedInWholeUnits) {
  Map(0, 4096)->Store(0, AsBytes("first"));
  Map(2 * kMiB + 64, 128)->Store(16, AsBytes("inside"));
  Map(memory_->size - 4096, 4096)->Store(4090, AsBytes("last.."));
  const auto whole = Map(0, memory_->size, Access::kRead);
  EXPECT_EQ(whole->size(), memory_->size);
  EXPECT_EQ(TextAt(*whole, 0, 5), "first");
  EXPECT_EQ(TextAt(*whole, 2 * kMiB + 80, 6), "inside");
  EXPECT_EQ(TextAt(*whole, memory_->size - 6, 6), "last..");
}

TEST_P(DevdaxTest, NothingBeyondItsEndIsMapped) {
  for (const auto& [offset, length] :
       {Range{memory_->size, 1}, Range{memory_->size - 1, 2},
        Range{0, memory_->size + 1}, Range{UINT64_MAX, 1},
        Range{1, UINT64_MAX}}) {
    EXPECT_THAT(device_->Map(offset, length, Access::kRead),
                HasError(StatusCode::kOutOfRange, "do not lie within"));
  }
  EXPECT_THAT(device_->Map(0, 0, Access::kRead),
              HasError(StatusCode::kInvalidArgument, "an empty range"));
  // It became smaller, and mmap would not mind.
  memory_->size -= GetParam();
  EXPECT_THAT(device_->Map(memory_->size, 4096, Access::kRead),
              HasError(StatusCode::kOutOfRange, "do not lie within"));
}

TEST_P(DevdaxTest, PromisesWhatAFlatMemoryDoes) {
  const DaxDevice::Capabilities has = device_->capabilities();
  EXPECT_FALSE(has.can_pass_through);
  EXPECT_FALSE(has.removed_extents_live_on);
  EXPECT_FALSE(has.allocates_extents);
  EXPECT_FALSE(has.has_node_files);
  EXPECT_EQ(device_->size(), memory_->size);
  EXPECT_EQ(device_->tag(), testing::SomeTag());
  EXPECT_THAT(*device_->ListExtents(), ElementsAre(Range{0, memory_->size}));
  EXPECT_EQ(*device_->FindBacking(0), std::nullopt);
  EXPECT_THAT(device_->OpenExtent(0),
              HasError(StatusCode::kUnimplemented, "no file of its own"));
  EXPECT_EQ(*device_->ProbeMedium()(), memory_->medium);
}

TEST_P(DevdaxTest, AnExtentIsZeroAndNothingElseIsTouched) {
  const auto whole = Map(0, 16 * kMiB);
  std::memset(whole->mutable_data(), 0xff, whole->size());
  ASSERT_THAT(device_->CreateExtent({4 * kMiB, 6 * kMiB}), IsOk());
  EXPECT_TRUE(Holds(*whole, 0, 4 * kMiB, std::byte{0xff}));
  EXPECT_TRUE(Holds(*whole, 4 * kMiB, 6 * kMiB, std::byte{0}));
  EXPECT_TRUE(Holds(*whole, 10 * kMiB, 6 * kMiB, std::byte{0xff}));
  ASSERT_THAT(Scrub(*device_, {10 * kMiB, 2 * kMiB}), IsOk());
  EXPECT_TRUE(Holds(*whole, 10 * kMiB, 2 * kMiB, std::byte{0}));
  EXPECT_TRUE(Holds(*whole, 12 * kMiB, 4 * kMiB, std::byte{0xff}));
  EXPECT_THAT(device_->CreateExtent({1, 2 * kMiB}),
              HasError(StatusCode::kInvalidArgument, "multiples of 2 MiB"));
}

TEST_P(DevdaxTest, OneForReadingIsNotWritten) {
  const auto reader = Open(Access::kRead);
  EXPECT_THAT(reader->Map(0, 4096, Access::kRead), IsOk());
  EXPECT_THAT(reader->Map(0, 4096, Access::kReadWrite),
              HasError(StatusCode::kPermissionDenied, "for reading only"));
  EXPECT_THAT(reader->CreateExtent({0, 2 * kMiB}),
              HasError(StatusCode::kPermissionDenied, "for reading only"));
}

// The device is taken away, by real SIGBUS: loads are zeros, stores go nowhere,
// the mapping says so, and the process goes on.
TEST_P(DevdaxTest, MemoryThatGoesAwayIsAnAnswer) {
  const auto mapping = Map(0, 8 * kMiB);
  mapping->Store(0, AsBytes("here"));
  memory_->Cut(0);
  memory_->gone = NotFound("there is no dax device dax0.0 on this host");
  EXPECT_EQ(TextAt(*mapping, 3 * kMiB, 4), std::string(4, '\0'));
  EXPECT_TRUE(mapping->lost());
  mapping->Store(5 * kMiB, AsBytes("nowhere"));
  mapping->Store16(64, 1, 2);
  mapping->ZeroStreaming(0, 8 * kMiB);
  mapping->WriteBack(0, 8 * kMiB);
  mapping->Invalidate(0, 8 * kMiB);
  EXPECT_THAT(mapping->Check(),
              HasError(StatusCode::kUnavailable,
                       "byte 3145728 is out of reach: there is no dax device"));
  EXPECT_THAT(mapping->Renew(), HasError(StatusCode::kUnavailable, "dax0.0"));
  EXPECT_THAT(device_->Map(0, 4096, Access::kRead),
              HasError(StatusCode::kUnavailable, "there is no dax device"));
  EXPECT_THAT(device_->CreateExtent({0, 2 * kMiB}),
              HasError(StatusCode::kUnavailable, "there is no dax device"));
  EXPECT_THAT(device_->ProbeMedium()(),
              HasError(StatusCode::kNotFound, "no dax device"));
}

TEST_P(DevdaxTest, AGuardedCopyEndsAtMemoryThatFailed) {
  const auto mapping = Map(2 * kMiB, 4 * kMiB);
  memory_->Cut(4 * kMiB);
  char target = 0;
  const std::byte* const at = mapping->data() + 3 * kMiB;
  const std::byte* const missing =
      Guarded({mapping->bytes()}, [&] { std::memcpy(&target, at, 1); });
  ASSERT_NE(missing, nullptr);
  EXPECT_EQ(missing, at);
  EXPECT_FALSE(mapping->lost());
  EXPECT_THAT(mapping->MissingError(3 * kMiB),
              HasError(StatusCode::kDataLoss,
                       "byte 5242880 can be neither read nor written"));
}

TEST_P(DevdaxTest, MemoryThatComesBackIsMappedAtItsOldPlace) {
  const auto mapping = Map(2 * kMiB, 4 * kMiB);
  const std::byte* const address = mapping->data();
  memory_->Cut(0);
  memory_->gone = FailedPrecondition("is in fsdev mode");
  mapping->Store(kMiB, AsBytes("nowhere"));
  ASSERT_THAT(mapping->Check(),
              HasError(StatusCode::kUnavailable, "is in fsdev mode"));
  memory_->Cut(memory_->size);
  memory_->gone = absl::OkStatus();
  ASSERT_THAT(mapping->Renew(), IsOk());
  EXPECT_THAT(mapping->Check(), IsOk());
  EXPECT_EQ(mapping->data(), address);
  mapping->Store(kMiB, AsBytes("here"));
  EXPECT_EQ(TextAt(*Map(3 * kMiB, 4096), 0, 4), "here");
  EXPECT_FALSE(mapping->lost());
}

TEST_P(DevdaxTest, AnotherMemoryOfTheNameIsNotTakenForIt) {
  const auto mapping = Map(0, 4 * kMiB);
  memory_->Cut(0);
  memory_->medium.inode = 99;
  mapping->Store(kMiB, AsBytes("nowhere"));
  memory_->Cut(memory_->size);
  EXPECT_THAT(mapping->Check(),
              HasError(StatusCode::kDataLoss, "removed and made anew"));
  EXPECT_THAT(mapping->Renew(),
              HasError(StatusCode::kDataLoss, "removed and made anew"));
  EXPECT_THAT(device_->Map(0, 4096, Access::kRead),
              HasError(StatusCode::kUnavailable, "removed and made anew"));
  // One that became smaller has lost what lay at its end.
  memory_->medium.inode = 2;
  memory_->size = 0;
  EXPECT_THAT(mapping->Renew(),
              HasError(StatusCode::kDataLoss, "made smaller, to 0 bytes"));
}

TEST_P(DevdaxTest, MarksOfItsUsersAreSeenAtItsNode) {
  auto mark = UseMark::Set(*device_, Use::kWriting, 7);
  ASSERT_THAT(mark, IsOk());
  EXPECT_TRUE(mark->held());
  const auto other = Open(Access::kRead);
  EXPECT_EQ(IsMarked(*other, Use::kWriting, 7), true);
  EXPECT_EQ(IsMarked(*other, Use::kWriting, 8), false);
  EXPECT_EQ(IsMarked(*other, Use::kServing), false);
}

TEST(AdoptDevdaxTest, ASizeThatIsNoMultipleOfItsUnitIsRefused) {
  const auto memory = std::make_shared<StandIn>();
  memory->Cut(kSize);
  memory->size = kSize - 4096;
  EXPECT_THAT(OpenStandIn(memory, Access::kRead, 2 * kMiB),
              HasError(StatusCode::kUnavailable, "no multiple"));
}

constexpr const char* kTag = "11111111-2222-4333-8444-55555555aaaa";

/// Nodes in a directory of one's own: links to /dev/zero.
class OpenDevdaxTest : public ::testing::Test {
 protected:
  void SetUp() override { sysfs_.SetDev(dev_.path()); }
  void AddNode(const std::string& name) const {
    std::filesystem::create_symlink("/dev/zero", dev_.File(name));
  }
  [[nodiscard]] absl::StatusOr<std::unique_ptr<DaxDevice>> OpenPath(
      const std::string& name, Access access = Access::kReadWrite) const {
    return OpenDevdax(dev_.File(name), access, sysfs_.system());
  }
  [[nodiscard]] absl::StatusOr<std::unique_ptr<DaxDevice>> OpenTag(
      const char* tag = kTag) const {
    return OpenTagged(*Uuid::Parse(tag), Access::kReadWrite, sysfs_.system());
  }

  const testing::TemporaryDirectory dev_;
  MadeUpSysfs sysfs_;
};

TEST_F(OpenDevdaxTest, IsFoundByItsPathAndByItsTag) {
  sysfs_.Add("dax3.0");
  sysfs_.Set("dax3.0", "uuid", kTag);
  AddNode("dax3.0");
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto by_path, OpenPath("dax3.0"));
  EXPECT_EQ(by_path->spec(), "devdax:" + dev_.File("dax3.0"));
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto by_tag, OpenTag());
  EXPECT_EQ(by_tag->spec(), std::string("tag:") + kTag);
  for (DaxDevice* const device : {by_path.get(), by_tag.get()}) {
    EXPECT_EQ(device->size(), 64 * kMiB);
    EXPECT_EQ(device->tag().ToString(), kTag);
    FAMFS_ASSERT_OK_AND_ASSIGN(const auto mapping,
                               device->Map(4096, 64, Access::kReadWrite));
    mapping->Store(0, AsBytes("memory"));
    EXPECT_EQ(TextAt(*mapping, 0, 6), "memory");
  }
  EXPECT_EQ(*by_path->ProbeMedium()(), *by_tag->ProbeMedium()());
  // Renumbered at the next boot, on another host: the same memory.
  sysfs_.Remove("dax3.0");
  EXPECT_THAT(by_tag->ProbeMedium()(),
              HasError(StatusCode::kNotFound, "no dax device dax3.0"));
  sysfs_.Add("dax12.1");
  sysfs_.Set("dax12.1", "uuid", kTag);
  AddNode("dax12.1");
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto again, OpenTag());
  EXPECT_EQ(again->spec(), by_tag->spec());
}

TEST_F(OpenDevdaxTest, WhatCannotBeOpenedIsSaidWithWhatToDo) {
  EXPECT_THAT(OpenPath("dax0.0"),
              HasError(StatusCode::kNotFound, "`famfs devices` lists"));
  EXPECT_THAT(OpenDevdax(dev_.path(), Access::kRead, sysfs_.system()),
              HasError(StatusCode::kInvalidArgument, "no character device"));
  AddNode("dax0.0");
  EXPECT_THAT(OpenPath("dax0.0"),
              HasError(StatusCode::kInvalidArgument, "1:5 is none"));
  EXPECT_THAT(OpenTag(),
              HasError(StatusCode::kNotFound, "this host has no dax device"));
  sysfs_.Add("dax0.0");
  EXPECT_THAT(OpenTag(),
              HasError(StatusCode::kNotFound, "has dax0.0 (no tag)"));
  sysfs_.Set("dax0.0", "uuid", kTag);
  sysfs_.SetDriver("dax0.0", "kmem");
  for (const auto& device : {OpenPath("dax0.0"), OpenTag()}) {
    EXPECT_THAT(device,
                HasError(StatusCode::kUnavailable, "is memory of the system"));
  }
  sysfs_.SetDriver("dax0.0", "device_dax");
  std::filesystem::remove(dev_.File("dax0.0"));
  EXPECT_THAT(OpenTag(), HasError(StatusCode::kNotFound,
                                  "there is no node " + dev_.File("dax0.0")));
  std::filesystem::create_symlink("/dev/null", dev_.File("dax0.0"));
  EXPECT_THAT(OpenTag(),
              HasError(StatusCode::kUnavailable, "is another device by now"));
}

TEST_F(OpenDevdaxTest, TwoDevicesOfOneTagAreAQuestion) {
  sysfs_.Add("dax0.0");
  sysfs_.Add("dax1.0", "1:3");
  for (const char* name : {"dax0.0", "dax1.0"}) {
    sysfs_.Set(name, "uuid", kTag);
    AddNode(name);
  }
  EXPECT_THAT(OpenTag(), HasError(StatusCode::kUnavailable,
                                  "dax0.0 and dax1.0 both have this tag"));
}

TEST_F(OpenDevdaxTest, AModeThatChangesIsNoticed) {
  sysfs_.Add("dax0.0");
  AddNode("dax0.0");
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto device, OpenPath("dax0.0"));
  EXPECT_TRUE(device->tag().is_nil());
  sysfs_.SetDriver("dax0.0", "fsdev_dax");
  EXPECT_THAT(device->Map(0, 4096, Access::kRead),
              HasError(StatusCode::kUnavailable, "is in fsdev mode"));
  sysfs_.SetDriver("dax0.0", "device_dax");
  EXPECT_THAT(device->Map(0, 4096, Access::kRead), IsOk());
}

}  // namespace
}  // namespace famfs
