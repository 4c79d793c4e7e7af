// Staging and publishing, once and twice, and taking it all away again.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cerrno>

#include "tests/integration/node/test_node.h"
#include "tests/integration/support/capabilities.h"

namespace famfs::node {
namespace {

using absl::StatusCode;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class PublishTest : public ::testing::Test {
 protected:
  void SetUp() override {
    node_.Start();
    volume_ = pool_.Create();
    staging_ = node_.StagingPath("v1");
    target_ = node_.TargetPath("pod-a");
  }

  TestPool pool_;
  TestNode node_{pool_};
  std::string volume_;
  std::string staging_;
  std::string target_;
};

TEST_F(PublishTest, TwoPodsSeeEachOthersStores) {
  ASSERT_THAT(node_.Stage(volume_, staging_), IsOk());
  const std::string other = node_.TargetPath("pod-b");
  ASSERT_THAT(node_.Publish(volume_, staging_, target_), IsOk());
  ASSERT_THAT(node_.Publish(volume_, staging_, other), IsOk());
  node_.Run([&] {
    MappedFile a(target_ + "/data", true);
    MappedFile b(other + "/data", false);
    ASSERT_TRUE(a.valid() && b.valid());
    a.Put(4096, "written in pod a");
    EXPECT_EQ(b.Text(4096, 16), "written in pod a");
  });
}

TEST_F(PublishTest, RepeatedCallsChangeNothing) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(node_.Stage(volume_, staging_), IsOk());
    EXPECT_THAT(node_.Publish(volume_, staging_, target_), IsOk());
  }
  EXPECT_EQ(node_.MountsAt(staging_), 1U);
  EXPECT_EQ(node_.MountsAt(target_), 1U);
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(node_.Unpublish(volume_, target_), IsOk());
    EXPECT_THAT(node_.Unstage(volume_, staging_), IsOk());
  }
  EXPECT_EQ(node_.MountsAt(staging_), 0U);
  EXPECT_FALSE(node_.Exists(target_)) << "the target is ours to remove";
  EXPECT_TRUE(node_.Exists(staging_)) << "the staging directory is not";
}

TEST_F(PublishTest, StagingAgainWithAnotherModeIsTheSameStaging) {
  EXPECT_THAT(node_.Stage(volume_, staging_, Mode::MULTI_NODE_READER_ONLY),
              IsOk());
  EXPECT_THAT(node_.Stage(volume_, staging_, Mode::SINGLE_NODE_WRITER), IsOk());
  EXPECT_THAT(node_.TopOptions(staging_), HasSubstr("rw"));
  EXPECT_THAT(node_.Publish(volume_, staging_, target_), IsOk());
  node_.Run([&] { EXPECT_EQ(OpenErrno(target_ + "/data", O_RDWR), 0); });
}

TEST_F(PublishTest, AReadOnlyPublicationRefusesEveryWrite) {
  ASSERT_THAT(node_.Stage(volume_, staging_), IsOk());
  ASSERT_THAT(node_.Publish(volume_, staging_, target_, true), IsOk());
  node_.Run([&] {
    const std::string file = target_ + "/data";
    EXPECT_EQ(OpenErrno(file, O_RDWR), EROFS);
    EXPECT_EQ(OpenErrno(file, O_WRONLY | O_TRUNC), EROFS);
    EXPECT_EQ(OpenErrno(target_ + "/new", O_CREAT | O_WRONLY), EROFS);
    EXPECT_EQ(::chmod(file.c_str(), 0777), -1);
    EXPECT_EQ(errno, EROFS);
    const MappedFile reading(file, false);
    EXPECT_TRUE(reading.valid());
  });
  // The staged bind is writable all the same, and so may another pod's be.
  const std::string other = node_.TargetPath("pod-b");
  EXPECT_THAT(node_.Publish(volume_, staging_, other), IsOk());
  node_.Run([&] { EXPECT_EQ(OpenErrno(other + "/data", O_RDWR), 0); });
}

