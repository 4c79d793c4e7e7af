#include "node/volume_mounts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace famfs::node {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr char kPools[] = "/kubelet/plugins/famfs.csi/pools";
// Two instances are served: aaaaaaaa.. as 0:50 and bbbbbbbb.. as 0:51; 0:40 was
// served by a process that died.
constexpr char kServed[] =
    "1 0 0:9 / / rw - tmpfs root rw\n"
    "50 1 0:50 / /kubelet/plugins/famfs.csi/pools/"
    "aaaaaaaa-0000-4000-8000-000000000000 rw - fuse.famfs x rw\n"
    "51 1 0:51 / /kubelet/plugins/famfs.csi/pools/"
    "bbbbbbbb-0000-4000-8000-000000000000 rw - fuse.famfs x rw\n";

VolumeMounts With(const std::string& lines) {
  auto table = MountTable::Parse(kServed + lines);
  EXPECT_TRUE(table.ok()) << Message(table.status());
  return VolumeMounts(*std::move(table), kPools);
}

csi::VolumeId Volume(const std::string& directory) {
  return csi::VolumeId{.instance = "aaaaaaaa", .directory = directory};
}

std::vector<std::string> Points(const std::vector<const MountEntry*>& entries) {
  std::vector<std::string> points;
  for (const MountEntry* entry : entries) points.push_back(entry->mount_point);
  return points;
}

TEST(VolumeMounts, KnowsALivePublication) {
  const auto mounts = With("60 1 0:50 /v1 /t rw - fuse.famfs x rw\n");
  EXPECT_EQ(mounts.Examine("/t", Volume("v1")), PlaceState::kLive);
  EXPECT_EQ(mounts.Examine("/u", Volume("v1")), PlaceState::kFree);
}

TEST(VolumeMounts, KnowsADeadOneByItsRootAlone) {
  const auto mounts = With("60 1 0:40 /v1//deleted /t rw - fuse.famfs x rw\n");
  EXPECT_EQ(mounts.Examine("/t", Volume("v1")), PlaceState::kDead);
  EXPECT_EQ(mounts.Examine("/t", Volume("v2")), PlaceState::kForeign);
}

TEST(VolumeMounts, AnotherInstancesDirectoryOfTheSameNameIsForeign) {
  const auto mounts = With("60 1 0:51 /v1 /t rw - fuse.famfs x rw\n");
  EXPECT_EQ(mounts.Examine("/t", Volume("v1")), PlaceState::kForeign);
}

TEST(VolumeMounts, WhatLiesBelowTheVolumeIsKubelets) {
  const auto mounts = With("60 1 0:50 /v1/sub /t rw - fuse.famfs x rw\n");
  EXPECT_EQ(mounts.Examine("/t", Volume("v1")), PlaceState::kForeign);
  EXPECT_THAT(mounts.ElsewhereThan(Volume("v1"), "", ""), IsEmpty());
}

TEST(VolumeMounts, AnotherFileSystemWithTheSameRootIsForeign) {
  const auto mounts = With("60 1 0:50 /v1 /t rw - tmpfs x rw\n");
  EXPECT_EQ(mounts.Examine("/t", Volume("v1")), PlaceState::kForeign);
}

TEST(VolumeMounts, TheTopOfAStackDecides) {
  const auto mounts = With(
      "60 1 0:50 /v1 /t rw - fuse.famfs x rw\n"
      "61 60 0:7 / /t rw - tmpfs x rw\n");
  EXPECT_EQ(mounts.Examine("/t", Volume("v1")), PlaceState::kForeign);
}

TEST(VolumeMounts, CountsPublicationsButNotTheTwoPathsOfTheCall) {
  const auto mounts = With(
      "60 1 0:50 /v1 /staging rw - fuse.famfs x rw\n"
      "61 1 0:50 /v1 /t rw - fuse.famfs x rw\n"
      "62 1 0:40 /v1 /old rw - fuse.famfs x rw\n"
      "63 1 0:50 /v2 /other rw - fuse.famfs x rw\n");
  EXPECT_THAT(Points(mounts.ElsewhereThan(Volume("v1"), "/staging", "/t")),
              ElementsAre("/old"));
  EXPECT_THAT(Points(mounts.ElsewhereThan(Volume("v1"), "/staging", "/new")),
              ElementsAre("/t", "/old"));
}

TEST(VolumeMounts, ListsWhatADeadServerLeft) {
  const auto mounts = With(
      "60 1 0:50 /v1 /live rw - fuse.famfs x rw\n"
      "61 1 0:40 /v2 /dead rw - fuse.famfs x rw\n"
      "62 1 0:40 /v2/sub /subpath rw - fuse.famfs x rw\n");
  EXPECT_THAT(Points(mounts.DeadDirectories()), ElementsAre("/dead"));
}

TEST(VolumeMounts, AnInstanceMountedByHandIsNotThePools) {
  // `famfs mount` elsewhere: its directories are none of ours to judge living.
  const auto mounts = With(
      "60 1 0:60 / /mnt/famfs rw - fuse.famfs x rw\n"
      "61 1 0:60 /v1 /t rw - fuse.famfs x rw\n");
  EXPECT_EQ(mounts.Examine("/t", Volume("v1")), PlaceState::kForeign);
  EXPECT_THAT(mounts.DeadDirectories(), IsEmpty());
}

}  // namespace
}  // namespace famfs::node
