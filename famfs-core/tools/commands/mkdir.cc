// famfs mkdir: makes directories.
#include "tools/commands/commands.h"

#include "base/text.h"
#include "tools/common/interrupt.h"
#include "tools/common/tree_editor.h"

namespace famfs {
namespace {

constexpr const char* kExamples = R"(
Examples:
  famfs mkdir emulated:/dev/shm/pool data
  famfs mkdir emulated:/dev/shm/pool -p data/2026/may --mode 0750
  famfs mkdir emulated:/dev/shm/pool :datasets/2026          in a tree volume
PATH is relative to the root of the instance, at most 78 bytes long; in a tree
volume each name has at most 255. A colon before it is dropped.)";

struct Options {
  std::string device;
  std::string path;
  bool parents = false;
  OwnerOptions owner;
  WriteOptions write;
};

/// Makes each directory of `path` that is missing.
absl::Status MakeParents(Changer& changer, const std::string& path,
                         Ownership owner) {
  for (std::size_t end = 0; end != std::string::npos;) {
    end = path.find('/', end + 1);
    const std::string part = path.substr(0, end);
    bool exists = false;
    {
      const auto tree = changer.Tree();
      const Node* const node = tree->FindPath(part);
      if (node != nullptr && !node->is_directory) {
        return AlreadyExists("{}: is a file, not a directory", Printable(part));
      }
      exists = node != nullptr && !part.empty();
    }
    if (!exists) FAMFS_RETURN_IF_ERROR(MkdirAt(changer, part, owner));
  }
  return absl::OkStatus();
}

absl::StatusOr<ExitCode> Run(const Options& options) {
  const InterruptScope interrupts;
  FAMFS_ASSIGN_OR_RETURN(const auto changer,
                         OpenChanger(options.device, options.write));
  const Ownership owner = options.owner.Resolve(0755);
  const std::string path = WithoutColon(options.path);
  if (options.parents) {
    FAMFS_RETURN_IF_ERROR(MakeParents(*changer, path, owner));
  } else {
    FAMFS_RETURN_IF_ERROR(MkdirAt(*changer, path, owner));
  }
  return ExitCode::kOk;
}

}  // namespace

void AddMkdir(Command& app, ExitCode& exit) {
  auto options = std::make_shared<Options>();
  Command* command = app.add_subcommand("mkdir", "Make a directory");
  command->footer(kExamples);
  AddDevice(command, options->device);
  command->add_option("PATH", options->path, "The new directory")
      ->required()
      ->type_name("");
  command->add_flag("-p,--parents", options->parents,
                    "Make missing parents, too; a directory that is there is "
                    "no error");
  AddOwnerOptions(command, options->owner, "0755");
  AddChangeOptions(command, options->write);
  OnRun(command, options, Run, exit);
}

}  // namespace famfs