TEST_F(PublishTest, AReaderModeIsReadOnlyWithoutTheFlag) {
  ASSERT_THAT(node_.Stage(volume_, staging_), IsOk());
  for (const auto mode :
       {Mode::MULTI_NODE_READER_ONLY, Mode::SINGLE_NODE_READER_ONLY}) {
    ASSERT_THAT(node_.Publish(volume_, staging_, target_, false, mode), IsOk());
    node_.Run([&] { EXPECT_EQ(OpenErrno(target_ + "/data", O_RDWR), EROFS); });
    ASSERT_THAT(node_.Unpublish(volume_, target_), IsOk());
  }
}

TEST_F(PublishTest, TheSameTargetWithAnotherReadonlyIsRefused) {
  ASSERT_THAT(node_.Stage(volume_, staging_), IsOk());
  ASSERT_THAT(node_.Publish(volume_, staging_, target_, true), IsOk());
  EXPECT_THAT(node_.Publish(volume_, staging_, target_, false),
              IsError(StatusCode::kAlreadyExists, "read-only"));
  EXPECT_THAT(node_.TopOptions(target_), HasSubstr("ro"));
  EXPECT_THAT(node_.Publish(volume_, staging_, target_, true), IsOk());
}

TEST_F(PublishTest, MountFlagsHoldForTheTargetAlone) {
  ASSERT_THAT(node_.Stage(volume_, staging_), IsOk());
  ASSERT_THAT(
      node_.Publish(volume_, staging_, target_, false,
                    Mode::MULTI_NODE_MULTI_WRITER, {"noexec", "noatime"}),
      IsOk());
  EXPECT_THAT(node_.TopOptions(target_), HasSubstr("noexec"));
  EXPECT_THAT(node_.TopOptions(target_), HasSubstr("noatime"));
  EXPECT_THAT(node_.TopOptions(staging_), Not(HasSubstr("noexec")));
}

TEST_F(PublishTest, ASecondTargetDependsOnTheMode) {
  ASSERT_THAT(node_.Stage(volume_, staging_), IsOk());
  ASSERT_THAT(node_.Publish(volume_, staging_, target_), IsOk());
  const std::string other = node_.TargetPath("pod-b");
  for (const auto mode :
       {Mode::SINGLE_NODE_WRITER, Mode::SINGLE_NODE_READER_ONLY,
        Mode::SINGLE_NODE_SINGLE_WRITER}) {
    EXPECT_THAT(node_.Publish(volume_, staging_, other, false, mode),
                IsError(StatusCode::kFailedPrecondition, target_));
    EXPECT_FALSE(node_.Exists(other)) << "a refused call leaves nothing behind";
  }
  for (const auto mode :
       {Mode::SINGLE_NODE_MULTI_WRITER, Mode::MULTI_NODE_READER_ONLY,
        Mode::MULTI_NODE_MULTI_WRITER}) {
    EXPECT_THAT(node_.Publish(volume_, staging_, other, false, mode), IsOk());
    EXPECT_THAT(node_.Unpublish(volume_, other), IsOk());
  }
}

TEST_F(PublishTest, AModeOfOnePathOutlivesThePlugin) {
  ASSERT_THAT(node_.Stage(volume_, staging_), IsOk());
  ASSERT_THAT(node_.Publish(volume_, staging_, target_, false,
                            Mode::SINGLE_NODE_WRITER),
              IsOk());
  node_.KillPlugin();
  node_.Start();
  const std::string other = node_.TargetPath("pod-b");
  EXPECT_THAT(
      node_.Publish(volume_, staging_, other, false, Mode::SINGLE_NODE_WRITER),
      IsError(StatusCode::kFailedPrecondition, target_));
  // Taken away by somebody else than us: then it is none any more.
  node_.Run([&] { ASSERT_EQ(::umount2(target_.c_str(), MNT_DETACH), 0); });
  EXPECT_THAT(
      node_.Publish(volume_, staging_, other, false, Mode::SINGLE_NODE_WRITER),
      IsOk());
}

