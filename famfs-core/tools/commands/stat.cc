// famfs stat: all that the log says of a path.
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "base/units.h"
#include "tools/commands/commands.h"
#include "tools/common/tree.h"

namespace famfs {
namespace {

constexpr const char* kExamples = R"(
Examples:
  famfs stat emulated:/dev/shm/pool data/model.bin
  famfs stat emulated:/dev/shm/pool / --json
Shows type, owner, size, where each extent (or strip, of an interleaved file)
lies, of a CSI volume's directory the volume's attributes, and of what lies in a
tree volume what its record says: times, pieces, a link's target. Needs no mount
and no lock.
Exit codes: 0 all shown; 1 a path is not in the instance, or something is damaged;
2 a wrong command line, or a device that could not be opened.)";

struct Options {
  std::string device;
  std::vector<std::string> paths;
  bool salvage = false;
  bool json = false;
};

struct Found {
  NodeFacts facts;
  NodeId id = 0;
  std::string volume_path{};  // of the volume it lies in; empty: none
  std::size_t children = 0;
};

Json ToJson(const Found& found) {
  Json json = ToJson(found.facts);
  json["inode"] = found.id;
  if (found.facts.is_directory) {
    json["children"] = found.children;
  } else if (!found.facts.is_symlink) {
    json["allocated"] = found.facts.allocated();
    json["interleaved"] = found.facts.chunk > 0;
  }
  if (found.facts.tree) {
    const TreeFacts& tree = *found.facts.tree;
    json["revision"] = tree.revision;
    if (!tree.node_file.empty()) {
      json["pieces"] = tree.pieces;
      json["next_piece"] = tree.next_piece;
      json["truncation"] = tree.truncation;
      json["reach"] = tree.reach;
      json["node_file"] = tree.node_file;
    }
  }
  json["in_volume"] = found.volume_path.empty()
                          ? Json(nullptr)
                          : Json(JsonText(found.volume_path));
  if (found.facts.volume) json["volume"] = VolumeJson(*found.facts.volume);
  return json;
}

void PrintFile(const NodeFacts& facts) {
  fmt::print("  size     {} ({} bytes), {} allocated\n", FormatSize(facts.size),
             facts.size, FormatSize(facts.allocated()));
  if (facts.chunk > 0) {
    fmt::print("  layout   interleaved over {} strips, chunk {}\n",
               facts.extents.size(), FormatSize(facts.chunk));
  }
  const char* const what = facts.chunk > 0 ? "strip" : "extent";
  for (std::size_t i = 0; i < facts.extents.size(); ++i) {
    const MediaExtent& extent = facts.extents[i];
    fmt::print("  {:<8} {}: device {}, [{:#x}, {:#x}), {}\n", what, i,
               extent.device_index, extent.offset,
               extent.offset + extent.length, FormatSize(extent.length));
  }
}

void PrintTree(const TreeFacts& tree) {
  if (tree.id != kVolumeRoot) {
    fmt::print("  node     {:016x}, revision {}\n", tree.id, tree.revision);
  }
  fmt::print("  modified {}\n  changed  {}\n", TimeText(tree.mtime_ns),
             TimeText(tree.ctime_ns));
  if (tree.node_file.empty()) return;
  fmt::print("  pieces   {}, the next has the number {}; was cut {} time{}\n",
             tree.pieces, tree.next_piece, tree.truncation,
             tree.truncation == 1 ? "" : "s");
}

void PrintVolume(const VolumeAttributes& volume) {
  fmt::print(
      "  volume   {}, a {} of layout {}, {}, revision {}\n"
      "  capacity {} ({} bytes), data path {}\n",
      Printable(volume.name), KindText(volume.kind), LayoutText(volume.layout),
      StateText(volume.state), volume.revision, FormatSize(volume.capacity),
      volume.capacity, std::string(ToString(volume.data_path)));
  if (!volume.content_source.empty()) {
    fmt::print("  source   {}\n", Printable(volume.content_source));
  }
}

void Print(const Found& found) {
  const NodeFacts& facts = found.facts;
  fmt::print("{}\n  type     {}, inode {:#x}\n  owner    {} uid {} gid {}\n",
             NameText(facts), TypeText(facts), found.id, ModeText(facts),
             facts.owner.uid, facts.owner.gid);
  if (facts.is_directory) {
    fmt::print("  holds    {} entries\n", found.children);
  } else if (!facts.is_symlink) {
    PrintFile(facts);
  }
  if (facts.tree) PrintTree(*facts.tree);
  if (facts.volume) {
    PrintVolume(*facts.volume);
  } else if (!found.volume_path.empty()) {
    fmt::print("  in       the volume {}/\n", Printable(found.volume_path));
  }
}

absl::StatusOr<Found> Find(const Namespace& tree, const std::string& path) {
  FAMFS_ASSIGN_OR_RETURN(const Node* const node, FindNode(tree, path));
  Found found{.facts = FactsOf(tree, *node), .id = node->id};
  if (const Node* const volume = tree.VolumeOf(node->id); volume != nullptr) {
    found.volume_path = tree.PathOf(*volume);
  }
  if (node->is_directory) {
    ForEachChild(tree, *node, [&](const Node&) { ++found.children; });
  }
  return found;
}

absl::StatusOr<ExitCode> Run(const Options& options) {
  FAMFS_ASSIGN_OR_RETURN(const PlaceInInstance place,
                         OpenPlace(options.device, options.salvage));
  ExitCode exit = WholeOrDamaged(*place.reader);
  Json all = Json::array();
  for (const std::string& path : options.paths) {
    const auto found = Find(*place.reader->Tree(), place.Path(path));
    if (!found.ok()) {
      exit = Report(found.status());
      Json missing = {{"error", JsonText(Message(found.status()))}};
      PutText(missing, "path", path);
      all.push_back(std::move(missing));
    } else if (options.json) {
      all.push_back(ToJson(*found));
    } else {
      Print(*found);
    }
  }
  if (options.json) PrintJson(all);
  return exit;
}

}  // namespace

void AddStat(Command& app, ExitCode& exit) {
  auto options = std::make_shared<Options>();
  Command* command =
      app.add_subcommand("stat", "Show what the log says of a path");
  command->footer(kExamples);
  AddDevice(command, options->device);
  command->add_option("PATHS", options->paths, "Files or directories")
      ->required()
      ->type_name("");
  AddSalvage(command, options->salvage);
  command->add_flag("--json", options->json, "Answer in JSON: an array");
  OnRun(command, options, Run, exit);
}

}  // namespace famfs
