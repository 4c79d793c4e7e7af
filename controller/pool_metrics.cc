#include "controller/pool_metrics.h"

#include <algorithm>
#include <chrono>

namespace famfs::controller {
namespace {

// For a page of this moment; one of some seconds ago is as well.
constexpr std::chrono::milliseconds kRefreshLimit{200};

void CollectSpace(const std::string& pool, const PoolFigures& figures,
                  csi::Exposition& page) {
  const auto gauge = [&](const char* name, const char* help,
                         std::uint64_t value) {
    page.Gauge(name, help, {{"pool", pool}}, static_cast<double>(value));
  };
  gauge("famfs_csi_pool_size_bytes", "Memory of the pool's devices.",
        figures.size);
  gauge("famfs_csi_pool_free_bytes", "Of it, taken by nothing.", figures.free);
  gauge("famfs_csi_pool_largest_free_bytes", "Of that, in one piece.",
        figures.largest);
  gauge("famfs_csi_pool_unbacked_bytes",
        "Free, but the file system under the device has no memory for it.",
        figures.unbacked);
  gauge("famfs_csi_pool_reserved_bytes",
        "Promised to files that are being made.", figures.reserved);
  const std::uint64_t dirty =
      figures.pending -
      std::min(figures.pending, figures.quarantined + figures.releasable);
  for (const auto& [state, bytes] :
       {std::pair{"quarantined", figures.quarantined},
        std::pair{"dirty", dirty},
        std::pair{"releasable", figures.releasable}}) {
    page.Gauge("famfs_csi_pool_deleted_bytes",
               "Space of deleted volumes that is not free yet, by what it "
               "waits for.",
               {{"pool", pool}, {"state", state}}, static_cast<double>(bytes));
  }
  gauge("famfs_csi_pool_waiting_hosts",
        "Hosts' servers that deleted volumes wait for.", figures.waiting_hosts);
  gauge("famfs_csi_pool_log_entries", "Slots of the log that are in use.",
        figures.entries);
  gauge("famfs_csi_pool_log_capacity", "Slots of the log in all.",
        figures.slots);
}

void CollectLosses(const std::string& pool, const PoolLosses& losses,
                   csi::Exposition& page) {
  for (const auto& [reason, count] : {std::pair{"overtaken", losses.overtaken},
                                      std::pair{"replaced", losses.replaced},
                                      std::pair{"other", losses.other}}) {
    page.Counter("famfs_csi_pool_losses_total",
                 "Times that the controller lost a pool that it had open.",
                 {{"pool", pool}, {"reason", reason}},
                 static_cast<double>(count));
  }
}

void CollectVolumes(const std::string& pool,
                    const PoolSnapshot::Volumes& volumes,
                    csi::Exposition& page) {
  page.Gauge("famfs_csi_pool_volumes", "Volumes that exist in the pool.",
             {{"pool", pool}}, static_cast<double>(volumes.size()));
  for (const VolumeInfo& volume : volumes) {
    page.Gauge("famfs_csi_volume_size_bytes",
               "Size of a volume; name is its PersistentVolume's.",
               {{"pool", pool},
                {"volume", volume.id},
                {"name", volume.attributes.name}},
               static_cast<double>(volume.attributes.capacity));
  }
}

}  // namespace

void CollectPools(const PoolSet& pools, csi::Exposition& page) {
  for (const auto& pool : pools.pools()) {
    pool->Refresh(kRefreshLimit);
    const auto snapshot = pool->snapshot();
    const bool open = pool->Standing().ok() && snapshot != nullptr;
    page.Gauge("famfs_csi_pool_available",
               "1: the controller has the pool open; 0: its log says why not.",
               {{"pool", pool->name()}}, open ? 1 : 0);
    CollectLosses(pool->name(), pool->losses(), page);
    if (!open) continue;
    CollectSpace(pool->name(), snapshot->figures, page);
    page.Counter("famfs_csi_pool_refilled_bytes_total",
                 "Memory of volumes that programs gave back, and that the "
                 "controller has given them again; its log says whose.",
                 {{"pool", pool->name()}},
                 static_cast<double>(snapshot->refilled));
    CollectVolumes(pool->name(), *snapshot->volumes, page);
  }
}

}  // namespace famfs::controller
