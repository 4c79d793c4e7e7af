#include "csi/volume/volume_id.h"

#include <uuid/uuid.h>

#include <algorithm>

namespace famfs::csi {
namespace {

constexpr std::string_view kVersion = "v1:";
constexpr std::size_t kInstanceDigits = 8;

bool IsHexDigit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

bool IsDirectoryCharacter(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
         (c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == '-';
}

std::string InstanceDigits(const Uuid& fs_uuid) {
  return fs_uuid.ToString().substr(0, kInstanceDigits);
}

std::string Hex(const std::uint8_t* bytes, std::size_t count) {
  return fmt::format("{:02x}", fmt::join(bytes, bytes + count, ""));
}

absl::Status CheckDirectory(std::string_view directory) {
  if (directory.empty()) {
    return InvalidArgument("names no directory after the second ':'");
  }
  if (directory.size() > kMaxVolumeDirectory) {
    return InvalidArgument("names a directory of {} bytes, more than {}",
                           directory.size(), kMaxVolumeDirectory);
  }
  if (directory.front() == '.' || directory.front() == '-' ||
      !std::all_of(directory.begin(), directory.end(), IsDirectoryCharacter)) {
    return InvalidArgument(
        "names a directory with other characters than letters, digits, '.', "
        "'_' and '-', or one that begins with '.' or '-'");
  }
  return absl::OkStatus();
}

}  // namespace

std::string VolumeId::ToString() const {
  return fmt::format("{}{}:{}", kVersion, instance, directory);
}

bool VolumeId::BelongsTo(const Uuid& fs_uuid) const {
  return instance == InstanceDigits(fs_uuid);
}

VolumeId MakeVolumeId(const Uuid& fs_uuid, std::string_view directory) {
  return {InstanceDigits(fs_uuid), std::string(directory)};
}

std::string FormatVolumeId(const Uuid& fs_uuid, std::string_view directory) {
  return MakeVolumeId(fs_uuid, directory).ToString();
}

absl::StatusOr<VolumeId> ParseVolumeId(std::string_view id) {
  if (id.size() > kMaxVolumeId) {
    return InvalidArgument("the volume id has {} bytes, more than {}",
                           id.size(), kMaxVolumeId);
  }
  if (!id.starts_with(kVersion)) {
    return InvalidArgument("the volume id does not begin with \"{}\"",
                           kVersion);
  }
  const std::string_view rest = id.substr(kVersion.size());
  const std::string_view instance = rest.substr(0, kInstanceDigits);
  if (instance.size() < kInstanceDigits ||
      !std::all_of(instance.begin(), instance.end(), IsHexDigit) ||
      rest.substr(kInstanceDigits, 1) != ":") {
    return InvalidArgument(
        "the volume id has no {} lower-case hex digits and ':' after \"{}\"",
        kInstanceDigits, kVersion);
  }
  const std::string_view directory = rest.substr(kInstanceDigits + 1);
  FAMFS_RETURN_IF_ERROR(Annotate(CheckDirectory(directory), "the volume id"));
  return VolumeId{std::string(instance), std::string(directory)};
}

std::string MakeVolumeDirectory(std::string_view csi_name) {
  // SHA-1 as libuuid offers it: a name-based UUID, whose bytes 6 and 8 partly
  // hold its version; the others are the hash's.
  constexpr uuid_t kNamespace = {0x2b, 0x0c, 0x4e, 0x9a, 0x61, 0x5f,
                                 0x4d, 0x0e, 0x9d, 0x7c, 0x6a, 0x1d,
                                 0x3f, 0x88, 0x52, 0xb3};
  uuid_t hash = {};
  uuid_generate_sha1(hash, kNamespace, csi_name.data(), csi_name.size());
  const Uuid random = Uuid::Random();
  return Hex(hash, 6) + Hex(hash + 10, 2) + "-" + Hex(random.bytes.data(), 4);
}

}  // namespace famfs::csi
