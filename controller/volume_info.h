// What a volume is to CSI, and whether a request means it.
#pragma once

#include <string>

#include "base/uuid.h"
#include "csi/config/parameters.h"
#include "instance/tree/node.h"
#include "media/volume_attributes.h"

namespace famfs::controller {

struct VolumeInfo {
  std::string id;
  std::string pool;
  std::string directory;
  VolumeAttributes attributes;
  Ownership owner;
};

/// Of a node that is a volume, in the instance `fs_uuid`.
VolumeInfo InfoOf(const std::string& pool, const Uuid& fs_uuid,
                  const Node& node);

/// The parameters that the volume was made with.
csi::VolumeParameters ParametersOf(const VolumeInfo& volume);

/// Why a volume is not what these parameters ask for, in words; empty when it
/// is.
std::string Difference(const VolumeInfo& volume,
                       const csi::VolumeParameters& wanted);

}  // namespace famfs::controller
