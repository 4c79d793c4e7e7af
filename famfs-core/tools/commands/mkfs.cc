// famfs mkfs: makes an instance, and with --size the device under it.
#include "instance/check/mkfs.h"

#include <fcntl.h>

#include <cerrno>
#include <filesystem>
#include <optional>
#include <system_error>

#include "base/new_file.h"
#include "base/units.h"
#include "dax/emulated.h"
#include "dax/image.h"
#include "instance/devices/unfinished.h"
#include "tools/commands/commands.h"
#include "tools/common/interrupt.h"

namespace famfs {
namespace {

constexpr const char* kExamples = R"(
Examples:
  famfs mkfs emulated:/dev/shm/pool --size 16G
      makes the emulated device, too; its extents are files on tmpfs
  famfs mkfs image:/tmp/pool.img --size 4G
      makes a flat, sparse image
  famfs mkfs tag:3f2504e0-4f89-41d3-9a0c-0305e82c3301
      takes the whole dax device of that tag (`famfs devices` lists them)
  famfs mkfs emulated:/dev/shm/pool --force
      replaces the instance that is there: everything in it is lost

  famfs mkfs image:/tmp/a.img --device image:/tmp/b.img
      with a log for the memory of both; `famfs devadd` adds the other one then

The smallest device is 4 GiB. The log is never enlarged later: 8 MiB hold 15420
entries. A file of a tree volume takes two and 2 MiB at least, so by default the
log has four for each 2 MiB of DEVICE and of the devices that --device names: 8M
up to 7.5 GiB, 2G for 1 TiB, at most a 16th of DEVICE, and 64G.)";

struct Options {
  std::string device;
  std::optional<std::uint64_t> size;        // bytes
  std::optional<std::uint64_t> log_length;  // bytes
  std::optional<Uuid> uuid;
  std::optional<Uuid> device_uuid;
  std::optional<std::string> device_name;
  std::optional<Uuid> tag;
  std::vector<std::string> hosts;
  bool sparse = false;
  bool force = false;
  bool force_in_use = false;
  WriteOptions write;
};

absl::Status Exists(std::string_view what) {
  return AlreadyExists(
      "{}\nLeave out --size to make an instance on the device that is there "
      "(with --force when it holds one already).",
      what);
}

/// The device that --size asks for. Nothing is left of it, however the process
/// ends, unless the instance got onto it; but for an emulated device of a
/// process that was killed, which the same command takes again.
class NewDevice {
 public:
  NewDevice() = default;
  NewDevice(const NewDevice&) = delete;
  NewDevice& operator=(const NewDevice&) = delete;
  ~NewDevice() {
    std::error_code ignored;
    for (const std::string& path : paths_) {
      std::filesystem::remove_all(path, ignored);
    }
  }

  absl::StatusOr<std::shared_ptr<DaxDevice>> Create(const DeviceSpec& spec,
                                                    const Options& options) {
    switch (spec.kind) {
      case DeviceSpec::Kind::kEmulated:
        return Emulated(spec.path, options);
      case DeviceSpec::Kind::kImage:
        return Image(spec.path, *options.size);
      case DeviceSpec::Kind::kPath:
      case DeviceSpec::Kind::kDevdax:
      case DeviceSpec::Kind::kTag:
        break;
    }
    return AsUsage(InvalidArgument(
        "device {}: --size makes a new device; write emulated:DIR or "
        "image:FILE, or leave out --size for a device that is there",
        spec.ToString()));
  }

  /// Whether ClaimToMake was called for it.
  [[nodiscard]] bool claimed() const { return claimed_; }

  /// The instance is on it.
  absl::Status Keep() {
    paths_.clear();
    if (!image_) return absl::OkStatus();
    const absl::Status named = image_->Publish(false);
    return absl::IsAlreadyExists(named) ? Exists(Message(named)) : named;
  }

 private:
  absl::StatusOr<std::shared_ptr<DaxDevice>> Emulated(
      const std::string& directory, const Options& options) {
    // A directory that was there stays, also when what follows fails.
    const bool existed = std::filesystem::exists(directory);
    const absl::Status made = CreateEmulatedDevice(
        directory, {.size = *options.size,
                    .tag = options.tag ? *options.tag : Uuid::Random(),
                    .hosts = options.hosts,
                    .sparse = options.sparse});
    const bool is_there = absl::IsAlreadyExists(made);
    if (!made.ok() && !is_there) return made;
    if (is_there && !IsAskedFor(directory, options)) {
      return Exists(Message(made));
    }
    if (!is_there && existed) {
      paths_ = {directory + "/device.yaml", directory + "/extents",
                directory + "/files"};
    } else if (!is_there) {
      paths_ = {directory};
    }
    FAMFS_ASSIGN_OR_RETURN(auto device, OpenForWriting(options.device));
    auto claim = ClaimToMake(*device);
    if (!claim.ok()) {
      paths_.clear();  // another one was faster to take it for a leftover
      return claim.status();
    }
    claim_ = *std::move(claim);
    claimed_ = true;
    if (is_there) {
      FAMFS_ASSIGN_OR_RETURN(const bool left, IsNobodys(*device));
      if (!left) return Exists(Message(made));
    }
    return device;
  }

  /// Whether the device that is there is as the command line says.
  static bool IsAskedFor(const std::string& directory, const Options& options) {
    const auto config = ReadEmulatedConfig(directory);
    return config.ok() && config->size == *options.size &&
           config->hosts == options.hosts && config->sparse == options.sparse &&
           config->tag == options.tag.value_or(config->tag);
  }

