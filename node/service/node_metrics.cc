#include "node/service/node_metrics.h"

#include <cstdint>
#include <fstream>
#include <map>
#include <string>
#include <string_view>

#include "node/fused/fused.h"
#include "node/mounts/volume_mounts.h"

namespace famfs::node {
namespace {

/// Where a volume is mounted on this node.
struct Mounted {
  std::string pool;
  std::string data_path;
  int staged = 0;
  int published = 0;
  std::uint64_t missing_memory = 0;  // accesses
};

void CollectServing(const Pool& pool, csi::Exposition& page) {
  const std::optional<PoolServing> serving = pool.serving();
  const bool serves = serving.has_value() && serving->served.has_value();
  page.Gauge("famfs_csi_node_pool_open",
             "1: this node sees the pool; 0: its log says why not.",
             {{"pool", pool.name()}}, pool.IsOpen() ? 1 : 0);
  page.Counter("famfs_csi_node_pool_replacements_total",
               "Times that the pool's device was found to hold another "
               "instance than before.",
               {{"pool", pool.name()}},
               static_cast<double>(pool.replacements()));
  page.Gauge(
      "famfs_csi_node_pool_served",
      "1: a famfs-fused serves the pool, by this data path; 0: none.",
      {{"pool", pool.name()},
       {"data_path",
        serves ? std::string(ToString(serving->served->data_path)) : "none"}},
      serves ? 1 : 0);
  page.Gauge("famfs_csi_node_unanswered_questions",
             "Questions that the pool's famfs-fused has not answered in time "
             "and still does not answer: it hangs.",
             {{"pool", pool.name()}},
             serving.has_value() ? static_cast<double>(serving->overdue) : 0);
  page.Counter("famfs_csi_node_fused_starts_total",
               "Servers that this plugin has started for the pool; one that "
               "was found alive does not count.",
               {{"pool", pool.name()}},
               serving.has_value() ? static_cast<double>(serving->starts) : 0);
}

double DeadMounts(const Pools& pools, const VolumeMounts& mounts) {
  const auto former = mounts.OfFormerInstances(
      [&](const Uuid& fs_uuid) { return pools.MayHold(fs_uuid); });
  return static_cast<double>(mounts.Dead().size() + former.size());
}

/// By volume directory, from lines such as "12 pvc-1f0d/data"; empty when the
/// server has missed nothing.
std::map<std::string, std::uint64_t> ReadMemoryReport(const std::string& path) {
  std::map<std::string, std::uint64_t> missing;
  std::ifstream report(path);
  std::uint64_t count = 0;
  for (std::string file; report >> count >> std::ws;) {
    std::getline(report, file);
    missing[file.substr(0, file.find('/'))] += count;
  }
  return missing;
}

}  // namespace

void CollectNode(const Pools& pools, const std::string& pools_directory,
                 csi::Exposition& page) {
  const auto mounts = VolumeMounts::Read(pools_directory);
  std::map<std::string, Mounted> mounted;  // by volume id
  for (const auto& pool : pools.all()) {
    CollectServing(*pool, page);
    const std::optional<PoolServing> serving = pool->serving();
    const std::optional<Uuid> fs_uuid = pool->fs_uuid();
    if (!mounts.ok() || !serving.has_value() || !fs_uuid.has_value()) continue;
    const auto missing = ReadMemoryReport(MemoryReportOf(
        fmt::format("{}/{}", pools_directory, fs_uuid->ToString())));
    for (const auto& [directory, entry] : mounts->OfInstance(*fs_uuid)) {
      Mounted& volume = mounted[csi::FormatVolumeId(*fs_uuid, directory)];
      volume.pool = pool->name();
      volume.data_path = serving->served.has_value()
                             ? std::string(ToString(serving->served->data_path))
                             : "none";
      if (const auto found = missing.find(directory); found != missing.end()) {
        volume.missing_memory = found->second;
      }
      ++(IsStaging(*entry) ? volume.staged : volume.published);
    }
  }
  for (const auto& [id, volume] : mounted) {
    page.Gauge("famfs_csi_node_volume_info",
               "1 for each volume that is mounted on this node, with the data "
               "path of its pages.",
               {{"pool", volume.pool},
                {"volume", id},
                {"data_path", volume.data_path}},
               1);
  }
  for (const auto& [id, volume] : mounted) {
    page.Gauge("famfs_csi_node_volume_publications",
               "Places where the volume is published on this node: one for "
               "each pod.",
               {{"pool", volume.pool}, {"volume", id}}, volume.published);
  }
  for (const auto& [id, volume] : mounted) {
    page.Counter("famfs_csi_node_volume_missing_memory_total",
                 "Reads and writes that were answered with ENOSPC or EIO, "
                 "because memory of the volume is missing; the server's log "
                 "has file and reason.",
                 {{"pool", volume.pool}, {"volume", id}},
                 static_cast<double>(volume.missing_memory));
  }
  page.Gauge("famfs_csi_node_dead_mounts",
             "Mounts of volumes that nobody serves: their server is gone, and "
             "they were not bound again, or their pool was made anew.",
             {}, mounts.ok() ? DeadMounts(pools, *mounts) : 0);
}

void CollectRegistration(const RegistrationReport& report,
                         csi::Exposition& page) {
  page.Gauge("famfs_csi_node_registered",
             "1: kubelet has registered the driver (what it said last).", {},
             report.registered ? 1 : 0);
  page.Counter("famfs_csi_node_registration_announcements_total",
               "Times that the registration socket appeared.", {},
               static_cast<double>(report.announcements));
  page.Counter("famfs_csi_node_registration_failures_total",
               "Registrations that kubelet refused or the plugin failed at.",
               {}, static_cast<double>(report.failures));
}

}  // namespace famfs::node
