#include "node/mounts/mount_at.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace famfs::node {
namespace {

// Debian 12's headers are of Linux 6.1 and lack what follows (uapi/linux/
// stat.h, mount.h; statmount(2)).
constexpr unsigned kStatxMntIdUnique = 0x4000;
constexpr long kSysStatmount = 457;

struct MountRequest {
  std::uint32_t size = sizeof(MountRequest);
  std::uint32_t spare = 0;
  std::uint64_t mount_id = 0;
  std::uint64_t wanted = 0;
};
constexpr std::uint64_t kSuperblock = 0x1;
constexpr std::uint64_t kMount = 0x2;
constexpr std::uint64_t kRoot = 0x8;

// Texts are told by their place behind the fixed part.
struct MountAnswer {
  std::uint32_t size;
  std::uint32_t options;
  std::uint64_t told;
  std::uint32_t device_major;
  std::uint32_t device_minor;
  std::uint64_t superblock_magic;
  std::uint32_t superblock_flags;
  std::uint32_t fs_type;
  std::uint64_t mount_id;
  std::uint64_t parent_id;
  std::uint32_t old_mount_id;  // mountinfo's
  std::uint32_t old_parent_id;
  std::uint64_t attributes;
  std::array<std::uint64_t, 4> propagation;
  std::uint32_t root;
  std::uint32_t later[101];
};
static_assert(sizeof(MountAnswer) == 512);
static_assert(offsetof(MountAnswer, root) == 104);

// Cached attributes will do: those of a FUSE mount's root would be asked of its
// server.
constexpr int kAskNobody =
    AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC;

// nullopt: no mount point. ENOENT counts as such.
absl::StatusOr<std::optional<struct statx>> Ask(int parent,
                                                const std::string& name,
                                                unsigned which_id) {
  struct statx info = {};
  if (::statx(parent, name.c_str(), kAskNobody, which_id, &info) != 0) {
    if (errno == ENOENT) return std::nullopt;
    return ErrnoError(errno, name);
  }
  const bool tells = (info.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0;
  if (tells && (info.stx_attributes & STATX_ATTR_MOUNT_ROOT) == 0) {
    return std::nullopt;
  }
  if (tells && (info.stx_mask & which_id) != 0) return info;
  return Unimplemented("this kernel does not tell of single mounts");
}

std::string OptionsOf(std::uint64_t attributes) {
  std::vector<std::string_view> options = {
      (attributes & MOUNT_ATTR_RDONLY) != 0 ? "ro" : "rw"};
  constexpr std::pair<std::uint64_t, std::string_view> kNames[] = {
      {MOUNT_ATTR_NOSUID, "nosuid"},
      {MOUNT_ATTR_NODEV, "nodev"},
      {MOUNT_ATTR_NOEXEC, "noexec"},
      {MOUNT_ATTR_NOSYMFOLLOW, "nosymfollow"}};
  for (const auto& [bit, name] : kNames) {
    if ((attributes & bit) != 0) options.push_back(name);
  }
  if ((attributes & MOUNT_ATTR__ATIME) == MOUNT_ATTR_NOATIME) {
    options.push_back("noatime");
  }
  return fmt::format("{}", fmt::join(options, ","));
}

}  // namespace

absl::StatusOr<std::optional<MountAt>> FindMountAt(int parent,
                                                   const std::string& name) {
  FAMFS_ASSIGN_OR_RETURN(const auto info, Ask(parent, name, STATX_MNT_ID));
  if (!info.has_value()) return std::nullopt;
  return MountAt{.id = static_cast<int>(info->stx_mnt_id),
                 .device = {info->stx_dev_major, info->stx_dev_minor}};
}

absl::StatusOr<std::optional<MountEntry>> DescribeMountAt(
    int parent, const std::string& name) {
  FAMFS_ASSIGN_OR_RETURN(const auto info, Ask(parent, name, kStatxMntIdUnique));
  if (!info.has_value()) return std::nullopt;
  alignas(MountAnswer) std::array<char, sizeof(MountAnswer) + 2 * PATH_MAX>
      buffer = {};
  const MountRequest request{.mount_id = info->stx_mnt_id,
                             .wanted = kSuperblock | kMount | kRoot};
  if (::syscall(kSysStatmount, &request, buffer.data(), buffer.size(), 0) !=
      0) {
    return Unimplemented("this kernel tells nothing of that mount: {}",
                         std::strerror(errno));
  }
  MountAnswer answer;
  std::memcpy(&answer, buffer.data(), sizeof(answer));
  if ((answer.told & request.wanted) != request.wanted ||
      answer.root >= buffer.size() - sizeof(answer)) {
    return Unimplemented("this kernel tells too little of that mount");
  }
  MountEntry entry;
  entry.id = static_cast<int>(answer.old_mount_id);
  entry.parent = static_cast<int>(answer.old_parent_id);
  entry.device = {answer.device_major, answer.device_minor};
  entry.SetRoot(buffer.data() + sizeof(answer) + answer.root);
  entry.options = OptionsOf(answer.attributes);
  return entry;
}

absl::StatusOr<bool> IsMountRoot(int fd) {
  struct statx info = {};
  if (::statx(fd, "", kAskNobody | AT_EMPTY_PATH, 0, &info) != 0) {
    return ErrnoError(errno, "asking for a descriptor's mount");
  }
  return (info.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

absl::StatusOr<DeviceNumber> DeviceOf(int fd) {
  struct statx info = {};
  if (::statx(fd, "", kAskNobody | AT_EMPTY_PATH, 0, &info) != 0) {
    return ErrnoError(errno, "asking for a descriptor's device");
  }
  return DeviceNumber{info.stx_dev_major, info.stx_dev_minor};
}

}  // namespace famfs::node
