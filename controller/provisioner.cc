#include "controller/provisioner.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>

#include "base/text.h"
#include "base/units.h"
#include "controller/capacity_range.h"
#include "controller/servable.h"
#include "csi/volume_id.h"

namespace famfs::controller {
namespace {

VolumeInfo MakeInfo(const Writer& writer, const Pool& pool, const Node& node) {
  return VolumeInfo{
      .id = csi::FormatVolumeId(writer.superblock().fs_uuid, node.name),
      .pool = pool.name(),
      .directory = std::string(node.name),
      .attributes = *node.volume,
      .owner = node.owner,
  };
}

// Of the codes that a pool may answer with, those that an orchestrator asks
// again after.
absl::Status OfThePool(const Pool& pool, const absl::Status& status) {
  if (status.ok() || absl::IsAborted(status) || absl::IsUnavailable(status)) {
    return status;
  }
  return Unavailable("pool {}: {}", pool.name(), Message(status));
}

VolumePlacement PlacementOf(const csi::VolumeParameters& parameters) {
  return {.data_path = parameters.data_path,
          .strips = parameters.strips,
          .chunk = parameters.chunk};
}

std::uint64_t NowUnixNanoseconds() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(
          std::chrono::system_clock::now().time_since_epoch())
          .count());
}

}  // namespace

absl::StatusOr<VolumeInfo> Provisioner::Create(const CreateRequest& request) {
  FAMFS_RETURN_IF_ERROR(CheckRange(request.range));
  const csi::KeyedMutex::Guard guard = names_.Lock(request.name);
  FAMFS_ASSIGN_OR_RETURN(std::optional<VolumeInfo> existing,
                         FindByName(request.name));
  if (existing.has_value()) {
    std::string difference = Difference(*existing, request.parameters);
    if (difference.empty() &&
        !Satisfies(existing->attributes.capacity, request.range)) {
      difference = fmt::format(
          "its capacity of {} bytes is outside of [{}, {}]",
          existing->attributes.capacity, request.range->required_bytes(),
          request.range->limit_bytes());
    }
    if (difference.empty()) return *std::move(existing);
    return AlreadyExists("volume {} exists and differs: {}",
                         Printable(request.name), difference);
  }
  Pool& pool = pools_.Get(request.parameters.pool);
  FAMFS_ASSIGN_OR_RETURN(const std::shared_ptr<Writer> writer, pool.Open());
  return CreateNew(request, pool, *writer);
}

absl::StatusOr<VolumeInfo> Provisioner::CreateNew(const CreateRequest& request,
                                                  Pool& pool, Writer& writer) {
  FAMFS_ASSIGN_OR_RETURN(const std::uint64_t size, ChooseSize(request.range));
  const PoolFigures figures = writer.Figures();
  if (size > figures.size) {
    return OutOfRange("pool {} has {} in all and can never hold a volume of {}",
                      pool.name(), FormatSize(figures.size), FormatSize(size));
  }
  VolumeAttributes attributes;
  attributes.name = request.name;
  attributes.layout = request.parameters.layout;
  attributes.data_path = request.parameters.data_path;
  attributes.capacity = size;
  attributes.interleave_strips = request.parameters.strips;
  attributes.interleave_chunk = request.parameters.chunk;
  attributes.created_unix_ns = NowUnixNanoseconds();
  const std::string directory = csi::MakeVolumeDirectory(request.name);
  const Ownership owner{request.parameters.uid, request.parameters.gid,
                        request.parameters.mode};
  const absl::Status created =
      writer.CreateVolume(directory, attributes, owner);
  if (absl::IsResourceExhausted(created)) {
    const auto capacity = writer.GetCapacity(PlacementOf(request.parameters));
    if (!capacity.ok()) return OfThePool(pool, capacity.status());
    return ResourceExhausted(
        "pool {} has no room for this volume: asked {}, free {}, largest {} "
        "(delete volumes, or ask for less): {}",
        pool.name(), FormatSize(size), FormatSize(capacity->free),
        FormatSize(capacity->largest), Message(created));
  }
  FAMFS_RETURN_IF_ERROR(OfThePool(pool, created));
  spdlog::info("pool {}: volume {} ({}) is directory {}", pool.name(),
               Printable(request.name), FormatSize(size), directory);
  return VolumeInfo{
      .id = csi::FormatVolumeId(writer.superblock().fs_uuid, directory),
      .pool = pool.name(),
      .directory = directory,
      .attributes = std::move(attributes),
      .owner = owner,
  };
}

