// OMF 2.2, upstream famfs' on-media format: the structures exactly as they lie
// on the medium (docs/format.md has the byte tables). Little-endian x86-64
// structs; bytes <-> structs is a copy, and the static_asserts below are the
// proof.
//
// Every reserved or unused byte is zero when we write.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/uuid.h"

namespace famfs {

static_assert(std::endian::native == std::endian::little,
              "the media format is the native layout of x86-64");

inline constexpr std::uint64_t kAllocUnit = 2ULL << 20;  // bytes
inline constexpr std::uint64_t kSuperblockOffset = 0;
inline constexpr std::uint64_t kSuperblockRegion = 2ULL << 20;  // bytes
inline constexpr std::uint64_t kLogOffset = 2ULL << 20;         // fixed
inline constexpr std::uint64_t kMinLogLength = 8ULL << 20;      // power of two
inline constexpr std::uint64_t kMinDeviceSize = 4ULL << 30;     // of a primary
/// A log takes at most the 4th part of its device: there has to be room for it,
/// and for a compaction's image beside at least one file.
inline constexpr std::uint64_t kLogShare = 4;
inline constexpr std::uint64_t kSuperblockMagic = 0x87b282ff;
inline constexpr std::uint64_t kSuperblockVersion = 48;
inline constexpr std::uint32_t kOmfMajor = 2;
inline constexpr std::uint32_t kOmfMinor = 2;
inline constexpr std::uint64_t kLogMagic = 0xbadcafef00d;
inline constexpr std::size_t kPathField = 80;      // bytes, NUL-padded
inline constexpr std::size_t kMaxPathLength = 78;  // bytes that we write
inline constexpr std::size_t kMaxExtents = 16;
inline constexpr std::size_t kMaxStrips = 16;
inline constexpr std::uint32_t kFileFlagsWritten = 2;  // all-hosts-RW

enum class EntryType : std::uint32_t {
  kFile = 0,
  kMkdir = 1,
  kDelete = 2,  // reserved by upstream, no structure
  kAddDaxdev = 3,
  kInvalid = 4,
};

enum class ExtentType : std::uint32_t { kSimple = 0, kInterleaved = 1 };

/// superblock.flags of a secondary device (upstream's bit 1); the primary's are
/// not looked at.
inline constexpr std::uint32_t kSecondaryFlag = 2;

struct MediaSuperblock {
  std::uint64_t magic = 0;
  std::uint64_t version = 0;
  std::uint64_t log_offset = 0;  // bytes
  std::uint64_t log_length = 0;  // bytes, with the log's header
  std::uint64_t alloc_unit = 0;  // bytes
  std::uint32_t omf_major = 0;
  std::uint32_t omf_minor = 0;
  Uuid fs_uuid;
  Uuid device_uuid;
  Uuid system_uuid;       // the owner's host
  std::uint64_t crc = 0;  // CRC-32 over bytes [0, 96)
  std::uint32_t flags = 0;
  std::uint32_t pad = 0;
  std::uint64_t device_size = 0;  // bytes
  Uuid device_entry_uuid;         // never written by upstream
  char device_name[64] = {};      // may lack a NUL
};
static_assert(sizeof(MediaSuperblock) == 200);
static_assert(offsetof(MediaSuperblock, fs_uuid) == 48);
static_assert(offsetof(MediaSuperblock, crc) == 96);
static_assert(offsetof(MediaSuperblock, device_size) == 112);
static_assert(offsetof(MediaSuperblock, device_name) == 136);

struct MediaLogHeader {
  std::uint64_t magic = 0;
  std::uint64_t length = 0;      // bytes; 0 while a compaction is under way
  std::uint64_t last_index = 0;  // last valid index, inclusive
  std::uint64_t crc = 0;         // CRC-32 over bytes [0, 24)
  std::uint64_t next_seqnum = 0;
  std::uint64_t next_index = 0;  // entries in use
};
static_assert(sizeof(MediaLogHeader) == 48);
/// Both counters are published by one 16-byte store at this offset in the log.
inline constexpr std::size_t kLogCountersAt = 32;
static_assert(offsetof(MediaLogHeader, next_seqnum) == kLogCountersAt);

struct MediaExtent {
  std::uint64_t device_index = 0;
  std::uint64_t offset = 0;  // bytes
  std::uint64_t length = 0;  // bytes: the allocation, not the file's size

