#include "tests/integration/semantics/fixture.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace famfs::semantics {
namespace {

pb::VolumeCapability Capability(Mode::Mode mode, bool block = false) {
  pb::VolumeCapability capability;
  capability.mutable_access_mode()->set_mode(mode);
  if (block) {
    capability.mutable_block();
  } else {
    capability.mutable_mount();
  }
  return capability;
}

}  // namespace

std::unique_ptr<Cluster> Semantics::cluster_;

void Semantics::SetUpTestSuite() {
  if (::access("/dev/fuse", R_OK | W_OK) != 0) return;
  cluster_ = std::make_unique<Cluster>();
  cluster_->Start();
}

void Semantics::TearDownTestSuite() { cluster_.reset(); }

void Semantics::SetUp() {
  if (cluster_ == nullptr) {
    GTEST_SKIP() << "this machine has no /dev/fuse that this user may open";
  }
}

void Semantics::TearDown() {
  for (const Publication& at : published_) {
    EXPECT_THAT(Unpublish(*at.node, at.volume, at.target), IsOk());
  }
  for (const Publication& at : staged_) {
    EXPECT_THAT(Unstage(*at.node, at.volume), IsOk());
  }
  for (const std::string& volume : volumes_) {
    EXPECT_THAT(Delete(volume), IsOk());
  }
}

absl::StatusOr<pb::Volume> Semantics::Create(const std::string& name,
                                             const CreateOptions& options) {
  pb::CreateVolumeRequest request;
  request.set_name(name);
  if (options.range) {
    auto* range = request.mutable_capacity_range();
    range->set_required_bytes(static_cast<std::int64_t>(options.required));
    range->set_limit_bytes(static_cast<std::int64_t>(options.limit));
  }
  *request.add_volume_capabilities() = Capability(options.mode, options.block);
  request.mutable_parameters()->insert(options.parameters.begin(),
                                       options.parameters.end());
  FAMFS_ASSIGN_OR_RETURN(
      const pb::CreateVolumeResponse response,
      rig::Call(cluster_->controller(), &pb::Controller::Stub::CreateVolume,
                request));
  volumes_.push_back(response.volume().volume_id());
  return response.volume();
}

absl::Status Semantics::Delete(const std::string& volume) {
  pb::DeleteVolumeRequest request;
  request.set_volume_id(volume);
  return rig::Call(cluster_->controller(), &pb::Controller::Stub::DeleteVolume,
                   request)
      .status();
}

absl::StatusOr<pb::GetCapacityResponse> Semantics::Capacity() {
  return rig::Call(cluster_->controller(), &pb::Controller::Stub::GetCapacity,
                   pb::GetCapacityRequest());
}

absl::Status Semantics::Stage(Node& node, const std::string& volume) {
  pb::NodeStageVolumeRequest request;
  request.set_volume_id(volume);
  request.set_staging_target_path(node.StagingPath(volume));
  *request.mutable_volume_capability() =
      Capability(Mode::SINGLE_NODE_MULTI_WRITER);
  staged_.push_back({&node, volume, ""});
  return rig::Call(node.stub(), &pb::Node::Stub::NodeStageVolume, request)
      .status();
}

absl::Status Semantics::Unstage(Node& node, const std::string& volume) {
  pb::NodeUnstageVolumeRequest request;
  request.set_volume_id(volume);
  request.set_staging_target_path(node.StagingPath(volume));
  return rig::Call(node.stub(), &pb::Node::Stub::NodeUnstageVolume, request)
      .status();
}

absl::Status Semantics::Publish(Node& node, const std::string& volume,
                                const std::string& target,
                                const PublishOptions& options) {
  pb::NodePublishVolumeRequest request;
  request.set_volume_id(volume);
  request.set_staging_target_path(node.StagingPath(volume));
  request.set_target_path(target);
  request.set_readonly(options.readonly);
  *request.mutable_volume_capability() = Capability(options.mode);
  published_.push_back({&node, volume, target});
  return rig::Call(node.stub(), &pb::Node::Stub::NodePublishVolume, request)
      .status();
}

absl::Status Semantics::Unpublish(Node& node, const std::string& volume,
                                  const std::string& target) {
  pb::NodeUnpublishVolumeRequest request;
  request.set_volume_id(volume);
  request.set_target_path(target);
  return rig::Call(node.stub(), &pb::Node::Stub::NodeUnpublishVolume, request)
      .status();
}

std::string Semantics::NewVolume(const std::string& name,
                                 const CreateOptions& options) {
  const auto volume = Create(name, options);
  EXPECT_TRUE(volume.ok()) << Message(volume.status());
  return volume.ok() ? volume->volume_id() : "";
}

std::string Semantics::Mount(Node& node, const std::string& volume,
                             const std::string& pod,
                             const PublishOptions& options) {
  const std::string target = node.TargetPath(pod);
  EXPECT_THAT(Stage(node, volume), IsOk());
  EXPECT_THAT(Publish(node, volume, target, options), IsOk());
  return target;
}

void Semantics::OnVolume(const std::function<void(const std::string&)>& body) {
  const std::string directory = Mount(a(), NewVolume("claim"), "pod");
  a().Run([&] {
    body(directory);
    EXPECT_EQ(SizeOf(directory + "/data"), kEnd);
  });
}

int ErrnoOf(std::int64_t result) { return result == -1 ? errno : 0; }

int OpenErrno(const std::string& path, int flags) {
  const UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC, 0600));
  return fd.valid() ? 0 : errno;
}

UniqueFd Open(const std::string& path, int flags) {
  UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC));
  EXPECT_TRUE(fd.valid()) << path << ": " << std::strerror(errno);
  return fd;
}

std::int64_t SizeOf(const std::string& path) {
  struct stat info = {};
  EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
  return info.st_size;
}

Mapped::Mapped(const std::string& path, int flags) : fd_(Open(path, flags)) {
  if (!fd_.valid()) return;
  const int rights =
      (flags & O_ACCMODE) == O_RDWR ? PROT_READ | PROT_WRITE : PROT_READ;
  void* const data = ::mmap(nullptr, kSize, rights, MAP_SHARED, fd_.get(), 0);
  EXPECT_NE(data, MAP_FAILED) << path << ": " << std::strerror(errno);
  if (data != MAP_FAILED) data_ = static_cast<char*>(data);
}

Mapped::~Mapped() {
  if (data_ != nullptr) ::munmap(data_, kSize);
}

}  // namespace famfs::semantics
