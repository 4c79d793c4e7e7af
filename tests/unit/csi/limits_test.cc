#include "csi/rpc/limits.h"

#include <gtest/gtest.h>

#include "csi/csi.pb.h"
#include "tests/unit/csi/support.h"

namespace famfs::csi {
namespace {

namespace pb = ::csi::v1;

void ExpectInvalid(const absl::Status& status, std::string_view part) {
  ExpectError(status, absl::StatusCode::kInvalidArgument, part);
}

TEST(Limits, AStringHasAtMost128Bytes) {
  pb::CreateVolumeRequest request;
  request.set_name(std::string(128, 'x'));
  EXPECT_TRUE(CheckLimits(request).ok());
  request.set_name(std::string(129, 'x'));
  ExpectInvalid(CheckLimits(request), "name has 129 bytes, more than 128");
}

TEST(Limits, BytesCountNotCharacters) {
  pb::DeleteSnapshotRequest request;
  std::string umlauts;
  for (int i = 0; i < 65; ++i) umlauts += "\xc3\xa4";
  request.set_snapshot_id(umlauts);
  ExpectInvalid(CheckLimits(request), "snapshot_id has 130 bytes");
}

TEST(Limits, WhatAnUnknownIdOrTokenMeansIsTheCallsToSay) {
  pb::DeleteVolumeRequest deletion;
  deletion.set_volume_id(std::string(129, 'x'));
  EXPECT_TRUE(CheckLimits(deletion).ok());
  pb::ListVolumesRequest list;
  list.set_starting_token(std::string(129, 'x'));
  EXPECT_TRUE(CheckLimits(list).ok());
}

TEST(Limits, PathsMayBeLongUpToTheKernelsLimit) {
  pb::NodePublishVolumeRequest request;
  request.set_target_path(std::string(4095, '/'));
  request.set_staging_target_path(std::string(4095, '/'));
  EXPECT_TRUE(CheckLimits(request).ok());
  request.set_target_path(std::string(4096, '/'));
  ExpectInvalid(CheckLimits(request), "target_path has 4096 bytes");
  request.set_target_path(std::string("/a\0b", 4));
  ExpectInvalid(CheckLimits(request), "target_path holds a NUL");
}

TEST(Limits, ANodeIdMayHave256Bytes) {
  pb::ControllerPublishVolumeRequest request;
  request.set_node_id(std::string(256, 'n'));
  EXPECT_TRUE(CheckLimits(request).ok());
  request.set_node_id(std::string(257, 'n'));
  ExpectInvalid(CheckLimits(request), "node_id");
}

TEST(Limits, AMapHoldsAtMost4KiBInAll) {
  pb::CreateVolumeRequest request;
  auto& parameters = *request.mutable_parameters();
  parameters["a"] = std::string(2047, 'x');
  parameters["b"] = std::string(2047, 'x');
  EXPECT_TRUE(CheckLimits(request).ok());
  // Taken anew: reflection has looked at the map in between.
  (*request.mutable_parameters())["b"] += "x";
  ExpectInvalid(CheckLimits(request), "parameters holds 4097 bytes");
}

TEST(Limits, NestedMessagesAreChecked) {
  pb::CreateVolumeRequest request;
  auto* segments = request.mutable_accessibility_requirements()
                       ->add_requisite()
                       ->mutable_segments();
  (*segments)["key"] = std::string(5000, 'v');
  ExpectInvalid(CheckLimits(request), "segments");

  request.Clear();
  request.mutable_volume_content_source()->mutable_snapshot()->set_snapshot_id(
      std::string(200, 's'));
  ExpectInvalid(CheckLimits(request), "snapshot_id");
}

TEST(Limits, MountFlagsHoldAtMost4KiBInAllAndAreNeverRepeated) {
  pb::NodeStageVolumeRequest request;
  auto* mount = request.mutable_volume_capability()->mutable_mount();
  mount->add_mount_flags(std::string(4096, 'f'));
  EXPECT_TRUE(CheckLimits(request).ok());
  mount->add_mount_flags("password");
  const absl::Status status = CheckLimits(request);
  ExpectInvalid(status, "mount_flags");
  EXPECT_EQ(Message(status).find("password"), std::string_view::npos);
}

TEST(Names, AnyUnicodeIsGood) {
  EXPECT_TRUE(CheckName("pvc-1").ok());
  EXPECT_TRUE(CheckName("a/../b").ok());
  EXPECT_TRUE(CheckName("tab\tfeed\nreturn\r").ok());
  EXPECT_TRUE(CheckName("\xf0\x9f\x98\x80 \xc2\xa0").ok());
  EXPECT_TRUE(CheckName(std::string(128, 'x')).ok());
}

TEST(Names, ControlsBadBytesAndLengthsAreNot) {
  ExpectInvalid(CheckName(""), "name is missing");
  ExpectInvalid(CheckName(std::string(129, 'x')), "129");
  ExpectInvalid(CheckName(std::string_view("a\0b", 3)), "control");
  ExpectInvalid(CheckName("a\x1b"), "control");
  ExpectInvalid(CheckName("a\x7f"), "control");
  ExpectInvalid(CheckName("a\xc2\x80"), "control");
  ExpectInvalid(CheckName("a\xc2\x9f"), "control");
  ExpectInvalid(CheckName("a\xff"), "UTF-8");
  ExpectInvalid(CheckName("", "snapshot name"), "snapshot name is missing");
}

}  // namespace
}  // namespace famfs::csi
