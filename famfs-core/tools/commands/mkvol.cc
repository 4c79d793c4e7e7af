// famfs mkvol and famfs rmvol: volumes made and deleted by hand.
#include <chrono>

#include "base/text.h"
#include "base/units.h"
#include "tools/commands/commands.h"

namespace famfs {
namespace {

constexpr const char* kMakeExamples = R"(
Examples:
  famfs mkvol emulated:/dev/shm/pool datasets --size 8G
  famfs mkvol emulated:/dev/shm/pool cache --size 1G --layout file
A tree volume holds directories, files that grow, and symbolic links, up to its size:
famfs mkdir, cp, creat, symlink, mv and rm work in it, and so do programs that use
it through a mount. The pool promises it its size at once. A volume of layout file
holds one file, `data`, of its size. A volume has the same name for CSI as in the
instance; those of claims are made by the controller.
Exit codes: 0 made; 1 refused, and nothing is changed; 2 a wrong command line, or
a device that could not be opened.)";

constexpr const char* kRemoveExamples = R"(
Examples:
  famfs rmvol emulated:/dev/shm/pool datasets
Everything in the volume is lost. Its space is free again when every host has let
go of it and a compaction has dropped its entries (famfs df, famfs compact). A
volume of a claim is deleted by deleting the claim: the controller knows what else
hangs on it.
Exit codes: 0 deleted; 1 refused, or there is no such volume; 2 a wrong command
line, or a device that could not be opened.)";

struct MakeOptions {
  std::string device;
  std::string name;
  std::optional<std::uint64_t> size;  // bytes
  std::string layout = "tree";
  OwnerOptions owner;
  WriteOptions write;
};

struct RemoveOptions {
  std::string device;
  std::string name;
  WriteOptions write;
};

absl::StatusOr<ExitCode> Make(const MakeOptions& options) {
  FAMFS_ASSIGN_OR_RETURN(const VolumeLayout layout,
                         ParseVolumeLayout(options.layout));
  const std::string name = InstancePath(options.name);
  VolumeAttributes attributes;
  attributes.name = name;
  attributes.layout = layout;
  attributes.capacity = RoundUp(options.size.value_or(0), kAllocUnit);
  attributes.created_unix_ns = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(
          std::chrono::system_clock::now().time_since_epoch())
          .count());
  FAMFS_ASSIGN_OR_RETURN(const auto writer,
                         OpenWriter(options.device, options.write));
  FAMFS_RETURN_IF_ERROR(
      writer->CreateVolume(name, attributes, options.owner.Resolve(0755)));
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Remove(const RemoveOptions& options) {
  FAMFS_ASSIGN_OR_RETURN(const auto writer,
                         OpenWriter(options.device, options.write));
  FAMFS_RETURN_IF_ERROR(writer->DeleteVolume(InstancePath(options.name)));
  return ExitCode::kOk;
}

}  // namespace

void AddMkvol(Command& app, ExitCode& exit) {
  auto options = std::make_shared<MakeOptions>();
  Command* command = app.add_subcommand("mkvol", "Make a volume by hand");
  command->footer(kMakeExamples);
  AddDevice(command, options->device);
  command
      ->add_option("NAME", options->name,
                   "Of its directory at the root: at most 50 bytes")
      ->required()
      ->type_name("");
  AddSize(command, "-s,--size", options->size,
          "What it may hold: 2M, 512M, 1G...; rounded up to whole 2 MiB")
      ->required();
  command
      ->add_option("--layout", options->layout,
                   "tree: any files; file: one file of its size")
      ->one_of({"tree", "file"})
      ->capture_default_str()
      ->type_name("LAYOUT");
  AddOwnerOptions(command, options->owner, "0755");
  AddWriteOptions(command, options->write);
  OnRun(command, options, Make, exit);
}

void AddRmvol(Command& app, ExitCode& exit) {
  auto options = std::make_shared<RemoveOptions>();
  Command* command =
      app.add_subcommand("rmvol", "Delete a volume with all that it holds");
  command->footer(kRemoveExamples);
  AddDevice(command, options->device);
  command->add_option("NAME", options->name, "Its directory at the root")
      ->required()
      ->type_name("");
  AddWriteOptions(command, options->write);
  OnRun(command, options, Remove, exit);
}

}  // namespace famfs
