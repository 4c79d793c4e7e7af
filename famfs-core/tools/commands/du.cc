// famfs du: how much of the device directories and files hold.
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "base/units.h"
#include "tools/commands/commands.h"
#include "tools/common/tree.h"

namespace famfs {
namespace {

constexpr const char* kExamples = R"(
Examples:
  famfs du emulated:/dev/shm/pool
  famfs du emulated:/dev/shm/pool data -a
  famfs du emulated:/dev/shm/pool -s --json
One line for each directory, with what lies below it: bytes of the device that
are allocated (whole units of 2 MiB), bytes of the files' contents, path.
Exit codes: 0 shown; 1 the path is not in the instance, or something is damaged; 2
a wrong command line, or a device that could not be opened.)";

struct Options {
  std::string device;
  std::string path;
  bool all = false;
  bool summary = false;
  bool bytes = false;
  bool salvage = false;
  bool json = false;
};

struct Usage {
  std::string path;
  bool is_directory = false;
  std::uint64_t allocated = 0;  // bytes
  std::uint64_t size = 0;       // bytes
  std::uint64_t files = 0;
};

/// Adds the lines of what lies below `node`, children first as du(1) does, and
/// answers the node's own.
Usage Measure(const Namespace& tree, const Node& node, const Options& options,
              std::vector<Usage>& lines) {
  const NodeFacts facts = FactsOf(tree, node);
  Usage usage{.path = facts.path,
              .is_directory = facts.is_directory,
              .allocated = facts.allocated(),
              .size = facts.size,
              .files = facts.is_directory ? 0U : 1U};
  if (!facts.is_directory) return usage;
  ForEachChild(tree, node, [&](const Node& child) {
    if (child.is_meta) return;
    Usage below = Measure(tree, child, options, lines);
    usage.allocated += below.allocated;
    usage.size += below.size;
    usage.files += below.files;
    const bool shown = child.is_directory || options.all;
    if (shown && !options.summary) lines.push_back(std::move(below));
  });
  return usage;
}

absl::StatusOr<ExitCode> Run(const Options& options) {
  FAMFS_ASSIGN_OR_RETURN(const PlaceInInstance place,
                         OpenPlace(options.device, options.salvage));
  std::vector<Usage> lines;
  {
    const auto tree = place.reader->Tree();
    FAMFS_ASSIGN_OR_RETURN(const Node* const node,
                           FindNode(*tree, place.Path(options.path)));
    Usage own = Measure(*tree, *node, options, lines);
    lines.push_back(std::move(own));
  }
  Json json = Json::array();
  for (const Usage& line : lines) {
    if (options.json) {
      Json one;
      PutText(one, "path", line.path);
      one["type"] = line.is_directory ? "directory" : "file";
      one["allocated"] = line.allocated;
      one["size"] = line.size;
      one["files"] = line.files;
      json.push_back(std::move(one));
      continue;
    }
    const std::string name =
        Printable(line.path) + (line.is_directory ? "/" : "");
    if (options.bytes) {
      fmt::print("{:>14} {:>14}  {}\n", line.allocated, line.size, name);
    } else {
      fmt::print("{:>12} {:>12}  {}\n", FormatSize(line.allocated),
                 FormatSize(line.size), name);
    }
  }
  if (options.json) PrintJson(json);
  return WholeOrDamaged(*place.reader);
}

}  // namespace

void AddDu(Command& app, ExitCode& exit) {
  auto options = std::make_shared<Options>();
  Command* command = app.add_subcommand("du", "Show how much directories hold");
  command->footer(kExamples);
  AddDevice(command, options->device);
  command
      ->add_option("PATH", options->path,
                   "A directory or file of the instance. Default: the root")
      ->type_name("");
  command->add_flag("-a,--all", options->all, "Also a line for each file");
  command->add_flag("-s,--summarize", options->summary,
                    "Only one line, of PATH itself");
  command->add_flag("-b,--bytes", options->bytes,
                    "Plain numbers instead of MiB and GiB");
  AddSalvage(command, options->salvage);
  command->add_flag("--json", options->json, "Answer in JSON: an array");
  OnRun(command, options, Run, exit);
}

}  // namespace famfs
