// famfs devadd: one more device for an instance.
#include "base/units.h"
#include "tools/commands/commands.h"

namespace famfs {
namespace {

constexpr const char* kExamples = R"(
Examples:
  famfs devadd emulated:/dev/shm/pool emulated:/dev/shm/pool2
      adds the emulated device pool2, whose tag it is known by from now on
  famfs devadd image:/tmp/a.img image:/tmp/c.img --device image:/tmp/b.img
      adds a third device; every command then needs --device for both others

Upstream's tools know one device: they play an instance with further ones, but
cannot check or map files that lie there. A device is never taken away again.)";

struct Options {
  std::string device;
  std::string added;
  bool force = false;
  bool force_in_use = false;
  std::optional<Uuid> device_uuid;
  WriteOptions write;
};

absl::StatusOr<ExitCode> Run(const Options& options) {
  FAMFS_ASSIGN_OR_RETURN(const auto added, OpenForWriting(options.added));
  // Without the others it works, too: they are found in the log, not here.
  FAMFS_ASSIGN_OR_RETURN(const auto writer,
                         OpenWriter(options.device, options.write));
  FAMFS_RETURN_IF_ERROR(
      writer->AddDevice(added, {.force = options.force,
                                .force_in_use = options.force_in_use,
                                .device_uuid = options.device_uuid}));
  const MediaAddDaxdev entry = writer->AddedDevices().back();
  fmt::print(
      "{} is device {} of {}: uuid {}, {}\n"
      "From now on name it with --device (or in the pool's `devices:`). "
      "Upstream's tools cannot read files that lie on it.\n",
      added->spec(), entry.index, options.device, entry.device_uuid.ToString(),
      FormatSize(entry.size));
  return ExitCode::kOk;
}

}  // namespace

void AddDevadd(Command& app, ExitCode& exit) {
  auto options = std::make_shared<Options>();
  Command* command =
      app.add_subcommand("devadd", "Add a device to an instance");
  command->footer(kExamples);
  AddDevice(command, options->device);
  command
      ->add_option("NEWDEVICE", options->added,
                   "The device to add, like DEVICE; what lies on it is lost")
      ->required()
      ->type_name("");
  command->add_flag("-f,--force", options->force,
                    "Also one that holds another famfs, or extents");
  command
      ->add_flag("--force-in-use", options->force_in_use,
                 "With --force, also while servers, controllers or other "
                 "programs use it: what they had there is lost")
      ->needs("--force");
  AddUuid(command, "--device-uuid", options->device_uuid,
          "Of a device without a tag. Default: random");
  AddWriteOptions(command, options->write);
  OnRun(command, options, Run, exit);
}

}  // namespace famfs
