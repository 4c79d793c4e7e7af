// Our extension of a mkdir entry: what makes a directory a CSI volume. It lies
// in the 428 bytes that upstream leaves zero and ignores (docs/format.md,
// "Volume attributes"); the log is the only database of the driver.
//
// Later changes are again mkdir entries for the same path with the next
// `revision`; the last valid one wins.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/status.h"
#include "media/format.h"

namespace famfs {

enum class VolumeKind : std::uint8_t { kVolume = 1, kSnapshot = 2 };
enum class VolumeLayout : std::uint8_t { kFile = 1, kTree = 2 };
enum class VolumeState : std::uint8_t { kLive = 1, kDeleted = 2, kSealed = 3 };

/// What a StorageClass asks for; kAuto takes the best that the node offers.
enum class DataPath : std::uint8_t {
  kAuto = 0,
  kFmap = 1,
  kPassthrough = 2,
  kCopy = 3,
};
/// "auto", "fmap", "passthrough", "copy".
std::string_view ToString(DataPath data_path);
absl::StatusOr<DataPath> ParseDataPath(std::string_view text);
/// "file", "tree".
std::string_view ToString(VolumeLayout layout);
absl::StatusOr<VolumeLayout> ParseVolumeLayout(std::string_view text);
/// Whether a file served by `served` may be opened where `asked` was asked for:
/// fmap before passthrough before copy, kAuto takes all.
[[nodiscard]] bool Satisfies(DataPath served, DataPath asked);

inline constexpr std::size_t kMaxVolumeName = 128;     // bytes
inline constexpr std::size_t kMaxContentSource = 128;  // bytes

struct VolumeAttributes {
  std::string name;  // CSI name, any bytes, 1..128
  VolumeKind kind = VolumeKind::kVolume;
  VolumeLayout layout = VolumeLayout::kFile;
  VolumeState state = VolumeState::kLive;
  DataPath data_path = DataPath::kAuto;
  std::uint64_t capacity = 0;           // bytes, multiple of kAllocUnit
  std::uint32_t interleave_strips = 0;  // 0: contiguous
  std::uint64_t interleave_chunk = 0;   // bytes
  std::string content_source;           // empty: none
  std::uint64_t created_unix_ns = 0;
  std::uint32_t revision = 1;
  std::uint64_t deletion_number = 0;  // set with state kDeleted

  bool operator==(const VolumeAttributes&) const = default;
};

/// Fills `mkdir.extension`. InvalidArgument when a string is too long, or when
/// the attributes are none that DecodeVolumeAttributes would accept: a name of
/// 1..128 bytes; a positive capacity in whole units; strips and chunk both zero
/// or both right, and zero with layout kTree; revision >= 1; a deletion number
/// with state kDeleted alone. Layout kTree makes version 2, which programs that
/// know no tree volumes refuse; whether the directory's name leaves room for
/// node records (kMaxTreeVolume) is not seen here.
[[nodiscard]] absl::Status EncodeVolumeAttributes(
    const VolumeAttributes& attributes, MediaMkdir& mkdir);

/// nullopt: all bytes zero or another magic (an ordinary directory; a newer
/// version of ours is FailedPrecondition). DataLoss: our magic, impossible
/// content.
absl::StatusOr<std::optional<VolumeAttributes>> DecodeVolumeAttributes(
    const MediaMkdir& mkdir);

}  // namespace famfs
