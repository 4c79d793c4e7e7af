// An instance written byte by byte through media, without the Writer: what
// other writers, crashes and attackers can leave on a device.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "base/units.h"
#include "dax/device.h"
#include "media/format.h"
#include "media/region.h"
#include "media/volume_attributes.h"

namespace famfs::testing {

inline constexpr std::uint64_t kImageSize = 4 * kGiB;
inline constexpr std::uint64_t kImageLog = kMinLogLength;
inline constexpr std::uint64_t kImageData = kLogOffset + kImageLog;

/// Attributes of a live volume of one unit, revision 1.
VolumeAttributes Attributes(std::string_view csi_name);

StateRecord State(std::uint64_t generation, std::uint64_t writer_epoch);

/// Entries without seqnum and checksum; Append adds them.
MediaEntry MkdirEntry(std::string_view path);
MediaEntry VolumeEntry(std::string_view directory,
                       const VolumeAttributes& attributes);
/// A file that fills its extents.
MediaEntry FileEntry(std::string_view path, std::vector<MediaExtent> extents);
MediaEntry InterleavedEntry(std::string_view path, std::uint64_t size,
                            std::uint64_t chunk,
                            std::vector<MediaExtent> strips);
MediaEntry DaxdevEntry(std::uint32_t index, std::uint8_t uuid_byte,
                       std::uint64_t size);
/// The unit with this number in the data area, on device 0.
MediaExtent Unit(std::uint64_t number, std::uint64_t units = 1);

/// A sparse 4 GiB file in /dev/shm with a file system and no entries; removed
/// by the destructor. Errors of the rig throw.
class RawImage {
 public:
  RawImage();
  ~RawImage();
  RawImage(const RawImage&) = delete;
  RawImage& operator=(const RawImage&) = delete;

  /// Gives the entry the next seqnum and its checksum, and publishes it.
  void Append(MediaEntry entry);
  /// Stores without publishing: into the slot `index`, sealed.
  void Put(std::uint64_t index, MediaEntry entry);
  /// Stores exactly these bytes into the slot.
  void PutRaw(std::uint64_t index, const MediaEntry& entry);
  [[nodiscard]] MediaEntry Get(std::uint64_t index) const;
  void Publish(std::uint64_t entries);

  void SetSuperblock(MediaSuperblock superblock);  // sealed
  [[nodiscard]] MediaSuperblock superblock() const;
  void SetHeader(MediaLogHeader header);  // sealed
  [[nodiscard]] MediaLogHeader header() const;
  void SetState(const StateRecord& record);
  void SetCompaction(const CompactionRecord& record);

  /// The steps of a compaction to `entries`, for tests to stop between them.
  void WriteImage(std::uint64_t offset, std::vector<MediaEntry> entries);
  void StartCompaction(std::uint64_t generation, std::uint64_t offset);
  void EnterCompactingForm();
  void RewriteFromImage(std::uint64_t offset);
  void EndCompaction(std::uint64_t generation);
  void Compact(std::uint64_t generation, std::uint64_t offset,
               std::vector<MediaEntry> entries);

  void Write(std::uint64_t at, std::span<const std::byte> bytes);
  void Read(std::uint64_t at, std::span<std::byte> bytes) const;
  void FlipBit(std::uint64_t at, unsigned bit);
  void Truncate(std::uint64_t size);

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::shared_ptr<DaxDevice> Open() const;
  /// The same superblock region and log as an emulated device in `directory`
  /// (new), with an extent file for each of `extents`.
  [[nodiscard]] std::shared_ptr<DaxDevice> OpenAsEmulated(
      const std::string& directory, const std::vector<Range>& extents) const;

 private:
  template <typename T>
  void WriteStruct(std::uint64_t at, const T& value);

  std::string path_;
  UniqueFd fd_;
  std::uint64_t image_length_ = 0;  // bytes, of the last WriteImage
  std::uint64_t image_crc_ = 0;
  std::uint64_t compaction_sequence_ = 0;
  std::uint64_t state_sequence_ = 0;
};

}  // namespace famfs::testing
