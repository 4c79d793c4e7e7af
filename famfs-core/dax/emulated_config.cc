// device.yaml: reading, checking and writing it.
#include <sys/stat.h>
#include <yaml-cpp/yaml.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/new_file.h"
#include "base/unique_fd.h"
#include "base/units.h"
#include "base/yaml.h"
#include "dax/emulated.h"
#include "dax/extent_files.h"
#include "dax/use_mark.h"

namespace famfs {
namespace {

constexpr std::string_view kKeys[] = {"size", "tag", "hosts", "sparse"};

absl::Status CheckSize(std::uint64_t size) {
  if (size == 0 || size % kExtentUnit != 0) {
    return InvalidArgument(
        "the size is {} bytes; it must be a positive multiple of 2 MiB ({})",
        size, kExtentUnit);
  }
  // Offsets are handed to the kernel as signed 64-bit numbers.
  if (size > static_cast<std::uint64_t>(INT64_MAX)) {
    return InvalidArgument("the size of {} bytes is more than a file can have",
                           size);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::uint64_t> ParseDeviceSize(std::string_view text) {
  FAMFS_ASSIGN_OR_RETURN(const std::uint64_t size, ParseSize(text));
  FAMFS_RETURN_IF_ERROR(CheckSize(size));
  return size;
}

absl::StatusOr<Uuid> ParseTag(std::string_view text) {
  FAMFS_ASSIGN_OR_RETURN(const Uuid tag, Uuid::Parse(text));
  if (tag.is_nil()) return InvalidArgument("the tag must not be the nil UUID");
  return tag;
}

absl::StatusOr<std::string> ParseHost(std::string_view text) {
  if (text.empty()) return InvalidArgument("a host must be a name");
  return std::string(text);
}

// All the words that YAML has for it ("yes", "on").
absl::StatusOr<bool> ParseBool(std::string_view text) {
  bool value = false;
  if (YAML::convert<bool>::decode(YAML::Node(std::string(text)), value)) {
    return value;
  }
  return InvalidArgument("must be true or false");
}

absl::StatusOr<EmulatedConfig> ParseConfig(const std::string& file,
                                           std::string_view text) {
  FAMFS_ASSIGN_OR_RETURN(
      const YamlMap map,
      YamlMap::Parse(
          text,
          {.path = file,
           .needs = "size and tag",
           .hint = "it has size and tag, and may have hosts and sparse"},
          kKeys));
  for (const char* key : {"size", "tag", "sparse"}) {
    FAMFS_RETURN_IF_ERROR(map.RefuseEmpty(key));
  }
  EmulatedConfig config;
  FAMFS_RETURN_IF_ERROR(map.Read("size", config.size, ParseDeviceSize));
  FAMFS_RETURN_IF_ERROR(map.Read("tag", config.tag, ParseTag));
  FAMFS_RETURN_IF_ERROR(map.ReadList("hosts", config.hosts, ParseHost));
  FAMFS_RETURN_IF_ERROR(map.Read("sparse", config.sparse, ParseBool));
  for (const char* key : {"size", "tag"}) {
    if (!map.Has(key)) {
      return InvalidArgument("{}: {} is missing", map.Location(), key);
    }
  }
  return config;
}

absl::StatusOr<std::string> ToYaml(const EmulatedConfig& config) {
  YAML::Emitter out;
  out << YAML::BeginMap;
  out << YAML::Key << "size" << YAML::Value << config.size;
  out << YAML::Key << "tag" << YAML::Value << config.tag.ToString();
  if (!config.hosts.empty()) {
    out << YAML::Key << "hosts" << YAML::Value << YAML::BeginSeq;
    for (const std::string& host : config.hosts) {
      out << YAML::DoubleQuoted << host;
    }
    out << YAML::EndSeq;
  }
  if (config.sparse) out << YAML::Key << "sparse" << YAML::Value << true;
  out << YAML::EndMap;
  if (!out.good()) {
    return Internal("device.yaml cannot be written: {}", out.GetLastError());
  }
  return std::string(out.c_str()) + "\n";
}

// Directories of mode 0755 that go again when the device cannot be made.
class NewDirectories {
 public:
  NewDirectories() = default;
  NewDirectories(const NewDirectories&) = delete;
  NewDirectories& operator=(const NewDirectories&) = delete;
  ~NewDirectories() {
    while (!made_.empty()) {
      ::rmdir(made_.back().c_str());
      made_.pop_back();
    }
  }

  // One that is there already is taken as it is.
  absl::Status Make(const std::string& path) {
    if (::mkdir(path.c_str(), 0755) == 0) {
      made_.push_back(path);
      // Hosts that only read must get in, whatever this process' umask is.
      if (::chmod(path.c_str(), 0755) == 0) return absl::OkStatus();
      return ErrnoError(errno, fmt::format("chmod {}", path));
    }
    if (errno == EEXIST) {
      struct stat info {};
      if (::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) {
        return absl::OkStatus();
      }
      return AlreadyExists("{}: exists and is not a directory", path);
    }
    return ErrnoError(errno, fmt::format("mkdir {}", path));
  }
  void Keep() { made_.clear(); }

 private:
  std::vector<std::string> made_;
};

/// `part`: "extents" or "files".
absl::Status RefuseLeftovers(const std::string& directory,
                             std::string_view part) {
  FAMFS_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                         ListDirectory(fmt::format("{}/{}", directory, part)));
  if (names.empty()) return absl::OkStatus();
  return AlreadyExists(
      "{0}: there is no device.yaml, but {0}/{1} is not empty: what is left of "
      "an earlier device; remove it or choose another directory",
      directory, part);
}

}  // namespace

absl::Status CreateEmulatedDevice(const std::string& directory,
                                  const EmulatedConfig& config) {
  const absl::Status size = CheckSize(config.size);
  if (!size.ok()) return Annotate(size, "emulated:" + directory);
  if (config.tag.is_nil()) {
    return InvalidArgument("emulated:{}: the tag must not be the nil UUID",
                           directory);
  }
  FAMFS_ASSIGN_OR_RETURN(const std::string yaml, ToYaml(config));
  const std::string file = directory + "/device.yaml";
  NewDirectories directories;
  FAMFS_RETURN_IF_ERROR(directories.Make(directory));
  FAMFS_RETURN_IF_ERROR(directories.Make(directory + "/extents"));
  FAMFS_RETURN_IF_ERROR(directories.Make(directory + "/files"));
  if (::access(file.c_str(), F_OK) != 0) {
    FAMFS_RETURN_IF_ERROR(RefuseLeftovers(directory, "extents"));
    FAMFS_RETURN_IF_ERROR(RefuseLeftovers(directory, "files"));
  }
  // device.yaml comes last and whole: where it is, the device is complete.
  absl::Status status = WriteNewFile(file, yaml);
  // Also where another one was faster: what we made is his now.
  if (status.ok() || ::access(file.c_str(), F_OK) == 0) directories.Keep();
  if (!absl::IsAlreadyExists(status)) return status;
  return AlreadyExists("{}: there is a device already", file);
}

absl::StatusOr<EmulatedConfig> ReadEmulatedConfig(
    const std::string& directory) {
  const std::string file = directory + "/device.yaml";
  auto text = ReadFile(file, 64 << 10);
  if (absl::IsNotFound(text.status())) {
    return NotFound(
        "emulated:{}: there is no {}; create the device with `famfs mkfs`",
        directory, file);
  }
  if (!text.ok()) return text.status();
  return ParseConfig(file, *text);
}

absl::Status SetEmulatedHosts(const std::string& directory,
                              const std::vector<std::string>& hosts) {
  const std::string file = directory + "/device.yaml";
  FAMFS_ASSIGN_OR_RETURN(EmulatedConfig config, ReadEmulatedConfig(directory));
  // Another file would not have the mark of who makes an instance there.
  FAMFS_ASSIGN_OR_RETURN(const UniqueFd fd, OpenFile(file, O_RDONLY));
  if (IsBeingMade(fd.get()).value_or(false)) {
    return Unavailable("emulated:{}: an instance is being made there",
                       directory);
  }
  config.hosts = hosts;
  FAMFS_ASSIGN_OR_RETURN(const std::string yaml, ToYaml(config));
  return WriteFileAtomically(file, yaml);
}

std::string EmulatedHostName() {
  if (const char* name = std::getenv("FAMFS_HOST");
      name != nullptr && *name != '\0') {
    return name;
  }
  char name[256] = {};
  return ::gethostname(name, sizeof(name) - 1) == 0 ? name : "";
}

}  // namespace famfs
