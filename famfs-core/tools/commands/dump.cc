// famfs dump: what stands on the medium, damaged or not.
//
// Each structure is read by itself and checked by itself; nothing that was read
// decides how much more is read, beyond the device's real size. Entries are
// printed one by one, so memory does not grow with the log.
#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "media/rules.h"
#include "tools/commands/commands.h"
#include "tools/show/dump_json.h"
#include "tools/show/dump_text.h"

namespace famfs {
namespace {

constexpr const char* kExamples = R"(
Examples:
  famfs dump emulated:/dev/shm/pool
  famfs dump image:/tmp/pool.img --json | jq '.entries[] | .file.path'
A damaged instance is shown as far as it can be read. Exit code 0: every
structure is right by itself. 1: some is not; `problems` (the last lines) tells
which. Rules between entries (overlaps, missing parents) are famfs fsck's.)";

struct Options {
  std::string device;
  bool json = false;
  bool all = false;
};

constexpr std::size_t kMaxProblems = 1000;

/// What could be mapped of an instance.
struct Medium {
  std::unique_ptr<Mapping> head;  // null: not there
  std::unique_ptr<Mapping> log;
  MediaSuperblock superblock;
  MediaLogHeader header;
  std::uint64_t slots = 0;  // that lie on the device
  std::vector<std::string> problems;
};

/// The longest range from `offset`, at most `length`, that the device has.
std::uint64_t Available(DaxDevice& device, std::uint64_t offset,
                        std::uint64_t length) {
  auto extents = device.ListExtents();
  if (!extents.ok()) return 0;
  for (const Range& extent : *extents) {
    if (offset >= extent.offset && offset < extent.end()) {
      return std::min(length, extent.end() - offset);
    }
  }
  return 0;
}

std::unique_ptr<Mapping> MapPart(DaxDevice& device, std::uint64_t offset,
                                 std::uint64_t length, const char* what,
                                 std::vector<std::string>& problems) {
  const std::uint64_t available = Available(device, offset, length);
  if (available < length) {
    problems.push_back(fmt::format("{}: the device holds {} of its {} bytes",
                                   what, available, length));
  }
  if (available == 0) return nullptr;
  auto mapping = device.Map(offset, available, Access::kRead);
  if (!mapping.ok()) {
    problems.push_back(fmt::format("{}: {}", what, Message(mapping.status())));
    return nullptr;
  }
  (*mapping)->Invalidate(0, (*mapping)->size());
  return *std::move(mapping);
}

/// A structure at `at`, as far as the mapping reaches; the rest is zero.
template <typename T>
T Load(const Mapping* mapping, std::uint64_t at) {
  T value{};
  if (mapping != nullptr && at < mapping->size()) {
    std::memcpy(&value, mapping->data() + at,
                std::min<std::uint64_t>(sizeof(T), mapping->size() - at));
  }
  return value;
}

Medium ReadMedium(DaxDevice& device) {
  Medium medium;
  medium.head = MapPart(device, kSuperblockOffset, kSuperblockRegion,
                        "superblock region", medium.problems);
  medium.superblock = Load<MediaSuperblock>(medium.head.get(), 0);
  const absl::Status super = CheckSuperblock(medium.superblock, device.size());
  if (!super.ok()) medium.problems.emplace_back(Message(super));
  // A length that cannot be is replaced by the least that any log has.
  std::uint64_t length = medium.superblock.log_length;
  if (length < kMinLogLength || length > device.size()) length = kMinLogLength;
  medium.log = MapPart(device, kLogOffset, length, "log", medium.problems);
  medium.header = Load<MediaLogHeader>(medium.log.get(), 0);
  const absl::Status header =
      CheckLogHeader(medium.header, medium.superblock.log_length);
  if (!header.ok()) medium.problems.emplace_back(Message(header));
  if (medium.log != nullptr && medium.log->size() > sizeof(MediaLogHeader)) {
    medium.slots =
        (medium.log->size() - sizeof(MediaLogHeader)) / sizeof(MediaEntry);
  }
  return medium;
}

/// Calls `show(index, entry)` for each entry in use; with `all`, or when the
/// count cannot be believed, for each slot that is not blank.
template <typename Show>
void ForEachEntry(Medium& medium, std::uint64_t device_size, bool all,
                  const Show& show) {
  const bool believed = medium.header.next_index <= medium.slots;
  const std::uint64_t used = believed ? medium.header.next_index : 0;
  const std::uint64_t data_start = kLogOffset + medium.superblock.log_length;
  for (std::uint64_t i = 0; i < medium.slots; ++i) {
    if (i >= used && believed && !all) break;
    const auto entry = Load<MediaEntry>(medium.log.get(), EntryAt(i));
    if (i >= used && IsBlank(entry)) continue;
    const absl::Status status = CheckEntry(entry, i, data_start, device_size);
    if (i < used && !status.ok() && medium.problems.size() < kMaxProblems) {
      medium.problems.push_back(
          fmt::format("entry {}: {}", i, Message(status)));
    }
    show(i, entry, i < used);
  }
}

Json HeadJson(const Medium& medium, const DaxDevice& device) {
  Json json = {{"device", JsonText(device.spec())},
               {"device_size", device.size()},
               {"tag", device.tag().ToString()}};
  json["superblock"] = ToJson(medium.superblock);
  std::span<const std::byte> region;
  if (medium.head != nullptr && medium.head->size() > kRegionOffset) {
    region = medium.head->bytes().subspan(kRegionOffset);
  }
  json["region"] = RegionJson(region, medium.superblock.fs_uuid);
  json["log"] = ToJson(medium.header);
  return json;
}

std::string Dumped(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// One object, printed as it is read: {HEAD..., "entries": [...], ...}.
void PrintAsJson(Medium& medium, const DaxDevice& device, bool all) {
  std::string head = HeadJson(medium, device)
                         .dump(2, ' ', false, Json::error_handler_t::replace);
  head.resize(head.rfind("\n}"));
  fmt::print("{},\n  \"entries\": [", head);
  bool first = true;
  ForEachEntry(medium, device.size(), all,
               [&](std::uint64_t index, const MediaEntry& entry, bool in_use) {
                 Json json = ToJson(index, entry);
                 json["in_use"] = in_use;
                 fmt::print("{}\n    {}", first ? "" : ",", Dumped(json));
                 first = false;
               });
  Json problems = Json::array();
  for (const std::string& problem : medium.problems) {
    problems.push_back(JsonText(problem));
  }
  fmt::print("{}],\n  \"problems\": {}\n}}\n", first ? "" : "\n  ",
             Dumped(problems));
}

void PrintAsText(Medium& medium, const DaxDevice& device, bool all) {
  fmt::print("{}", ToText(HeadJson(medium, device), 0));
  ForEachEntry(medium, device.size(), all,
               [&](std::uint64_t index, const MediaEntry& entry, bool in_use) {
                 Json json = ToJson(index, entry);
                 json.erase("index");
                 fmt::print("entry {}{}:\n{}", index,
                            in_use ? "" : " (not in use)", ToText(json, 1));
               });
  for (const std::string& problem : medium.problems) {
    fmt::print("problem: {}\n", problem);
  }
}

absl::StatusOr<ExitCode> Run(const Options& options) {
  FAMFS_ASSIGN_OR_RETURN(const auto device, OpenForReading(options.device));
  Medium medium = ReadMedium(*device);
  if (options.json) {
    PrintAsJson(medium, *device, options.all);
  } else {
    PrintAsText(medium, *device, options.all);
  }
  return medium.problems.empty() ? ExitCode::kOk : ExitCode::kProblems;
}

}  // namespace

void AddDump(Command& app, ExitCode& exit) {
  auto options = std::make_shared<Options>();
  Command* command = app.add_subcommand(
      "dump", "Show superblock, log and every entry with all fields");
  command->footer(kExamples);
  AddDevice(command, options->device);
  command->add_flag("--json", options->json, "Answer in JSON");
  command->add_flag("-a,--all", options->all,
                    "Also slots behind the last entry that are not blank");
  OnRun(command, options, Run, exit);
}

}  // namespace famfs
