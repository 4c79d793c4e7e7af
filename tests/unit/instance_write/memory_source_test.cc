// Devices whose memory comes from file systems that may run out of it.
#include "instance/devices/memory_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/units.h"
#include "dax/device.h"

namespace famfs {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kSize = kGiB;

/// A device of which only the file system below matters here.
class Backed final : public DaxDevice {
 public:
  explicit Backed(absl::StatusOr<std::optional<Backing>> backing)
      : backing_(std::move(backing)) {}
  std::string spec() const override { return "backed"; }
  std::uint64_t size() const override { return kSize; }
  Uuid tag() const override { return {}; }
  Capabilities capabilities() const override {
    return {.can_pass_through = true,
            .removed_extents_live_on = true,
            .allocates_extents = true};
  }
  absl::StatusOr<std::optional<Backing>> FindBacking(
      std::uint64_t /*taken*/) override {
    return backing_;
  }
  absl::StatusOr<std::unique_ptr<Mapping>> Map(std::uint64_t, std::uint64_t,
                                               Access) override {
    return Unimplemented("no memory");
  }
  absl::Status CreateExtent(Range) override { return absl::OkStatus(); }
  absl::Status RemoveExtent(std::uint64_t) override { return absl::OkStatus(); }
  absl::StatusOr<std::vector<Range>> ListExtents() override {
    return std::vector<Range>{};
  }
  absl::StatusOr<UniqueFd> OpenExtent(std::uint64_t) override {
    return Unimplemented("no files");
  }

 private:
  absl::StatusOr<std::optional<Backing>> backing_;
};

class MemorySourceTest : public ::testing::Test {
 protected:
  void Add(absl::StatusOr<std::optional<Backing>> backing) {
    devices_.push_back(std::make_shared<Backed>(std::move(backing)));
    allocators_.push_back(std::make_unique<ExtentAllocator>(kSize));
  }
  void AddOwnMemory() { Add(std::optional<Backing>()); }
  void AddIn(std::uint64_t file_system, std::uint64_t free,
             std::uint64_t owed = 0) {
    Add(Backing{.file_system = file_system, .free = free, .owed = owed});
  }

  std::vector<ExtentAllocator*> Allocators() {
    std::vector<ExtentAllocator*> all;
    for (const auto& allocator : allocators_) all.push_back(allocator.get());
    return all;
  }
  std::vector<MemorySource> Sources(
      std::span<ExtentAllocator* const> all) const {
    return FindSources(AskBackings(devices_, TakenOf(all)), all);
  }
  Room RoomOf(const PlacementRequest& request) {
    const auto all = Allocators();
    const auto room = RoomBacked(Sources(all), all, request);
    EXPECT_TRUE(room.ok()) << room.status();
    return room.value_or(Room{});
  }
  absl::StatusOr<Placement> PlaceOf(const PlacementRequest& request) {
    const auto all = Allocators();
    return PlaceBacked(Sources(all), all, request);
  }
  std::uint64_t FreeInAll() {
    std::uint64_t free = 0;
    for (const auto& allocator : allocators_) free += allocator->free_bytes();
    return free;
  }
  /// That of these parameters what is said to be the largest can be placed, and
  /// nothing more.
  void ExpectExact(PlacementRequest request) {
    const std::uint64_t largest = RoomOf(request).largest;
    const std::uint64_t free = FreeInAll();
    request.size = largest + kAllocUnit;
    EXPECT_TRUE(absl::IsResourceExhausted(PlaceOf(request).status()));
    EXPECT_EQ(FreeInAll(), free) << "a refusal costs nothing";
    if (largest == 0) return;
    request.size = largest;
    const auto placed = PlaceOf(request);
    ASSERT_TRUE(placed.ok()) << placed.status();
    ASSERT_TRUE(GiveBack(Allocators(), *placed).ok());
  }

