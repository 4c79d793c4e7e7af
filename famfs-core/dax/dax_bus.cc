#include "dax/dax_bus.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <bit>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/page.h"
#include "base/text.h"
#include "base/units.h"
#include "dax/cxl_tag.h"
#include "dax/sysfs.h"

namespace famfs {
namespace {

constexpr std::size_t kShownAttribute = 64;  // bytes, in an error

std::string DirectoryOf(const DaxSystem& system, const std::string& name) {
  return system.sysfs + "/bus/dax/devices/" + name;
}

DaxMode ModeOf(std::string_view driver) {
  if (driver.empty()) return DaxMode::kNone;
  if (driver == "device_dax") return DaxMode::kDevdax;
  if (driver == "fsdev_dax") return DaxMode::kFsdev;
  if (driver == "kmem") return DaxMode::kSystemRam;
  return DaxMode::kOther;
}

/// A number that every device has; 0, and a problem, where it has none.
std::uint64_t NumberOf(const std::string& directory, const char* attribute,
                       DaxRecord& record) {
  const auto text = ReadAttribute(directory + "/" + attribute);
  if (!text) {
    record.problems.push_back(
        fmt::format("its {} cannot be read in sysfs", attribute));
    return 0;
  }
  const auto number = ParseKernelNumber(*text);
  if (number) return *number;
  record.problems.push_back(fmt::format("its {} in sysfs is \"{}\", no number",
                                        attribute,
                                        Printable(*text, kShownAttribute)));
  return 0;
}

/// "251:0"; 0 for any other text.
std::uint64_t DeviceNumberOf(const std::string& directory) {
  const std::string text = ReadAttribute(directory + "/dev").value_or("");
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos) return 0;
  const auto major = ParseKernelNumber(text.substr(0, colon));
  const auto minor = ParseKernelNumber(text.substr(colon + 1));
  if (!major || !minor || *major > UINT32_MAX || *minor > UINT32_MAX) return 0;
  return makedev(static_cast<unsigned>(*major), static_cast<unsigned>(*minor));
}

std::optional<int> NumaNodeOf(const std::string& directory) {
  const auto node = ReadNumber(directory + "/numa_node");  // -1: none
  return node && *node < INT32_MAX ? std::optional(static_cast<int>(*node))
                                   : std::nullopt;
}

/// Of a tagged allocation; nil: it has none.
Uuid AllocationTagOf(const std::string& directory, DaxRecord& record) {
  const auto text = ReadAttribute(directory + "/uuid");
  if (!text || text->empty()) return {};
  const auto tag = Uuid::Parse(*text);
  if (tag.ok()) return *tag;
  record.tag_problem = fmt::format("its uuid in sysfs is \"{}\", no UUID",
                                   Printable(*text, kShownAttribute));
  return {};
}

void TakeTag(const Uuid& tag, TagSource source, DaxRecord& record) {
  if (!record.tag.is_nil() || tag.is_nil()) return;
  record.tag = tag;
  record.tag_source = source;
}

void Identify(const DaxSystem& system,
              const std::vector<DaxNamespace>& namespaces, DaxRecord& record) {
  const std::string directory = DirectoryOf(system, record.name);
  TakeTag(AllocationTagOf(directory, record), TagSource::kAllocation, record);
  for (const DaxNamespace& one : namespaces) {
    if (one.device != record.name) continue;
    TakeTag(one.uuid, TagSource::kInfoBlock, record);
    record.bad_bytes += one.bad_bytes;
  }
  std::error_code error;
  const auto place = std::filesystem::canonical(directory, error);
  // A region's tag is that of the device with its memory, not of an empty one.
  if (error || !record.tag.is_nil() || record.size == 0) return;
  TakeTag(CxlTagOf(system.sysfs, place).value_or(Uuid{}), TagSource::kCxlSerial,
          record);
}

absl::StatusOr<std::vector<DaxNamespace>> NamespacesOf(
    const DaxSystem& system) {
  if (system.libraries == nullptr) return std::vector<DaxNamespace>{};
  return system.libraries->Namespaces();
}

absl::Status CheckMode(const DaxRecord& record, std::string_view spec) {
  switch (record.mode) {
    case DaxMode::kDevdax:
      return absl::OkStatus();
    case DaxMode::kNone:
      return Unavailable(
          "{0}: the dax device {1} has no driver; once no process has it open "
          "(`famfs devices` tells), give it one, as root: "
          "modprobe device_dax; echo {1} > "
          "/sys/bus/dax/drivers/device_dax/new_id",
          spec, record.name);
    case DaxMode::kFsdev:
      return Unavailable(
          "{0}: the dax device {1} is in fsdev mode, in which only the kernel "
          "maps it; once nothing is mounted from it, run as root: modprobe "
          "device_dax; echo {1} > /sys/bus/dax/drivers/fsdev_dax/unbind; echo "
          "{1} > /sys/bus/dax/drivers/device_dax/new_id",
          spec, record.name);
    case DaxMode::kSystemRam:
      return Unavailable(
          "{0}: the dax device {1} is memory of the system (driver kmem); run "
          "as root: daxctl reconfigure-device --force --mode=devdax {1}",
          spec, record.name);
    case DaxMode::kOther:
      break;
  }
  return Unavailable(
      "{}: the dax device {} has the driver \"{}\", which is not known here; "
      "give it to device_dax",
      spec, record.name, Printable(record.driver, kShownAttribute));
}

}  // namespace

