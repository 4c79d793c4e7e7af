#include "tools/commands/repair.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <set>

#include "instance/devices/metadata_store.h"
#include "instance/log/layout.h"
#include "instance/log/log_player.h"
#include "instance/writer/writer_lock.h"
#include "media/checksum.h"
#include "media/region.h"
#include "media/rules.h"

namespace famfs {
namespace {

bool Has(const FsckReport& report, const std::string& rule,
         Severity severity = Severity::kError) {
  return std::any_of(report.findings.begin(), report.findings.end(),
                     [&](const Finding& finding) {
                       return finding.rule == rule &&
                              finding.severity == severity;
                     });
}

/// How many entries, when everything says the same: `header` counts as many as
/// stand there by the rules, and the next slot is blank.
absl::StatusOr<std::uint64_t> CountEntries(const Layout& layout,
                                           const MediaLogHeader& header) {
  const std::uint64_t slots = LastIndex(layout.superblock().log_length) + 1;
  LogPlayer player(layout.superblock(), layout.device_size());
  std::uint64_t entries = 0;
  for (; entries < slots; ++entries) {
    const MediaEntry entry = layout.LoadEntry(entries);
    if (IsBlank(entry)) break;
    if (const absl::Status status = player.Apply(entries, entry);
        !status.ok()) {
      return DataLoss(
          "the log header cannot be made anew, as it is not known how many "
          "entries there were: {}",
          Message(status));
    }
  }
  if (header.next_index != entries || header.next_seqnum != entries) {
    return DataLoss(
        "the log header cannot be made anew: {} entries stand there, but it "
        "counts {} (next_index) and {} (next_seqnum)",
        entries, header.next_index, header.next_seqnum);
  }
  return entries;
}

absl::Status MendHeader(DaxDevice& device, const WriteOptions& options,
                        std::vector<std::string>& done) {
  FAMFS_ASSIGN_OR_RETURN(Layout layout,
                         Layout::Open(device, Access::kReadWrite));
  FAMFS_ASSIGN_OR_RETURN(const Uuid owner, options.Owner());
  if (layout.superblock().system_uuid != owner) {
    return PermissionDenied(
        "{}: is owned by the host {}; only the owner may repair it "
        "(--system-uuid)",
        device.spec(), layout.superblock().system_uuid.ToString());
  }
  FAMFS_ASSIGN_OR_RETURN(
      const WriterLock lock,
      WriterLock::Acquire(options.lock_directory, layout.superblock().fs_uuid));
  FAMFS_ASSIGN_OR_RETURN(const auto compaction, layout.LoadCompaction());
  if (compaction && compaction->length != 0) {
    return FailedPrecondition(
        "a compaction is recorded, but its image is not whole, so it is not "
        "known which entries count");
  }
  const MediaLogHeader header = layout.LoadLogHeader();
  FAMFS_ASSIGN_OR_RETURN(const std::uint64_t entries,
                         CountEntries(layout, header));
  StoreLogHeader(layout.log(), layout.superblock().log_length, entries);
  done.push_back(fmt::format(
      "the log header is stored anew, with {} entries as before", entries));
  return absl::OkStatus();
}

/// Whether one copy of the pair is damaged and the other one valid.
template <typename Decode>
bool HasTornCopy(const Mapping& head, std::size_t at, const Uuid& fs_uuid,
                 Decode decode) {
  bool damaged = false;
  bool valid = false;
  for (std::size_t slot = 0; slot < 2; ++slot) {
    std::array<std::byte, 2 * kLineSize> alone{};
    std::memcpy(alone.data() + slot * kLineSize,
                head.data() + kRegionOffset + at + slot * kLineSize, kLineSize);
    const auto one = decode(alone, fs_uuid);
    damaged = damaged || !one.ok();
    valid = valid || (one.ok() && one->has_value());
  }
  return damaged && valid;
}

/// After the writer's opening, which rewrites a torn state by itself: a torn
/// copy of a compaction's record stays until the next compaction.
absl::Status MendRegion(DaxDevice& device, const WriteOptions& options,
                        std::vector<std::string>& done) {
  FAMFS_ASSIGN_OR_RETURN(Layout layout,
                         Layout::Open(device, Access::kReadWrite));
  const Uuid& fs_uuid = layout.superblock().fs_uuid;
  FAMFS_ASSIGN_OR_RETURN(const WriterLock lock,
                         WriterLock::Acquire(options.lock_directory, fs_uuid));
  Mapping& head = layout.head();
  head.Invalidate(kRegionOffset, kRegionSize);
  if (!HasTornCopy(head, kCompactionAt, fs_uuid, DecodeCompaction)) {
    return absl::OkStatus();
  }
  FAMFS_ASSIGN_OR_RETURN(const auto record, layout.LoadCompaction());
  if (!record || record->length != 0) return absl::OkStatus();
  // The next sequence number goes to the other slot: the damaged one.
  StoreCompaction(head, {.sequence = record->sequence + 1}, fs_uuid);
  done.emplace_back("a torn copy of the compaction record is stored anew");
  return absl::OkStatus();
}

const char* WhatWasDone(const Finding& finding) {
  if (finding.rule == "counters") return "the log's counters agree again";
  if (finding.rule == "unpublished") {
    return "slots beyond the log's end are blank again";
  }
  if (finding.rule == "compaction") {
    return "the interrupted compaction is completed";
  }
  if (finding.rule == "region") return "a torn copy in the region is renewed";
  return "completed";
}

/// What to do where nothing can be mended.
std::string GetOut(const std::string& device) {
  return fmt::format(
      "copy out what is whole (famfs cp -r --salvage {0} : DIR), then make the "
      "instance anew (famfs mkfs --force {0})",
      device);
}

std::string WhyNot(const std::string& rule, const std::string& device) {
  if (rule == "superblock") {
    return "the superblock says where everything lies; nothing else tells it "
           "for certain; " +
           GetOut(device);
  }
  if (rule == "log_header") {
    return "how many entries count is not known for certain; " + GetOut(device);
  }
  if (rule == "region") {
    return "no valid copy is left that could be written again; " +
           GetOut(device);
  }
  if (rule == "extent_file") {
    return "the bytes of a file are gone, and nothing can bring them back; the "
           "other files are not touched by it";
  }
  if (rule == "unnamed") {
    return "it may hold the bytes of a file whose entry is damaged, and "
           "nothing removes it while that stands; famfs export --salvage " +
           device + " IMAGE keeps it with all the rest";
  }
  if (rule == "tag") {
    return "which of both is right is not known; write the superblock's into "
           "device.yaml if the device is the one that the instance was made on";
  }
  return "an entry is never changed or dropped by a repair: what it says may "
         "be all that is known of a file; " +
         GetOut(device);
}

/// What is gone was mended; what is there again is told why.
void Judge(RepairReport& report, const std::string& device) {
  std::set<std::string> left;
  for (const Finding& finding : report.after.findings) {
    left.insert(finding.ToString());
  }
  for (const Finding& finding : report.before.findings) {
    if (left.contains(finding.ToString()) || finding.rule == "log_header") {
      continue;
    }
    report.done.push_back(
        fmt::format("{} ({})", WhatWasDone(finding), finding.ToString()));
  }
  std::set<std::string> rules;
  for (const Finding& finding : report.after.findings) {
    if (finding.severity != Severity::kError) continue;
    if (!rules.insert(finding.rule).second) continue;
    report.refused.push_back(
        fmt::format("{}: {}", finding.rule, WhyNot(finding.rule, device)));
  }
}

}  // namespace

absl::StatusOr<RepairReport> Repair(const std::string& spec,
                                    const WriteOptions& options) {
  RepairReport report;
  FAMFS_ASSIGN_OR_RETURN(const auto devices,
                         OpenDevices(spec, Access::kReadWrite));
  const auto device = devices->primary();
  report.before = Fsck(*devices);
  // No part of the instance, so no finding: also where that is clean.
  for (std::size_t i = 0; i < devices->size(); ++i) {
    const auto one = devices->Find(i);
    const absl::Status ended =
        one == nullptr ? absl::OkStatus() : one->EndAllServing();
    if (!ended.ok()) report.refused.emplace_back(Message(ended));
  }
  if (report.before.clean()) {
    report.after = report.before;
    return report;
  }
  if (Has(report.before, "log_header")) {
    const absl::Status mended = MendHeader(*device, options, report.done);
    if (absl::IsPermissionDenied(mended) || absl::IsUnavailable(mended)) {
      return mended;
    }
    if (!mended.ok()) report.refused.emplace_back(Message(mended));
  }
  {
    const auto writer = OpenWriter(spec, options);
    if (absl::IsPermissionDenied(writer.status()) ||
        absl::IsUnavailable(writer.status())) {
      return writer.status();
    }
    if (!writer.ok()) {
      report.refused.push_back(fmt::format(
          "unfinished work is not completed while the instance cannot be "
          "opened for writing: {}",
          Message(writer.status())));
    }
  }
  if (Has(report.before, "region")) {
    const absl::Status mended = MendRegion(*device, options, report.done);
    if (!mended.ok()) report.refused.emplace_back(Message(mended));
  }
  report.after = Fsck(*devices);
  Judge(report, device->spec());
  return report;
}

}  // namespace famfs
