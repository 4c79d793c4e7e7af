#include "tests/integration/deletion/pool_fixture.h"

#include <iostream>

#include "tests/integration/support/rpc.h"

namespace famfs::itest {

void PoolTest::Configure(const std::string& device, const Uuid& owner) const {
  rig::WriteFile(
      dir_ / "config.yaml",
      "pools:\n  - name: fast\n    device: " + device +
          "\n    format: if-blank\n    systemUuid: " + owner.ToString() +
          "\ncontroller: {reclaimInterval: 100ms}\n");
}

void PoolTest::StartController(const std::vector<std::string>& before) {
  std::vector<std::string> argv = before;
  for (const std::string& word :
       {rig::Binary("famfs-csi-controller"), std::string("--config"),
        dir_ / "config.yaml", std::string("--endpoint"),
        "unix://" + dir_ / "csi.sock"}) {
    argv.push_back(word);
  }
  auto process = rig::Process::Start({.argv = argv, .environment = {}});
  ASSERT_TRUE(process.ok()) << process.status();
  controller_ = *std::move(process);
  const absl::Status up =
      rig::WaitForSocket(dir_ / "csi.sock", controller_.get());
  ASSERT_TRUE(up.ok()) << up;
  stub_ = pb::Controller::NewStub(rig::Connect(dir_ / "csi.sock"));
}

void PoolTest::TearDown() {
  if (HasFailure() && controller_ != nullptr) {
    std::cerr << "---- the controller's output:\n" << controller_->output();
  }
}

std::string PoolTest::Create(const std::string& name, std::int64_t size) {
  pb::CreateVolumeRequest request;
  request.set_name(name);
  request.mutable_capacity_range()->set_required_bytes(size);
  auto& capability = *request.add_volume_capabilities();
  capability.mutable_mount();
  capability.mutable_access_mode()->set_mode(
      pb::VolumeCapability::AccessMode::SINGLE_NODE_WRITER);
  const auto created =
      rig::Call(*stub_, &pb::Controller::Stub::CreateVolume, request);
  EXPECT_TRUE(created.ok()) << created.status();
  return created.ok() ? created->volume().volume_id() : "";
}

void PoolTest::Delete(const std::string& id) {
  pb::DeleteVolumeRequest request;
  request.set_volume_id(id);
  const auto deleted =
      rig::Call(*stub_, &pb::Controller::Stub::DeleteVolume, request);
  EXPECT_TRUE(deleted.ok()) << deleted.status();
}

std::int64_t PoolTest::Capacity() {
  const auto capacity = rig::Call(*stub_, &pb::Controller::Stub::GetCapacity,
                                  pb::GetCapacityRequest());
  EXPECT_TRUE(capacity.ok()) << capacity.status();
  return capacity.ok() ? capacity->available_capacity() : -1;
}

}  // namespace famfs::itest
