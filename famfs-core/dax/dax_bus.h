// The dax devices that this machine's kernel has, and what tells one: its tag,
// which is the same on every host that sees the memory, while names differ.
//
// The tag is the first one that there is of
//   1. the `uuid` attribute of a device that is a tagged allocation (DCD);
//   2. the uuid of the info block in a namespace's memory (libndctl);
//   3. what the serial numbers of volatile CXL memory give (dax/cxl_tag.h);
// and, of a device with none of them, the device uuid of the superblock on it
// (dax/devdax.h). The nil UUID is none.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/uuid.h"
#include "dax/dax_libraries.h"
#include "dax/device.h"

namespace famfs {

/// Where the kernel shows its devices: the machine's own, or a test's.
struct DaxSystem {
  std::string sysfs = "/sys";
  std::string dev = "/dev";
  std::shared_ptr<DaxLibraries> libraries{};  // null: none is asked

  static DaxSystem Real();
};

/// What a dax device is good for, as its driver says and nothing else.
enum class DaxMode : std::uint8_t {
  kNone,       // no driver has it
  kDevdax,     // device_dax: programs map it
  kFsdev,      // fsdev_dax: the kernel's famfs maps it
  kSystemRam,  // kmem: it is the machine's memory, and everybody's
  kOther,
};
std::string_view ToString(DaxMode mode);

enum class TagSource : std::uint8_t {
  kNone,
  kAllocation,  // 1 above, and so on
  kInfoBlock,
  kCxlSerial,
  kSuperblock,
};
std::string_view ToString(TagSource source);

/// One device, as it was when it was looked at.
struct DaxRecord {
  std::string name;  // "dax0.0"
  std::string path;  // of its node, if there is one: "/dev/dax0.0"
  DaxMode mode = DaxMode::kNone;
  std::string driver;  // empty: none
  DaxDevice::Medium medium{};
  std::uint64_t size = 0;   // bytes; 0 also when it cannot be told
  std::uint64_t align = 0;  // bytes, the unit of its mappings; 0: as above
  std::optional<int> numa_node{};
  Uuid tag{};
  TagSource tag_source = TagSource::kNone;
  std::uint64_t bad_bytes = 0;  // in blocks that its bus knows as bad
  /// Size and alignment that say nothing sensible; and, of no matter for who
  /// only maps it, the tag.
  std::vector<std::string> problems{};
  std::string tag_problem{};
};

/// By name. None where the kernel knows no such devices. An error is that of
/// the libraries.
absl::StatusOr<std::vector<DaxRecord>> ListDax(const DaxSystem& system);

/// The device of this name, without its tag: sysfs alone. NotFound.
absl::StatusOr<DaxRecord> LookAtDax(const DaxSystem& system,
                                    const std::string& name);
/// The name of the device that a character device's numbers (st_rdev) stand
/// for. InvalidArgument when they are no dax device's.
absl::StatusOr<std::string> DaxNameOf(const DaxSystem& system,
                                      std::uint64_t number);
/// Fills in its tag and what its bus knows of its blocks.
[[nodiscard]] absl::Status AddIdentity(const DaxSystem& system,
                                       DaxRecord& record);

/// OK: programs can map it. Unavailable, with what to run, when it has another
/// mode, no memory, or an alignment or a size that makes no sense.
/// `spec`: how it was named.
[[nodiscard]] absl::Status CheckMappable(const DaxRecord& record,
                                         std::string_view spec);

}  // namespace famfs
