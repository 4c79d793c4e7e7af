#include "controller/provisioner.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>

#include "base/text.h"
#include "base/units.h"
#include "controller/capacity_range.h"
#include "controller/servable.h"
#include "csi/volume/volume_id.h"

namespace famfs::controller {
namespace {

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
          .chunk = parameters.chunk,
          .layout = parameters.layout};
}

// What is final must not be said of a pool that is not whole now.
absl::Status CheckFits(std::uint64_t size,
                       const csi::VolumeParameters& parameters, Pool& pool,
                       Writer& writer) {
  if (size <= writer.Figures().size) return absl::OkStatus();
  const std::vector<std::string> missing = pool.MissingDevices(writer);
  // It takes up the devices that have come back.
  const auto capacity = writer.GetAvailableSpace(PlacementOf(parameters));
  if (!capacity.ok()) return OfThePool(pool, capacity.status());
  if (size <= capacity->total) return absl::OkStatus();
  if (!missing.empty()) {
    return Unavailable(
        "pool {} has {} at the moment and cannot hold a volume of {} while "
        "devices are missing: {}",
        pool.name(), FormatSize(capacity->total), FormatSize(size),
        fmt::join(missing, "; "));
  }
  return OutOfRange("pool {} has {} in all and can never hold a volume of {}",
                    pool.name(), FormatSize(capacity->total), FormatSize(size));
}

absl::Status NoRoom(std::uint64_t size, const csi::VolumeParameters& parameters,
                    const Pool& pool, Writer& writer,
                    const std::vector<std::string>& missing,
                    const absl::Status& refused) {
  const auto capacity = writer.GetAvailableSpace(PlacementOf(parameters));
  if (!capacity.ok()) return OfThePool(pool, capacity.status());
  const std::string figures =
      fmt::format("asked {}, free {}, largest {}", FormatSize(size),
                  FormatSize(capacity->free), FormatSize(capacity->largest));
  if (!missing.empty()) {
    return Unavailable(
        "pool {} has no room for this volume while devices are missing: {}; "
        "{}: {}",
        pool.name(), figures, fmt::join(missing, "; "), Message(refused));
  }
  return ResourceExhausted(
      "pool {} has no room for this volume: {} (delete volumes, or ask for "
      "less): {}",
      pool.name(), figures, Message(refused));
}

// Volumes in more strips than there are devices lie in parts of one, or cannot
// be made; with all devices of the configuration they may lie otherwise.
absl::Status CheckStrips(std::uint32_t strips, Pool& pool, Writer& writer) {
  if (strips <= writer.AddedDevices().size() + 1) return absl::OkStatus();
  const std::vector<std::string> missing = pool.MissingDevices(writer);
  if (missing.empty()) return absl::OkStatus();
  return Unavailable(
      "pool {} cannot make volumes in {} strips while devices are missing: {}",
      pool.name(), strips, fmt::join(missing, "; "));
}

// Those behind the directory, as far as the page has room.
void AddVolumes(const std::string& pool, const Writer& writer,
                const std::string& behind, std::size_t max_entries,
                Page& page) {
  const Reader::View tree = writer.Tree();
  for (auto it = tree->volumes().upper_bound(behind);
       it != tree->volumes().end(); ++it) {
    const Node& node = *tree->Find(it->second);
    if (!page.Add(InfoOf(pool, writer.superblock().fs_uuid, node),
                  max_entries)) {
      return;
    }
  }
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
  FAMFS_ASSIGN_OR_RETURN(const csi::KeyedMutex::Guard guard,
                         LockName(request.name));
  std::optional<VolumeInfo> existing = FindByName(request.name);
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
  FAMFS_RETURN_IF_ERROR(CheckFits(size, request.parameters, pool, writer));
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
  const auto make = [&] {
    return writer.CreateVolume(directory, attributes, owner);
  };
  absl::Status created = make();
  if (absl::IsResourceExhausted(created)) {
    const std::uint64_t whole = writer.Figures().size;
    const std::vector<std::string> missing = pool.MissingDevices(writer);
    // One that came a moment ago may have the room.
    if (writer.Figures().size > whole) created = make();
    if (absl::IsResourceExhausted(created)) {
      return NoRoom(size, request.parameters, pool, writer, missing, created);
    }
  }
  FAMFS_RETURN_IF_ERROR(OfThePool(pool, created));
  std::string id = csi::FormatVolumeId(writer.superblock().fs_uuid, directory);
  spdlog::info("pool {}: made volume {} ({}), volume_id={}", pool.name(),
               Printable(request.name), FormatSize(size), id);
  return VolumeInfo{
      .id = std::move(id),
      .pool = pool.name(),
      .directory = directory,
      .attributes = std::move(attributes),
      .owner = owner,
  };
}

