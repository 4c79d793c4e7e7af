#include "tests/integration/node/test_node.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "csi/volume/volume_id.h"
#include "instance/check/mkfs.h"

namespace famfs::node {
namespace {

namespace fs = std::filesystem;

const auto* const kIsolation =
    ::testing::AddGlobalTestEnvironment(new rig::Isolation);

constexpr std::uint64_t kImageSize = 4 * kGiB;

// A flat file is sparse: only what is touched takes memory.
void MakeImage(const std::string& path, const Uuid& fs_uuid,
               const Uuid& system_uuid, const std::string& locks) {
  rig::WriteFile(path, "");
  ASSERT_EQ(::truncate(path.c_str(), kImageSize), 0);
  auto device = OpenDevice("image:" + path, Access::kReadWrite);
  ASSERT_TRUE(device.ok()) << Message(device.status());
  MkfsOptions options;
  options.fs_uuid = fs_uuid;
  options.system_uuid = system_uuid;
  options.lock_directory = locks;
  ASSERT_THAT(Mkfs(**device, options), IsOk());
}

pb::VolumeCapability Capability(Mode::Mode mode,
                                const std::vector<std::string>& flags = {}) {
  pb::VolumeCapability capability;
  capability.mutable_access_mode()->set_mode(mode);
  capability.mutable_mount();
  for (const std::string& flag : flags) {
    capability.mutable_mount()->add_mount_flags(flag);
  }
  return capability;
}

}  // namespace

TestPool::TestPool(const std::string& name, bool image)
    : name_(name), image_(image) {
  fs::create_directory(locks_);
  spec_ = (image ? "image:" : "emulated:") + Path();
  MakeAgain();
}

std::string TestPool::Path() const {
  return memory_ / (image_ ? "image" : "dcd");
}

void TestPool::MakeAgain() {
  if (image_) {
    fs_uuid_ = Uuid::Random();
    MakeImage(Path(), fs_uuid_, system_uuid_, locks_);
  } else {
    auto device = rig::Device::Create(Path(), {.lock_directory = locks_});
    ASSERT_TRUE(device.ok()) << Message(device.status());
    fs_uuid_ = device->fs_uuid();
    system_uuid_ = device->system_uuid();
  }
  OpenWriter();
}

void TestPool::OpenWriter() {
  auto opened = OpenDevice(spec_, Access::kReadWrite);
  ASSERT_TRUE(opened.ok()) << Message(opened.status());
  auto writer = Writer::Open(*std::move(opened), {.system_uuid = system_uuid_,
                                                  .lock_directory = locks_});
  ASSERT_TRUE(writer.ok()) << Message(writer.status());
  writer_ = *std::move(writer);
}

void TestPool::MakeAnew() {
  writer_.reset();
  auto opened = OpenDevice(spec_, Access::kReadWrite);
  ASSERT_TRUE(opened.ok()) << Message(opened.status());
  MkfsOptions options;
  fs_uuid_ = Uuid::Random();
  options.fs_uuid = fs_uuid_;
  options.system_uuid = system_uuid_;
  options.lock_directory = locks_;
  options.force = true;
  options.force_in_use = true;
  ASSERT_THAT(Mkfs(**opened, options), IsOk());
  OpenWriter();
}

void TestPool::Remove() {
  writer_.reset();
  // An extent that was closed a moment ago is immutable until its server has
  // looked.
  EXPECT_TRUE(rig::Eventually([&] {
    std::error_code error;
    fs::remove_all(Path(), error);
    return !error;
  }));
}

void TestPool::ComeBack() {
  writer_.reset();
  const std::string copy = Path() + ".copy";
  const std::string command = "cp -a --sparse=always " + Path() + " " + copy;
  ASSERT_EQ(std::system(command.c_str()), 0);
  fs::rename(Path(), Path() + ".away");
  fs::rename(copy, Path());
  OpenWriter();
}

std::string TestPool::Create(const NewVolume& volume) {
  VolumeAttributes attributes;
  attributes.name = volume.csi_name;
  attributes.capacity = volume.size;
  attributes.data_path = volume.data_path;
  const std::string directory = csi::MakeVolumeDirectory(volume.csi_name);
  EXPECT_THAT(writer_->CreateVolume(directory, attributes, volume.owner),
              IsOk());
  return csi::FormatVolumeId(fs_uuid_, directory);
}

void TestPool::Delete(const std::string& volume_id) {
  const auto id = csi::ParseVolumeId(volume_id);
  ASSERT_TRUE(id.ok());
  EXPECT_THAT(writer_->DeleteVolume(id->directory), IsOk());
}

TestNode::TestNode(const TestPool& pool)
    : TestNode(std::vector<PoolLine>{{pool.name(), pool.spec()}}) {}

TestNode::TestNode(const std::vector<PoolLine>& pools)
    : dir_("famfs-node"),
      kubelet_(dir_ / "kubelet"),
      socket_(dir_ / "csi.sock"),
      host_(rig::MountNamespace::Create().value()) {
  rig::SubreapOrphans();
  Configure(pools);
  fs::create_directory(kubelet_);
  Run([&] {
    ASSERT_EQ(::mount("kubelet", kubelet_.c_str(), "tmpfs", 0, "mode=0755"), 0);
    ASSERT_EQ(::mount(nullptr, kubelet_.c_str(), nullptr, MS_SHARED, nullptr),
              0);
  });
}

TestNode::~TestNode() {
  if (plugin_ == nullptr) return;
  if (::testing::Test::HasFailure()) {
    std::fprintf(stderr, "---- the plugin's output:\n%s----\n",
                 output().c_str());
  }
  StopPlugin();
  // A spawner takes its servers along.
  if (!spawner_.empty()) return;
  // famfs-fused outlives the plugin, as it should: end what this node started.
  std::vector<pid_t> servers;
  Run([&] {
    for (const auto& file : fs::directory_iterator(PoolsDirectory())) {
      if (file.path().extension() != ".lock") continue;
      servers.push_back(std::atoi(rig::ReadWholeFile(file.path()).c_str()));
    }
  });
  for (const pid_t pid : servers) {
    if (pid > 0 && ::kill(pid, SIGKILL) == 0) {
      EXPECT_TRUE(rig::WaitForExit(pid)) << "famfs-fused " << pid;
    }
  }
}

void TestNode::Configure(const std::vector<PoolLine>& pools) {
  std::string config = "pools:\n";
  for (const PoolLine& pool : pools) {
    config +=
        fmt::format("  - name: {}\n    device: {}\n    devices: [{}]\n",
                    pool.name, pool.device, fmt::join(pool.devices, ", "));
    if (!pool.emulated.empty()) {
      config += fmt::format("    format: if-blank\n    emulated: {}\n",
                            pool.emulated);
    }
  }
  rig::WriteFile(dir_ / "config.yaml", config);
}

std::unique_ptr<rig::Process> TestNode::Launch(
    const std::vector<std::string>& flags) {
  std::vector<std::string> argv = {rig::Binary("famfs-csi-node"),
                                   "--config",
                                   dir_ / "config.yaml",
                                   "--node-id",
                                   "node-1",
                                   "--kubelet-path",
                                   kubelet_};
  if (!spawner_.empty()) argv.insert(argv.end(), {"--fused-spawner", spawner_});
  if (std::find(flags.begin(), flags.end(), "--endpoint") == flags.end()) {
    argv.insert(argv.end(), {"--endpoint", "unix://" + socket_});
  }
  argv.insert(argv.end(), flags.begin(), flags.end());
  auto plugin = rig::Process::Start({.argv = argv,
                                     .environment = environment_,
                                     .mount_namespace = host_.fd()});
  EXPECT_TRUE(plugin.ok()) << Message(plugin.status());
  return plugin.ok() ? *std::move(plugin) : nullptr;
}

void TestNode::Start(const std::vector<std::string>& flags) {
  auto plugin = Launch(flags);
  ASSERT_NE(plugin, nullptr);
  Adopt(std::move(plugin));
}

void TestNode::Adopt(std::unique_ptr<rig::Process> plugin) {
  plugin_ = std::move(plugin);
  ASSERT_THAT(rig::WaitForSocket(socket_, plugin_.get()), IsOk());
  stub_ = pb::Node::NewStub(rig::Connect(socket_));
}

int TestNode::StopPlugin() {
  // A connection that is open but idle would only be noticed to be unwanted
  // when the server's patience ends.
  stub_.reset();
  return plugin_->Stop().value_or(-1);
}

std::string TestNode::PoolsDirectory() const {
  return kubelet_ + "/plugins/famfs.csi/pools";
}

std::string TestNode::StagingPath(const std::string& name) {
  const std::string parent =
      fmt::format("{}/plugins/kubernetes.io/csi/famfs.csi/{}", kubelet_, name);
  Run([&] { fs::create_directories(parent + "/globalmount"); });
  return parent + "/globalmount";
}

std::string TestNode::TargetPath(const std::string& name) {
  const std::string parent =
      fmt::format("{}/pods/{}/volumes/kubernetes.io~csi/pv", kubelet_, name);
  Run([&] { fs::create_directories(parent); });
  return parent + "/mount";
}

absl::Status TestNode::Stage(const std::string& volume,
                             const std::string& staging, Mode::Mode mode) {
  pb::NodeStageVolumeRequest request;
  request.set_volume_id(volume);
  request.set_staging_target_path(staging);
  *request.mutable_volume_capability() = Capability(mode);
  return rig::Call(*stub_, &pb::Node::Stub::NodeStageVolume, request).status();
}

absl::Status TestNode::Publish(const std::string& volume,
                               const std::string& staging,
                               const std::string& target, bool readonly,
                               Mode::Mode mode,
                               const std::vector<std::string>& flags) {
  pb::NodePublishVolumeRequest request;
  request.set_volume_id(volume);
  request.set_staging_target_path(staging);
  request.set_target_path(target);
  request.set_readonly(readonly);
  *request.mutable_volume_capability() = Capability(mode, flags);
  return rig::Call(*stub_, &pb::Node::Stub::NodePublishVolume, request)
      .status();
}

absl::Status TestNode::Unpublish(const std::string& volume,
                                 const std::string& target) {
  pb::NodeUnpublishVolumeRequest request;
  request.set_volume_id(volume);
  request.set_target_path(target);
  return rig::Call(*stub_, &pb::Node::Stub::NodeUnpublishVolume, request)
      .status();
}

absl::Status TestNode::Unstage(const std::string& volume,
                               const std::string& staging) {
  pb::NodeUnstageVolumeRequest request;
  request.set_volume_id(volume);
  request.set_staging_target_path(staging);
  return rig::Call(*stub_, &pb::Node::Stub::NodeUnstageVolume, request)
      .status();
}

absl::StatusOr<pb::NodeGetVolumeStatsResponse> TestNode::Stats(
    const std::string& volume, const std::string& path) {
  pb::NodeGetVolumeStatsRequest request;
  request.set_volume_id(volume);
  request.set_volume_path(path);
  return rig::Call(*stub_, &pb::Node::Stub::NodeGetVolumeStats, request);
}

MountTable TestNode::Mounts() const {
  absl::StatusOr<MountTable> table = Internal("not read");
  Run([&] { table = MountTable::Read(); });
  EXPECT_TRUE(table.ok()) << Message(table.status());
  return *std::move(table);
}

std::size_t TestNode::MountsAt(const std::string& path) const {
  return Mounts().At(path).size();
}

std::string TestNode::TopOptions(const std::string& path) const {
  const MountTable table = Mounts();
  const MountEntry* top = table.Top(path);
  return top == nullptr ? "" : top->options;
}

bool TestNode::Exists(const std::string& path) const {
  bool exists = false;
  Run([&] {
    struct stat info = {};
    exists = ::lstat(path.c_str(), &info) == 0;
  });
  return exists;
}

pid_t TestNode::FusedPid(const Uuid& fs_uuid) const {
  pid_t pid = 0;
  Run([&] {
    pid = std::atoi(rig::ReadWholeFile(PoolPath(fs_uuid) + ".lock").c_str());
  });
  EXPECT_GT(pid, 0);
  return pid;
}

std::string TestNode::DataPathOf(const Uuid& fs_uuid) const {
  std::array<char, 64> value = {};
  Run([&] {
    ::getxattr(PoolPath(fs_uuid).c_str(), "user.famfs.datapath", value.data(),
               value.size() - 1);
  });
  return value.data();
}

bool TestNode::WaitUntilServed(const std::string& path) const {
  return rig::Eventually([&] {
    bool served = false;
    // Not stat(2): the kernel may still know the answer of a dead server.
    Run([&] { served = OpenErrno(path + "/data", O_RDONLY) == 0; });
    return served && MountsAt(path) <= 2;
  });
}

MappedFile::MappedFile(const std::string& path, bool writable,
                       std::size_t length)
    : length_(length) {
  const UniqueFd fd(
      ::open(path.c_str(), (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC));
  if (!fd.valid()) {
    ADD_FAILURE() << path << ": " << std::strerror(errno);
    return;
  }
  void* const data =
      ::mmap(nullptr, length_, PROT_READ | (writable ? PROT_WRITE : 0),
             MAP_SHARED, fd.get(), 0);
  if (data == MAP_FAILED) {
    ADD_FAILURE() << "mmap " << path << ": " << std::strerror(errno);
    return;
  }
  data_ = static_cast<char*>(data);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(data_, length_);
}

int OpenErrno(const std::string& path, int flags) {
  const UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC));
  return fd.valid() ? 0 : errno;
}

}  // namespace famfs::node
