// famfs export and famfs import: between an emulated device and the flat image
// that upstream's tools read.
#include "instance/check/transfer.h"

#include "instance/log/layout.h"
#include "tools/commands/commands.h"
#include "tools/common/interrupt.h"
#include "tools/common/progress.h"

namespace famfs {
namespace {

constexpr const char* kExportExamples = R"(
Example:
  famfs export emulated:/dev/shm/pool /tmp/pool.img
The image is as large as the device, and sparse. Copy it while nobody writes the
instance: what is written meanwhile may be in it or not. With --salvage the image
is as damaged as the device: it also has what damaged entries named.)";

constexpr const char* kImportExamples = R"(
Example:
  famfs import /tmp/pool.img /dev/shm/pool2
DIR is made; it is the emulated device emulated:/dev/shm/pool2 afterwards. The
image must be clean (famfs fsck).)";

struct ExportOptions {
  std::string device;
  std::string image;
  bool salvage = false;
};

absl::StatusOr<ExitCode> RunExport(const ExportOptions& options) {
  FAMFS_ASSIGN_OR_RETURN(const auto device, OpenForReading(options.device));
  if (!options.salvage) {
    // For its message about a damaged instance.
    FAMFS_RETURN_IF_ERROR(OpenReader(options.device).status());
  }
  const InterruptScope interrupts;
  ProgressBar bar("exporting");
  FAMFS_RETURN_IF_ERROR(ExportImage(*device, options.image,
                                    {.progress = bar.Callback(),
                                     .go_on = CheckInterrupted,
                                     .salvage = options.salvage}));
  return ExitCode::kOk;
}

struct ImportOptions {
  std::string image;
  std::string directory;
  std::optional<Uuid> tag;
};

/// The image's own device uuid, which stands for the tag of the device it was
/// taken from.
absl::StatusOr<Uuid> TagOf(const std::string& image) {
  FAMFS_ASSIGN_OR_RETURN(
      const auto device,
      OpenForReading(DeviceSpec{DeviceSpec::Kind::kImage, image}.ToString()));
  FAMFS_ASSIGN_OR_RETURN(const Layout layout,
                         Layout::Open(*device, Access::kRead));
  const Uuid tag = layout.superblock().device_uuid;
  return tag.is_nil() ? Uuid::Random() : tag;
}

absl::StatusOr<ExitCode> RunImport(const ImportOptions& options) {
  FAMFS_ASSIGN_OR_RETURN(const Uuid own_tag, TagOf(options.image));
  const InterruptScope interrupts;
  ProgressBar bar("importing");
  FAMFS_RETURN_IF_ERROR(ImportImage(
      options.image, options.directory, options.tag.value_or(own_tag),
      {.progress = bar.Callback(), .go_on = CheckInterrupted}));
  return ExitCode::kOk;
}

}  // namespace

void AddExport(Command& app, ExitCode& exit) {
  auto options = std::make_shared<ExportOptions>();
  Command* command = app.add_subcommand(
      "export", "Write a device as a flat image, for upstream's tools");
  command->footer(kExportExamples);
  AddDevice(command, options->device);
  command->add_option("IMAGE", options->image, "The new image file")
      ->required()
      ->type_name("");
  command->add_flag("--salvage", options->salvage,
                    "Also of a damaged instance: all that the device holds, so "
                    "that nothing is lost that could still be read out");
  OnRun(command, options, RunExport, exit);
}

void AddImport(Command& app, ExitCode& exit) {
  auto options = std::make_shared<ImportOptions>();
  Command* command =
      app.add_subcommand("import", "Make an emulated device from a flat image");
  command->footer(kImportExamples);
  command->add_option("IMAGE", options->image, "The image file")
      ->required()
      ->type_name("");
  command->add_option("DIR", options->directory, "The new device")
      ->required()
      ->type_name("");
  AddUuid(command, "--tag", options->tag,
          "Tag of the new device. Default: the image's device uuid");
  OnRun(command, options, RunImport, exit);
}

}  // namespace famfs