TEST_F(PublishTest, ASecondStagingPathIsNoPublication) {
  const std::string second = node_.kubelet() + "/staged-elsewhere";
  node_.Run([&] { ASSERT_EQ(::mkdir(second.c_str(), 0755), 0); });
  ASSERT_THAT(node_.Stage(volume_, staging_), IsOk());
  ASSERT_THAT(node_.Stage(volume_, second), IsOk());
  const auto publish = [&](const std::string& staging,
                           const std::string& target) {
    return node_.Publish(volume_, staging, target, false,
                         Mode::SINGLE_NODE_WRITER);
  };
  EXPECT_THAT(publish(staging_, target_), IsOk());
  EXPECT_THAT(node_.Unpublish(volume_, target_), IsOk());
  node_.KillPlugin();
  node_.Start();
  EXPECT_THAT(publish(staging_, target_), IsOk());
  EXPECT_THAT(publish(second, node_.TargetPath("pod-b")),
              IsError(StatusCode::kFailedPrecondition, target_));
  EXPECT_THAT(node_.Unpublish(volume_, target_), IsOk());
  EXPECT_THAT(node_.Unstage(volume_, second), IsOk());
  EXPECT_THAT(node_.Unstage(volume_, staging_), IsOk());
}

TEST_F(PublishTest, WhatIsNotStagedIsNotPublished) {
  EXPECT_THAT(node_.Publish(volume_, staging_, target_),
              IsError(StatusCode::kFailedPrecondition, "not staged"));
  EXPECT_THAT(node_.Publish(volume_, "", target_),
              IsError(StatusCode::kFailedPrecondition, "staging_target_path"));
  EXPECT_FALSE(node_.Exists(target_));
}

TEST_F(PublishTest, UnpublishLeavesASubPathOfTheVolumeAlone) {
  ASSERT_THAT(node_.Stage(volume_, staging_), IsOk());
  ASSERT_THAT(node_.Publish(volume_, staging_, target_), IsOk());
  const std::string subpath = node_.kubelet() + "/subpath";
  node_.Run([&] {
    rig::WriteFile(subpath, "");
    ASSERT_EQ(::mount((target_ + "/data").c_str(), subpath.c_str(), nullptr,
                      MS_BIND, nullptr),
              0);
  });
  EXPECT_THAT(node_.Unpublish(volume_, subpath),
              IsError(StatusCode::kFailedPrecondition, "something else"));
  EXPECT_THAT(node_.Unpublish(volume_, target_), IsOk());
  EXPECT_THAT(node_.Unstage(volume_, staging_), IsOk());
  EXPECT_EQ(node_.MountsAt(subpath), 1U);
  node_.Run([&] { EXPECT_EQ(OpenErrno(subpath, O_RDWR), 0); });
}

TEST_F(PublishTest, UnpublishTakesAVolumeThatIsInUse) {
  ASSERT_THAT(node_.Stage(volume_, staging_), IsOk());
  ASSERT_THAT(node_.Publish(volume_, staging_, target_), IsOk());
  node_.Run([&] {
    MappedFile mapping(target_ + "/data", true);
    const UniqueFd open(::open((target_ + "/data").c_str(), O_RDONLY));
    ASSERT_TRUE(mapping.valid() && open.valid());
    EXPECT_THAT(node_.Unpublish(volume_, target_), IsOk());
    mapping.Put(0, "still mine");
    EXPECT_EQ(mapping.Text(0, 10), "still mine");
  });
  EXPECT_FALSE(node_.Exists(target_));
  EXPECT_THAT(node_.output(), HasSubstr("lazily"));
}

