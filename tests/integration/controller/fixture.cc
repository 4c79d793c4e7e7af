#include "tests/integration/controller/fixture.h"

namespace famfs {
namespace {
const auto* const kIsolation =
    ::testing::AddGlobalTestEnvironment(new rig::Isolation);
}  // namespace

void ControllerTest::MakeDevice(std::uint64_t device_size) {
  MakeDeviceIn(memory_ / "dcd", {.size = device_size, .sparse = true});
}

void ControllerTest::MakeDeviceIn(const std::string& directory,
                                  const rig::DeviceOptions& options) {
  auto device = rig::Device::Create(directory, options);
  ASSERT_TRUE(device.ok()) << device.status();
  device_ = std::make_unique<rig::Device>(*std::move(device));
}

std::string ControllerTest::PoolConfig() const {
  return "pools:\n  - name: fast\n    device: " + device_->spec() +
         "\n    systemUuid: " + device_->system_uuid().ToString() + "\n";
}

std::unique_ptr<rig::Process> ControllerTest::Launch(
    const std::string& config, const std::vector<std::string>& flags) {
  rig::WriteFile(config_path(), config);
  std::vector<std::string> argv = {rig::Binary("famfs-csi-controller"),
                                   "--config", config_path(), "--endpoint",
                                   "unix://" + socket()};
  argv.insert(argv.end(), flags.begin(), flags.end());
  auto process = rig::Process::Start(
      {.argv = argv,
       .environment = {"FAMFS_SYSTEM_UUID_FILE=" + dir_ / "system_uuid"},
       .descriptors = descriptors_});
  EXPECT_TRUE(process.ok()) << process.status();
  return process.ok() ? *std::move(process) : nullptr;
}

void ControllerTest::StartController(const std::vector<std::string>& flags) {
  StartWith(PoolConfig(), flags);
}

void ControllerTest::StartWith(const std::string& config,
                               const std::vector<std::string>& flags) {
  controller_ = Launch(config, flags);
  ASSERT_NE(controller_, nullptr);
  const absl::Status up = rig::WaitForSocket(socket(), controller_.get());
  ASSERT_TRUE(up.ok()) << up;
  stub_ = pb::Controller::NewStub(rig::Connect(socket()));
}

pb::VolumeCapability ControllerTest::SharedWriter() {
  pb::VolumeCapability capability;
  capability.mutable_mount();
  capability.mutable_access_mode()->set_mode(
      pb::VolumeCapability::AccessMode::MULTI_NODE_MULTI_WRITER);
  return capability;
}

absl::StatusOr<pb::CreateVolumeResponse> ControllerTest::Create(
    const std::string& name, std::uint64_t size) {
  pb::CreateVolumeRequest request;
  request.set_name(name);
  request.mutable_capacity_range()->set_required_bytes(
      static_cast<std::int64_t>(size));
  *request.add_volume_capabilities() = SharedWriter();
  return rig::Call(stub(), &pb::Controller::Stub::CreateVolume, request);
}

absl::Status ControllerTest::Delete(const std::string& volume_id) {
  pb::DeleteVolumeRequest request;
  request.set_volume_id(volume_id);
  return rig::Call(stub(), &pb::Controller::Stub::DeleteVolume, request)
      .status();
}

std::vector<pb::Volume> ControllerTest::List() {
  const auto listed = rig::Call(stub(), &pb::Controller::Stub::ListVolumes,
                                pb::ListVolumesRequest());
  EXPECT_TRUE(listed.ok()) << listed.status();
  std::vector<pb::Volume> volumes;
  if (listed.ok()) {
    for (const auto& entry : listed->entries()) {
      volumes.push_back(entry.volume());
    }
  }
  return volumes;
}

pb::GetCapacityResponse ControllerTest::Capacity() {
  const auto capacity = rig::Call(stub(), &pb::Controller::Stub::GetCapacity,
                                  pb::GetCapacityRequest());
  EXPECT_TRUE(capacity.ok()) << capacity.status();
  return capacity.ok() ? *capacity : pb::GetCapacityResponse();
}

}  // namespace famfs
