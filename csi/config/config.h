// The driver's configuration: one YAML file that the controller and every node
// plugin read (docs/configuration.md has each key). Loading checks everything
// that can be known without touching a device, so that a process that started
// never meets a bad setting later.
//
// Every error is InvalidArgument (NotFound for a missing file) and reads
// "FILE:LINE:COLUMN: what is wrong; what to do".
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/status.h"
#include "base/uuid.h"
#include "dax/device_spec.h"
#include "media/format.h"
#include "media/volume_attributes.h"

namespace famfs::csi {

inline constexpr std::string_view kDefaultDriverName = "famfs.csi";
/// A topology key is "topology.<name>/<pool>" and its prefix has at most 63
/// bytes, which leaves this much for the name.
inline constexpr std::size_t kMaxDriverName = 63 - sizeof("topology.") + 1;

using ::famfs::LogFormat;
enum class LogLevel { kTrace, kDebug, kInfo, kWarning, kError };
/// "debug", "info", ...; InvalidArgument lists the levels.
absl::StatusOr<LogLevel> ParseLogLevel(std::string_view text);
absl::StatusOr<LogFormat> ParseLogFormat(std::string_view text);

enum class FormatPolicy {
  kNever,    // a device without an instance is an error
  kIfBlank,  // the controller makes one when the superblock region is blank
};

struct DriverSection {
  std::string name{kDefaultDriverName};  // DNS form, <= kMaxDriverName
  std::string endpoint;  // "unix:///csi/csi.sock"; empty: a flag must say it
  std::string node_id;   // empty: a flag says it, or the host's name is taken
  std::string kubelet_path = "/var/lib/kubelet";  // absolute, no trailing slash
};

struct LogSection {
  LogFormat format = LogFormat::kText;
  LogLevel level = LogLevel::kInfo;
};

/// An emulated device that the controller makes where there is none.
struct EmulatedSection {
  std::uint64_t size = 0;  // bytes, multiple of 2 MiB
  bool sparse = false;
  std::vector<std::string> hosts{};  // who may see it; empty: all
};

struct PoolSection {
  std::string name;   // DNS label, <= 63: it becomes part of a topology key
  DeviceSpec device;  // the primary; a path is absolute, as of the further ones
  std::vector<DeviceSpec> devices;  // further ones, in any order
  FormatPolicy format = FormatPolicy::kNever;
  /// Bytes, a power of two; absent: by the pool's size (DefaultLogLength).
  std::optional<std::uint64_t> log_length;
  std::optional<Uuid> system_uuid;  // absent: the machine's own
  /// Only with an emulated primary device and FormatPolicy::kIfBlank.
  std::optional<EmulatedSection> emulated{};
  std::string location;  // "FILE:LINE:COLUMN", for messages
};

/// What a StorageClass that does not say gets.
struct DefaultsSection {
  std::string pool;  // never empty when there is exactly one pool
  DataPath data_path = DataPath::kAuto;
  VolumeLayout layout = VolumeLayout::kFile;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t mode = 0777;  // of the volume's directory; a file: & 0666
};

struct ControllerSection {
  /// How often the controller looks for deleted space to give back and for
  /// devices that a pool lacks.
  std::chrono::milliseconds reclaim_interval{10'000};
};

struct NodeSection {
  std::string fused_path;  // absolute; empty: famfs-fused beside this program
  std::string fused_spawner;  // a socket's path; by flag alone. Empty: none
};

struct Config {
  DriverSection driver;
  LogSection log;
  std::vector<PoolSection> pools;  // at least one, names and devices differ
  DefaultsSection defaults;
  ControllerSection controller;
  NodeSection node;

  /// nullptr: no such pool.
  [[nodiscard]] const PoolSection* FindPool(std::string_view name) const;
  /// "fast, slow": for messages.
  [[nodiscard]] std::string PoolNames() const;
};

absl::StatusOr<Config> LoadConfig(const std::string& path);
/// `file` stands in the messages.
absl::StatusOr<Config> ParseConfig(std::string_view text,
                                   std::string_view file);

/// The checks of single values, for flags that override the file.
[[nodiscard]] absl::Status CheckDriverName(std::string_view name);
[[nodiscard]] absl::Status CheckPoolName(std::string_view name);
[[nodiscard]] absl::Status CheckNodeId(std::string_view node_id);

}  // namespace famfs::csi
