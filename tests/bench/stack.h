// The whole driver for a benchmark: emulated memory on a tmpfs with huge pages,
// the real controller and node plugin on their sockets, all in a mount
// namespace that the benchmark's process has to itself.
#pragma once

#include <memory>
#include <string>

#include "base/units.h"
#include "csi/csi.grpc.pb.h"
#include "tests/integration/support/device.h"
#include "tests/integration/support/rig.h"

namespace famfs::bench {

namespace pb = ::csi::v1;

class Stack {
 public:
  /// `sparse`: extents are not filled at creation, so that calls are measured
  /// and not the zeroing of memory. Ends the program when anything fails.
  explicit Stack(bool sparse)
      : Stack(rig::DeviceOptions{.size = 16 * kGiB, .sparse = sparse}) {}
  explicit Stack(const rig::DeviceOptions& options);
  ~Stack();

  pb::Controller::Stub& controller() { return *controller_stub_; }
  pb::Node::Stub& node() { return *node_stub_; }
  /// A directory on the tmpfs that holds the volumes' memory: the peer's place.
  [[nodiscard]] std::string memory() const { return memory_.path(); }
  [[nodiscard]] std::string kubelet() const { return dir_ / "kubelet"; }

  pb::CreateVolumeRequest CreateRequest(const std::string& name,
                                        std::uint64_t size) const;
  /// Makes a volume; its id.
  std::string Create(const std::string& name, std::uint64_t size);
  void Delete(const std::string& id);
  void Stage(const std::string& id);
  /// The target path.
  std::string Publish(
      const std::string& id,
      pb::VolumeCapability::AccessMode::Mode mode =
          pb::VolumeCapability::AccessMode::MULTI_NODE_MULTI_WRITER);
  void Unpublish(const std::string& id);
  void Unstage(const std::string& id);
  /// Creates, stages, publishes; the path of the volume's file.
  std::string PublishedFile(const std::string& name, std::uint64_t size);

 private:
  [[nodiscard]] std::string StagingPath(const std::string& id) const;
  [[nodiscard]] std::string TargetPath(const std::string& id) const;

  rig::Tmpfs memory_;
  rig::TempDir dir_;
  std::unique_ptr<rig::Process> controller_;
  std::unique_ptr<rig::Process> node_;
  std::unique_ptr<pb::Controller::Stub> controller_stub_;
  std::unique_ptr<pb::Node::Stub> node_stub_;
};

/// Ends the program with the status' message unless it is OK.
void Must(const absl::Status& status, const std::string& what);
template <class T>
T Must(absl::StatusOr<T> value, const std::string& what) {
  Must(value.status(), what);
  return *std::move(value);
}

}  // namespace famfs::bench
