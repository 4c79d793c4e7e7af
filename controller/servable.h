// What a pool's kind of device can never serve, told when a volume is made and
// not first in the events of its pods. InvalidArgument, with what to do.
#pragma once

#include <string>

#include "base/status.h"
#include "csi/config/parameters.h"
#include "csi/csi.pb.h"
#include "dax/device.h"

namespace famfs::controller {

using Capabilities =
    google::protobuf::RepeatedPtrField<::csi::v1::VolumeCapability>;

/// What decides it, of a pool's primary device.
struct DeviceKind {
  std::string spec;  // for messages
  bool can_pass_through = false;
};
DeviceKind KindOf(const DaxDevice& device);

/// Whether the device has the data path that the parameters insist on.
[[nodiscard]] absl::Status CheckDataPath(
    const csi::VolumeParameters& parameters, const DeviceKind& device);

/// Whether writers on several nodes can be served, where a capability wants
/// that: not by the data path copy, on which a node refuses them, since each
/// node's page cache would hold a copy of its own and overwrite the others'.
[[nodiscard]] absl::Status CheckWriters(const csi::VolumeParameters& parameters,
                                        const DeviceKind& device,
                                        const Capabilities& capabilities);

}  // namespace famfs::controller
