// famfs logplay: plays the log without a mount, and tells what each entry does.
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "base/units.h"
#include "instance/log/layout.h"
#include "instance/log/log_player.h"
#include "media/rules.h"
#include "tools/commands/commands.h"
#include "tools/common/tree.h"

namespace famfs {
namespace {

constexpr const char* kExamples = R"(
Examples:
  famfs logplay emulated:/dev/shm/pool
  famfs logplay image:/tmp/pool.img -q          only the figures
  famfs logplay emulated:/dev/shm/pool --json | jq .statistics
One line for each entry in use: its number, what it does, or the rule that it
breaks. What lies in a tree volume is told by the name that it has by then. Nothing is
changed and nothing is mounted: famfs-fused (famfs mount) plays
the log itself and follows it, so no logplay is needed after each new file.
Exit codes: 0 every entry was played; 1 an entry breaks a rule, or the log cannot
be read; 2 a wrong command line, or a device that could not be opened.)";

struct Options {
  std::string device;
  bool quiet = false;
  bool json = false;
};

struct Statistics {
  std::uint64_t entries = 0;
  std::uint64_t files = 0;
  std::uint64_t interleaved = 0;
  std::uint64_t extents = 0;
  std::uint64_t directories = 0;
  std::uint64_t volumes = 0;    // first entries of a volume
  std::uint64_t revisions = 0;  // later ones, and repeated mkdirs
  std::uint64_t deletions = 0;
  std::uint64_t devices = 0;
  std::uint64_t nodes = 0;     // first records, in tree volumes
  std::uint64_t records = 0;   // later ones
  std::uint64_t removals = 0;  // of them
  std::uint64_t pieces = 0;    // of files in tree volumes, also dead ones
  std::uint64_t broken = 0;
  std::uint64_t bytes = 0;      // of the files' contents
  std::uint64_t allocated = 0;  // bytes
};

struct Told {
  std::string what;  // "file", "mkdir", "volume", ...
  std::string path;
  std::string details{};
};

Told TellFile(const MediaFile& file, Statistics& statistics) {
  const bool strips =
      file.extent_type == static_cast<std::uint32_t>(ExtentType::kInterleaved);
  const std::uint64_t count =
      strips ? file.interleave.strips_used : file.extent_count;
  const MediaExtent* const extents =
      strips ? file.interleave.strips : file.extents;
  Told told{.what = "file", .path = std::string(PathFromField(file.path))};
  told.details = fmt::format("{} bytes", file.size);
  if (strips) {
    ++statistics.interleaved;
    told.details += fmt::format(", interleaved, chunk {}",
                                FormatSize(file.interleave.chunk));
  }
  // The entry was played, so its counts are within bounds.
  for (std::uint64_t i = 0; i < count; ++i) {
    ++statistics.extents;
    statistics.allocated += extents[i].length;
    told.details += fmt::format("{} {}:[{:#x}, {:#x})", i == 0 ? " at" : ",",
                                extents[i].device_index, extents[i].offset,
                                extents[i].offset + extents[i].length);
  }
  return told;
}

/// What an entry is of a tree volume that the player knows.
struct InTree {
  const Node* volume = nullptr;  // null: it is not of one
  TreeId id = kVolumeRoot;
  std::uint32_t piece = 0;