absl::StatusOr<csi::KeyedMutex::Guard> Provisioner::LockName(
    const std::string& name) {
  std::optional<csi::KeyedMutex::Guard> guard =
      names_.LockWithin(name, patience_);
  if (guard.has_value()) return *std::move(guard);
  return Aborted("another call for the volume {} is under way; ask again",
                 Printable(name));
}

absl::Status Provisioner::Delete(std::string_view volume_id) {
  FAMFS_ASSIGN_OR_RETURN(const std::optional<Located> located,
                         Locate(volume_id));
  if (!located.has_value()) return absl::OkStatus();
  const std::string& name = located->volume.attributes.name;
  const std::string& directory = located->volume.directory;
  Pool& pool = *located->pool;
  FAMFS_ASSIGN_OR_RETURN(const csi::KeyedMutex::Guard guard, LockName(name));
  FAMFS_ASSIGN_OR_RETURN(const std::shared_ptr<Writer> writer, pool.Open());
  if (!located->id.BelongsTo(writer->superblock().fs_uuid)) {
    return Unavailable("pool {} was made anew a moment ago", pool.name());
  }
  const absl::Status deleted = writer->DeleteVolume(directory);
  if (!deleted.ok()) {
    const Reader::View tree = writer->Tree();
    if (tree->Lookup(kRootNode, directory) == nullptr) {
      return absl::OkStatus();  // another call's work
    }
    return OfThePool(pool, deleted);
  }
  spdlog::info("pool {}: deleted volume {}, volume_id={}", pool.name(),
               Printable(name), volume_id);
  pool.ReclaimSoon();
  return absl::OkStatus();
}

absl::StatusOr<VolumeInfo> Provisioner::Find(std::string_view volume_id) {
  FAMFS_ASSIGN_OR_RETURN(std::optional<Located> located, Locate(volume_id));
  if (located.has_value()) return std::move(located->volume);
  return NotFound("no volume has the id {}",
                  Printable(volume_id, csi::kMaxVolumeId));
}

absl::StatusOr<std::optional<Provisioner::Located>> Provisioner::Locate(
    std::string_view volume_id) {
  const auto id = csi::ParseVolumeId(volume_id);
  if (!id.ok()) return std::nullopt;  // not an id of ours: no such volume
  std::vector<Pool*> pools;
  for (const auto& pool : pools_.pools()) pools.push_back(pool.get());
  // The one that had the instance when it was last looked at has it still, as a
  // rule, and then no other needs to answer.
  std::stable_partition(pools.begin(), pools.end(), [&id](const Pool* pool) {
    const std::optional<Uuid> uuid = pool->fs_uuid();
    return uuid.has_value() && id->BelongsTo(*uuid);
  });
  absl::Status unavailable;
  for (Pool* pool : pools) {
    struct Answer {
      bool has_instance = false;
      std::optional<VolumeInfo> volume;
    };
    const auto answer = std::make_shared<Answer>();
    const absl::Status asked =
        pool->Ask([answer, id = *id, name = pool->name()](Writer& writer) {
          const Uuid& fs_uuid = writer.superblock().fs_uuid;
          answer->has_instance = id.BelongsTo(fs_uuid);
          if (!answer->has_instance) return absl::OkStatus();
          const Reader::View tree = writer.Tree();
          const Node* node = tree->Lookup(kRootNode, id.directory);
          if (node != nullptr && node->volume != nullptr) {
            answer->volume = InfoOf(name, fs_uuid, *node);
          }
          return absl::OkStatus();
        });
    if (!asked.ok()) {
      unavailable = asked;
    } else if (answer->has_instance) {
      if (!answer->volume.has_value()) return std::nullopt;
      return Located{pool, *id, *std::move(answer->volume)};
    }
  }
  // It may lie in the pool that does not open: nobody may forget it now.
  FAMFS_RETURN_IF_ERROR(unavailable);
  return std::nullopt;
}

