#include "node/mounts/volume_mounts.h"

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
  EXPECT_THAT(mounts.Publications(), IsEmpty());
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

TEST(VolumeMounts, TellsPublicationsFromWhatIsStaged) {
  const auto mounts = With(
      "60 1 0:50 /v1 /staging rw,nosymfollow - fuse.famfs x rw\n"
      "61 1 0:50 /v1 /by-kubelet/globalmount rw - fuse.famfs x rw\n"
      "62 1 0:50 /.meta/ro/v1 /t ro - fuse.famfs x rw\n"
      "63 1 0:40 /v1 /old rw - fuse.famfs x rw\n"
      "64 1 0:50 /v1/data /subpath rw - fuse.famfs x rw\n"
      "65 1 0:50 /v2 /other rw - fuse.famfs x rw\n");
  std::vector<std::string> found;
  for (const auto& [directory, entry] : mounts.Publications()) {
    found.push_back(directory + " " + entry->mount_point);
  }
  EXPECT_THAT(found, ElementsAre("v1 /t", "v1 /old", "v2 /other"));
}

TEST(VolumeMounts, ListsWhatADeadServerLeftAndNothingIsMountedOn) {
  const auto mounts = With(
      "60 1 0:50 /v1 /live rw - fuse.famfs x rw\n"
      "61 1 0:40 /v2 /dead rw - fuse.famfs x rw\n"
      "62 1 0:40 /v2/sub /subpath rw - fuse.famfs x rw\n"
      "63 1 0:40 /v3 /bound-again rw - fuse.famfs x rw\n"
      "64 63 0:50 /v3 /bound-again rw - fuse.famfs x rw\n");
  EXPECT_THAT(Points(mounts.Dead()), ElementsAre("/dead", "/subpath"));
}

TEST(VolumeMounts, NamesWhatAMountShows) {
  const auto whole = ParseVolumeRoot("/v1");
  ASSERT_TRUE(whole.has_value());
  EXPECT_EQ(whole->directory, "v1");
  EXPECT_EQ(whole->below, "");
  EXPECT_FALSE(whole->read_only);
  EXPECT_EQ(whole->PathInInstance(), "v1");
  const auto part = ParseVolumeRoot("/.meta/ro/v1/a/b");
  ASSERT_TRUE(part.has_value());
  EXPECT_EQ(part->directory, "v1");
  EXPECT_EQ(part->below, "a/b");
  EXPECT_TRUE(part->read_only);
  EXPECT_EQ(part->PathInInstance(), ".meta/ro/v1/a/b");
  for (const char* root : {"/", "", "v1", "/.meta", "/.meta/.log", "/.meta/ro",
                           "/.meta/ro/", "/.meta/ro/.x"}) {
    EXPECT_FALSE(ParseVolumeRoot(root).has_value()) << root;
  }
}

TEST(VolumeMounts, AnInstanceMountedByHandIsNotThePools) {
  // `famfs mount` elsewhere: its directories are none of ours to judge living.
  const auto mounts = With(
      "60 1 0:60 / /mnt/famfs rw - fuse.famfs x rw\n"
      "61 1 0:60 /v1 /t rw - fuse.famfs x rw\n");
  EXPECT_EQ(mounts.Examine("/t", Volume("v1")), PlaceState::kForeign);
  EXPECT_THAT(mounts.Dead(), IsEmpty());
}

TEST(VolumeMounts, TellsWhatShowsAnInstanceThatIsNoPoolsAnyMore) {
  const auto mounts = With(
      "60 1 0:50 /v1 /t rw - fuse.famfs x rw\n"
      "61 1 0:50 /v1/data /kubelet/sub rw - fuse.famfs x rw\n"
      "62 1 0:51 /v2 /u rw - fuse.famfs x rw\n"
      "63 1 0:40 /v3 /dead rw - fuse.famfs x rw\n");
  const auto former = [&](const std::string& current) {
    return Points(mounts.OfFormerInstances([&](const Uuid& fs_uuid) {
      return fs_uuid.ToString().starts_with(current);
    }));
  };
  EXPECT_THAT(former("b"), ElementsAre("/kubelet/sub", "/t"));
  EXPECT_THAT(former("a"), ElementsAre("/u"));
}

TEST(VolumeMounts, TellsAnInstanceThatNobodyUses) {
  const auto mounts = With("60 1 0:50 /v1 /t rw - fuse.famfs x rw\n");
  const auto used = [&](const char* uuid) {
    return mounts.IsUsed(*mounts.table().Top(std::string(kPools) + uuid));
  };
  EXPECT_TRUE(used("/aaaaaaaa-0000-4000-8000-000000000000"));
  EXPECT_FALSE(used("/bbbbbbbb-0000-4000-8000-000000000000"));
}

}  // namespace
}  // namespace famfs::node
