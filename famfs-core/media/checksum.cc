#include "media/checksum.h"

#include <libdeflate.h>

#include <cstddef>

namespace famfs {
namespace {

/// The bytes of a structure that lie before its checksum.
template <typename T>
std::span<const std::byte> BytesBefore(const T& structure, std::size_t crc_at) {
  return std::as_bytes(std::span(&structure, 1)).first(crc_at);
}

}  // namespace

std::uint64_t Crc32(std::span<const std::byte> bytes) {
  return libdeflate_crc32(0, bytes.data(), bytes.size());
}

std::uint64_t ChecksumOf(const MediaSuperblock& superblock) {
  return Crc32(BytesBefore(superblock, offsetof(MediaSuperblock, crc)));
}

std::uint64_t ChecksumOf(const MediaLogHeader& header) {
  return Crc32(BytesBefore(header, offsetof(MediaLogHeader, crc)));
}

std::uint64_t ChecksumOf(const MediaEntry& entry) {
  return Crc32(BytesBefore(entry, offsetof(MediaEntry, crc)));
}

void Seal(MediaSuperblock& superblock) {
  superblock.crc = ChecksumOf(superblock);
}

void Seal(MediaLogHeader& header) { header.crc = ChecksumOf(header); }

void Seal(MediaEntry& entry) { entry.crc = ChecksumOf(entry); }

}  // namespace famfs
