// device.yaml: reading, checking and writing it.
#include <sys/stat.h>
#include <yaml-cpp/yaml.h>

#include <cerrno>
#include <cstdlib>
#include <exception>
#include <set>
#include <string>

#include "base/new_file.h"
#include "base/unique_fd.h"
#include "base/units.h"
#include "dax/emulated.h"
#include "dax/extent_files.h"
#include "dax/use_mark.h"

namespace famfs {
namespace {

absl::Status ErrorAt(const std::string& file, const YAML::Node& node,
                     std::string_view message) {
  return InvalidArgument("{}:{}: {}", file, node.Mark().line + 1, message);
}

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

absl::StatusOr<std::vector<std::string>> ParseHosts(const std::string& file,
                                                    const YAML::Node& node) {
  std::vector<std::string> hosts;
  if (node.IsNull()) return hosts;
  if (!node.IsSequence()) {
    return ErrorAt(file, node, "hosts must be a list of names");
  }
  for (const YAML::Node& host : node) {
    if (!host.IsScalar() || host.Scalar().empty()) {
      return ErrorAt(file, host, "a host must be a name");
    }
    hosts.push_back(host.Scalar());
  }
  return hosts;
}

absl::Status ParseValue(const std::string& file, const std::string& key,
                        const YAML::Node& value, EmulatedConfig& config) {
  if (key == "hosts") {
    FAMFS_ASSIGN_OR_RETURN(config.hosts, ParseHosts(file, value));
    return absl::OkStatus();
  }
  if (!value.IsScalar()) {
    return ErrorAt(file, value, fmt::format("{} must be a single value", key));
  }
  if (key == "size") {
    const auto size = ParseSize(value.Scalar());
    if (!size.ok()) return ErrorAt(file, value, Message(size.status()));
    const absl::Status good = CheckSize(*size);
    if (!good.ok()) return ErrorAt(file, value, Message(good));
    config.size = *size;
  } else if (key == "tag") {
    const auto tag = Uuid::Parse(value.Scalar());
    if (!tag.ok()) return ErrorAt(file, value, Message(tag.status()));
    if (tag->is_nil()) {
      return ErrorAt(file, value, "the tag must not be the nil UUID");
    }
    config.tag = *tag;
  } else if (key == "sparse") {
    if (!YAML::convert<bool>::decode(value, config.sparse)) {
      return ErrorAt(file, value, "sparse must be true or false");
    }
  } else {
    return ErrorAt(file, value,
                   fmt::format("unknown key \"{}\"; known are size, tag, hosts "
                               "and sparse",
                               key));
  }
  return absl::OkStatus();
}

absl::StatusOr<EmulatedConfig> ParseConfig(const std::string& file,
                                           const YAML::Node& root) {
  if (!root.IsMap()) {
    return InvalidArgument("{}:1: must be a map with size and tag", file);
  }
  EmulatedConfig config;
  std::set<std::string> seen;
  for (const auto& pair : root) {
    const YAML::Node& key = pair.first;
    if (!key.IsScalar()) return ErrorAt(file, key, "a key must be a word");
    if (!seen.insert(key.Scalar()).second) {
      return ErrorAt(file, key, fmt::format("{} is given twice", key.Scalar()));
    }
    // A value that is not there is marked where the next token stands.
    if (pair.second.IsNull() && key.Scalar() != "hosts") {
      return ErrorAt(file, key, fmt::format("{} has no value", key.Scalar()));
    }
    FAMFS_RETURN_IF_ERROR(ParseValue(file, key.Scalar(), pair.second, config));
  }
  for (const char* key : {"size", "tag"}) {
    if (!seen.contains(key)) {
      return ErrorAt(file, root, fmt::format("{} is missing", key));
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

absl::Status RefuseLeftExtents(const std::string& directory) {
  FAMFS_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                         ListDirectory(directory + "/extents"));
  if (names.empty()) return absl::OkStatus();
  return AlreadyExists(
      "{0}: there is no device.yaml, but {0}/extents is not empty: what is "
      "left of an earlier device; remove it or choose another directory",
      directory);
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
  if (::access(file.c_str(), F_OK) != 0) {
    FAMFS_RETURN_IF_ERROR(RefuseLeftExtents(directory));
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
  try {
    return ParseConfig(file, YAML::Load(*text));
  } catch (const YAML::Exception& error) {
    return InvalidArgument("{}:{}: {}", file, error.mark.line + 1, error.msg);
  } catch (const std::exception& error) {
    return InvalidArgument("{}: {}", file, error.what());
  }
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
