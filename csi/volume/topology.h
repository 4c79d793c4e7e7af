// Topology: one add-only key per pool with a constant value. A label's value
// can never change once kubelet has registered it, so "false" is never
// published.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace csi::v1 {
class Topology;
}  // namespace csi::v1

namespace famfs::csi {

inline constexpr char kTopologyValue[] = "true";

/// "topology.<driver name>/<pool>"
std::string TopologyKey(std::string_view driver_name, std::string_view pool);

/// InvalidArgument when the key's prefix or name has more than 63 bytes.
[[nodiscard]] absl::Status CheckTopologyKey(std::string_view driver_name,
                                            std::string_view pool);

/// Whether the segments hold the pool's key with value "true" (keys compare
/// without regard to case, as the specification says).
bool HasPool(const ::csi::v1::Topology& topology, std::string_view driver_name,
             std::string_view pool);
void AddPool(::csi::v1::Topology& topology, std::string_view driver_name,
             std::string_view pool);

}  // namespace famfs::csi
