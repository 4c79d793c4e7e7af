#include "raw_image.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>

#include "dax/emulated.h"
#include "dax/image.h"
#include "media/checksum.h"

namespace famfs::testing {
namespace {

template <typename T>
T Must(absl::StatusOr<T> value) {
  if (!value.ok())
    throw std::runtime_error(std::string(value.status().message()));
  return *std::move(value);
}

void Must(const absl::Status& status) {
  if (!status.ok()) throw std::runtime_error(std::string(status.message()));
}

template <typename T>
std::span<const std::byte> BytesOf(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

MediaSuperblock FreshSuperblock() {
  MediaSuperblock super;
  super.magic = kSuperblockMagic;
  super.version = kSuperblockVersion;
  super.log_offset = kLogOffset;
  super.log_length = kImageLog;
  super.alloc_unit = kAllocUnit;
  super.omf_major = kOmfMajor;
  super.omf_minor = kOmfMinor;
  super.fs_uuid.bytes.fill(0x11);
  super.device_uuid.bytes.fill(0x22);
  super.system_uuid.bytes.fill(0x33);
  super.device_size = kImageSize;
  return super;
}

MediaLogHeader Header(std::uint64_t length, std::uint64_t entries) {
  MediaLogHeader header;
  header.magic = kLogMagic;
  header.length = length;
  header.last_index = LastIndex(kImageLog);
  header.next_seqnum = entries;
  header.next_index = entries;
  Seal(header);
  return header;
}

}  // namespace

VolumeAttributes Attributes(std::string_view csi_name) {
  VolumeAttributes attributes;
  attributes.name = csi_name;
  attributes.capacity = kAllocUnit;
  return attributes;
}

StateRecord State(std::uint64_t generation, std::uint64_t writer_epoch) {
  StateRecord record;
  record.generation = generation;
  record.writer_epoch = writer_epoch;
  return record;
}

MediaEntry MkdirEntry(std::string_view path) {
  MediaEntry entry{};
  entry.type = static_cast<std::uint32_t>(EntryType::kMkdir);
  entry.mkdir.uid = 1000;
  entry.mkdir.gid = 1000;
  entry.mkdir.mode = 0755;
  std::memcpy(entry.mkdir.path, path.data(), path.size());
  return entry;
}

MediaEntry VolumeEntry(std::string_view directory,
                       const VolumeAttributes& attributes) {
  MediaEntry entry = MkdirEntry(directory);
  Must(EncodeVolumeAttributes(attributes, entry.mkdir));
  return entry;
}

MediaEntry FileEntry(std::string_view path, std::vector<MediaExtent> extents) {
  MediaEntry entry{};
  entry.type = static_cast<std::uint32_t>(EntryType::kFile);
  entry.file.flags = kFileFlagsWritten;
  entry.file.uid = 1000;
  entry.file.gid = 1000;
  entry.file.mode = 0644;
  std::memcpy(entry.file.path, path.data(), path.size());
  entry.file.extent_count = static_cast<std::uint32_t>(extents.size());
  for (std::size_t i = 0; i < extents.size(); ++i) {
    entry.file.extents[i] = extents[i];
    entry.file.size += extents[i].length;
  }
  return entry;
}

MediaEntry InterleavedEntry(std::string_view path, std::uint64_t size,
                            std::uint64_t chunk,
                            std::vector<MediaExtent> strips) {
  MediaEntry entry = FileEntry(path, {});
  entry.file.size = size;
  entry.file.extent_type = static_cast<std::uint32_t>(ExtentType::kInterleaved);
  entry.file.extent_count = 1;
  entry.file.interleave.strips_used = strips.size();
  entry.file.interleave.chunk = chunk;
  for (std::size_t i = 0; i < strips.size(); ++i) {
    entry.file.interleave.strips[i] = strips[i];
  }
  return entry;
}

MediaEntry DaxdevEntry(std::uint32_t index, std::uint8_t uuid_byte,
                       std::uint64_t size) {
  MediaEntry entry{};
  entry.type = static_cast<std::uint32_t>(EntryType::kAddDaxdev);
  entry.add_daxdev.index = index;
  entry.add_daxdev.size = size;
  entry.add_daxdev.device_uuid.bytes.fill(uuid_byte);
  return entry;
}

MediaExtent Unit(std::uint64_t number, std::uint64_t units) {
  return {0, kImageData + number * kAllocUnit, units * kAllocUnit};
}

RawImage::RawImage() {
  char name[] = "/dev/shm/famfs-raw-XXXXXX";
  fd_ = UniqueFd(::mkostemp(name, O_CLOEXEC));
  if (!fd_.valid()) throw std::runtime_error("cannot make a file in /dev/shm");
  path_ = name;
  Truncate(kImageSize);
  SetSuperblock(FreshSuperblock());
  SetHeader(Header(kImageLog, 0));
}

RawImage::~RawImage() { ::unlink(path_.c_str()); }

void RawImage::Append(MediaEntry entry) {
  const std::uint64_t index = header().next_index;
  Put(index, entry);
  Publish(index + 1);
}

void RawImage::Put(std::uint64_t index, MediaEntry entry) {
  entry.seqnum = index;
  Seal(entry);
  PutRaw(index, entry);
}

void RawImage::PutRaw(std::uint64_t index, const MediaEntry& entry) {
  WriteStruct(kLogOffset + EntryAt(index), entry);
}

MediaEntry RawImage::Get(std::uint64_t index) const {
  MediaEntry entry{};
  Read(kLogOffset + EntryAt(index),
       std::as_writable_bytes(std::span(&entry, 1)));
  return entry;
}

void RawImage::Publish(std::uint64_t entries) {
  const std::uint64_t counters[2] = {entries, entries};
  WriteStruct(kLogOffset + kLogCountersAt, counters);
}

void RawImage::SetSuperblock(MediaSuperblock superblock) {
  Seal(superblock);
  WriteStruct(kSuperblockOffset, superblock);
}

MediaSuperblock RawImage::superblock() const {
  MediaSuperblock superblock;
  Read(kSuperblockOffset, std::as_writable_bytes(std::span(&superblock, 1)));
  return superblock;
}

void RawImage::SetHeader(MediaLogHeader header) {
  Seal(header);
  WriteStruct(kLogOffset, header);
}

MediaLogHeader RawImage::header() const {
  MediaLogHeader header;
  Read(kLogOffset, std::as_writable_bytes(std::span(&header, 1)));
  return header;
}

void RawImage::SetState(const StateRecord& record) {
  StateRecord sequenced = record;
  sequenced.sequence = ++state_sequence_;
  Write(kRegionOffset + CopyAt(kStateAt, sequenced.sequence),
        EncodeState(sequenced, superblock().fs_uuid));
}

void RawImage::SetCompaction(const CompactionRecord& record) {
  CompactionRecord sequenced = record;
  sequenced.sequence = ++compaction_sequence_;
  Write(kRegionOffset + CopyAt(kCompactionAt, sequenced.sequence),
        EncodeCompaction(sequenced, superblock().fs_uuid));
}

void RawImage::WriteImage(std::uint64_t offset,
                          std::vector<MediaEntry> entries) {
  const MediaLogHeader header = Header(kImageLog, entries.size());
  std::vector<std::byte> image(EntryAt(entries.size()));
  std::memcpy(image.data(), &header, sizeof(header));
  for (std::size_t i = 0; i < entries.size(); ++i) {
    entries[i].seqnum = i;
    Seal(entries[i]);
    std::memcpy(image.data() + EntryAt(i), &entries[i], sizeof(MediaEntry));
  }
  Write(offset, image);
  image_length_ = image.size();
  image_crc_ = Crc32(image);
}

void RawImage::StartCompaction(std::uint64_t generation, std::uint64_t offset) {
  SetCompaction({.generation = generation,
                 .offset = offset,
                 .length = image_length_,
                 .image_crc = image_crc_});
}

void RawImage::EnterCompactingForm() { SetHeader(Header(0, 0)); }

void RawImage::RewriteFromImage(std::uint64_t offset) {
  std::vector<std::byte> image(image_length_);
  Read(offset, image);
  const std::size_t start = EntryAt(0);
  Write(kLogOffset + start, std::span(image).subspan(start));
  Write(kLogOffset, std::span(image).first(start));
}

void RawImage::EndCompaction(std::uint64_t generation) {
  SetState(State(generation, 1));
  SetCompaction({});
}

void RawImage::Compact(std::uint64_t generation, std::uint64_t offset,
                       std::vector<MediaEntry> entries) {
  WriteImage(offset, std::move(entries));
  StartCompaction(generation, offset);
  EnterCompactingForm();
  RewriteFromImage(offset);
  EndCompaction(generation);
}

template <typename T>
void RawImage::WriteStruct(std::uint64_t at, const T& value) {
  Write(at, BytesOf(value));
}

void RawImage::Write(std::uint64_t at, std::span<const std::byte> bytes) {
  if (::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(at)) !=
      static_cast<ssize_t>(bytes.size())) {
    throw std::runtime_error("pwrite to " + path_ + " failed");
  }
}

void RawImage::Read(std::uint64_t at, std::span<std::byte> bytes) const {
  if (::pread(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(at)) !=
      static_cast<ssize_t>(bytes.size())) {
    throw std::runtime_error("pread from " + path_ + " failed");
  }
}

void RawImage::FlipBit(std::uint64_t at, unsigned bit) {
  std::byte byte{};
  Read(at, {&byte, 1});
  byte ^= static_cast<std::byte>(1U << bit);
  Write(at, {&byte, 1});
}

void RawImage::Truncate(std::uint64_t size) {
  if (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0) {
    throw std::runtime_error("ftruncate of " + path_ + " failed");
  }
}

std::shared_ptr<DaxDevice> RawImage::Open() const {
  return Must(OpenImage(path_, Access::kRead));
}

std::shared_ptr<DaxDevice> RawImage::OpenAsEmulated(
    const std::string& directory, const std::vector<Range>& extents) const {
  EmulatedConfig config;
  config.size = kImageSize;
  config.tag = superblock().device_uuid;
  config.sparse = true;
  Must(CreateEmulatedDevice(directory, config));
  std::shared_ptr<DaxDevice> device =
      Must(OpenEmulatedDevice(directory, Access::kReadWrite));
  for (const Range range : {Range{kSuperblockOffset, kSuperblockRegion},
                            Range{kLogOffset, kImageLog}}) {
    Must(device->CreateExtent(range));
    const auto mapping =
        Must(device->Map(range.offset, range.length, Access::kReadWrite));
    Read(range.offset, {mapping->mutable_data(), range.length});
  }
  for (const Range& range : extents) Must(device->CreateExtent(range));
  return device;
}

}  // namespace famfs::testing
