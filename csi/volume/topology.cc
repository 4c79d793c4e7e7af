#include "csi/volume/topology.h"

#include <strings.h>

#include "csi/csi.pb.h"

namespace famfs::csi {
namespace {

constexpr std::string_view kPrefix = "topology.";
constexpr std::size_t kMaxPart = 63;  // bytes

}  // namespace

std::string TopologyKey(std::string_view driver_name, std::string_view pool) {
  return fmt::format("{}{}/{}", kPrefix, driver_name, pool);
}

absl::Status CheckTopologyKey(std::string_view driver_name,
                              std::string_view pool) {
  if (kPrefix.size() + driver_name.size() > kMaxPart) {
    return InvalidArgument(
        "the driver name \"{}\" has {} bytes; take at most {}, since the "
        "topology key's prefix \"{}{}\" may have no more than {}",
        driver_name, driver_name.size(), kMaxPart - kPrefix.size(), kPrefix,
        driver_name, kMaxPart);
  }
  if (pool.empty() || pool.size() > kMaxPart) {
    return InvalidArgument(
        "the pool name \"{}\" has {} bytes; take 1 to {}, since it becomes the "
        "name of a topology key",
        pool, pool.size(), kMaxPart);
  }
  return absl::OkStatus();
}

bool HasPool(const ::csi::v1::Topology& topology, std::string_view driver_name,
             std::string_view pool) {
  const std::string key = TopologyKey(driver_name, pool);
  for (const auto& [name, value] : topology.segments()) {
    if (value == kTopologyValue && strcasecmp(name.c_str(), key.c_str()) == 0) {
      return true;
    }
  }
  return false;
}

void AddPool(::csi::v1::Topology& topology, std::string_view driver_name,
             std::string_view pool) {
  (*topology.mutable_segments())[TopologyKey(driver_name, pool)] =
      kTopologyValue;
}

}  // namespace famfs::csi