  std::vector<std::shared_ptr<DaxDevice>> devices_;
  std::vector<std::unique_ptr<ExtentAllocator>> allocators_;
};

TEST_F(MemorySourceTest, EnoughMemoryIsNoLimit) {
  AddOwnMemory();
  AddIn(1, 2 * kSize);
  AddIn(1, 2 * kSize);
  EXPECT_EQ(RoomOf({}).free, 3 * kSize);
  EXPECT_EQ(RoomOf({.max_extents = 3}).largest, 3 * kSize);
  ExpectExact({.max_extents = 3});
}

TEST_F(MemorySourceTest, DevicesOfOneFileSystemShareWhatItHas) {
  AddIn(1, kSize + 3 * kMiB);
  AddIn(1, kSize + 3 * kMiB);
  EXPECT_EQ(RoomOf({}).free, kSize + 2 * kMiB);
  EXPECT_EQ(RoomOf({}).largest, kSize);
  EXPECT_EQ(RoomOf({.max_extents = 2}).largest, kSize + 2 * kMiB);
  ExpectExact({});
  ExpectExact({.max_extents = 2});
  ExpectExact({.strips = 2, .chunk = 2 * kMiB});
}

TEST_F(MemorySourceTest, AFullFileSystemLeavesTheOthersAlone) {
  AddIn(1, 0);
  AddIn(2, 10 * kMiB);
  EXPECT_EQ(RoomOf({}), (Room{10 * kMiB, 10 * kMiB}));
  ExpectExact({.max_extents = 16});
  const auto placed = PlaceOf({.size = 4 * kMiB});
  ASSERT_TRUE(placed.ok()) << placed.status();
  EXPECT_EQ(placed->extents[0].device_index, 1U);
}

TEST_F(MemorySourceTest, WhatIsOwedIsNotLeft) {
  AddIn(1, 100 * kMiB, 60 * kMiB);
  AddIn(1, 100 * kMiB, 30 * kMiB);
  EXPECT_EQ(RoomOf({}).largest, 10 * kMiB);
  AddIn(2, 10 * kMiB, 60 * kMiB);
  EXPECT_EQ(RoomOf({}).largest, 10 * kMiB);
}

TEST_F(MemorySourceTest, StripsLieOnOneFileSystem) {
  AddIn(1, 100 * kMiB);
  AddIn(2, 100 * kMiB);
  EXPECT_EQ(RoomOf({.strips = 2, .chunk = 2 * kMiB}).largest, 0U);
  ExpectExact({.strips = 2, .chunk = 2 * kMiB});
  AddIn(1, 100 * kMiB);
  EXPECT_EQ(RoomOf({.strips = 2, .chunk = 8 * kMiB}).largest, 96 * kMiB);
  ExpectExact({.strips = 2, .chunk = 8 * kMiB});
}

TEST_F(MemorySourceTest, ARuleThatTheDevicesBreakIsStillTold) {
  AddIn(1, 100 * kMiB);
  EXPECT_TRUE(absl::IsInvalidArgument(
      PlaceOf({.size = kMiB, .strips = 2, .chunk = 2 * kMiB}).status()));
}

TEST_F(MemorySourceTest, AFileSystemOutOfReachIsToldUnlessOthersHaveRoom) {
  Add(NotFound("gone"));
  const auto all = Allocators();
  const auto sources = Sources(all);
  EXPECT_THAT(std::string(RoomBacked(sources, all, {}).status().message()),
              HasSubstr("gone"));
  EXPECT_TRUE(absl::IsNotFound(PlaceOf({.size = kMiB}).status()));
  EXPECT_EQ(Unbacked(sources, all), kSize);
  AddIn(1, 10 * kMiB);
  EXPECT_EQ(RoomOf({}).largest, 10 * kMiB);
  EXPECT_TRUE(PlaceOf({.size = kMiB}).ok());
  EXPECT_TRUE(absl::IsNotFound(PlaceOf({.size = kGiB}).status()));
}

TEST_F(MemorySourceTest, UnbackedIsWhatIsMissing) {
  AddOwnMemory();
  AddIn(1, 10 * kMiB);
  const auto all = Allocators();
  EXPECT_EQ(Unbacked(Sources(all), all), kSize - 10 * kMiB);
}

}  // namespace
}  // namespace famfs
