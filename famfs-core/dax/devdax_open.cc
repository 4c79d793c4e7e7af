// Which device is meant, and whether it can be mapped.
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "dax/devdax.h"
#include "dax/file_mapping.h"
#include "dax/missing_memory.h"
#include "media/checksum.h"
#include "media/format.h"

namespace famfs {
namespace {

int FlagsFor(Access access) {
  return access == Access::kReadWrite ? O_RDWR : O_RDONLY;
}

/// The node at `path`, which has to be that of the device.
absl::StatusOr<UniqueFd> OpenNode(const std::string& path,
                                  const std::string& name, Access access,
                                  std::uint64_t number) {
  auto fd = OpenFile(path, FlagsFor(access));
  if (absl::IsNotFound(fd.status())) {
    return NotFound(
        "{}: the kernel has the device, but there is no node {}; in a "
        "container, mount it there",
        name, path);
  }
  if (absl::IsPermissionDenied(fd.status())) {
    return PermissionDenied(
        "{}: {} may not be opened: be root, and in a container a privileged "
        "one",
        name, path);
  }
  if (!fd.ok()) return Annotate(fd.status(), name);
  struct stat node {};
  if (::fstat(fd->get(), &node) != 0) return ErrnoError(errno, path);
  if (!S_ISCHR(node.st_mode) || node.st_rdev != number) {
    return Unavailable("{}: {} is another device by now", name, path);
  }
  return fd;
}

/// `spec`: how it was named.
absl::StatusOr<std::unique_ptr<DaxDevice>> OpenRecord(const DaxSystem& system,
                                                      const DaxRecord& record,
                                                      const std::string& path,
                                                      const std::string& spec,
                                                      Access access) {
  FAMFS_RETURN_IF_ERROR(CheckMappable(record, spec));
  const std::string name =
      spec.starts_with("tag:") ? fmt::format("{} ({})", spec, path) : spec;
  DevdaxMemory memory{.spec = spec,
                      .name = name,
                      .fd = {},
                      .align = record.align,
                      .tag = record.tag,
                      .access = access,
                      .look = {},
                      .open = {}};
  // The one by the superblock is whose instance it is, not whose memory.
  if (record.tag_source == TagSource::kSuperblock) memory.tag = {};
  memory.look = [system, device = record.name,
                 name]() -> absl::StatusOr<DevdaxMemory::Now> {
    FAMFS_ASSIGN_OR_RETURN(const DaxRecord now, LookAtDax(system, device));
    FAMFS_RETURN_IF_ERROR(CheckMappable(now, name));
    return DevdaxMemory::Now{.medium = now.medium, .size = now.size};
  };
  memory.open = [path, name, number = record.medium.number](Access how) {
    return OpenNode(path, name, how, number);
  };
  FAMFS_ASSIGN_OR_RETURN(memory.fd, memory.open(access));
  return AdoptDevdax(std::move(memory));
}

std::string NamesOf(const std::vector<DaxRecord>& records) {
  std::string text;
  for (const DaxRecord& record : records) {
    text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", record.name,
                        record.tag.is_nil() ? "no tag" : record.tag.ToString());
  }
  return text.empty() ? "this host has no dax device" : "this host has " + text;
}

}  // namespace

absl::StatusOr<std::unique_ptr<DaxDevice>> OpenDevdax(const std::string& path,
                                                      Access access,
                                                      const DaxSystem& system) {
  const std::string absolute = AbsolutePath(path);
  const std::string spec =
      DeviceSpec{DeviceSpec::Kind::kDevdax, absolute}.ToString();
  struct stat node {};
  if (::stat(absolute.c_str(), &node) != 0) {
    if (errno != ENOENT) return ErrnoError(errno, spec);
    return NotFound(
        "{}: there is no such device; `famfs devices` lists those of this host",
        spec);
  }
  if (!S_ISCHR(node.st_mode)) {
    return InvalidArgument(
        "{}: is no character device; a directory is emulated:DIR, a file "
        "image:FILE",
        spec);
  }
  auto name = DaxNameOf(system, node.st_rdev);
  if (!name.ok()) return Annotate(name.status(), spec);
  auto record = LookAtDax(system, *name);
  if (!record.ok()) return Annotate(record.status(), spec);
  FAMFS_RETURN_IF_ERROR(CheckMappable(*record, spec));
  if (auto added = AddIdentity(system, *record); !added.ok()) {
    return Annotate(added, spec);
  }
  return OpenRecord(system, *record, absolute, spec, access);
}

absl::StatusOr<std::unique_ptr<DaxDevice>> OpenTagged(const Uuid& tag,
                                                      Access access,
                                                      const DaxSystem& system) {
  const std::string spec =
      DeviceSpec{DeviceSpec::Kind::kTag, tag.ToString()}.ToString();
  auto records = ListDax(system);
  if (!records.ok()) return Annotate(records.status(), spec);
  for (DaxRecord& record : *records) AddSuperblockTag(system, record);
  const DaxRecord* found = nullptr;
  for (const DaxRecord& record : *records) {
    if (record.tag != tag) continue;
    if (found != nullptr) {
      return Unavailable(
          "{}: the dax devices {} and {} both have this tag; name the one that "
          "is meant by its path, devdax:/dev/NAME",
          spec, found->name, record.name);
    }
    found = &record;
  }
  if (found != nullptr) {
    return OpenRecord(system, *found, found->path, spec, access);
  }
  return NotFound("{}: no dax device of this host has this tag; {}", spec,
                  NamesOf(*records));
}

std::optional<DaxSuperblock> SuperblockOn(const DaxSystem& system,
                                          const DaxRecord& record) {
  const auto device =
      OpenRecord(system, record, record.path, record.name, Access::kRead);
  if (!device.ok()) return std::nullopt;
  const auto head =
      (*device)->Map(kSuperblockOffset, kSuperblockRegion, Access::kRead);
  if (!head.ok()) return std::nullopt;
  MediaSuperblock super;
  const Mapping& mapping = **head;
  // Guarded: failed memory of a device that nobody asked for is no news.
  const std::byte* const missing =
      Guarded({mapping.bytes().first(sizeof(super))}, [&] {
        mapping.Invalidate(0, sizeof(super));
        std::memcpy(static_cast<void*>(&super), mapping.data(), sizeof(super));
      });
  if (missing != nullptr || super.magic != kSuperblockMagic ||
      ChecksumOf(super) != super.crc) {
    return std::nullopt;
  }
  return DaxSuperblock{.fs_uuid = super.fs_uuid,
                       .device_uuid = super.device_uuid};
}

void AddSuperblockTag(const DaxSystem& system, DaxRecord& record) {
  if (!record.tag.is_nil() || record.mode != DaxMode::kDevdax) return;
  const auto super = SuperblockOn(system, record);
  if (!super || super->device_uuid.is_nil()) return;
  record.tag = super->device_uuid;
  record.tag_source = TagSource::kSuperblock;
}

}  // namespace famfs
