#include "csi/config/config.h"

#include <algorithm>
#include <bit>
#include <map>

#include "base/text.h"
#include "base/unique_fd.h"
#include "base/units.h"
#include "base/yaml.h"
#include "csi/config/duration.h"
#include "csi/config/owner.h"
#include "csi/rpc/endpoint.h"
#include "csi/rpc/limits.h"
#include "csi/volume/topology.h"

namespace famfs::csi {
namespace {

using Keys = std::string_view[];
constexpr Keys kTopKeys = {"driver",   "log",        "pools",
                           "defaults", "controller", "node"};
constexpr Keys kDriverKeys = {"name", "endpoint", "nodeId", "kubeletPath"};
constexpr Keys kLogKeys = {"format", "level"};
constexpr Keys kPoolKeys = {"name",      "device",     "devices", "format",
                            "logLength", "systemUuid", "emulated"};
constexpr Keys kEmulatedKeys = {"size", "sparse", "hosts"};
constexpr Keys kDefaultsKeys = {"pool", "dataPath", "layout",
                                "uid",  "gid",      "mode"};
constexpr Keys kControllerKeys = {"reclaimInterval"};
constexpr Keys kNodeKeys = {"fusedPath"};

bool IsLowerOrDigit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool IsDnsLabel(std::string_view label) {
  return !label.empty() && label.size() <= 63 &&
         IsLowerOrDigit(label.front()) && IsLowerOrDigit(label.back()) &&
         std::all_of(label.begin(), label.end(),
                     [](char c) { return IsLowerOrDigit(c) || c == '-'; });
}

// A parser that takes the text as it is once `check` agrees.
template <typename Check>
auto Checked(Check check) {
  return [check](std::string_view text) -> absl::StatusOr<std::string> {
    FAMFS_RETURN_IF_ERROR(check(text));
    return std::string(text);
  };
}

absl::Status CheckEndpoint(std::string_view text) {
  return ParseEndpoint(text).status();
}

absl::StatusOr<std::string> ParseAbsolutePath(std::string_view text) {
  if (text.empty() || text.front() != '/' || text.size() > kMaxPath) {
    return InvalidArgument("\"{}\" is no absolute path; begin it with \"/\"",
                           Printable(text));
  }
  while (text.size() > 1 && text.back() == '/') text.remove_suffix(1);
  return std::string(text);
}

absl::StatusOr<DeviceSpec> ParseDevice(std::string_view text) {
  auto spec = DeviceSpec::Parse(text);
  if (spec.ok() && (!spec->has_path() || spec->path.front() == '/')) {
    return spec;
  }
  return InvalidArgument(
      "\"{}\" is no device; write tag:UUID, emulated:/DIRECTORY, image:/FILE "
      "or "
      "the device's absolute path, such as /dev/dax0.0",
      Printable(text));
}

absl::StatusOr<FormatPolicy> ParseFormatPolicy(std::string_view text) {
  if (text == "never") return FormatPolicy::kNever;
  if (text == "if-blank") return FormatPolicy::kIfBlank;
  return InvalidArgument("\"{}\" is unknown; write never or if-blank",
                         Printable(text));
}

absl::StatusOr<std::uint64_t> ParseLogLength(std::string_view text) {
  FAMFS_ASSIGN_OR_RETURN(const std::uint64_t bytes, ParseSize(text));
  if (bytes < kMinLogLength || !std::has_single_bit(bytes)) {
    return InvalidArgument(
        "\"{}\" is {} bytes; write a power of two of at least {}, such as 8M "
        "or 64M",
        Printable(text), bytes, FormatSize(kMinLogLength));
  }
  return bytes;
}

absl::Status ReadDriver(const YamlMap& top, DriverSection& driver) {
  FAMFS_ASSIGN_OR_RETURN(const YamlMap map, top.Map("driver", kDriverKeys));
  FAMFS_RETURN_IF_ERROR(
      map.Read("name", driver.name, Checked(CheckDriverName)));
  FAMFS_RETURN_IF_ERROR(
      map.Read("endpoint", driver.endpoint, Checked(CheckEndpoint)));
  FAMFS_RETURN_IF_ERROR(
      map.Read("nodeId", driver.node_id, Checked(CheckNodeId)));
  return map.Read("kubeletPath", driver.kubelet_path, ParseAbsolutePath);
}

absl::Status ReadLog(const YamlMap& top, LogSection& log) {
  FAMFS_ASSIGN_OR_RETURN(const YamlMap map, top.Map("log", kLogKeys));
  FAMFS_RETURN_IF_ERROR(map.Read("format", log.format, ParseLogFormat));
  return map.Read("level", log.level, ParseLogLevel);
}

absl::StatusOr<std::uint64_t> ParseDeviceSize(std::string_view text) {
  FAMFS_ASSIGN_OR_RETURN(const std::uint64_t bytes, ParseSize(text));
  if (bytes == 0 || bytes % kAllocUnit != 0) {
    return InvalidArgument(
        "\"{}\" is {} bytes; write a positive multiple of 2 MiB, such as 8G",
        Printable(text), bytes);
  }
  if (bytes < kMinDeviceSize) {
    return InvalidArgument("\"{}\" is {}; famfs needs at least {}",
                           Printable(text), FormatSize(bytes),
                           FormatSize(kMinDeviceSize));
  }
  return bytes;
}

absl::StatusOr<bool> ParseBool(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return InvalidArgument("\"{}\" is unknown; write true or false",
                         Printable(text));
}

absl::Status ReadEmulated(const YamlMap& map, PoolSection& pool) {
  if (!map.Has("emulated")) return absl::OkStatus();
  if (pool.device.kind != DeviceSpec::Kind::kEmulated ||
      pool.format != FormatPolicy::kIfBlank) {
    return map.ErrorAt(
        "emulated",
        InvalidArgument("describes a device to be made: it goes with `device: "
                        "emulated:/DIRECTORY` and `format: if-blank`"));
  }
  FAMFS_ASSIGN_OR_RETURN(const YamlMap section,
                         map.Map("emulated", kEmulatedKeys));
  EmulatedSection& emulated = pool.emulated.emplace();
  FAMFS_RETURN_IF_ERROR(section.Read("size", emulated.size, ParseDeviceSize));
  FAMFS_RETURN_IF_ERROR(section.Read("sparse", emulated.sparse, ParseBool));
  FAMFS_RETURN_IF_ERROR(
      section.ReadList("hosts", emulated.hosts, Checked(CheckNodeId)));
  if (emulated.size == 0) {
    return section.ErrorAt("size",
                           InvalidArgument("is missing; say how large the "
                                           "device shall be, such as 8G"));
  }
  // The device would be made, and no famfs could be made on it.
  if (pool.log_length.value_or(0) > emulated.size / kLogShare) {
    return map.ErrorAt(
        "logLength",
        InvalidArgument("{} is too long for a device of {}; write at most {}",
                        FormatSize(*pool.log_length), FormatSize(emulated.size),
                        FormatSize(emulated.size / kLogShare)));
  }
  return absl::OkStatus();
}

absl::StatusOr<PoolSection> ReadPool(const YamlMap& map) {
  PoolSection pool;
  pool.location = map.Location();
  FAMFS_RETURN_IF_ERROR(map.Read("name", pool.name, Checked(CheckPoolName)));
  FAMFS_RETURN_IF_ERROR(map.Read("device", pool.device, ParseDevice));
  FAMFS_RETURN_IF_ERROR(map.ReadList("devices", pool.devices, ParseDevice));
  FAMFS_RETURN_IF_ERROR(map.Read("format", pool.format, ParseFormatPolicy));
  FAMFS_RETURN_IF_ERROR(map.Read("logLength", pool.log_length, ParseLogLength));
  FAMFS_RETURN_IF_ERROR(map.Read("systemUuid", pool.system_uuid, Uuid::Parse));
  if (pool.name.empty()) {
    return map.ErrorAt("name", InvalidArgument("is missing; name the pool as "
                                               "StorageClasses will"));
  }
  if (pool.device.empty()) {
    return map.ErrorAt("device",
                       InvalidArgument("is missing; say where the pool's "
                                       "memory is, such as /dev/dax0.0"));
  }
  FAMFS_RETURN_IF_ERROR(ReadEmulated(map, pool));
  return pool;
}

/// Which pool has a device: the device -> "the pool "fast" at FILE:LINE".
using Holders = std::map<DeviceSpec, std::string>;

/// Notes the pool's devices; an error when one of them has a pool already.
absl::Status TakeDevices(const YamlMap& map, const PoolSection& pool,
                         Holders& holders) {
  const std::string self =
      fmt::format("the pool \"{}\" at {}", pool.name, pool.location);
  const auto take = [&](const DeviceSpec& device) -> absl::Status {
    const auto [holder, fresh] = holders.emplace(device, self);
    if (fresh) return absl::OkStatus();
    return InvalidArgument(
        "{} is already a device of {}; a device holds one "
        "pool, and is named once",
        device.ToString(), holder->second);
  };
  if (const absl::Status status = take(pool.device); !status.ok()) {
    return map.ErrorAt("device", status);
  }
  for (std::size_t i = 0; i < pool.devices.size(); ++i) {
    if (const absl::Status status = take(pool.devices[i]); !status.ok()) {
      return map.ErrorAt("devices", i, status);
    }
  }
  return absl::OkStatus();
}

absl::Status ReadPools(const YamlMap& top, std::vector<PoolSection>& pools) {
  FAMFS_ASSIGN_OR_RETURN(const std::vector<YamlMap> maps,
                         top.List("pools", kPoolKeys));
  Holders holders;
  for (const YamlMap& map : maps) {
    FAMFS_ASSIGN_OR_RETURN(PoolSection pool, ReadPool(map));
    for (const PoolSection& earlier : pools) {
      if (earlier.name == pool.name) {
        return map.ErrorAt(
            "name", InvalidArgument(
                        "\"{}\" is already the name of the pool at {}; choose "
                        "another",
                        pool.name, earlier.location));
      }
    }
    FAMFS_RETURN_IF_ERROR(TakeDevices(map, pool, holders));
    pools.push_back(std::move(pool));
  }
  if (pools.empty()) {
    return top.ErrorAt("pools",
                       InvalidArgument("there is none; list at least one pool "
                                       "with a name and a device"));
  }
  return absl::OkStatus();
}

absl::Status ReadDefaults(const YamlMap& top, Config& config) {
  DefaultsSection& defaults = config.defaults;
  FAMFS_ASSIGN_OR_RETURN(const YamlMap map, top.Map("defaults", kDefaultsKeys));
  FAMFS_RETURN_IF_ERROR(
      map.Read("pool", defaults.pool, Checked(CheckPoolName)));
  FAMFS_RETURN_IF_ERROR(
      map.Read("dataPath", defaults.data_path, ParseDataPath));
  FAMFS_RETURN_IF_ERROR(map.Read("layout", defaults.layout, ParseVolumeLayout));
  FAMFS_RETURN_IF_ERROR(map.Read("uid", defaults.uid, ParseOwnerId));
  FAMFS_RETURN_IF_ERROR(map.Read("gid", defaults.gid, ParseOwnerId));
  FAMFS_RETURN_IF_ERROR(map.Read("mode", defaults.mode, ParseMode));
  if (defaults.pool.empty() && config.pools.size() == 1) {
    defaults.pool = config.pools.front().name;
  }
  if (!defaults.pool.empty() && config.FindPool(defaults.pool) == nullptr) {
    return map.ErrorAt("pool",
                       InvalidArgument("\"{}\" is none of the pools: {}",
                                       defaults.pool, config.PoolNames()));
  }
  return absl::OkStatus();
}

absl::Status ReadController(const YamlMap& top, ControllerSection& controller) {
  FAMFS_ASSIGN_OR_RETURN(const YamlMap map,
                         top.Map("controller", kControllerKeys));
  return map.Read("reclaimInterval", controller.reclaim_interval,
                  ParseDuration);
}

absl::Status ReadNode(const YamlMap& top, NodeSection& node) {
  FAMFS_ASSIGN_OR_RETURN(const YamlMap map, top.Map("node", kNodeKeys));
  return map.Read("fusedPath", node.fused_path, ParseAbsolutePath);
}

}  // namespace

absl::StatusOr<LogLevel> ParseLogLevel(std::string_view text) {
  if (text == "trace") return LogLevel::kTrace;
  if (text == "debug") return LogLevel::kDebug;
  if (text == "info") return LogLevel::kInfo;
  if (text == "warning") return LogLevel::kWarning;
  if (text == "error") return LogLevel::kError;
  return InvalidArgument(
      "\"{}\" is no level; write trace, debug, info, warning or error",
      Printable(text, 64));
}

absl::StatusOr<LogFormat> ParseLogFormat(std::string_view text) {
  if (text == "text") return LogFormat::kText;
  if (text == "json") return LogFormat::kJson;
  return InvalidArgument("\"{}\" is no log format; write text or json",
                         Printable(text, 64));
}

absl::Status CheckDriverName(std::string_view name) {
  FAMFS_RETURN_IF_ERROR(CheckTopologyKey(name, "pool"));
  for (std::string_view rest = name;;) {
    const std::size_t dot = rest.find('.');
    if (!IsDnsLabel(rest.substr(0, dot))) {
      return InvalidArgument(
          "\"{}\" is no driver name; write lower-case letters, digits and "
          "'-', in parts joined by '.', such as {}",
          Printable(name), kDefaultDriverName);
    }
    if (dot == std::string_view::npos) return absl::OkStatus();
    rest.remove_prefix(dot + 1);
  }
}

absl::Status CheckPoolName(std::string_view name) {
  if (IsDnsLabel(name)) return absl::OkStatus();
  return InvalidArgument(
      "\"{}\" is no pool name; write 1 to 63 lower-case letters, digits and "
      "'-', beginning and ending with a letter or digit",
      Printable(name));
}

absl::Status CheckNodeId(std::string_view node_id) {
  if (node_id.empty() || node_id.size() > kMaxNodeId ||
      PrintableLine(node_id) != node_id) {
    return InvalidArgument(
        "\"{}\" is no node id; write 1 to {} bytes without control characters, "
        "as a rule the node's name",
        Printable(node_id, 64), kMaxNodeId);
  }
  return absl::OkStatus();
}

const PoolSection* Config::FindPool(std::string_view name) const {
  for (const PoolSection& pool : pools) {
    if (pool.name == name) return &pool;
  }
  return nullptr;
}

std::string Config::PoolNames() const {
  std::string names;
  for (const PoolSection& pool : pools) {
    names += (names.empty() ? "" : ", ") + pool.name;
  }
  return names;
}

absl::StatusOr<Config> ParseConfig(std::string_view text,
                                   std::string_view file) {
  FAMFS_ASSIGN_OR_RETURN(
      const YamlMap top,
      YamlMap::Parse(text,
                     {.path = std::string(file),
                      .needs = "pools: with a name and a device",
                      .hint = "docs/configuration.md has an example"},
                     kTopKeys));
  Config config;
  FAMFS_RETURN_IF_ERROR(ReadDriver(top, config.driver));
  FAMFS_RETURN_IF_ERROR(ReadLog(top, config.log));
  FAMFS_RETURN_IF_ERROR(ReadPools(top, config.pools));
  FAMFS_RETURN_IF_ERROR(ReadDefaults(top, config));
  FAMFS_RETURN_IF_ERROR(ReadController(top, config.controller));
  FAMFS_RETURN_IF_ERROR(ReadNode(top, config.node));
  return config;
}

absl::StatusOr<Config> LoadConfig(const std::string& path) {
  absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) {
    if (absl::IsNotFound(text.status())) {
      return NotFound(
          "{}: there is no such file; write one (docs/configuration.md has an "
          "example), or name another with --config",
          path);
    }
    return Annotate(text.status(), "cannot read the configuration");
  }
  return ParseConfig(*text, path);
}

}  // namespace famfs::csi
