// A controller whose device is made anew: it forgets the old volumes and takes
// up the new instance, or says why it cannot.
#include <gmock/gmock.h>

#include <filesystem>

#include "dax/emulated.h"
#include "dax/image.h"
#include "instance/check/mkfs.h"
#include "tests/integration/controller/fixture.h"
#include "tests/integration/support/http.h"
#include "tests/integration/support/metrics.h"

namespace famfs {
namespace {

using ::testing::HasSubstr;

class Replaced : public ControllerTest,
                 public ::testing::WithParamInterface<bool> {
 protected:
  void SetUp() override {
    MakeMemory();
    ASSERT_NO_FATAL_FAILURE(MakeFamfs(owner_));
    ASSERT_NO_FATAL_FAILURE(StartWith(
        fmt::format("pools:\n  - name: fast\n    device: {}\n    systemUuid: "
                    "{}\n    format: if-blank\n",
                    spec(), owner_.ToString()),
        {"--http-endpoint", "tcp://127.0.0.1:0"}));
    port_ = rig::HttpPort(controller());
    const auto created = Make("old");
    ASSERT_TRUE(created.ok()) << created.status();
    old_ = created->volume().volume_id();
  }
  [[nodiscard]] std::string path() const { return memory_ / "pool"; }
  [[nodiscard]] std::string spec() const {
    return (GetParam() ? "image:" : "emulated:") + path();
  }
  void MakeMemory() {
    const absl::Status made =
        GetParam() ? CreateImage(path(), 4 * kGiB)
                   : CreateEmulatedDevice(path(), {.size = 4 * kGiB,
                                                   .tag = Uuid::Random(),
                                                   .hosts = {},
                                                   .sparse = true});
    ASSERT_TRUE(made.ok()) << made;
  }
  /// As from a container that sees neither the controller nor its lock.
  void MakeFamfs(const Uuid& owner) {
    auto device = OpenDevice(spec(), Access::kReadWrite);
    ASSERT_TRUE(device.ok()) << device.status();
    MkfsOptions options;
    options.system_uuid = owner;
    options.lock_directory = dir() / "other-locks";
    options.force = true;
    options.force_in_use = true;
    const absl::Status made = Mkfs(**device, options);
    ASSERT_TRUE(made.ok()) << made;
  }
  /// With an access mode that every data path allows.
  absl::StatusOr<pb::CreateVolumeResponse> Make(const std::string& name) {
    pb::CreateVolumeRequest request;
    request.set_name(name);
    request.mutable_capacity_range()->set_required_bytes(4 * kMiB);
    auto& capability = *request.add_volume_capabilities();
    capability.mutable_mount();
    capability.mutable_access_mode()->set_mode(
        pb::VolumeCapability::AccessMode::SINGLE_NODE_WRITER);
    return rig::Call(stub(), &pb::Controller::Stub::CreateVolume, request);
  }
  absl::Status MakeUntilItWorks(const std::string& name) {
    absl::Status status;
    EXPECT_TRUE(rig::Eventually([&] {
      status = Make(name).status();
      return !absl::IsUnavailable(status);
    })) << status;
    return status;
  }
  int Ready() { return rig::Http(port_, "/readyz").code; }
  double Losses() {
    return rig::Scrape(port_).Value(
        R"(famfs_csi_pool_losses_total{pool="fast",reason="replaced"})");
  }

  rig::Tmpfs memory_;
  Uuid owner_ = Uuid::Random();
  std::uint16_t port_ = 0;
  std::string old_;
};

TEST_P(Replaced, ANewInstanceIsOpenedAndOldVolumesAreForgotten) {
  MakeFamfs(owner_);
  const absl::Status created = MakeUntilItWorks("new");
  ASSERT_TRUE(created.ok()) << created;
  const std::vector<pb::Volume> volumes = List();
  ASSERT_EQ(volumes.size(), 1U);
  EXPECT_NE(volumes[0].volume_id(), old_);
  EXPECT_TRUE(Delete(old_).ok());
  EXPECT_EQ(List().size(), 1U);
  EXPECT_EQ(Losses(), 1);
  EXPECT_EQ(Ready(), 200);
}

TEST_P(Replaced, AnIdleControllerNoticesToo) {
  MakeFamfs(owner_);
  EXPECT_TRUE(rig::Eventually([&] { return Losses() == 1; }));
  EXPECT_TRUE(rig::Eventually([&] { return Ready() == 200; }));
  EXPECT_THAT(List(), ::testing::IsEmpty());
}

TEST_P(Replaced, AnInstanceOfAnotherOwnerIsNotReady) {
  const Uuid other = Uuid::Random();
  MakeFamfs(other);
  ASSERT_TRUE(controller()
                  .WaitForOutput("is owned by the host " + other.ToString())
                  .ok());
  EXPECT_EQ(Ready(), 503);
  const absl::Status refused = Make("new").status();
  EXPECT_TRUE(absl::IsUnavailable(refused)) << refused;
  EXPECT_EQ(rig::Http(port_, "/healthz").code, 200);
}

TEST_P(Replaced, ADeviceThatIsRemovedIsNeverMadeAnewByTheSameController) {
  std::filesystem::remove_all(path());
  EXPECT_TRUE(rig::Eventually([&] { return Ready() == 503; }));
  const absl::Status away = Make("new").status();
  EXPECT_TRUE(absl::IsUnavailable(away)) << away;
  MakeMemory();  // blank, and `format: if-blank`
  const absl::Status blank = Make("new").status();
  EXPECT_TRUE(absl::IsUnavailable(blank)) << blank;
  EXPECT_EQ(Ready(), 503);
  MakeFamfs(owner_);
  const absl::Status created = MakeUntilItWorks("new");
  EXPECT_TRUE(created.ok()) << created;
  EXPECT_EQ(List().size(), 1U);
  EXPECT_EQ(Losses(), 1);
}

INSTANTIATE_TEST_SUITE_P(Kinds, Replaced, ::testing::Bool(),
                         [](const auto& kind) {
                           return kind.param ? "Image" : "Emulated";
                         });

}  // namespace
}  // namespace famfs
