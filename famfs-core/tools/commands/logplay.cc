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
breaks. Nothing is changed and nothing is mounted: famfs-fused (famfs mount) plays
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
  ++statistics.files;
  statistics.bytes += file.size;
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
          {"broken", s.broken},
          {"bytes", s.bytes},
          {"allocated", s.allocated}};
}

void Print(const Statistics& s) {
  fmt::print(
      "{} entries: {} files ({} interleaved, {} extents), {} directories ({} "
      "volumes), {} revisions, {} deletions, {} devices, {} broken\n"
      "{} of contents in {} of allocations\n",
      s.entries, s.files, s.interleaved, s.extents, s.directories, s.volumes,
      s.revisions, s.deletions, s.devices, s.broken, FormatSize(s.bytes),
      FormatSize(s.allocated));
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
    const std::size_t nodes = player.tree().size();
    const std::optional<Finding> finding = player.TryApply(i, entry);
    Told told;
    if (finding) {
      ++statistics.broken;
      told = {
          .what = "broken", .path = finding->rule, .details = finding->message};
      player.SkipTo(i + 1);
    } else {
      told = Tell(entry, player.tree().size() > nodes, statistics);
    }
    if (options.quiet && !finding) continue;
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
