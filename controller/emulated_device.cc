#include "controller/emulated_device.h"

#include <spdlog/spdlog.h>

#include "base/units.h"
#include "dax/emulated.h"

namespace famfs::controller {
namespace {

absl::Status MakeDevice(const csi::PoolSection& pool) {
  const EmulatedConfig config{.size = pool.emulated->size,
                              .tag = Uuid::Random(),
                              .hosts = pool.emulated->hosts,
                              .sparse = pool.emulated->sparse};
  FAMFS_RETURN_IF_ERROR(CreateEmulatedDevice(pool.device.path, config));
  spdlog::info("pool {}: made the emulated device {} of {}, tag {}", pool.name,
               pool.device.ToString(), FormatSize(config.size),
               config.tag.ToString());
  return absl::OkStatus();
}

}  // namespace

absl::Status EnsureEmulatedDevice(const csi::PoolSection& pool) {
  if (!pool.emulated.has_value()) return absl::OkStatus();
  const std::string& directory = pool.device.path;
  const auto found = ReadEmulatedConfig(directory);
  if (absl::IsNotFound(found.status())) return MakeDevice(pool);
  FAMFS_RETURN_IF_ERROR(found.status());
  if (found->size != pool.emulated->size) {
    return FailedPrecondition(
        "{} has {} and the configuration says {}; an emulated device never "
        "changes its size: correct pools[].emulated.size, or add a device to "
        "pools[].devices",
        pool.device.ToString(), FormatSize(found->size),
        FormatSize(pool.emulated->size));
  }
  if (found->hosts == pool.emulated->hosts) return absl::OkStatus();
  spdlog::info("pool {}: {} may now be seen by {}", pool.name,
               pool.device.ToString(),
               pool.emulated->hosts.empty()
                   ? "every host"
                   : fmt::format("{}", fmt::join(pool.emulated->hosts, ", ")));
  return SetEmulatedHosts(directory, pool.emulated->hosts);
}

}  // namespace famfs::controller
