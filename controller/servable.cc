#include "controller/servable.h"

#include <algorithm>

#include "csi/volume/capabilities.h"

namespace famfs::controller {

DeviceKind KindOf(const DaxDevice& device) {
  return {.spec = device.spec(),
          .can_pass_through = device.capabilities().can_pass_through};
}

absl::Status CheckDataPath(const csi::VolumeParameters& parameters,
                           const DeviceKind& device) {
  if (parameters.data_path == DataPath::kPassthrough &&
      !device.can_pass_through) {
    return InvalidArgument(
        "dataPath passthrough needs an emulated device, and pool {} is on {}: "
        "use dataPath auto or copy",
        parameters.pool, device.spec);
  }
  if (parameters.data_path == DataPath::kFmap) {
    return InvalidArgument(
        "dataPath fmap needs a devdax device and a kernel with famfs' own "
        "messages, which this release serves on none; pool {} is on {}: use "
        "dataPath auto",
        parameters.pool, device.spec);
  }
  return absl::OkStatus();
}

absl::Status CheckWriters(const csi::VolumeParameters& parameters,
                          const DeviceKind& device,
                          const Capabilities& capabilities) {
  if (std::none_of(capabilities.begin(), capabilities.end(),
                   csi::IsMultiNodeWriter)) {
    return absl::OkStatus();
  }
  constexpr std::string_view kWhy =
      "keeps a page cache on each node, so MULTI_NODE_MULTI_WRITER "
      "(ReadWriteMany) cannot be served";
  if (parameters.data_path == DataPath::kCopy) {
    return InvalidArgument(
        "dataPath copy {}: use dataPath auto, or an access mode with one "
        "writing node",
        kWhy);
  }
  if (parameters.data_path == DataPath::kAuto && !device.can_pass_through) {
    return InvalidArgument(
        "pool {} is on {}, which nodes serve by the data path copy; that {}: "
        "use a pool on an emulated device, or an access mode with one writing "
        "node",
        parameters.pool, device.spec, kWhy);
  }
  return absl::OkStatus();
}

}  // namespace famfs::controller
