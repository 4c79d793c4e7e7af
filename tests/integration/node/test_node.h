// A node of a cluster: the real famfs-csi-node in a mount namespace of its own,
// with a kubelet directory on a shared tmpfs, called through its socket. And a
// pool: an emulated device with volumes made by a Writer in this process, as
// the controller would.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "csi/csi.grpc.pb.h"
#include "instance/writer/writer.h"
#include "runtime/mount_table.h"
#include "tests/integration/support/device.h"
#include "tests/integration/support/rig.h"
#include "tests/integration/support/rpc.h"

namespace famfs::node {

namespace pb = ::csi::v1;
using Mode = pb::VolumeCapability::AccessMode;

inline constexpr std::uint64_t kVolumeSize = 4 * kMiB;

struct NewVolume {
  std::string csi_name = "pvc-1";
  std::uint64_t size = kVolumeSize;
  DataPath data_path = DataPath::kAuto;
  Ownership owner{.uid = 0, .gid = 0, .mode = 0777};
};

/// A device with an instance, and its owner.
class TestPool {
 public:
  /// On a tmpfs of its own; an emulated device or, with `image`, a flat file.
  explicit TestPool(const std::string& name = "fast", bool image = false);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& spec() const { return spec_; }
  [[nodiscard]] const Uuid& fs_uuid() const { return fs_uuid_; }
  /// The new volume's id.
  std::string Create(const NewVolume& volume = {});
  void Delete(const std::string& volume_id);

  /// `famfs mkfs --force --force-in-use`: another instance on the same memory.
  void MakeAnew();
  /// The device's directory, or file, is gone.
  void Remove();
  /// After Remove: another device of the same path, with another instance.
  void MakeAgain();
  /// The same instance in other files: as memory that was taken away and given
  /// back.
  void ComeBack();

 private:
  [[nodiscard]] std::string Path() const;
  void OpenWriter();

  std::string name_;
  bool image_;
  rig::Tmpfs memory_;
  std::string locks_ = memory_ / "locks";
  std::string spec_;
  Uuid fs_uuid_;
  Uuid system_uuid_ = Uuid::Random();
  std::unique_ptr<Writer> writer_;
};

/// What a pool of the configuration looks like.
struct PoolLine {
  std::string name;
  std::string device;
  std::vector<std::string> devices = {};  // further ones
  std::string emulated = {};  // "{size: 4G, hosts: [a]}"; empty: no such key
};

class TestNode {
 public:
  explicit TestNode(const std::vector<PoolLine>& pools);
  explicit TestNode(const TestPool& pool);
  ~TestNode();

  /// Replaces the configuration for the next Start.
  void Configure(const std::vector<PoolLine>& pools);
  void Start(const std::vector<std::string>& flags = {});
  /// Another plugin of this node; whoever gets it decides whether it serves.
  std::unique_ptr<rig::Process> Launch(const std::vector<std::string>& flags);
  /// Replaces the plugin by one that was launched and waits until it serves.
  void Adopt(std::unique_ptr<rig::Process> plugin);
  /// From the next Start on, the plugin has its servers started by the
  /// famfs-fused-spawner that listens there.
  void UseSpawner(const std::string& socket) { spawner_ = socket; }
  /// Of plugins from the next Launch or Start on: "K=V", added to ours.
  void SetEnvironment(std::vector<std::string> environment) {
    environment_ = std::move(environment);
  }
  void KillPlugin() { plugin_->Kill(); }
  /// SIGTERM; the exit status, or -1.
  int StopPlugin();
  rig::Process& plugin() { return *plugin_; }
  pb::Node::Stub& stub() { return *stub_; }
  [[nodiscard]] const std::string& socket() const { return socket_; }
  [[nodiscard]] std::string output() const { return plugin_->output(); }

  void Run(const std::function<void()>& body) const { host_.Run(body); }
  [[nodiscard]] int mount_namespace() const { return host_.fd(); }

  /// Paths as kubelet forms them; the parent directories exist.
  std::string StagingPath(const std::string& name);
  std::string TargetPath(const std::string& name);
  [[nodiscard]] const std::string& kubelet() const { return kubelet_; }

  absl::Status Stage(const std::string& volume, const std::string& staging,
                     Mode::Mode mode = Mode::MULTI_NODE_MULTI_WRITER);
  absl::Status Publish(const std::string& volume, const std::string& staging,
                       const std::string& target, bool readonly = false,
                       Mode::Mode mode = Mode::MULTI_NODE_MULTI_WRITER,
                       const std::vector<std::string>& flags = {});
  absl::Status Unpublish(const std::string& volume, const std::string& target);
  absl::Status Unstage(const std::string& volume, const std::string& staging);
  absl::StatusOr<pb::NodeGetVolumeStatsResponse> Stats(
      const std::string& volume, const std::string& path);

  /// The node's mount table.
  MountTable Mounts() const;
  std::size_t MountsAt(const std::string& path) const;
  /// "" when nothing is mounted there.
  std::string TopOptions(const std::string& path) const;
  bool Exists(const std::string& path) const;
  /// Where the instance is mounted.
  [[nodiscard]] std::string PoolPath(const Uuid& fs_uuid) const {
    return fmt::format("{}/{}", PoolsDirectory(), fs_uuid.ToString());
  }
  /// The famfs-fused of the pool.
  pid_t FusedPid(const Uuid& fs_uuid) const;
  std::string DataPathOf(const Uuid& fs_uuid) const;
  /// Waits until a file can be opened there; at most one dead mount lies below.
  bool WaitUntilServed(const std::string& path) const;

 private:
  [[nodiscard]] std::string PoolsDirectory() const;

  rig::TempDir dir_;
  std::string kubelet_;
  std::string socket_;
  std::string spawner_;
  std::vector<std::string> environment_;
  rig::MountNamespace host_;
  std::unique_ptr<rig::Process> plugin_;
  std::unique_ptr<pb::Node::Stub> stub_;
};

/// A shared mapping of a file's first bytes; asserts of gtest inside.
class MappedFile {
 public:
  MappedFile(const std::string& path, bool writable,
             std::size_t length = kVolumeSize);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  [[nodiscard]] bool valid() const { return data_ != nullptr; }
  char* data() { return data_; }
  [[nodiscard]] std::string Text(std::size_t at, std::size_t length) const {
    return {data_ + at, length};
  }
  void Put(std::size_t at, std::string_view text) {
    text.copy(data_ + at, text.size());
  }

 private:
  char* data_ = nullptr;
  std::size_t length_;
};

/// 0, or why open(2) refuses.
int OpenErrno(const std::string& path, int flags);

MATCHER(IsOk, "is OK") {
  *result_listener << arg.ToString();
  return arg.ok();
}
MATCHER_P2(IsError, code, text, "") {
  *result_listener << arg.ToString();
  return arg.code() == code &&
         Message(arg).find(text) != std::string_view::npos;
}

}  // namespace famfs::node