  static InTree Of(const Namespace& tree, const MediaEntry& entry) {
    const auto type = static_cast<EntryType>(entry.type);
    if (type != EntryType::kFile && type != EntryType::kMkdir) return {};
    const std::string_view path = type == EntryType::kFile
                                      ? PathFromField(entry.file.path)
                                      : PathFromField(entry.mkdir.path);
    const std::size_t slash = path.find('/');
    if (slash == std::string_view::npos) return {};
    const Node* const volume = tree.FindDirectory(path.substr(0, slash));
    const auto name = ParseTreeName(path.substr(slash + 1));
    if (volume == nullptr || volume->tree == nullptr || !name) return {};
    return {.volume = volume, .id = name->id, .piece = name->piece.value_or(0)};
  }
  /// By the names that users gave; the volume and the node's id of one that is
  /// not there.
  [[nodiscard]] std::string Path(const Namespace& tree) const {
    const Node* const node = tree.FindTreeNode(*volume, id);
    return node != nullptr ? tree.PathOf(*node) : NodePath(volume->name, id);
  }
};

/// `before`: what the node was called until then; empty: it was not there.
Told TellRecord(const NodeRecord& record, const std::string& before,
                const std::string& now, Statistics& statistics) {
  ++(before.empty() ? statistics.nodes : statistics.records);
  const char* const kind = record.kind == NodeKind::kDirectory ? "directory"
                           : record.kind == NodeKind::kFile    ? "tree file"
                                                               : "symlink";
  Told told{.what = kind, .path = now};
  if (record.state == NodeState::kRemoved) {
    ++statistics.removals;
    told = {.what = "removal", .path = before};
  } else if (!before.empty()) {
    told.what = before == now ? "record" : "rename";
    if (before != now) told.details = fmt::format("was {}, ", before);
  }
  if (record.kind == NodeKind::kSymlink) {
    told.details += fmt::format("-> {}, ", record.target);
  } else if (record.kind == NodeKind::kFile) {
    told.details += fmt::format("{} bytes, ", record.size);
  }
  told.details += fmt::format("revision {}", record.revision);
  if (record.truncation != 0) {
    told.details += fmt::format(", cut {} times", record.truncation);
  }
  return told;
}

Told TellInTree(const MediaEntry& entry, const InTree& what,
                const std::string& before, const std::string& now,
                Statistics& statistics) {
  if (static_cast<EntryType>(entry.type) == EntryType::kMkdir) {
    const auto record = DecodeNodeRecord(entry.mkdir);
    // The entry was played, so it has one.
    return TellRecord(record.ok() && *record ? **record : NodeRecord{}, before,
                      now, statistics);
  }
  ++statistics.pieces;
  Told told = TellFile(entry.file, statistics);
  const std::uint64_t deletion = DeletionNumberOf(entry.file).value_or(0);
  told.what = deletion == 0 ? "piece" : "dead piece";
  told.path = now;
  told.details = fmt::format("number {}, {}", what.piece, told.details);
  if (deletion != 0) told.details += fmt::format(", deletion {}", deletion);
  return told;
}

Told TellMkdir(const MediaMkdir& mkdir, bool is_new, Statistics& statistics) {
  Told told{.what = is_new ? "mkdir" : "mkdir again",
            .path = std::string(PathFromField(mkdir.path))};
  const auto attributes = DecodeVolumeAttributes(mkdir);
  const bool is_volume = attributes.ok() && attributes->has_value();
  if (is_new) {
    ++statistics.directories;
    if (is_volume) ++statistics.volumes;
  } else {
    ++statistics.revisions;
  }
  if (!is_volume) return told;
  const VolumeAttributes& volume = **attributes;
  told.what = is_new ? KindText(volume.kind) : "revision";
  if (volume.state == VolumeState::kDeleted) {
    ++statistics.deletions;
    told.what = "deletion";
  }
  told.details = fmt::format("{}, {}, {}, revision {}", Printable(volume.name),
                             StateText(volume.state),
                             FormatSize(volume.capacity), volume.revision);
  return told;
}

Told Tell(const MediaEntry& entry, bool is_new, Statistics& statistics) {
  switch (static_cast<EntryType>(entry.type)) {
    case EntryType::kFile:
      ++statistics.files;
      statistics.bytes += entry.file.size;
      return TellFile(entry.file, statistics);
    case EntryType::kMkdir:
      return TellMkdir(entry.mkdir, is_new, statistics);
    case EntryType::kAddDaxdev:
      ++statistics.devices;
      return {.what = "device",
              .path = entry.add_daxdev.device_uuid.ToString(),
              .details = fmt::format("index {}, {}", entry.add_daxdev.index,
                                     FormatSize(entry.add_daxdev.size))};
    default:
      return {.what = fmt::format("type {}", entry.type), .path = ""};
  }
}

Json ToJson(const Statistics& s) {
  return {{"entries", s.entries},
          {"files", s.files},
          {"interleaved", s.interleaved},
          {"extents", s.extents},
          {"directories", s.directories},
          {"volumes", s.volumes},
          {"revisions", s.revisions},
          {"deletions", s.deletions},
          {"devices", s.devices},
          {"nodes", s.nodes},
          {"records", s.records},
          {"removals", s.removals},
          {"pieces", s.pieces},
          {"broken", s.broken},
          {"bytes", s.bytes},
          {"allocated", s.allocated}};
}

void Print(const Statistics& s) {
  if (s.nodes + s.records + s.pieces > 0) {
    fmt::print(
        "in tree volumes: {} nodes, {} later records ({} removals), {} "
        "pieces\n",
        s.nodes, s.records, s.removals, s.pieces);
  }
  fmt::print(
      "{} entries: {} files ({} interleaved, {} extents), {} directories ({} "
      "volumes), {} revisions, {} deletions, {} devices, {} broken\n"
      "{} of contents in {} of allocations\n",
      s.entries, s.files, s.interleaved, s.extents, s.directories, s.volumes,
      s.revisions, s.deletions, s.devices, s.broken, FormatSize(s.bytes),
      FormatSize(s.allocated));
}

/// Plays the entry, and tells what that did.
Told Play(LogPlayer& player, std::uint64_t index, const MediaEntry& entry,
          Statistics& statistics) {
  const Namespace& tree = player.tree();
  const std::size_t nodes = tree.size();
  const InTree in_tree = InTree::Of(tree, entry);
  std::string before;
  if (in_tree.volume != nullptr &&
      tree.FindTreeNode(*in_tree.volume, in_tree.id) != nullptr) {
    before = in_tree.Path(tree);
  }
  if (const std::optional<Finding> finding = player.TryApply(index, entry)) {
    ++statistics.broken;
    player.SkipTo(index + 1);
    return {
        .what = "broken", .path = finding->rule, .details = finding->message};
  }
  if (in_tree.volume == nullptr) {
    return Tell(entry, tree.size() > nodes, statistics);
  }
  return TellInTree(entry, in_tree, before, in_tree.Path(tree), statistics);
}

absl::StatusOr<ExitCode> Run(const Options& options) {
  FAMFS_ASSIGN_OR_RETURN(const auto device, OpenForReading(options.device));
  FAMFS_ASSIGN_OR_RETURN(const Layout layout,
                         Layout::Open(*device, Access::kRead));
  const MediaLogHeader header = layout.LoadLogHeader();
  if (const absl::Status status =
          CheckLogHeader(header, layout.superblock().log_length);
      absl::IsUnavailable(status)) {
    return Unavailable(
        "{}: a compaction is replacing the log; try again, and if it stays so, "
        "famfs fsck {} tells what became of it",
        device->spec(), device->spec());
  } else if (!status.ok()) {
    return status;
  }
  LogPlayer player(layout.superblock(), layout.device_size());
  Statistics statistics;
  Json entries = Json::array();
  for (std::uint64_t i = 0; i < header.next_index; ++i) {
    const MediaEntry entry = layout.LoadEntry(i);
    ++statistics.entries;
    const std::uint64_t broken = statistics.broken;
    const Told told = Play(player, i, entry, statistics);
    if (options.quiet && statistics.broken == broken) continue;
    if (options.json) {
      entries.push_back({{"entry", i},
                         {"does", told.what},
                         {"path", JsonText(told.path)},
                         {"details", JsonText(told.details)}});
    } else {
      fmt::print("{:>6} {:<11} {}{}{}\n", i, told.what, Printable(told.path),
                 told.details.empty() ? "" : ": ", Printable(told.details));
    }
  }
  if (options.json) {
    PrintJson({{"device", JsonText(device->spec())},
               {"statistics", ToJson(statistics)},
               {"entries", std::move(entries)}});
  } else {
    Print(statistics);
  }
  return statistics.broken == 0 ? ExitCode::kOk : ExitCode::kProblems;
}

}  // namespace

void AddLogplay(Command& app, ExitCode& exit) {
  auto options = std::make_shared<Options>();
  Command* command = app.add_subcommand(
      "logplay", "Play the log without a mount; tell what each entry does");
  command->footer(kExamples);
  AddDevice(command, options->device);
  command->add_flag("-q,--quiet", options->quiet,
                    "Only entries that break a rule, and the figures");
  command->add_flag("--json", options->json, "Answer in JSON");
  OnRun(command, options, Run, exit);
}

}  // namespace famfs
