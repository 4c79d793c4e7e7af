// How files are to lie on the devices, and what of that there is room for.
#pragma once

#include <cstdint>

#include "media/volume_attributes.h"

namespace famfs {

/// How a file made by hand is to lie; by default in one extent, in several
/// where no single one is large enough.
struct FileLayout {
  std::uint32_t strips = 0;   // 0: contiguous; else 1 to kMaxStrips
  std::uint64_t chunk = 0;    // bytes; a power of two, a multiple of 2 MiB
  std::uint32_t buckets = 0;  // 0: one strip per device; else of one device
};

/// What decides how a volume's file lies: of its attributes.
struct VolumePlacement {
  DataPath data_path = DataPath::kAuto;
  std::uint32_t strips = 0;  // 0: contiguous
  std::uint64_t chunk = 0;   // bytes
  VolumeLayout layout = VolumeLayout::kFile;

  static VolumePlacement Of(const VolumeAttributes& attributes) {
    return {.data_path = attributes.data_path,
            .strips = attributes.interleave_strips,
            .chunk = attributes.interleave_chunk,
            .layout = attributes.layout};
  }
};

/// What could be created now, in bytes; exact. Of devices that are missing
/// nothing counts, nor what the file system under a device cannot give
/// (dax/device.h, Backing).
struct AvailableSpace {
  std::uint64_t total = 0;    // the devices
  std::uint64_t free = 0;     // sum of what volumes could still take
  std::uint64_t largest = 0;  // largest single volume
};

}  // namespace famfs
