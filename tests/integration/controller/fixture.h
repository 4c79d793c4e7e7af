// A controller process over one emulated device, and a client on its socket.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "csi/csi.grpc.pb.h"
#include "tests/integration/support/device.h"
#include "tests/integration/support/rig.h"
#include "tests/integration/support/rpc.h"

namespace famfs {

namespace pb = ::csi::v1;

class ControllerTest : public ::testing::Test {
 protected:
  /// A sparse device of `device_size` bytes; nothing runs yet.
  void MakeDevice(std::uint64_t device_size = 8 * kGiB);
  /// Any other device, in a directory of the test's choice.
  void MakeDeviceIn(const std::string& directory,
                    const rig::DeviceOptions& options);
  /// Starts the controller with PoolConfig and waits until it answers.
  void StartController(const std::vector<std::string>& flags = {});
  /// RLIMIT_NOFILE of what is started from now on.
  void LimitDescriptors(unsigned descriptors) { descriptors_ = descriptors; }
  /// The same with a configuration of the test's own.
  void StartWith(const std::string& config,
                 const std::vector<std::string>& flags = {});
  /// Starts it with a configuration of the test's own; it may end at once.
  std::unique_ptr<rig::Process> Launch(
      const std::string& config, const std::vector<std::string>& flags = {});
  /// The configuration of a pool "fast" on the device.
  [[nodiscard]] std::string PoolConfig() const;
  [[nodiscard]] std::string socket() const { return dir_ / "csi.sock"; }
  [[nodiscard]] std::string config_path() const { return dir_ / "config.yaml"; }
  rig::Process& controller() { return *controller_; }
  void KillController() { controller_->Kill(); }
  const rig::Device& device() { return *device_; }
  const rig::TempDir& dir() { return dir_; }

  pb::Controller::Stub& stub() { return *stub_; }
  absl::StatusOr<pb::CreateVolumeResponse> Create(const std::string& name,
                                                  std::uint64_t size);
  absl::Status Delete(const std::string& volume_id);
  /// Ids and capacities of all volumes.
  std::vector<pb::Volume> List();
  pb::GetCapacityResponse Capacity();

  static pb::VolumeCapability SharedWriter();

 private:
  unsigned descriptors_ = 0;
  rig::Tmpfs memory_;
  rig::TempDir dir_;
  std::unique_ptr<rig::Device> device_;
  std::unique_ptr<rig::Process> controller_;
  std::unique_ptr<pb::Controller::Stub> stub_;
};

}  // namespace famfs