TEST_F(PublishTest, StatsComeFromTheLog) {
  ASSERT_THAT(node_.Stage(volume_, staging_), IsOk());
  ASSERT_THAT(node_.Publish(volume_, staging_, target_), IsOk());
  for (const std::string& path : {target_, staging_}) {
    const auto stats = node_.Stats(volume_, path);
    ASSERT_THAT(stats.status(), IsOk());
    ASSERT_EQ(stats->usage_size(), 1);
    EXPECT_EQ(stats->usage(0).unit(), pb::VolumeUsage::BYTES);
    EXPECT_EQ(stats->usage(0).total(), kVolumeSize);
    EXPECT_EQ(stats->usage(0).available(), kVolumeSize);
    EXPECT_EQ(stats->usage(0).used(), 0);
  }
  EXPECT_THAT(node_.Stats(volume_, node_.TargetPath("other")).status(),
              IsError(StatusCode::kNotFound, ""));
  EXPECT_THAT(node_.Stats(volume_, node_.kubelet()).status(),
              IsError(StatusCode::kNotFound, ""));
  EXPECT_THAT(node_.Stats("v1:00000000:none", target_).status(),
              IsError(StatusCode::kNotFound, ""));
}

TEST_F(PublishTest, TellsWhatTheNodeIsAndCan) {
  const auto info = rig::Call(node_.stub(), &pb::Node::Stub::NodeGetInfo,
                              pb::NodeGetInfoRequest());
  ASSERT_THAT(info.status(), IsOk());
  EXPECT_EQ(info->node_id(), "node-1");
  EXPECT_EQ(
      info->accessible_topology().segments().at("topology.famfs.csi/fast"),
      "true");
  const auto can = rig::Call(node_.stub(), &pb::Node::Stub::NodeGetCapabilities,
                             pb::NodeGetCapabilitiesRequest());
  ASSERT_THAT(can.status(), IsOk());
  EXPECT_EQ(rig::Advertised(*can),
            (rig::Names{"STAGE_UNSTAGE_VOLUME", "GET_VOLUME_STATS",
                        "SINGLE_NODE_MULTI_WRITER"}));
}

TEST_F(PublishTest, EachCapabilityIsTheCallsThatAreAnswered) {
  const rig::Offers offers{
      .behind = {{"STAGE_UNSTAGE_VOLUME",
                  {"NodeStageVolume", "NodeUnstageVolume"}},
                 {"GET_VOLUME_STATS", {"NodeGetVolumeStats"}},
                 {"EXPAND_VOLUME", {"NodeExpandVolume"}},
                 {"SINGLE_NODE_MULTI_WRITER", {}},
                 {"VOLUME_MOUNT_GROUP", {}},
                 {"GET_VOLUME_HEALTH", {"NodeGetVolumeHealth"}},
                 {"GET_STORAGE_HEALTH", {"NodeGetStorageHealth"}}},
      .always = {"NodePublishVolume", "NodeUnpublishVolume",
                 "NodeGetCapabilities", "NodeGetInfo"}};
  const auto* file = pb::Volume::descriptor()->file();
  const auto& service = *file->FindServiceByName("Node");
  rig::ExpectComplete(
      offers, *pb::NodeServiceCapability::RPC::Type_descriptor(), service);
  const auto can = rig::Call(node_.stub(), &pb::Node::Stub::NodeGetCapabilities,
                             pb::NodeGetCapabilitiesRequest());
  ASSERT_THAT(can.status(), IsOk());
  const auto channel = rig::Connect(node_.socket());
  rig::ExpectKept(offers, rig::Advertised(*can),
                  rig::Answered(channel, service));
  // Of the other services, the node has the plugin's identity alone.
  EXPECT_EQ(rig::Answered(channel, *file->FindServiceByName("Identity")).size(),
            3U);
  for (const char* other :
       {"Controller", "GroupController", "SnapshotMetadata"}) {
    EXPECT_THAT(rig::Answered(channel, *file->FindServiceByName(other)),
                IsEmpty());
  }
}

}  // namespace
}  // namespace famfs::node
