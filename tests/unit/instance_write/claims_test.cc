// What creations under way keep from each other; no device, no log.
#include "instance/writer/claims.h"

#include "fixture.h"

namespace famfs {
namespace {

Claim ClaimOf(const std::string& path, const std::string& csi_name = {},
              VolumeKind kind = VolumeKind::kVolume) {
  return {.path = path, .name_key = NameKey(kind, csi_name), .slots = 2};
}

TEST(ClaimsTest, APathIsOneCreationsUntilItsClaimIsRemoved) {
  Claims claims;
  const Claim claim = ClaimOf("v1");
  claims.Add(claim);
  EXPECT_TRUE(absl::IsAborted(claims.CheckPathIsFree("v1")));
  EXPECT_OK(claims.CheckPathIsFree("v2"));
  claims.Remove(claim);
  EXPECT_OK(claims.CheckPathIsFree("v1"));
}

TEST(ClaimsTest, VolumesAndSnapshotsOfOneNameDoNotMeet) {
  Claims claims;
  const Claim claim = ClaimOf("v1", "pvc-1");
  claims.Add(claim);
  EXPECT_TRUE(
      absl::IsAborted(claims.CheckNameIsFree(VolumeKind::kVolume, "pvc-1")));
  EXPECT_OK(claims.CheckNameIsFree(VolumeKind::kSnapshot, "pvc-1"));
  claims.Remove(claim);
  EXPECT_OK(claims.CheckNameIsFree(VolumeKind::kVolume, "pvc-1"));
}

TEST(ClaimsTest, WhatHasNoNameMeetsNothing) {
  Claims claims;
  const Claim directory = ClaimOf("directory");
  claims.Add(directory);
  claims.Add(ClaimOf("v1", "pvc-1"));
  EXPECT_OK(claims.CheckNameIsFree(VolumeKind::kVolume, ""));
  claims.Remove(directory);
  EXPECT_TRUE(
      absl::IsAborted(claims.CheckNameIsFree(VolumeKind::kVolume, "pvc-1")));
}

TEST(ClaimsTest, SlotsAndExtentsAreThoseOfAllClaims) {
  Claims claims;
  Claim first = ClaimOf("v1");
  first.extents = {{0, 8 * kAllocUnit, kAllocUnit}, {1, 0, kAllocUnit}};
  Claim second = ClaimOf("v2");
  second.extents = {{0, 9 * kAllocUnit, kAllocUnit}};
  claims.Add(first);
  claims.Add(second);
  claims.AddSlot();
  EXPECT_EQ(claims.slots(), 5U);
  EXPECT_EQ(claims.extents().size(), 3U);
  // Of a claim that goes on without one of its extents.
  claims.RemoveExtent(first.extents[1]);
  first.extents.pop_back();
  claims.Remove(first);
  claims.RemoveSlot();
  EXPECT_EQ(claims.slots(), 2U);
  EXPECT_EQ(claims.extents(), second.extents);
}

}  // namespace
}  // namespace famfs
