// Volume ids: `v1:<first 8 hex digits of the instance's uuid>:<directory>`. An
// id says by itself which instance and directory it means; the directory's name
// is never used twice (docs/design.md §3), so neither is an id.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "base/uuid.h"

namespace famfs::csi {

inline constexpr std::size_t kMaxVolumeId = 128;  // bytes
/// Leaves room for "/data" within the format's 78-byte paths.
inline constexpr std::size_t kMaxVolumeDirectory = 73;

struct VolumeId {
  std::string instance;   // 8 lower-case hex digits
  std::string directory;  // one path component

  [[nodiscard]] std::string ToString() const;
  [[nodiscard]] bool BelongsTo(const Uuid& fs_uuid) const;
  bool operator==(const VolumeId&) const = default;
};

VolumeId MakeVolumeId(const Uuid& fs_uuid, std::string_view directory);
std::string FormatVolumeId(const Uuid& fs_uuid, std::string_view directory);

/// Strict: version, 8 lower-case hex digits, then letters, digits, '.', '_' and
/// '-', not beginning with '.' or '-'. InvalidArgument says what is wrong: what
/// a malformed id means is the caller's decision (DeleteVolume: OK).
absl::StatusOr<VolumeId> ParseVolumeId(std::string_view id);

/// `<16 hex digits of a hash of the name>-<8 random hex digits>`: differs on
/// every call. The hash only helps people; nothing finds a volume by it.
std::string MakeVolumeDirectory(std::string_view csi_name);

}  // namespace famfs::csi
