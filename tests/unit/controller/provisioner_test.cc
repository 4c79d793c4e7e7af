#include "controller/provisioner.h"

#include <future>
#include <set>

#include "tests/unit/base/status_matchers.h"
#include "tests/unit/controller/fixture.h"

namespace famfs::controller {
namespace {

using ::famfs::testing::HasError;
using ::famfs::testing::IsOk;

TEST_F(ProvisionerTest, CreatingAgainAnswersTheSameVolumeAlsoAfterARestart) {
  FAMFS_ASSERT_OK_AND_ASSIGN(const VolumeInfo first, Create("pvc", 3 * kMiB));
  EXPECT_EQ(first.attributes.capacity, 4 * kMiB);
  FAMFS_ASSERT_OK_AND_ASSIGN(const VolumeInfo again, Create("pvc", 3 * kMiB));
  EXPECT_EQ(again.id, first.id);
  Restart();
  FAMFS_ASSERT_OK_AND_ASSIGN(const VolumeInfo later, Create("pvc", 4 * kMiB));
  EXPECT_EQ(later.id, first.id);
  EXPECT_EQ(later.attributes, first.attributes);
}

TEST_F(ProvisionerTest, TheSameNameWithOtherWishesIsRefused) {
  ASSERT_THAT(Create("pvc", 4 * kMiB), IsOk());
  EXPECT_THAT(Create("pvc", 8 * kMiB),
              HasError(absl::StatusCode::kAlreadyExists, "capacity"));
  EXPECT_THAT(Create("pvc", 4 * kMiB, "two"),
              HasError(absl::StatusCode::kAlreadyExists, "pool is one"));
  CreateRequest request;
  request.name = "pvc";
  request.parameters.pool = "one";
  request.parameters.data_path = DataPath::kCopy;
  EXPECT_THAT(provisioner().Create(request),
              HasError(absl::StatusCode::kAlreadyExists, "dataPath"));
  request.parameters.data_path = DataPath::kAuto;
  request.parameters.uid = 1000;
  EXPECT_THAT(provisioner().Create(request),
              HasError(absl::StatusCode::kAlreadyExists, "owner"));
}

TEST_F(ProvisionerTest, DeletingIsIdempotentAndGivesTheSpaceBack) {
  const AvailableSpace before = FreeOf();
  FAMFS_ASSERT_OK_AND_ASSIGN(const VolumeInfo info, Create("pvc", 64 * kMiB));
  EXPECT_EQ(FreeOf().free, before.free - 64 * kMiB);
  EXPECT_THAT(provisioner().Delete(info.id), IsOk());
  EXPECT_THAT(provisioner().Delete(info.id), IsOk());
  EXPECT_THAT(provisioner().Find(info.id),
              HasError(absl::StatusCode::kNotFound, info.id));
  EXPECT_EQ(FreeOf().free, before.free);
  EXPECT_EQ(FreeOf().largest, before.largest);
}

TEST_F(ProvisionerTest, IdsOfNobodyAreDeletedAlready) {
  for (const char* id : {"x", "", "v1:00000000:gone-1", "v1:../..:x", "v2:a:b",
                         "v1:00000000:../../etc"}) {
    EXPECT_THAT(provisioner().Delete(id), IsOk()) << id;
    EXPECT_TRUE(absl::IsNotFound(provisioner().Find(id).status())) << id;
  }
}

TEST_F(ProvisionerTest, ANameUsedAgainIsAnotherVolume) {
  FAMFS_ASSERT_OK_AND_ASSIGN(const VolumeInfo first, Create("pvc", 4 * kMiB));
  ASSERT_THAT(provisioner().Delete(first.id), IsOk());
  FAMFS_ASSERT_OK_AND_ASSIGN(const VolumeInfo second, Create("pvc", 8 * kMiB));
  EXPECT_NE(second.id, first.id);
  EXPECT_NE(second.directory, first.directory);
}

TEST_F(ProvisionerTest, CapacityIsExact) {
  const AvailableSpace capacity = FreeOf();
  EXPECT_THAT(
      Create("too-large", capacity.largest + kAllocUnit),
      HasError(absl::StatusCode::kResourceExhausted, "pool one has no room"));
  EXPECT_EQ(FreeOf().free, capacity.free) << "a refusal costs nothing";
  ASSERT_THAT(Create("all-of-it", capacity.largest), IsOk());
  EXPECT_EQ(FreeOf().free, capacity.free - capacity.largest);
  EXPECT_THAT(Create("one-more", capacity.free),
              HasError(absl::StatusCode::kResourceExhausted, "largest"));
}

TEST_F(ProvisionerTest, AFullPoolHasRoomAsSoonAsSomethingIsDeleted) {
  const AvailableSpace capacity = FreeOf();
  FAMFS_ASSERT_OK_AND_ASSIGN(const VolumeInfo all,
                             Create("all", capacity.largest));
  ASSERT_THAT(provisioner().Delete(all.id), IsOk());
  EXPECT_THAT(Create("next", capacity.largest), IsOk());
}

TEST_F(ProvisionerTest, WhatNoPoolCouldHoldIsOutOfRange) {
  EXPECT_THAT(Create("huge", 5 * kGiB),
              HasError(absl::StatusCode::kOutOfRange, "can never hold"));
}

TEST_F(ProvisionerTest, PagesListEachVolumeOnceWhileOthersComeAndGo) {
  std::set<std::string> stay;
  for (int i = 0; i < 10; ++i) {
    FAMFS_ASSERT_OK_AND_ASSIGN(
        const VolumeInfo info,
        Create("stay" + std::to_string(i), 2 * kMiB, i % 2 ? "one" : "two"));
    stay.insert(info.id);
  }
  std::multiset<std::string> seen;
  std::optional<ListKey> after;
  int round = 0;
  do {
    FAMFS_ASSERT_OK_AND_ASSIGN(Page page, provisioner().List(after, 3));
    EXPECT_LE(page.volumes.size(), 3U);
    for (const VolumeInfo& info : page.volumes) {
      if (stay.contains(info.id)) seen.insert(info.id);
    }
    after = page.next_after;
    FAMFS_ASSERT_OK_AND_ASSIGN(
        const VolumeInfo passing,
        Create("passing" + std::to_string(round), 2 * kMiB));
    if (round % 2 == 0) {
      ASSERT_THAT(provisioner().Delete(passing.id), IsOk());
    }
  } while (after.has_value() && ++round < 20);
  EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()), stay);
  EXPECT_EQ(seen.size(), stay.size()) << "none twice";
}

// The creation of one volume stands still between its reservation and its
// publication; everything about other volumes goes on, and the same volume's
// second creation waits for the first and answers alike.
TEST_F(ProvisionerTest, TwoVolumesNeverWaitForEachOther) {
  auto held = std::async(std::launch::async,
                         [this] { return Create("held", kGatedSize); });
  ASSERT_TRUE(gate().AwaitArrival());
  FAMFS_ASSERT_OK_AND_ASSIGN(const VolumeInfo other, Create("other", 4 * kMiB));
  EXPECT_THAT(provisioner().List(std::nullopt, 0), IsOk());
  EXPECT_THAT(provisioner().Delete(other.id), IsOk());
  FreeOf();
  auto second = std::async(std::launch::async,
                           [this] { return Create("held", kGatedSize); });
  EXPECT_EQ(held.wait_for(std::chrono::seconds(0)), std::future_status::timeout)
      << "the gate did not hold it";
  gate().Open();
  FAMFS_ASSERT_OK_AND_ASSIGN(const VolumeInfo first, held.get());
  FAMFS_ASSERT_OK_AND_ASSIGN(const VolumeInfo again, second.get());
  EXPECT_EQ(first.id, again.id);
}

}  // namespace
}  // namespace famfs::controller
