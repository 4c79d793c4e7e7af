#include "csi/volume/capabilities.h"

#include <gtest/gtest.h>

#include "tests/unit/csi/support.h"

namespace famfs::csi {
namespace {

using Mode = pb::VolumeCapability_AccessMode;

pb::VolumeCapability Mount(AccessMode mode) {
  pb::VolumeCapability capability;
  capability.mutable_mount();
  capability.mutable_access_mode()->set_mode(mode);
  return capability;
}

void ExpectInvalid(const pb::VolumeCapability& capability,
                   std::string_view part) {
  ExpectError(CheckCapability(capability), absl::StatusCode::kInvalidArgument,
              part);
}

struct ModeCase {
  AccessMode mode;
  bool accepted;
  bool read_only;
  bool multi_writer;
  bool second_publish;
};

constexpr ModeCase kModes[] = {
    {Mode::UNKNOWN, false, false, false, false},
    {Mode::SINGLE_NODE_WRITER, true, false, false, false},
    {Mode::SINGLE_NODE_READER_ONLY, true, true, false, false},
    {Mode::MULTI_NODE_READER_ONLY, true, true, false, true},
    {Mode::MULTI_NODE_SINGLE_WRITER, false, false, false, true},
    {Mode::MULTI_NODE_MULTI_WRITER, true, false, true, true},
    {Mode::SINGLE_NODE_SINGLE_WRITER, true, false, false, false},
    {Mode::SINGLE_NODE_MULTI_WRITER, true, false, false, true},
};

class EveryMode : public testing::TestWithParam<ModeCase> {};
INSTANTIATE_TEST_SUITE_P(Capabilities, EveryMode, testing::ValuesIn(kModes),
                         [](const auto& of) {
                           return Mode::Mode_Name(of.param.mode);
                         });

TEST_P(EveryMode, IsJudgedByTheTable) {
  const pb::VolumeCapability capability = Mount(GetParam().mode);
  EXPECT_EQ(CheckCapability(capability).ok(), GetParam().accepted);
  EXPECT_EQ(IsReadOnly(capability), GetParam().read_only);
  EXPECT_EQ(IsMultiNodeWriter(capability), GetParam().multi_writer);
  EXPECT_EQ(AllowsSecondPublish(GetParam().mode), GetParam().second_publish);
}

TEST(Capabilities, TheTableHasEveryMode) {
  EXPECT_EQ(std::size(kModes),
            static_cast<std::size_t>(Mode::Mode_descriptor()->value_count()));
}

TEST(Capabilities, AModeOfANewerCallerIsRefused) {
  pb::VolumeCapability capability = Mount(Mode::SINGLE_NODE_WRITER);
  capability.mutable_access_mode()->set_mode(static_cast<AccessMode>(42));
  ExpectInvalid(capability, "42 is unknown");
}

TEST(Capabilities, BlockVolumesAreRefusedInWords) {
  pb::VolumeCapability capability = Mount(Mode::SINGLE_NODE_WRITER);
  capability.mutable_block();
  ExpectInvalid(capability, "volumeMode: Filesystem");
}

TEST(Capabilities, AnAccessTypeAndAModeAreNeeded) {
  ExpectInvalid(pb::VolumeCapability(), "access type");
  pb::VolumeCapability capability;
  capability.mutable_mount();
  ExpectInvalid(capability, "access mode");
}

TEST(Capabilities, TheFileSystemIsOurs) {
  pb::VolumeCapability capability = Mount(Mode::SINGLE_NODE_WRITER);
  capability.mutable_mount()->set_fs_type("famfs");
  EXPECT_TRUE(CheckCapability(capability).ok());
  capability.mutable_mount()->set_fs_type("ext4");
  ExpectInvalid(capability, "\"ext4\"");
}

TEST(Capabilities, MountFlagsOfTheListAreTaken) {
  pb::VolumeCapability capability = Mount(Mode::SINGLE_NODE_WRITER);
  for (const char* flag : {"nosuid", "nodev", "noexec", "noatime"}) {
    capability.mutable_mount()->add_mount_flags(flag);
  }
  EXPECT_TRUE(CheckCapability(capability).ok());
  EXPECT_FALSE(IsReadOnly(capability));
  capability.mutable_mount()->add_mount_flags("ro");
  EXPECT_TRUE(CheckCapability(capability).ok());
  EXPECT_TRUE(IsReadOnly(capability));
  const MountFlags flags = GetMountFlags(capability);
  EXPECT_TRUE(flags.read_only && flags.nosuid && flags.nodev && flags.noexec &&
              flags.noatime);
}

TEST(Capabilities, ARefusedMountFlagIsNotRepeated) {
  pb::VolumeCapability capability = Mount(Mode::SINGLE_NODE_WRITER);
  capability.mutable_mount()->add_mount_flags("ro");
  capability.mutable_mount()->add_mount_flags("password=hunter2");
  ExpectInvalid(capability, "number 2");
  EXPECT_EQ(Message(CheckCapability(capability)).find("hunter2"),
            std::string_view::npos);
}

TEST(Capabilities, AVolumeMountGroupIsRefused) {
  pb::VolumeCapability capability = Mount(Mode::SINGLE_NODE_WRITER);
  capability.mutable_mount()->set_volume_mount_group("1000");
  ExpectInvalid(capability, "volume_mount_group");
}

TEST(Capabilities, EachOfSeveralIsChecked) {
  pb::CreateVolumeRequest request;
  ExpectError(CheckCapabilities(request.volume_capabilities()),
              absl::StatusCode::kInvalidArgument,
              "volume_capabilities is missing");
  *request.add_volume_capabilities() = Mount(Mode::SINGLE_NODE_WRITER);
  EXPECT_TRUE(CheckCapabilities(request.volume_capabilities()).ok());
  *request.add_volume_capabilities() = Mount(Mode::MULTI_NODE_SINGLE_WRITER);
  ExpectError(CheckCapabilities(request.volume_capabilities()),
              absl::StatusCode::kInvalidArgument, "MULTI_NODE_SINGLE_WRITER");
}

}  // namespace
}  // namespace famfs::csi
