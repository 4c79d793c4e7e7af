// famfs ls: what the log says, as a listing. Needs no mount and no lock.
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "tools/commands/commands.h"
#include "tools/common/tree.h"

namespace famfs {
namespace {

constexpr const char* kExamples = R"(
Examples:
  famfs ls emulated:/dev/shm/pool
  famfs ls emulated:/dev/shm/pool data -l
  famfs ls emulated:/dev/shm/pool -R --json
  famfs ls /mnt/pool/data                       a directory on a mount
-l shows mode, uid, gid, size in bytes, number of extents, when it was changed (of
what lies in a tree volume; the log has no times of others) and name; of a CSI
volume's directory also the volume's name, layout (tree), state and capacity. What
lies in a tree volume is listed by the names that its users gave, a symbolic link
as "name -> target". Names are shown as they are, but for what a terminal could take for more than text (\xNN).
Exit codes: 0 shown; 1 something is damaged, or not there; 2 a wrong command line,
or a device that could not be opened.)";

struct Options {
  std::string device;
  std::string path;
  bool details = false;
  bool recursive = false;
  bool all = false;
  bool salvage = false;
  bool json = false;
};

std::string LineOf(const NodeFacts& facts, bool details) {
  const std::string name = NameText(facts);
  if (!details) return name;
  std::string line = fmt::format(
      "{} {:>5} {:>5} {:>14} {:>2} {:>23} {}", ModeText(facts), facts.owner.uid,
      facts.owner.gid, facts.size, facts.extents.size(),
      facts.tree ? TimeText(facts.tree->mtime_ns, 0) : "-", name);
  if (facts.volume) {
    line += fmt::format(
        "  (volume {}, {}{}, {} bytes)", Printable(facts.volume->name),
        facts.volume->layout == VolumeLayout::kTree ? "tree, " : "",
        StateText(facts.volume->state), facts.volume->capacity);
  }
  return line;
}

/// Calls `show` for what `node` holds, or for a file itself; names in order.
template <typename Show>
void Walk(const Namespace& tree, const Node& node, const Options& options,
          const Show& show) {
  if (!node.is_directory) {
    show(node);
    return;
  }
  if (options.recursive) {
    ForEachBelow(tree, node, options.all, show);
    return;
  }
  ForEachChild(tree, node, [&](const Node& child) {
    if (!child.is_meta || options.all) show(child);
  });
}

absl::StatusOr<ExitCode> Run(const Options& options) {
  FAMFS_ASSIGN_OR_RETURN(const PlaceInInstance place,
                         OpenPlace(options.device, options.salvage));
  const Reader& reader = *place.reader;
  const auto view = reader.Tree();
  const Namespace& tree = *view;
  const std::string path = place.Path(options.path);
  FAMFS_ASSIGN_OR_RETURN(const Node* const node, FindNode(tree, path));
  if (options.json) {
    Json json = {{"device", JsonText(reader.device()->spec())}};
    PutText(json, "path", path);
    json["entries"] = Json::array();
    Walk(tree, *node, options, [&](const Node& found) {
      json["entries"].push_back(ToJson(FactsOf(tree, found)));
    });
    if (options.salvage) json["damage"] = DamageJson(reader);
    PrintJson(json);
  } else {
    Walk(tree, *node, options, [&](const Node& found) {
      fmt::print("{}\n", LineOf(FactsOf(tree, found), options.details));
    });
  }
  return WholeOrDamaged(reader);
}

}  // namespace

void AddLs(Command& app, ExitCode& exit) {
  auto options = std::make_shared<Options>();
  Command* command = app.add_subcommand("ls", "List files and directories");
  command->footer(kExamples);
  AddDevice(command, options->device);
  command
      ->add_option("PATH", options->path,
                   "A directory or file of the instance. Default: the root")
      ->type_name("");
  command->add_flag("-l,--long", options->details,
                    "Mode, owner, size, extents, time");
  command->add_flag("-R,--recursive", options->recursive,
                    "Also what lies in directories");
  command->add_flag("-a,--all", options->all,
                    "Also .meta, which is not in the log");
  AddSalvage(command, options->salvage);
  command->add_flag("--json", options->json, "Answer in JSON");
  OnRun(command, options, Run, exit);
}

}  // namespace famfs
