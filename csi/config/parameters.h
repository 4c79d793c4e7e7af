// StorageClass (and VolumeAttributesClass) parameters.
#pragma once

#include <google/protobuf/map.h>

#include <cstdint>
#include <string>

#include "base/status.h"
#include "csi/config/config.h"
#include "media/volume_attributes.h"

namespace famfs::csi {

using ParameterMap = google::protobuf::Map<std::string, std::string>;

inline constexpr char kPoolParameter[] = "pool";
inline constexpr char kDataPathParameter[] = "dataPath";
inline constexpr char kUidParameter[] = "uid";
inline constexpr char kGidParameter[] = "gid";
inline constexpr char kModeParameter[] = "mode";
inline constexpr char kLayoutParameter[] = "layout";
inline constexpr char kStripsParameter[] = "interleave.strips";
inline constexpr char kChunkParameter[] = "interleave.chunk";

/// Every field is filled: what the class does not say comes from the
/// configuration's defaults.
struct VolumeParameters {
  std::string pool;  // one of the configuration's
  DataPath data_path = DataPath::kAuto;
  VolumeLayout layout = VolumeLayout::kFile;
  std::uint32_t strips = 0;  // 0: contiguous
  std::uint64_t chunk = 0;   // bytes; with strips alone
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t mode = 0777;  // of the directory; files get mode & 0666

  bool operator==(const VolumeParameters&) const = default;
};

/// Mutable parameters win over the others. Keys that begin with
/// "csi.storage.k8s.io/" are the sidecars' and ignored. InvalidArgument: an
/// unknown key (named, with the known ones), a bad value, an unknown pool, no
/// pool at all where several are configured, a chunk without strips, strips
/// with layout tree. Whether
/// the pool's devices allow the strips is the Writer's to say.
absl::StatusOr<VolumeParameters> ParseParameters(
    const ParameterMap& parameters, const ParameterMap& mutable_parameters,
    const Config& config);
/// The same, with `defaults` for what the class does not say.
absl::StatusOr<VolumeParameters> ParseParametersOver(
    const VolumeParameters& defaults, const ParameterMap& parameters,
    const ParameterMap& mutable_parameters, const Config& config);

}  // namespace famfs::csi
