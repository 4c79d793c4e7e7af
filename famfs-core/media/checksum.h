// CRC-32 of the media format (zlib's polynomial and conventions), zero-extended
// to 64 bits, and the sums of each structure.
#pragma once

#include <cstdint>
#include <span>

#include "media/format.h"

namespace famfs {

std::uint64_t Crc32(std::span<const std::byte> bytes);

std::uint64_t ChecksumOf(const MediaSuperblock& superblock);  // bytes [0, 96)
std::uint64_t ChecksumOf(const MediaLogHeader& header);       // bytes [0, 24)
std::uint64_t ChecksumOf(const MediaEntry& entry);            // bytes [0, 536)

/// Stores the checksum into the structure. Last step before it is written.
void Seal(MediaSuperblock& superblock);
void Seal(MediaLogHeader& header);
void Seal(MediaEntry& entry);

}  // namespace famfs