DaxSystem DaxSystem::Real() {
  DaxSystem system;
  system.libraries = RealDaxLibraries();
  return system;
}

std::string_view ToString(DaxMode mode) {
  switch (mode) {
    case DaxMode::kNone:
      return "none";
    case DaxMode::kDevdax:
      return "devdax";
    case DaxMode::kFsdev:
      return "fsdev";
    case DaxMode::kSystemRam:
      return "system-ram";
    case DaxMode::kOther:
      break;
  }
  return "other";
}

std::string_view ToString(TagSource source) {
  switch (source) {
    case TagSource::kNone:
      break;
    case TagSource::kAllocation:
      return "allocation";
    case TagSource::kInfoBlock:
      return "info-block";
    case TagSource::kCxlSerial:
      return "cxl-serial";
    case TagSource::kSuperblock:
      return "superblock";
  }
  return "none";
}

absl::StatusOr<DaxRecord> LookAtDax(const DaxSystem& system,
                                    const std::string& name) {
  const std::string directory = DirectoryOf(system, name);
  struct stat info {};
  if (::stat(directory.c_str(), &info) != 0) {
    return NotFound("there is no dax device {} on this host", Printable(name));
  }
  DaxRecord record{.name = name,
                   .path = system.dev + "/" + name,
                   .driver = LinkName(directory + "/driver")};
  record.mode = ModeOf(record.driver);
  record.medium = {.device = info.st_dev,
                   .inode = info.st_ino,
                   .number = DeviceNumberOf(directory)};
  record.size = NumberOf(directory, "size", record);
  record.align = NumberOf(directory, "align", record);
  record.numa_node = NumaNodeOf(directory);
  return record;
}

absl::StatusOr<std::vector<DaxRecord>> ListDax(const DaxSystem& system) {
  std::vector<DaxRecord> records;
  for (const std::string& name : NamesIn(system.sysfs + "/bus/dax/devices")) {
    auto record = LookAtDax(system, name);
    if (record.ok()) records.push_back(*std::move(record));  // else it went
  }
  if (records.empty()) return records;
  FAMFS_ASSIGN_OR_RETURN(const auto namespaces, NamespacesOf(system));
  for (DaxRecord& record : records) Identify(system, namespaces, record);
  return records;
}

absl::StatusOr<std::string> DaxNameOf(const DaxSystem& system,
                                      std::uint64_t number) {
  const std::string name = LinkName(fmt::format(
      "{}/dev/char/{}:{}", system.sysfs, major(number), minor(number)));
  struct stat info {};
  if (!name.empty() && ::stat(DirectoryOf(system, name).c_str(), &info) == 0) {
    return name;
  }
  return InvalidArgument(
      "the character device {}:{} is none of the kernel's dax devices; `famfs "
      "devices` lists them",
      major(number), minor(number));
}

absl::Status AddIdentity(const DaxSystem& system, DaxRecord& record) {
  FAMFS_ASSIGN_OR_RETURN(const auto namespaces, NamespacesOf(system));
  Identify(system, namespaces, record);
  return absl::OkStatus();
}

absl::Status CheckMappable(const DaxRecord& record, std::string_view spec) {
  FAMFS_RETURN_IF_ERROR(CheckMode(record, spec));
  if (!record.problems.empty()) {
    return Unavailable(
        "{}: the dax device {} cannot be used: {}; the kernel's log may say "
        "why",
        spec, record.name, record.problems.front());
  }
  if (record.size == 0) {
    return Unavailable(
        "{0}: the dax device {1} has no memory (its size is 0); give it some, "
        "as root: daxctl reconfigure-device, or daxctl create-device",
        spec, record.name);
  }
  if (record.align < kPage || !std::has_single_bit(record.align) ||
      record.size % record.align != 0) {
    return Unavailable(
        "{}: the dax device {} has {} bytes and an alignment of {}; an "
        "alignment is a power of two of at least {}, and the size a multiple "
        "of it",
        spec, record.name, record.size, record.align, kPage);
  }
  return absl::OkStatus();
}

}  // namespace famfs
