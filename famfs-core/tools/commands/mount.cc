// famfs mount and famfs umount: an instance as a directory tree.
#include <sys/mount.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "runtime/mount_table.h"
#include "tools/commands/commands.h"
#include "tools/commands/fused_process.h"

namespace famfs {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMountExamples = R"(
Example:
  famfs mount emulated:/dev/shm/pool /mnt/pool
Prints the data path that is served:
  passthrough  mapped pages are the device's memory: one copy for all mounts
  copy         mapped pages are this mount's page cache, filled from the device
--data-path names one; it is served or refused, never replaced by a lesser one.
The server (famfs-fused) runs until famfs umount. Needs root.
A damaged instance is mounted by --salvage alone: what is whole of it, for reading.
Exit codes: 0 mounted; 1 refused, and nothing is mounted; 2 a wrong command line,
or a device that could not be opened. With --foreground, once the device is open,
those of famfs-fused.)";

constexpr const char* kUmountExamples = R"(
Example:
  famfs umount /mnt/pool
A mount with open files is busy; --lazy detaches it now, and the server ends when
the last file is closed. Also for a mount whose server is gone.)";

/// Absolute, with symbolic links resolved above the last component only: the
/// last one may be a mount point whose server is gone.
std::string MountPointPath(const std::string& path) {
  std::error_code error;
  fs::path full = fs::absolute(path, error).lexically_normal();
  if (!full.has_filename()) full = full.parent_path();
  const fs::path parent = fs::canonical(full.parent_path(), error);
  return (error ? full : parent / full.filename()).string();
}

/// For the server, which works in another directory than this program.
std::vector<std::string> AbsoluteSpecs(std::vector<DeviceSpec> specs) {
  std::vector<std::string> texts;
  for (DeviceSpec& spec : specs) {
    if (spec.has_path()) spec.path = fs::absolute(spec.path).string();
    texts.push_back(spec.ToString());
  }
  return texts;
}

struct MountOptions {
  std::string device;
  std::string mount_point;
  std::string data_path = "auto";
  std::string log_file;
  bool foreground = false;
  bool salvage = false;
  bool allow_existing_mount = false;
};

absl::StatusOr<ExitCode> RunMount(const MountOptions& options) {
  FAMFS_ASSIGN_OR_RETURN(const auto device,
                         options.salvage ? OpenForReading(options.device)
                                         : OpenForWriting(options.device));
  if (options.salvage) {
    // It tells what is damaged.
    FAMFS_RETURN_IF_ERROR(OpenReader(options.device, true).status());
  }
  FAMFS_ASSIGN_OR_RETURN(std::vector<DeviceSpec> others, OtherDevices());
  FusedArguments arguments{
      .device = device->spec(),
      .mount_point = MountPointPath(options.mount_point),
      .data_path = options.data_path,
      .log_file = "",
      .others = AbsoluteSpecs(std::move(others)),
      .salvage = options.salvage,
      .allow_existing_mount = options.allow_existing_mount};
  if (!options.log_file.empty()) {
    arguments.log_file = fs::absolute(options.log_file).string();
  }
  if (options.foreground) return BecomeFused(arguments);
  const auto path = StartFused(arguments);
  if (!path.ok()) {
    // Of a damaged instance this knows more.
    FAMFS_RETURN_IF_ERROR(OpenReader(options.device, options.salvage).status());
    return path.status();
  }
  fmt::print("{} is mounted on {}, data path {}{}\n", arguments.device,
             arguments.mount_point, *path,
             options.salvage ? ", for reading alone" : "");
  return ExitCode::kOk;
}

struct UmountOptions {
  std::string mount_point;
  bool lazy = false;
};

/// Type of what is mounted there, from the kernel's table, so that a dead
/// server cannot make us wait; NotFound when nothing is.
absl::StatusOr<std::string> MountedType(const std::string& mount_point) {
  FAMFS_ASSIGN_OR_RETURN(const MountTable table, MountTable::Read());
  const MountEntry* const top = table.Top(mount_point);
  if (top == nullptr) {
    return NotFound(
        "{}: is not a mount point; `findmnt -t fuse.famfs` lists "
        "famfs mounts",
        mount_point);
  }
  return top->fs_type;
}

absl::StatusOr<ExitCode> RunUmount(const UmountOptions& options) {
  const std::string path = MountPointPath(options.mount_point);
  FAMFS_ASSIGN_OR_RETURN(const std::string type, MountedType(path));
  if (type != "fuse.famfs") {
    return InvalidArgument(
        "{}: is a mount of type {}, not famfs; unmount it with umount(8)", path,
        type);
  }
  const int flags = UMOUNT_NOFOLLOW | (options.lazy ? MNT_DETACH : 0);
  if (::umount2(path.c_str(), flags) == 0) return ExitCode::kOk;
  if (errno == EBUSY) {
    return Unavailable(
        "{}: is busy: a process has a file open or mapped there, or works in "
        "it (`fuser -vm {}` tells which); end it, or detach with --lazy",
        path, path);
  }
  return ErrnoError(errno, path);
}

}  // namespace

void AddMount(Command& app, ExitCode& exit) {
  auto options = std::make_shared<MountOptions>();
  Command* command =
      app.add_subcommand("mount", "Mount an instance on a directory");
  command->footer(kMountExamples);
  AddDevice(command, options->device);
  command
      ->add_option("MOUNTPOINT", options->mount_point,
                   "An existing directory that nothing is mounted on")
      ->required()
      ->type_name("");
  command
      ->add_option("--data-path", options->data_path,
                   "auto, passthrough, copy or fmap")
      ->one_of({"auto", "passthrough", "copy", "fmap"})
      ->capture_default_str()
      ->type_name("PATH");
  command
      ->add_option("--log-file", options->log_file,
                   "Append the server's log to this file. Default: no log")
      ->type_name("FILE");
  command->add_flag("--foreground", options->foreground,
                    "Serve from this terminal until unmounted, and log there");
  command->add_flag("--allow-existing-mount", options->allow_existing_mount,
                    "Mount over a mount point");
  command->add_flag("--salvage", options->salvage,
                    "Mount a damaged instance as far as it is whole, for "
                    "reading alone; stderr tells what is not");
  OnRun(command, options, RunMount, exit);
}

void AddUmount(Command& app, ExitCode& exit) {
  auto options = std::make_shared<UmountOptions>();
  Command* command = app.add_subcommand("umount", "Unmount an instance");
  command->footer(kUmountExamples);
  command->add_option("MOUNTPOINT", options->mount_point, "Where it is mounted")
      ->required()
      ->type_name("");
  command->add_flag("-l,--lazy", options->lazy,
                    "Detach now, also when it is busy");
  OnRun(command, options, RunUmount, exit);
}

}  // namespace famfs
