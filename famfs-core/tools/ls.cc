// famfs ls: what the log says, as a listing. Needs no mount and no lock.
#include "tools/commands.h"

namespace famfs {
namespace {

constexpr const char* kExamples = R"(
Examples:
  famfs ls emulated:/dev/shm/pool
  famfs ls emulated:/dev/shm/pool data -l
  famfs ls emulated:/dev/shm/pool -R --json
-l shows mode, uid, gid, size in bytes, number of extents and name; of a CSI
volume's directory also the volume's name, state and capacity.)";

struct Options {
  std::string device;
  std::string path;
  bool details = false;
  bool recursive = false;
  bool all = false;
  bool json = false;
};

/// "drwxr-xr-x"
std::string ModeText(const Node& node) {
  std::string text = node.is_directory ? "d" : "-";
  for (int shift = 6; shift >= 0; shift -= 3) {
    const std::uint32_t bits = node.owner.mode >> shift;
    text += (bits & 4U) != 0 ? 'r' : '-';
    text += (bits & 2U) != 0 ? 'w' : '-';
    text += (bits & 1U) != 0 ? 'x' : '-';
  }
  return text;
}

const char* StateText(VolumeState state) {
  switch (state) {
    case VolumeState::kLive:
      return "live";
    case VolumeState::kDeleted:
      return "deleted";
    case VolumeState::kSealed:
      return "sealed";
  }
  return "unknown";
}

Json ToJson(const Namespace& tree, const Node& node) {
  Json json = {{"path", JsonText(tree.PathOf(node))},
               {"type", node.is_directory ? "directory" : "file"},
               {"uid", node.owner.uid},
               {"gid", node.owner.gid},
               {"mode", node.owner.mode},
               {"mode_octal", fmt::format("0o{:o}", node.owner.mode)}};
  if (!node.is_directory) {
    json["size"] = node.size;
    json["chunk"] = node.chunk;
    json["extents"] = Json::array();
    for (const MediaExtent& extent : node.extents) {
      json["extents"].push_back({{"device", extent.device_index},
                                 {"offset", extent.offset},
                                 {"length", extent.length}});
    }
  }
  if (node.volume != nullptr) {
    json["volume"] = {{"name", JsonText(node.volume->name)},
                      {"state", StateText(node.volume->state)},
                      {"capacity", node.volume->capacity},
                      {"revision", node.volume->revision}};
  }
  return json;
}

std::string LineOf(const Namespace& tree, const Node& node, bool details) {
  std::string name = Printable(tree.PathOf(node));
  if (node.is_directory) name += '/';
  if (!details) return name;
  std::string line = fmt::format("{} {:>5} {:>5} {:>14} {:>2} {}",
                                 ModeText(node), node.owner.uid, node.owner.gid,
                                 node.size, node.extents.size(), name);
  if (node.volume != nullptr) {
    line +=
        fmt::format("  (volume {}, {}, {} bytes)", Printable(node.volume->name),
                    StateText(node.volume->state), node.volume->capacity);
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
  for (const Node* const child : tree.SortedChildren(node)) {
    if (child->is_meta && !options.all) continue;
    show(*child);
    if (options.recursive && child->is_directory) {
      Walk(tree, *child, options, show);
    }
  }
}

absl::StatusOr<ExitCode> Run(const Options& options) {
  FAMFS_ASSIGN_OR_RETURN(const auto reader, OpenReader(options.device));
  const auto view = reader->Tree();
  const Namespace& tree = *view;
  const std::string path = InstancePath(options.path);
  const Node* const node = tree.FindPath(path);
  if (node == nullptr) {
    return NotFound("{}: is not in the instance on {}", Printable(path),
                    reader->device()->spec());
  }
  if (options.json) {
    Json json = {{"device", JsonText(reader->device()->spec())},
                 {"path", JsonText(path)},
                 {"entries", Json::array()}};
    Walk(tree, *node, options, [&](const Node& found) {
      json["entries"].push_back(ToJson(tree, found));
    });
    PrintJson(json);
  } else {
    Walk(tree, *node, options, [&](const Node& found) {
      fmt::print("{}\n", LineOf(tree, found, options.details));
    });
  }
  return ExitCode::kOk;
}

}  // namespace

void AddLs(CLI::App& app, ExitCode& exit) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("ls", "List files and directories");
  command->footer(kExamples);
  AddDevice(command, options->device);
  command
      ->add_option("PATH", options->path,
                   "A directory or file of the instance. Default: the root")
      ->type_name("");
  command->add_flag("-l,--long", options->details,
                    "Owner, mode, size, extents");
  command->add_flag("-R,--recursive", options->recursive,
                    "Also what lies in directories");
  command->add_flag("-a,--all", options->all,
                    "Also .meta, which is not in the log");
  command->add_flag("--json", options->json, "Answer in JSON");
  OnRun(command, options, Run, exit);
}

}  // namespace famfs