std::optional<VolumeInfo> Provisioner::FindByName(const std::string& name) {
  for (const auto& pool : pools_.pools()) {
    const auto found = std::make_shared<std::optional<VolumeInfo>>();
    const absl::Status asked =
        pool->Ask([found, name, pool = pool->name()](Writer& writer) {
          const Reader::View tree = writer.Tree();
          if (const Node* node = tree->FindVolume(name); node != nullptr) {
            *found = InfoOf(pool, writer.superblock().fs_uuid, *node);
          }
          return absl::OkStatus();
        });
    // A name in a pool that does not open cannot be seen; the pool that the
    // request names is opened by the caller, who fails if it does not.
    if (asked.ok() && found->has_value()) return *std::move(*found);
  }
  return std::nullopt;
}

absl::StatusOr<Page> Provisioner::List(const std::optional<ListKey>& after,
                                       std::size_t max_entries) {
  const auto page = std::make_shared<Page>();
  for (Pool* pool : pools_.ByName()) {
    if (after.has_value() && pool->name() < after->pool) continue;
    const bool continues = after.has_value() && pool->name() == after->pool;
    FAMFS_RETURN_IF_ERROR(
        pool->Ask([page, max_entries, pool = pool->name(),
                   behind = continues ? after->directory : ""](Writer& writer) {
          AddVolumes(pool, writer, behind, max_entries, *page);
          return absl::OkStatus();
        }));
    if (page->next_after.has_value()) break;
  }
  return std::move(*page);
}

absl::StatusOr<AvailableSpace> Provisioner::GetCapacity(
    const csi::VolumeParameters& parameters) {
  Pool& pool = pools_.Get(parameters.pool);
  FAMFS_ASSIGN_OR_RETURN(const std::shared_ptr<Writer> writer, pool.Open());
  auto capacity = writer->GetAvailableSpace(PlacementOf(parameters));
  if (!capacity.ok()) return OfThePool(pool, capacity.status());
  return capacity;
}

absl::Status Provisioner::CheckServable(const csi::VolumeParameters& parameters,
                                        const Capabilities& capabilities) {
  struct Answer {
    DeviceKind device;
    absl::Status placement;
  };
  const auto answer = std::make_shared<Answer>();
  Pool& pool = pools_.Get(parameters.pool);
  FAMFS_RETURN_IF_ERROR(pool.Ask(
      [answer, &pool, placement = PlacementOf(parameters)](Writer& writer) {
        answer->device = KindOf(*writer.device());
        answer->placement = CheckStrips(placement.strips, pool, writer);
        if (answer->placement.ok()) {
          answer->placement = writer.CheckPlacement(placement);
        }
        return absl::OkStatus();
      }));
  FAMFS_RETURN_IF_ERROR(CheckDataPath(parameters, answer->device));
  FAMFS_RETURN_IF_ERROR(CheckWriters(parameters, answer->device, capabilities));
  return answer->placement;
}

}  // namespace famfs::controller
