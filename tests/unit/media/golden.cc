#include "golden.h"

#include <array>
#include <cstdio>
#include <memory>
#include <stdexcept>

namespace famfs::testing {

std::vector<std::byte> GoldenImage(const std::string& name) {
  const std::string command =
      "zstd -dcq '" FAMFS_GOLDEN_DIR "/" + name + ".img.zst'";
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("cannot run: " + command);
  std::vector<std::byte> image;
  std::array<std::byte, 65536> buffer;
  while (const std::size_t n =
             std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    image.insert(image.end(), buffer.begin(), buffer.begin() + n);
  }
  if (::pclose(pipe) != 0 || image.size() != (10U << 20)) {
    throw std::runtime_error(command + ": failed (is zstd installed?)");
  }
  return image;
}

MediaSuperblock GoldenSuperblock() {
  MediaSuperblock superblock{
      .magic = kSuperblockMagic,
      .version = kSuperblockVersion,
      .log_offset = kLogOffset,
      .log_length = kGoldenLogLength,
      .alloc_unit = kAllocUnit,
      .omf_major = kOmfMajor,
      .omf_minor = kOmfMinor,
      .fs_uuid = *Uuid::Parse("ceba7e51-f5b1-4e80-aba9-d224aad28b31"),
      .device_uuid = *Uuid::Parse("497e8c82-559f-4387-8574-7533d3ac62cb"),
      .system_uuid = *Uuid::Parse("c0709740-cdc2-40ed-830c-51304eb97872"),
      .crc = 0,
      .flags = 0,
      .pad = 0,
      .device_size = kGoldenDeviceSize,
      .device_entry_uuid = {},
      .device_name = "/dev/dax0.0",
  };
  Seal(superblock);
  return superblock;
}

MediaLogHeader GoldenLogHeader(std::uint64_t entries) {
  MediaLogHeader header{
      .magic = kLogMagic,
      .length = kGoldenLogLength,
      .last_index = LastIndex(kGoldenLogLength),
      .crc = 0,
      .next_seqnum = entries,
      .next_index = entries,
  };
  Seal(header);
  return header;
}

MediaEntry MakeMkdir(std::uint64_t index, const char* path, std::uint32_t mode,
                     std::uint32_t owner) {
  MediaEntry entry{};
  entry.seqnum = index;
  entry.type = static_cast<std::uint32_t>(EntryType::kMkdir);
  entry.mkdir.uid = owner;
  entry.mkdir.gid = owner;
  entry.mkdir.mode = mode;
  SetPath(entry.mkdir.path, path);
  Seal(entry);
  return entry;
}

MediaEntry MakeFile(std::uint64_t index, const char* path, std::uint64_t size,
                    std::vector<MediaExtent> extents) {
  MediaEntry entry{};
  entry.seqnum = index;
  entry.type = static_cast<std::uint32_t>(EntryType::kFile);
  entry.file.size = size;
  entry.file.flags = kFileFlagsWritten;
  entry.file.uid = 1000;
  entry.file.gid = 1000;
  entry.file.mode = 0644;
  SetPath(entry.file.path, path);
  entry.file.extent_type = static_cast<std::uint32_t>(ExtentType::kSimple);
  entry.file.extent_count = static_cast<std::uint32_t>(extents.size());
  for (std::size_t i = 0; i < extents.size(); ++i) {
    entry.file.extents[i] = extents[i];
  }
  Seal(entry);
  return entry;
}

MediaEntry MakeInterleaved(std::uint64_t index, const char* path,
                           std::uint64_t size, std::uint64_t chunk,
                           std::vector<MediaExtent> strips) {
  MediaEntry entry = MakeFile(index, path, size, {});
  entry.file.uid = 0;
  entry.file.gid = 0;
  entry.file.mode = 0600;
  entry.file.extent_type = static_cast<std::uint32_t>(ExtentType::kInterleaved);
  entry.file.extent_count = 1;
  entry.file.interleave.strips_used = strips.size();
  entry.file.interleave.chunk = chunk;
  for (std::size_t i = 0; i < strips.size(); ++i) {
    entry.file.interleave.strips[i] = strips[i];
  }
  Seal(entry);
  return entry;
}

std::vector<MediaEntry> GoldenEntries() {
  return {
      MakeMkdir(0, "dir1", 0755, 1000),
      MakeFile(1, "dir1/simple.bin", 5'000'000, {{0, 0xa00000, 0x600000}}),
      MakeInterleaved(2, "dir1/inter.bin", 20'000'000, 0x200000,
                      {{0, 0xc0000000, 0x800000},
                       {0, 0x1000000, 0x800000},
                       {0, 0x40000000, 0x800000}}),
  };
}

}  // namespace famfs::testing
