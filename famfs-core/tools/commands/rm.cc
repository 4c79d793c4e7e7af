// famfs rm, famfs mv and famfs symlink: names in tree volumes.
#include "base/text.h"
#include "tools/commands/commands.h"
#include "tools/common/interrupt.h"
#include "tools/common/tree_editor.h"

namespace famfs {
namespace {

constexpr const char* kRemoveExamples = R"(
Examples:
  famfs rm emulated:/dev/shm/pool :datasets/old.bin
  famfs rm emulated:/dev/shm/pool -r :datasets/2025
Removes what lies in a tree volume: files, symbolic links (not what they lead to) and
empty directories. Whoever has a file open or mapped keeps its bytes; its space
comes back when every host has let go of it. A file outside of a tree volume has no
deletion (famfs rmvol deletes a volume).
Exit codes: 0 all are removed; 1 one was refused or not there; 2 a wrong command
line, or a device that could not be opened.)";

constexpr const char* kMoveExamples = R"(
Examples:
  famfs mv emulated:/dev/shm/pool :datasets/a.bin :datasets/b.bin
  famfs mv emulated:/dev/shm/pool :datasets/a.bin :datasets/2026
Renames what lies in a tree volume, within that volume. A directory takes it under
its own name; a file that has the name is replaced, as by mv(1).
Exit codes: 0 renamed; 1 refused, and nothing is changed; 2 a wrong command line, or
a device that could not be opened.)";

constexpr const char* kLinkExamples = R"(
Examples:
  famfs symlink emulated:/dev/shm/pool 2026/weights.bin :datasets/latest
Makes a symbolic link in a tree volume. TARGET is kept as it is given; to programs
that use the volume a relative one begins at the link's directory.
Exit codes: 0 made; 1 refused, and nothing is changed; 2 a wrong command line, or a
device that could not be opened.)";

struct RemoveOptions {
  std::string device;
  std::vector<std::string> paths;
  bool recursive = false;
  WriteOptions write;
};

struct MoveOptions {
  std::string device;
  std::string from;
  std::string to;
  bool no_clobber = false;
  bool exchange = false;
  WriteOptions write;
};

struct LinkOptions {
  std::string device;
  std::string target;
  std::string path;
  OwnerOptions owner;
  WriteOptions write;
};

absl::Status OutsideOfTrees(const std::string& path, const char* what) {
  return InvalidArgument(
      "{}: does not lie in a tree volume; only what does can be {}",
      Printable(path), what);
}

absl::StatusOr<ExitCode> Remove(const RemoveOptions& options) {
  const InterruptScope interrupts;
  FAMFS_ASSIGN_OR_RETURN(const auto changer,
                         OpenChanger(options.device, options.write));
  TreeEditor editor(*changer);
  ExitCode exit = ExitCode::kOk;
  for (const std::string& given : options.paths) {
    FAMFS_RETURN_IF_ERROR(CheckInterrupted());
    const std::string path = WithoutColon(given);
    const absl::Status removed = editor.Has(path)
                                     ? editor.Remove(path, options.recursive)
                                     : OutsideOfTrees(path, "removed");
    if (!removed.ok()) exit = Report(removed);
  }
  return exit;
}

absl::StatusOr<ExitCode> Move(const MoveOptions& options) {
  if (options.no_clobber && options.exchange) {
    return AsUsage(InvalidArgument(
        "--exchange needs two names that are there, --no-clobber one that is "
        "not"));
  }
  const InterruptScope interrupts;
  FAMFS_ASSIGN_OR_RETURN(const auto changer,
                         OpenChanger(options.device, options.write));
  TreeEditor editor(*changer);
  const std::string from = WithoutColon(options.from);
  std::string to = WithoutColon(options.to);
  if (!editor.Has(from)) return OutsideOfTrees(from, "renamed");
  if (!options.exchange) {
    const auto tree = changer->Tree();
    const Node* const there = tree->FindPath(to);
    if (there != nullptr && there->is_directory) {
      to += '/' + from.substr(from.rfind('/') + 1);
    }
  }
  if (!editor.Has(to)) return OutsideOfTrees(to, "a new name");
  const std::uint32_t flags = options.exchange     ? kRenameExchange
                              : options.no_clobber ? kRenameNoReplace
                                                   : 0;
  FAMFS_RETURN_IF_ERROR(editor.Rename(from, to, flags));
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Link(const LinkOptions& options) {
  const InterruptScope interrupts;
  FAMFS_ASSIGN_OR_RETURN(const auto changer,
                         OpenChanger(options.device, options.write));
  TreeEditor editor(*changer);
  const std::string path = WithoutColon(options.path);
  if (!editor.Has(path)) return OutsideOfTrees(path, "a symbolic link");
  FAMFS_RETURN_IF_ERROR(
      editor.Symlink(path, options.target, options.owner.Resolve(0777)));
  return ExitCode::kOk;
}

}  // namespace

void AddRm(Command& app, ExitCode& exit) {
  auto options = std::make_shared<RemoveOptions>();
  Command* command =
      app.add_subcommand("rm", "Remove what lies in a tree volume");
  command->footer(kRemoveExamples);
  AddDevice(command, options->device);
  command
      ->add_option("PATHS", options->paths,
                   "Files, links or directories; a colon before them is "
                   "dropped")
      ->required()
      ->type_name("");
  command->add_flag("-r,--recursive", options->recursive,
                    "Directories with what they hold");
  AddChangeOptions(command, options->write);
  OnRun(command, options, Remove, exit);
}

void AddMv(Command& app, ExitCode& exit) {
  auto options = std::make_shared<MoveOptions>();
  Command* command =
      app.add_subcommand("mv", "Rename what lies in a tree volume");
  command->footer(kMoveExamples);
  AddDevice(command, options->device);
  command->add_option("FROM", options->from, "What is renamed")
      ->required()
      ->type_name("");
  command
      ->add_option("TO", options->to, "Its new path, or the directory to be in")
      ->required()
      ->type_name("");
  command->add_flag("-n,--no-clobber", options->no_clobber,
                    "Refuse when TO is there");
  command->add_flag("--exchange", options->exchange,
                    "Both are there, and change their names with each other");
  AddChangeOptions(command, options->write);
  OnRun(command, options, Move, exit);
}

void AddSymlink(Command& app, ExitCode& exit) {
  auto options = std::make_shared<LinkOptions>();
  Command* command =
      app.add_subcommand("symlink", "Make a symbolic link in a tree volume");
  command->footer(kLinkExamples);
  AddDevice(command, options->device);
  command->add_option("TARGET", options->target, "Where it leads")
      ->required()
      ->type_name("");
  command->add_option("PATH", options->path, "The new link")
      ->required()
      ->type_name("");
  AddOwnerOptions(command, options->owner, "0777, which nobody looks at");
  AddChangeOptions(command, options->write);
  OnRun(command, options, Link, exit);
}

}  // namespace famfs