absl::Status Provisioner::Delete(std::string_view volume_id) {
  FAMFS_ASSIGN_OR_RETURN(const std::optional<Located> located,
                         Locate(volume_id));
  if (!located.has_value()) return absl::OkStatus();
  std::string name;
  {
    const Reader::View tree = located->writer->Tree();
    const Node* node = tree->Lookup(kRootNode, located->directory);
    if (node == nullptr || node->volume == nullptr) return absl::OkStatus();
    name = node->volume->name;
  }
  const csi::KeyedMutex::Guard guard = names_.Lock(name);
  const absl::Status deleted =
      located->writer->DeleteVolume(located->directory);
  if (!deleted.ok()) {
    const Reader::View tree = located->writer->Tree();
    if (tree->Lookup(kRootNode, located->directory) == nullptr) {
      return absl::OkStatus();  // another call's work
    }
    return OfThePool(*located->pool, deleted);
  }
  spdlog::info("pool {}: volume {} (directory {}) is deleted",
               located->pool->name(), name, located->directory);
  located->pool->ReclaimSoon();
  return absl::OkStatus();
}

absl::StatusOr<VolumeInfo> Provisioner::Find(std::string_view volume_id) {
  FAMFS_ASSIGN_OR_RETURN(const std::optional<Located> located,
                         Locate(volume_id));
  if (located.has_value()) {
    const Reader::View tree = located->writer->Tree();
    const Node* node = tree->Lookup(kRootNode, located->directory);
    if (node != nullptr && node->volume != nullptr) {
      return MakeInfo(*located->writer, *located->pool, *node);
    }
  }
  return NotFound("no volume has the id {}",
                  Printable(volume_id, csi::kMaxVolumeId));
}

absl::StatusOr<std::optional<Provisioner::Located>> Provisioner::Locate(
    std::string_view volume_id) {
  const auto id = csi::ParseVolumeId(volume_id);
  if (!id.ok()) return std::nullopt;  // not an id of ours: no such volume
  absl::Status unavailable;
  for (const auto& pool : pools_.pools()) {
    auto writer = pool->Open();
    if (!writer.ok()) {
      unavailable = writer.status();
      continue;
    }
    if (id->BelongsTo((*writer)->superblock().fs_uuid)) {
      return Located{pool.get(), *std::move(writer), id->directory};
    }
  }
  // It may lie in the pool that does not open: nobody may forget it now.
  FAMFS_RETURN_IF_ERROR(unavailable);
  return std::nullopt;
}

absl::StatusOr<std::optional<VolumeInfo>> Provisioner::FindByName(
    std::string_view name) {
  for (const auto& pool : pools_.pools()) {
    const auto writer = pool->Open();
    // A name in a pool that does not open cannot be seen; the pool that the
    // request names is opened by the caller, who fails if it does not.
    if (!writer.ok()) continue;
    const Reader::View tree = (*writer)->Tree();
    if (const Node* node = tree->FindVolume(name); node != nullptr) {
      return MakeInfo(**writer, *pool, *node);
    }
  }
  return std::nullopt;
}

absl::StatusOr<Page> Provisioner::List(const std::optional<ListKey>& after,
                                       std::size_t max_entries) {
  std::vector<Pool*> ordered;
  for (const auto& pool : pools_.pools()) ordered.push_back(pool.get());
  std::sort(ordered.begin(), ordered.end(),
            [](Pool* a, Pool* b) { return a->name() < b->name(); });
  Page page;
  for (Pool* pool : ordered) {
    if (after.has_value() && pool->name() < after->pool) continue;
    FAMFS_ASSIGN_OR_RETURN(const std::shared_ptr<Writer> writer, pool->Open());
    const Reader::View tree = writer->Tree();
    auto it = tree->volumes().begin();
    if (after.has_value() && pool->name() == after->pool) {
      it = tree->volumes().upper_bound(after->directory);
    }
    for (; it != tree->volumes().end(); ++it) {
      if (max_entries > 0 && page.volumes.size() == max_entries) {
        const VolumeInfo& last = page.volumes.back();
        page.next_after = ListKey{last.pool, last.directory};
        return page;
      }
      page.volumes.push_back(MakeInfo(*writer, *pool, *tree->Find(it->second)));
    }
  }
  return page;
}

absl::StatusOr<Capacity> Provisioner::GetCapacity(
    const csi::VolumeParameters& parameters) {
  Pool& pool = pools_.Get(parameters.pool);
  FAMFS_ASSIGN_OR_RETURN(const std::shared_ptr<Writer> writer, pool.Open());
  auto capacity = writer->GetCapacity(PlacementOf(parameters));
  if (!capacity.ok()) return OfThePool(pool, capacity.status());
  return capacity;
}

absl::Status Provisioner::CheckServable(const csi::VolumeParameters& parameters,
                                        const Capabilities& capabilities) {
  FAMFS_ASSIGN_OR_RETURN(const std::shared_ptr<Writer> writer,
                         pools_.Get(parameters.pool).Open());
  FAMFS_RETURN_IF_ERROR(CheckDataPath(parameters, *writer->device()));
  FAMFS_RETURN_IF_ERROR(
      CheckWriters(parameters, *writer->device(), capabilities));
  return writer->CheckPlacement(PlacementOf(parameters));
}

}  // namespace famfs::controller
