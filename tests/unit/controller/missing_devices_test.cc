// What a pool answers while a device of its configuration is not there: nothing
// that an orchestrator would take for final.
#include <gmock/gmock.h>

#include <filesystem>

#include "dax/emulated.h"
#include "instance/log/layout.h"
#include "tests/unit/base/status_matchers.h"
#include "tests/unit/controller/fixture.h"

namespace famfs::controller {
namespace {

using ::famfs::testing::HasError;
using ::famfs::testing::IsOk;

class MissingDevicesTest : public ProvisionerTest {
 protected:
  /// Pool "one" has 4 GiB, and a second device of 4 GiB that is not there yet.
  MissingDevicesTest() {
    config().pools.front().devices = {{DeviceSpec::Kind::kEmulated, second()}};
    Restart();
  }
  [[nodiscard]] std::string second() const { return directory() + "/second"; }
  void MakeSecond() const {
    ASSERT_THAT(CreateEmulatedDevice(second(), {.size = 4 * kGiB,
                                                .tag = Uuid::Random(),
                                                .hosts = {},
                                                .sparse = true}),
                IsOk());
  }
  absl::StatusOr<VolumeInfo> InStrips(const std::string& name,
                                      std::uint32_t strips) {
    CreateRequest request;
    request.name = name;
    request.parameters.pool = "one";
    request.parameters.data_path = DataPath::kCopy;
    request.parameters.strips = strips;
    request.parameters.chunk = strips == 0 ? 0 : 2 * kMiB;
    ::csi::v1::CapacityRange range;
    range.set_required_bytes(8 * kMiB);
    request.range = &range;
    FAMFS_RETURN_IF_ERROR(provisioner().CheckServable(request.parameters, {}));
    return provisioner().Create(request);
  }
};

TEST_F(MissingDevicesTest, WhatIsTooLargeNowMayNotBeSoWithTheDevice) {
  EXPECT_THAT(Create("large", 9 * kGiB),
              HasError(absl::StatusCode::kUnavailable, second()));
  ASSERT_NO_FATAL_FAILURE(MakeSecond());
  // All are there: it is said for good, and of the sum.
  EXPECT_THAT(
      Create("large", 9 * kGiB),
      HasError(absl::StatusCode::kOutOfRange, "8.00 GiB in all and can never"));
  // Not in one piece, but it is not too large.
  EXPECT_THAT(Create("large", 5 * kGiB),
              HasError(absl::StatusCode::kResourceExhausted, "no room"));
}

TEST_F(MissingDevicesTest, NoRoomNowIsNotFinal) {
  FAMFS_ASSERT_OK_AND_ASSIGN(const VolumeInfo most,
                             Create("most", FreeOf().largest));
  EXPECT_THAT(Create("more", kGiB),
              HasError(absl::StatusCode::kUnavailable, second()));
  ASSERT_NO_FATAL_FAILURE(MakeSecond());
  EXPECT_THAT(Create("more", kGiB), IsOk());
  EXPECT_THAT(
      Create("yet more", 4 * kGiB),
      HasError(absl::StatusCode::kResourceExhausted, "pool one has no room"));
}

TEST_F(MissingDevicesTest, StripsWaitForTheDevicesThatTheyAreMeantFor) {
  EXPECT_THAT(InStrips("striped", 2),
              HasError(absl::StatusCode::kUnavailable, second()));
  EXPECT_THAT(InStrips("contiguous", 0), IsOk());
  ASSERT_NO_FATAL_FAILURE(MakeSecond());
  EXPECT_THAT(InStrips("striped", 2), IsOk());
}

// A device that the log names, and that has gone since.
TEST_F(MissingDevicesTest, SoDoesADeviceThatWasThereOnce) {
  ASSERT_NO_FATAL_FAILURE(MakeSecond());
  Restart();
  EXPECT_THAT(Create("large", 9 * kGiB),
              HasError(absl::StatusCode::kOutOfRange, "can never"));
  config().pools.front().devices.clear();
  std::filesystem::rename(second(), second() + "-away");
  Restart();
  EXPECT_THAT(Create("large", 9 * kGiB),
              HasError(absl::StatusCode::kUnavailable, "device 1"));
}

/// The log never grows: what is there when it is made counts.
TEST_F(MissingDevicesTest, ANewLogCountsTheFurtherDevicesThatAreThere) {
  const auto make = [this](const std::string& name) {
    csi::PoolSection& pool = config().pools.front();
    pool.device = {DeviceSpec::Kind::kEmulated, directory() + "/" + name};
    pool.format = csi::FormatPolicy::kIfBlank;
    pool.emulated = {.size = 4 * kGiB, .sparse = true};
    Restart();
    EXPECT_THAT(Create("v-" + name, 2 * kMiB), IsOk());
    auto device = OpenEmulatedDevice(pool.device.path, Access::kRead);
    EXPECT_THAT(device, IsOk());
    const auto layout = Layout::Open(**device, Access::kRead);
    EXPECT_THAT(layout, IsOk());
    return layout->superblock().log_length;
  };
  EXPECT_EQ(make("alone"), 8 * kMiB);
  ASSERT_NO_FATAL_FAILURE(MakeSecond());
  EXPECT_EQ(make("beside"), 16 * kMiB) << "of 8 GiB";
  config().pools.front().log_length = 32 * kMiB;
  EXPECT_EQ(make("as-told"), 32 * kMiB);
}

}  // namespace
}  // namespace famfs::controller
