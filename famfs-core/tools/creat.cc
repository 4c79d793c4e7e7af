// famfs creat: makes a file of zeros, to be filled through a mount.
#include "tools/commands.h"

namespace famfs {
namespace {

constexpr const char* kExamples = R"(
Example:
  famfs creat emulated:/dev/shm/pool data/buffer --size 1G
The file is made of zeros and has its size for life: famfs files are allocated
once. To make a file with contents use famfs cp.)";

struct Options {
  std::string device;
  std::string path;
  std::optional<std::uint64_t> size;  // bytes
  OwnerOptions owner;
  WriteOptions write;
};

absl::StatusOr<ExitCode> Run(const Options& options) {
  FAMFS_ASSIGN_OR_RETURN(const auto writer,
                         OpenWriter(options.device, options.write));
  FAMFS_RETURN_IF_ERROR(writer->CreateFile(InstancePath(options.path),
                                           options.size.value_or(0),
                                           options.owner.Resolve(0644)));
  return ExitCode::kOk;
}

}  // namespace

void AddCreat(CLI::App& app, ExitCode& exit) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("creat", "Make a file of zeros of a given size");
  command->footer(kExamples);
  AddDevice(command, options->device);
  command->add_option("PATH", options->path, "The new file")
      ->required()
      ->type_name("");
  AddSize(command, "-s,--size", options->size,
          "Size of the file: 4096, 512M...")
      ->required();
  AddOwnerOptions(command, options->owner, "0644");
  AddWriteOptions(command, options->write);
  OnRun(command, options, Run, exit);
}

}  // namespace famfs