  bool operator==(const MediaExtent&) const = default;
};
static_assert(sizeof(MediaExtent) == 24);

struct MediaInterleave {
  std::uint64_t strips_used;  // 1..kMaxStrips
  std::uint64_t chunk;        // bytes: power of two, multiple of kAllocUnit
  MediaExtent strips[kMaxStrips];
};

struct MediaFile {
  std::uint64_t size;  // bytes, > 0
  std::uint32_t flags;
  std::uint32_t uid;
  std::uint32_t gid;
  std::uint32_t mode;  // permission bits only
  char path[kPathField];
  std::uint32_t extent_type;  // ExtentType
  std::uint32_t pad0;
  std::uint32_t extent_count;  // 1 for an interleaved file
  std::uint32_t pad1;
  union {
    MediaExtent extents[kMaxExtents];
    MediaInterleave interleave;
  };
};
static_assert(sizeof(MediaFile) == 520);
static_assert(offsetof(MediaFile, path) == 40 - 16);
static_assert(offsetof(MediaFile, extent_type) == 120 - 16);
static_assert(offsetof(MediaFile, extents) == 136 - 16);

inline constexpr std::size_t kExtensionSize = 428;  // bytes in a mkdir entry

struct MediaMkdir {
  std::uint32_t uid;
  std::uint32_t gid;
  std::uint32_t mode;
  char path[kPathField];
  /// Zero in upstream's entries; ours carries a volume's attributes
  /// (media/volume_attributes.h) or a node record (media/node_record.h).
  std::byte extension[kExtensionSize];
};
static_assert(sizeof(MediaMkdir) == 520);
static_assert(offsetof(MediaMkdir, extension) == 92);

struct MediaAddDaxdev {
  std::uint64_t size;  // bytes
  Uuid device_uuid;
  std::uint32_t index;  // dense; 0 is the primary of the superblock
  std::uint32_t pad;
};
static_assert(sizeof(MediaAddDaxdev) == 32);

/// One slot of the log. All bytes, also those the type does not use, are under
/// the CRC; value-initialise (`MediaEntry entry{}`) before filling one in.
struct MediaEntry {
  std::uint64_t seqnum;  // equals the slot's index
  std::uint32_t type;    // EntryType
  std::uint32_t pad;
  union {
    std::byte raw[520];
    MediaFile file;
    MediaMkdir mkdir;
    MediaAddDaxdev add_daxdev;
  };
  std::uint64_t crc;  // CRC-32 over bytes [0, 536)
};
static_assert(sizeof(MediaEntry) == 544);
static_assert(offsetof(MediaEntry, raw) == 16);
static_assert(offsetof(MediaEntry, crc) == 536);

/// Last valid index of a log of `length` bytes: floor((length-48)/544) - 1.
constexpr std::uint64_t LastIndex(std::uint64_t length) {
  return (length - sizeof(MediaLogHeader)) / sizeof(MediaEntry) - 1;
}
static_assert(LastIndex(8ULL << 20) == 15419);
static_assert(LastIndex(256ULL << 20) == 493446);

/// Where entry `index` lies, in bytes from the log's start.
constexpr std::uint64_t EntryAt(std::uint64_t index) {
  return sizeof(MediaLogHeader) + index * sizeof(MediaEntry);
}

/// The NUL-padded path of an entry (all 80 bytes if it has no NUL).
std::string_view PathFromField(const char (&field)[kPathField]);
/// Zero-fills and copies. `path` must be <= kMaxPathLength.
void SetPath(char (&field)[kPathField], std::string_view path);

}  // namespace famfs
