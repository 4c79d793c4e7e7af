// What there is: the volumes and the room of all pools. Two answer that: the
// pools themselves (Provisioner), and what was seen of them a moment ago
// (LastSeen), which is for anybody.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "controller/list_token.h"
#include "controller/servable.h"
#include "controller/volume_info.h"
#include "csi/config/parameters.h"
#include "instance/writer/writer.h"

namespace famfs::controller {

struct Page {
  std::vector<VolumeInfo> volumes;
  std::optional<ListKey> next_after;  // set when more remain

  /// False when it has `max_entries` (0: any number) already: more remain.
  bool Add(VolumeInfo volume, std::size_t max_entries);
};

/// Thread-safe. Unavailable: a pool that the answer depends on is not open.
class VolumeSource {
 public:
  virtual ~VolumeSource() = default;

  /// NotFound: no live volume has this id.
  virtual absl::StatusOr<VolumeInfo> Find(std::string_view volume_id) = 0;

  /// At most `max_entries` (0: all) volumes behind `after`, in order.
  virtual absl::StatusOr<Page> List(const std::optional<ListKey>& after,
                                    std::size_t max_entries) = 0;

  /// `parameters` name a pool that there is.
  virtual absl::StatusOr<AvailableSpace> GetCapacity(
      const csi::VolumeParameters& parameters) = 0;

  /// InvalidArgument when volumes of these parameters can never be served as
  /// asked: the pool's kind of device does not have the data path that they
  /// insist on, does not allow their strips, or has no data path on which nodes
  /// may write together, where a capability wants that.
  [[nodiscard]] virtual absl::Status CheckServable(
      const csi::VolumeParameters& parameters,
      const Capabilities& capabilities) = 0;
};

}  // namespace famfs::controller
