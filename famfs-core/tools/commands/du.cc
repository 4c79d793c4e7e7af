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
  std::string type;
  std::uint64_t allocated = 0;  // bytes
  std::uint64_t size = 0;       // bytes
  std::uint64_t files = 0;
};

struct Visited {
  const Node* node = nullptr;
  std::size_t parent = 0;  // where it stands among what was visited
};

/// What lies at and below `node`: each directory before what it holds, and that
/// by name, backwards. Read from its end it is the order of du(1).
std::vector<Visited> AllBelow(const Namespace& tree, const Node& node) {
  std::vector<Visited> all;
  std::vector<Visited> next = {{&node, 0}};
  while (!next.empty()) {
    const Visited one = next.back();
    next.pop_back();
    all.push_back(one);
    if (!one.node->is_directory) continue;
    ForEachChild(tree, *one.node, [&](const Node& child) {
      if (!child.is_meta) next.push_back({&child, all.size() - 1});
    });
  }
  return all;
}

/// The lines to be shown, the last one that of `node` itself.
std::vector<Usage> Measure(const Namespace& tree, const Node& node,
                           const Options& options) {
  const std::vector<Visited> all = AllBelow(tree, node);
  std::vector<Usage> sums(all.size());
  std::vector<Usage> lines;
  for (std::size_t i = all.size(); i-- > 0;) {
    const NodeFacts facts = FactsOf(tree, *all[i].node);
    Usage& usage = sums[i];
    usage.path = facts.path;
    usage.is_directory = facts.is_directory;
    usage.type = TypeText(facts);
    usage.allocated += facts.allocated();
    usage.size += facts.size;
    usage.files += facts.is_directory || facts.is_symlink ? 0U : 1U;
    if (i > 0) {
      Usage& above = sums[all[i].parent];
      above.allocated += usage.allocated;
      above.size += usage.size;
      above.files += usage.files;
    }
    const bool shown = usage.is_directory || options.all;
    if (i == 0 || (shown && !options.summary)) {
      lines.push_back(std::move(usage));
    }
  }
  return lines;
}

absl::StatusOr<ExitCode> Run(const Options& options) {
  FAMFS_ASSIGN_OR_RETURN(const PlaceInInstance place,
                         OpenPlace(options.device, options.salvage));
  std::vector<Usage> lines;
  {
    const auto tree = place.reader->Tree();
    FAMFS_ASSIGN_OR_RETURN(const Node* const node,
                           FindNode(*tree, place.Path(options.path)));
    lines = Measure(*tree, *node, options);
  }
  Json json = Json::array();
  for (const Usage& line : lines) {
    if (options.json) {
      Json one;
      PutText(one, "path", line.path);
      one["type"] = line.type;
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
