// The golden images, decoded by the zstd command, and the same structures as we
// would write them.
#pragma once

#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include "media/checksum.h"
#include "media/format.h"

namespace famfs::testing {

/// The bytes of tests/compat/golden/`name`.img.zst; throws, naming the command,
/// when they cannot be decoded.
std::vector<std::byte> GoldenImage(const std::string& name);

template <typename T>
T ReadAt(const std::vector<std::byte>& image, std::uint64_t offset) {
  T value{};
  std::memcpy(&value, &image.at(offset + sizeof(T) - 1) - (sizeof(T) - 1),
              sizeof(T));
  return value;
}

/// For messages: the offset of the first byte that differs, or -1.
template <typename T>
long FirstDifference(const T& a, const T& b) {
  const auto* x = reinterpret_cast<const unsigned char*>(&a);
  const auto* y = reinterpret_cast<const unsigned char*>(&b);
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    if (x[i] != y[i]) return static_cast<long>(i);
  }
  return -1;
}

inline constexpr std::uint64_t kGoldenDeviceSize = 4ULL << 30;
inline constexpr std::uint64_t kGoldenLogLength = 8ULL << 20;
inline constexpr std::uint64_t kGoldenDataStart = kLogOffset + kGoldenLogLength;

MediaSuperblock GoldenSuperblock();
MediaLogHeader GoldenLogHeader(std::uint64_t entries);

/// Sealed entries with the fields of the images' descriptions.
MediaEntry MakeMkdir(std::uint64_t index, const char* path, std::uint32_t mode,
                     std::uint32_t owner);
MediaEntry MakeFile(std::uint64_t index, const char* path, std::uint64_t size,
                    std::vector<MediaExtent> extents);
MediaEntry MakeInterleaved(std::uint64_t index, const char* path,
                           std::uint64_t size, std::uint64_t chunk,
                           std::vector<MediaExtent> strips);

/// dir1, dir1/simple.bin and dir1/inter.bin of the three-entries image.
std::vector<MediaEntry> GoldenEntries();

}  // namespace famfs::testing