  absl::StatusOr<std::shared_ptr<DaxDevice>> Image(const std::string& path,
                                                   std::uint64_t size) {
    // Only to answer before it is made; Keep decides.
    if (std::filesystem::exists(std::filesystem::symlink_status(path))) {
      return Exists(fmt::format("image:{}: there is a file already", path));
    }
    FAMFS_ASSIGN_OR_RETURN(NewFile file, NewFile::Create(path, 0644));
    FAMFS_RETURN_IF_ERROR(SizeImage(file.fd(), path, size));
    UniqueFd fd(::fcntl(file.fd(), F_DUPFD_CLOEXEC, 0));
    if (!fd.valid()) return ErrnoError(errno, path);
    FAMFS_ASSIGN_OR_RETURN(auto device, AdoptImage(std::move(fd), path));
    image_.emplace(std::move(file));
    return std::shared_ptr<DaxDevice>(std::move(device));
  }

  UseMark claim_;
  bool claimed_ = false;
  std::vector<std::string> paths_;  // to be removed
  std::optional<NewFile> image_;
};

absl::Status CheckOptions(const DeviceSpec& spec, const Options& options) {
  const bool describes =
      options.tag || !options.hosts.empty() || options.sparse;
  const bool makes_emulated =
      options.size && spec.kind == DeviceSpec::Kind::kEmulated;
  if (!describes || makes_emulated) return absl::OkStatus();
  return AsUsage(InvalidArgument(
      "--tag, --host and --sparse describe a new emulated device: they need "
      "--size and emulated:DIR"));
}

/// What --device names together; nothing of them is changed.
absl::StatusOr<std::uint64_t> BytesOfOthers() {
  FAMFS_ASSIGN_OR_RETURN(const auto others, OtherDevices());
  std::uint64_t bytes = 0;
  for (const DeviceSpec& spec : others) {
    const auto device = OpenDevice(spec, Access::kRead);
    if (!device.ok()) return AsUsage(device.status());
    bytes += (*device)->size();
  }
  return bytes;
}

absl::StatusOr<ExitCode> Run(const Options& options) {
  const auto spec = DeviceSpec::Parse(options.device);
  if (!spec.ok()) return AsUsage(spec.status());
  FAMFS_RETURN_IF_ERROR(CheckOptions(*spec, options));
  FAMFS_ASSIGN_OR_RETURN(const Uuid owner, options.write.Owner());
  FAMFS_ASSIGN_OR_RETURN(const std::uint64_t further, BytesOfOthers());
  const InterruptScope interrupts;
  NewDevice made;
  FAMFS_ASSIGN_OR_RETURN(const auto device,
                         options.size ? made.Create(*spec, options)
                                      : OpenForWriting(options.device));
  const MkfsOptions mkfs{
      .log_length = options.log_length,
      .further_bytes = further,
      .fs_uuid = options.uuid,
      .device_uuid = options.device_uuid,
      .system_uuid = owner,
      .device_name = options.device_name,
      .force = options.force,
      .force_in_use = options.force_in_use,
      .self = {.host = owner, .boot = LoadBoot().value_or(0)},
      .lock_directory = options.write.lock_directory,
      .claimed = made.claimed()};
  FAMFS_RETURN_IF_ERROR(Mkfs(*device, mkfs));
  FAMFS_RETURN_IF_ERROR(CheckInterrupted());
  FAMFS_RETURN_IF_ERROR(made.Keep());
  FAMFS_ASSIGN_OR_RETURN(const Layout layout,
                         Layout::Open(*device, Access::kRead));
  const MediaSuperblock& super = layout.superblock();
  fmt::print(
      "{}: a new famfs instance\n"
      "  uuid   {}\n"
      "  owner  {}\n"
      "  size   {} ({} bytes)\n"
      "  log    {}, room for {} entries\n",
      device->spec(), super.fs_uuid.ToString(), super.system_uuid.ToString(),
      FormatSize(super.device_size), super.device_size,
      FormatSize(super.log_length), LastIndex(super.log_length) + 1);
  return ExitCode::kOk;
}

}  // namespace

void AddMkfs(Command& app, ExitCode& exit) {
  auto options = std::make_shared<Options>();
  Command* command = app.add_subcommand("mkfs", "Make an instance");
  command->footer(kExamples);
  AddDevice(command, options->device);
  AddSize(command, "-s,--size", options->size,
          "Make the device first, of this size (emulated:DIR or image:FILE): a "
          "multiple of 2M, at least 4G");
  AddSize(command, "-l,--log-length", options->log_length,
          "Size of the log: a power of two, at least 8M. Default: it grows "
          "with the device (below)");
  command->add_flag("-f,--force", options->force,
                    "Replace an instance that is there, also another host's");
  command
      ->add_flag("--force-in-use", options->force_in_use,
                 "With --force, also while servers, controllers or other "
                 "programs use it: their mounts answer ESTALE from then on")
      ->needs("--force");
  AddUuid(command, "--uuid", options->uuid, "Of the instance. Default: random");
  AddUuid(command, "--device-uuid", options->device_uuid,
          "Of the device, in the superblock. Default: its tag, else random");
  command
      ->add_option("--device-name", options->device_name,
                   "Name of the device in the superblock, for information "
                   "only. Default: the device as it is named here")
      ->type_name("NAME");
  AddUuid(command, "--tag", options->tag,
          "Tag of the new emulated device. Default: random")
      ->group("New emulated device");
  command
      ->add_option("--host", options->hosts,
                   "A host that may see the new emulated device; may be given "
                   "more than once. Default: every host")
      ->type_name("NAME")
      ->group("New emulated device");
  command
      ->add_flag("--sparse", options->sparse,
                 "Do not fill extents when they are made: for tests with "
                 "volumes larger than the machine")
      ->group("New emulated device");
  AddIdentity(command, options->write);
  OnRun(command, options, Run, exit);
}

}  // namespace famfs
