#include "tests/soak/life.h"

#include <fcntl.h>

#include <cerrno>
#include <utility>

#include "base/units.h"

namespace famfs::soak {
namespace {

constexpr std::uint64_t kUnit = 2 * kMiB;
constexpr std::uint64_t kMostUnits = 6;

const SoakPool& ChoosePool(const Cluster& cluster, Random& random) {
  return cluster.pools()[Between(random, 0, cluster.pools().size() - 1)];
}

}  // namespace

Clients::Clients(Cluster& cluster)
    : controller(
          pb::Controller::NewStub(rig::Connect(cluster.controller().socket()))),
      nodes{pb::Node::NewStub(
                rig::Connect(cluster.nodes()[0]->plugin().socket())),
            pb::Node::NewStub(
                rig::Connect(cluster.nodes()[1]->plugin().socket()))} {}

Life::Life(Cluster& cluster, Clients& clients, Progress& progress, Diary& diary,
           Random& random, std::uint64_t number, std::string name)
    : cluster_(cluster),
      clients_(clients),
      progress_(progress),
      diary_(diary),
      random_(random),
      caller_(progress, diary, random),
      number_(number),
      name_(std::move(name)),
      pool_(ChoosePool(cluster, random)),
      contents_(number, kUnit * Between(random, 1, kMostUnits)) {}

Mode::Mode Life::mode() const {
  return pool_.shared ? Mode::MULTI_NODE_MULTI_WRITER
                      : Mode::SINGLE_NODE_MULTI_WRITER;
}

absl::Status Life::Run() {
  diary_.Note("life {:#x}: {} in pool {}, {}", number_, name_, pool_.name,
              FormatSize(contents_.size()));
  FAMFS_RETURN_IF_ERROR(Create());
  const std::uint64_t rounds = Between(random_, 0, 2);
  for (std::uint64_t i = 0; i < rounds; ++i) FAMFS_RETURN_IF_ERROR(Round());
  if (Chance(random_, 25)) return DeleteInUse();
  return Delete();
}

absl::Status Life::Create() {
  pb::CreateVolumeRequest request;
  request.set_name(name_);
  request.mutable_capacity_range()->set_required_bytes(
      static_cast<std::int64_t>(contents_.size()));
  *request.add_volume_capabilities() = Capability(mode());
  (*request.mutable_parameters())["pool"] = pool_.name;
  for (int times = Twice() ? 2 : 1; times > 0; --times) {
    FAMFS_ASSIGN_OR_RETURN(
        const pb::CreateVolumeResponse response,
        caller_.Call("CreateVolume " + name_, *clients_.controller,
                     &pb::Controller::Stub::CreateVolume, request));
    const std::string& id = response.volume().volume_id();
    if (!volume_.empty() && volume_ != id) {
      return Internal("CreateVolume {} twice: {}, then {}", name_, volume_, id);
    }
    volume_ = id;
  }
  diary_.Note("{} is {}", name_, volume_);
  return absl::OkStatus();
}

absl::Status Life::Delete() {
  pb::DeleteVolumeRequest request;
  request.set_volume_id(volume_);
  for (int times = Twice() ? 2 : 1; times > 0; --times) {
    FAMFS_RETURN_IF_ERROR(caller_
                              .Call("DeleteVolume", *clients_.controller,
                                    &pb::Controller::Stub::DeleteVolume,
                                    request)
                              .status());
  }
  return absl::OkStatus();
}

absl::Status Life::Stage(std::size_t node) {
  pb::NodeStageVolumeRequest request;
  request.set_volume_id(volume_);
  request.set_staging_target_path(At(node).StagingPath(volume_));
  *request.mutable_volume_capability() = Capability(mode());
  FAMFS_RETURN_IF_ERROR(
      At(node).MakeParents(request.staging_target_path(), true));
  for (int times = Twice() ? 2 : 1; times > 0; --times) {
    FAMFS_RETURN_IF_ERROR(caller_
                              .Call("NodeStageVolume on " + At(node).name(),
                                    *clients_.nodes[node],
                                    &pb::Node::Stub::NodeStageVolume, request)
                              .status());
  }
  return absl::OkStatus();
}

absl::Status Life::Unstage(std::size_t node) {
  pb::NodeUnstageVolumeRequest request;
  request.set_volume_id(volume_);
  request.set_staging_target_path(At(node).StagingPath(volume_));
  for (int times = Twice() ? 2 : 1; times > 0; --times) {
    FAMFS_RETURN_IF_ERROR(caller_
                              .Call("NodeUnstageVolume on " + At(node).name(),
                                    *clients_.nodes[node],
                                    &pb::Node::Stub::NodeUnstageVolume, request)
                              .status());
  }
  return At(node).RemoveStaging(volume_);
}

absl::StatusOr<Life::Pod> Life::Publish(std::size_t node, bool read_only) {
  Pod pod{.node = node,
          .name = fmt::format("{:x}-{}", number_, ++pods_),
          .read_only = read_only};
  const std::string target = At(node).TargetPath(pod.name);
  pb::NodePublishVolumeRequest request;
  request.set_volume_id(volume_);
  request.set_staging_target_path(At(node).StagingPath(volume_));
  request.set_target_path(target);
  request.set_readonly(read_only);
  *request.mutable_volume_capability() = Capability(mode());
  FAMFS_RETURN_IF_ERROR(At(node).MakeParents(target, false));
  for (int times = Twice() ? 2 : 1; times > 0; --times) {
    FAMFS_RETURN_IF_ERROR(caller_
                              .Call(fmt::format("NodePublishVolume {} on {}",
                                                pod.name, At(node).name()),
                                    *clients_.nodes[node],
                                    &pb::Node::Stub::NodePublishVolume, request)
                              .status());
  }
  pod.file = std::make_unique<VolumeFile>(At(node), target + "/data",
                                          !read_only, progress_, diary_);
  if (read_only) {
    FAMFS_RETURN_IF_ERROR(pod.file->ExpectRefusal(EROFS, O_RDWR));
  }
  FAMFS_RETURN_IF_ERROR(pod.file->Open());
  return pod;
}

absl::Status Life::Unpublish(Pod pod) {
  pod.file.reset();
  pb::NodeUnpublishVolumeRequest request;
  request.set_volume_id(volume_);
  request.set_target_path(At(pod.node).TargetPath(pod.name));
  for (int times = Twice() ? 2 : 1; times > 0; --times) {
    FAMFS_RETURN_IF_ERROR(caller_
                              .Call(fmt::format("NodeUnpublishVolume {} on {}",
                                                pod.name, At(pod.node).name()),
                                    *clients_.nodes[pod.node],
                                    &pb::Node::Stub::NodeUnpublishVolume,
                                    request)
                              .status());
  }
  return At(pod.node).RemovePod(pod.name);
}

absl::Status Life::AskForStatistics(const Pod& pod) {
  pb::NodeGetVolumeStatsRequest request;
  request.set_volume_id(volume_);
  request.set_volume_path(At(pod.node).TargetPath(pod.name));
  FAMFS_ASSIGN_OR_RETURN(
      const pb::NodeGetVolumeStatsResponse statistics,
      caller_.Call("NodeGetVolumeStats on " + At(pod.node).name(),
                   *clients_.nodes[pod.node],
                   &pb::Node::Stub::NodeGetVolumeStats, request));
  const auto size = static_cast<std::int64_t>(contents_.size());
  if (statistics.usage_size() == 1 && statistics.usage(0).total() == size) {
    return absl::OkStatus();
  }
  return Internal("NodeGetVolumeStats of {} bytes: {}", size,
                  statistics.ShortDebugString());
}

absl::Status Life::Round() {
  const std::size_t writer = Between(random_, 0, 1);
  return pool_.shared ? WriteShared(writer, 1 - writer)
                      : WriteInTurn(writer, 1 - writer);
}

absl::Status Life::VerifyIn(Pod& pod) {
  if (!pool_.shared || Chance(random_, 50)) return pod.file->Verify(contents_);
  FAMFS_RETURN_IF_ERROR(pod.file->Map(contents_.size()));
  return pod.file->VerifyMapped(contents_);
}

absl::Status Life::WriteShared(std::size_t writer, std::size_t reader) {
  FAMFS_RETURN_IF_ERROR(Stage(writer));
  FAMFS_ASSIGN_OR_RETURN(Pod writing, Publish(writer, false));
  FAMFS_RETURN_IF_ERROR(writing.file->Verify(contents_));
  FAMFS_RETURN_IF_ERROR(Stage(reader));
  FAMFS_ASSIGN_OR_RETURN(Pod reading, Publish(reader, Chance(random_, 50)));
  FAMFS_RETURN_IF_ERROR(reading.file->Map(contents_.size()));
  contents_.Change();
  if (Chance(random_, 50)) {
    FAMFS_RETURN_IF_ERROR(writing.file->Write(contents_));
  } else {
    FAMFS_RETURN_IF_ERROR(writing.file->Map(contents_.size()));
    FAMFS_RETURN_IF_ERROR(writing.file->Store(contents_));
  }
  FAMFS_RETURN_IF_ERROR(reading.file->VerifyMapped(contents_));
  if (Chance(random_, 20)) FAMFS_RETURN_IF_ERROR(AskForStatistics(reading));
  if (Chance(random_, 30)) {
    FAMFS_ASSIGN_OR_RETURN(Pod another, Publish(reader, true));
    FAMFS_RETURN_IF_ERROR(another.file->Verify(contents_));
    FAMFS_RETURN_IF_ERROR(Unpublish(std::move(another)));
  }
  FAMFS_RETURN_IF_ERROR(Unpublish(std::move(writing)));
  FAMFS_RETURN_IF_ERROR(Unstage(writer));
  FAMFS_RETURN_IF_ERROR(Unpublish(std::move(reading)));
  return Unstage(reader);
}

// Each node has a page cache of its own: the writer's has to be written back
// before the reader looks.
absl::Status Life::WriteInTurn(std::size_t writer, std::size_t reader) {
  FAMFS_RETURN_IF_ERROR(Stage(writer));
  FAMFS_ASSIGN_OR_RETURN(Pod writing, Publish(writer, false));
  FAMFS_RETURN_IF_ERROR(writing.file->Verify(contents_));
  contents_.Change();
  FAMFS_RETURN_IF_ERROR(writing.file->Write(contents_));
  if (Chance(random_, 20)) FAMFS_RETURN_IF_ERROR(AskForStatistics(writing));
  FAMFS_RETURN_IF_ERROR(Unpublish(std::move(writing)));
  FAMFS_RETURN_IF_ERROR(Unstage(writer));
  FAMFS_RETURN_IF_ERROR(Stage(reader));
  FAMFS_ASSIGN_OR_RETURN(Pod reading, Publish(reader, Chance(random_, 50)));
  FAMFS_RETURN_IF_ERROR(VerifyIn(reading));
  FAMFS_RETURN_IF_ERROR(Unpublish(std::move(reading)));
  return Unstage(reader);
}

absl::Status Life::DeleteInUse() {
  const std::size_t node = Between(random_, 0, 1);
  FAMFS_RETURN_IF_ERROR(Stage(node));
  FAMFS_ASSIGN_OR_RETURN(Pod pod, Publish(node, false));
  if (pool_.shared) FAMFS_RETURN_IF_ERROR(pod.file->Map(contents_.size()));
  FAMFS_RETURN_IF_ERROR(Delete());
  if (pool_.shared) {
    FAMFS_RETURN_IF_ERROR(pod.file->VerifyMapped(contents_));
  }
  FAMFS_RETURN_IF_ERROR(Unpublish(std::move(pod)));
  return Unstage(node);
}

}  // namespace famfs::soak
