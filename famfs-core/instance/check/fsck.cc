#include "instance/check/fsck.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <utility>

#include "instance/check/fsck_extents.h"
#include "instance/check/fsck_trees.h"
#include "instance/devices/metadata_store.h"
#include "instance/log/fast_play.h"
#include "instance/log/log_player.h"
#include "media/checksum.h"
#include "media/region.h"
#include "media/rules.h"

namespace famfs {
namespace {

constexpr std::size_t kMaxFindings = 1000;
constexpr int kMaxPasses = 8;
constexpr std::uint64_t kBatch = 256;  // slots that are looked at together

bool IsTorn(const MediaEntry& entry, std::uint64_t index) {
  return ChecksumOf(entry) != entry.crc || entry.seqnum != index;
}

/// One look at the whole instance.
class Checker {
 public:
  explicit Checker(DeviceSet& devices)
      : devices_(devices), device_(*devices.primary()) {}

  FsckReport Run() {
    if (CheckHead()) {
      CheckRegion();
      if (OpenLog()) CheckLog();
    }
    CheckMemory();
    return std::move(report_);
  }

 private:
  bool CheckHead();
  void CheckTag(const DaxDevice& device, const Uuid& uuid);
  void CheckRegion();
  void CheckMemory();
  template <typename Record, typename Decode>
  std::optional<Record> CheckPair(std::size_t at, Decode decode);
  bool OpenLog();
  void CheckLog();
  bool ChooseLog(const MediaLogHeader& header);
  bool OpenImage();
  void Play(bool header_is_good, std::uint64_t next_index);
  void CheckBeyondEnd(std::uint64_t next_index);
  [[nodiscard]] bool IsZeroFrom(std::uint64_t index) const;
  void CheckDevices(const LogPlayer& player);
  void FillFigures(const LogPlayer& player);
  void Load(std::uint64_t index, MediaEntry& entry) const;
  bool Add(Finding finding);
  void Error(const char* rule, std::string message);
  void Unfinished(const char* rule, std::string message,
                  std::optional<std::uint64_t> entry = std::nullopt);

  DeviceSet& devices_;
  DaxDevice& device_;  // the primary
  FsckReport report_;
  std::uint64_t device_size_ = 0;  // bytes: the smaller of both sizes
  std::unique_ptr<Mapping> head_;
  std::unique_ptr<Mapping> log_;
  std::unique_ptr<Mapping> image_;
  const Mapping* entries_ = nullptr;  // log_ or image_
  std::uint64_t slots_ = 0;           // that lie whole in entries_
  std::string unread_;                // what of the log could not be read
  std::optional<StateRecord> state_;
  std::optional<CompactionRecord> compaction_;
};

/// False when there is no room for another one.
bool Checker::Add(Finding finding) {
  if (report_.findings.size() >= kMaxFindings) {
    report_.truncated = true;
    return false;
  }
  report_.findings.push_back(std::move(finding));
  return true;
}

void Checker::Error(const char* rule, std::string message) {
  Add({.rule = rule, .message = std::move(message)});
}

void Checker::Unfinished(const char* rule, std::string message,
                         std::optional<std::uint64_t> entry) {
  Add({.severity = Severity::kUnfinished,
       .entry = entry,
       .rule = rule,
       .message = std::move(message)});
}

/// Maps what there is of the superblock region. True when the superblock names
/// a log that can be looked at, also when something else about it is wrong.
bool Checker::CheckHead() {
  const std::uint64_t length = std::min(device_.size(), kSuperblockRegion);
  if (length < sizeof(MediaSuperblock)) {
    Error("superblock",
          fmt::format("the device's {} bytes do not hold one", device_.size()));
    return false;
  }
  auto head = device_.Map(kSuperblockOffset, length, Access::kRead);
  if (!head.ok()) {
    Error("superblock", fmt::format("cannot be read; run famfs mkfs on a new "
                                    "device: {}",
                                    Message(head.status())));
    return false;
  }
  head_ = *std::move(head);
  MediaSuperblock& super = report_.superblock;
  head_->Invalidate(0, sizeof(super));
  std::memcpy(static_cast<void*>(&super), head_->data(), sizeof(super));
  report_.have_superblock =
      super.magic == kSuperblockMagic && super.version == kSuperblockVersion;
  if (const absl::Status status = CheckSuperblock(super, device_.size());
      !status.ok()) {
    Error("superblock", std::string(Message(status)));
  }
  if (report_.have_superblock) CheckTag(device_, super.device_uuid);
  device_size_ = std::min(super.device_size, device_.size());
  return TellsWhereTheLogLies(super, device_.size());
}

/// An emulated device is known by its tag, and says itself which one it is:
/// both must say the same. Of real memory an instance may have been made by
/// upstream, which gives it a uuid of its own.
void Checker::CheckTag(const DaxDevice& device, const Uuid& uuid) {
  if (!device.capabilities().allocates_extents) return;
  if (device.tag().is_nil() || device.tag() == uuid) return;
  Error("tag",
        fmt::format("{} has the tag {}, but its superblock says {}",
                    device.spec(), device.tag().ToString(), uuid.ToString()));
}

/// The newest valid copy of a pair. Each copy is also judged alone, because a
/// damaged one beside a valid one passes unseen otherwise.
template <typename Record, typename Decode>
std::optional<Record> Checker::CheckPair(std::size_t at, Decode decode) {
  std::array<std::byte, 2 * kLineSize> copies;
  head_->Invalidate(kRegionOffset + at, copies.size());
  std::memcpy(copies.data(), head_->data() + kRegionOffset + at, copies.size());
  const Uuid& uuid = report_.superblock.fs_uuid;
  bool damaged = false;
  for (std::size_t slot = 0; slot < 2; ++slot) {
    std::array<std::byte, 2 * kLineSize> alone{};
    std::copy_n(copies.begin() + static_cast<long>(slot * kLineSize), kLineSize,
                alone.begin() + static_cast<long>(slot * kLineSize));
    if (const auto one = decode(alone, uuid); !one.ok()) {
      damaged = true;
      Error("region", fmt::format("copy {} at {:#x}: {}", slot,
                                  kRegionOffset + at + slot * kLineSize,
                                  Message(one.status())));
    }
  }
  const auto both = decode(copies, uuid);
  if (both.ok()) return *both;
  if (!damaged) Error("region", std::string(Message(both.status())));
  return std::nullopt;
}

void Checker::CheckRegion() {
  if (head_->size() < kRegionOffset + kRegionSize) return;  // told already
  state_ = CheckPair<StateRecord>(kStateAt, DecodeState);
  compaction_ = CheckPair<CompactionRecord>(kCompactionAt, DecodeCompaction);
  if (!compaction_ || compaction_->length == 0) return;
  const std::uint64_t generation = state_ ? state_->generation : 0;
  if (!state_) {
    Error("region", "there is a compaction record, but no state record");
  } else if (compaction_->generation != generation &&
             compaction_->generation != generation + 1) {
    Error("region", fmt::format("the compaction record is of generation {}, "
                                "but the state's is {}",
                                compaction_->generation, generation));
  }
}

/// Of memory that is missing nothing can be said, but that: what was found
/// there were zeros.
void Checker::CheckMemory() {
  for (const Mapping* const mapping : {head_.get(), log_.get(), image_.get()}) {
    if (mapping == nullptr || !mapping->lost()) continue;
    report_.findings.clear();
    Error("memory", std::string(Message(mapping->Check())));
    return;
  }
}

bool Checker::OpenLog() {
  const std::uint64_t length = report_.superblock.log_length;
  auto log = device_.Map(kLogOffset, length, Access::kRead);
  if (!log.ok()) {
    Error("log", fmt::format("its {} bytes at {:#x} cannot be read: {}", length,
                             kLogOffset, Message(log.status())));
    return false;
  }
  log_ = *std::move(log);
  report_.slots = LastIndex(length) + 1;
  return true;
}

void Checker::CheckLog() {
  MediaLogHeader header;
  log_->Invalidate(0, sizeof(header));
  std::memcpy(&header, log_->data(), sizeof(header));
  const bool good = ChooseLog(header);
  if (entries_ == nullptr) return;
  if (entries_ == image_.get()) {
    std::memcpy(&header, image_->data(), sizeof(header));
  }
  if (good && header.next_seqnum != header.next_index) {
    Unfinished("counters", fmt::format("next_seqnum is {}, next_index is {}",
                                       header.next_seqnum, header.next_index));
  }
  const std::uint64_t next_index = std::min(header.next_index, slots_);
  Play(good, next_index);
  if (good && entries_ == log_.get()) CheckBeyondEnd(next_index);
}

/// Sets entries_ to where the valid entries are: the log, or the image of an
/// interrupted compaction; null when there is neither. True when the header
/// there can be believed.
bool Checker::ChooseLog(const MediaLogHeader& header) {
  const absl::Status status =
      CheckLogHeader(header, report_.superblock.log_length);
  const bool under_way = compaction_ && compaction_->length != 0;
  if (status.ok()) {
    entries_ = log_.get();
    slots_ = report_.slots;
    if (under_way) {
      Unfinished("compaction",
                 "the log is whole, but the compaction's record "
                 "is not cleared yet");
    }
    return true;
  }
  // The compacting form, or a header torn on the way into it or out of it: the
  // next writer's opening copies the image again.
  if (under_way && OpenImage()) {
    Unfinished("compaction", fmt::format("the log is being replaced by the "
                                         "image at {:#x}",
                                         compaction_->offset));
    return true;
  }
  if (absl::IsUnavailable(status)) {
    if (!under_way) {
      Error("log_header",
            "the log is in the compacting form, but there is no "
            "record of a compaction");
    }
    return false;
  }
  Error("log_header", std::string(Message(status)));
  entries_ = log_.get();
  slots_ = report_.slots;
  return false;
}

bool Checker::OpenImage() {
  const CompactionRecord& record = *compaction_;
  const std::uint64_t log_length = report_.superblock.log_length;
  if (record.length < sizeof(MediaLogHeader) || record.length > log_length) {
    Error("compaction", fmt::format("the image's length is {}", record.length));
    return false;
  }
  auto image = device_.Map(record.offset, record.length, Access::kRead);
  if (!image.ok()) {
    Error("compaction", fmt::format("the image at {:#x} cannot be read: {}",
                                    record.offset, Message(image.status())));
    return false;
  }
  (*image)->Invalidate(0, record.length);
  MediaLogHeader header;
  std::memcpy(&header, (*image)->data(), sizeof(header));
  if (const std::uint64_t crc = Crc32((*image)->bytes());
      crc != record.image_crc) {
    Error("compaction", fmt::format("the image's crc is {:#x}, but the record "
                                    "says {:#x}",
                                    crc, record.image_crc));
    return false;
  }
  if (const absl::Status status = CheckLogHeader(header, log_length);
      !status.ok()) {
    Error("compaction", fmt::format("the image's {}", Message(status)));
    return false;
  }
  slots_ = (record.length - sizeof(MediaLogHeader)) / sizeof(MediaEntry);
  if (header.next_index > slots_) {
    Error("compaction", fmt::format("the image's {} bytes do not hold {} "
                                    "entries",
                                    record.length, header.next_index));
    return false;
  }
  image_ = *std::move(image);
  entries_ = image_.get();
  return true;
}

void Checker::Load(std::uint64_t index, MediaEntry& entry) const {
  entries_->Invalidate(EntryAt(index), sizeof(entry));
  std::memcpy(static_cast<void*>(&entry), entries_->data() + EntryAt(index),
              sizeof(entry));
}

/// With a broken header nobody knows how many entries there are: those are
/// judged that stand whole one after the other.
void Checker::Play(bool header_is_good, std::uint64_t next_index) {
  const std::uint64_t end = header_is_good ? next_index : slots_;
  std::uint64_t index = 0;
  if (!header_is_good) unread_ = "an entry behind a damaged log header";
  std::unique_ptr<LogPlayer> played;
  if (header_is_good && end >= kFastPlayFrom) {
    played = PlayFast(report_.superblock, device_size_, *entries_, end);
  }
  if (played != nullptr) {
    index = end;  // no entry breaks a rule
  } else {
    played = std::make_unique<LogPlayer>(report_.superblock, device_size_);
  }
  LogPlayer& player = *played;
  MediaEntry entry{};
  for (; index < end && !report_.truncated; ++index) {
    Load(index, entry);
    if (!header_is_good && IsTorn(entry, index)) break;
    std::optional<Finding> finding = player.TryApply(index, entry);
    if (!finding) continue;
    if (unread_.empty()) unread_ = fmt::format("entry {}", index);
    Add(*std::move(finding));
    player.SkipTo(index + 1);
  }
  report_.entries = index;
  for (Finding& finding : CheckTrees(player)) {
    if (!Add(std::move(finding))) break;
  }
  CheckDevices(player);
  FillFigures(player);
}

/// Each device that the log names: whether it is there, and its extents' and
/// nodes' files.
void Checker::CheckDevices(const LogPlayer& player) {
  devices_.SetTable(report_.superblock.fs_uuid, player.devices());
  std::optional<Range> image;
  if (compaction_ && compaction_->length != 0) {
    image = Range{compaction_->offset, compaction_->length};
  }
  report_.devices = {
      {report_.superblock.device_uuid, device_size_, device_.spec()}};
  for (const MediaAddDaxdev& added : player.devices()) {
    report_.devices.push_back({added.device_uuid, added.size, {}});
  }
  for (std::size_t i = 0; i < report_.devices.size(); ++i) {
    const auto device = devices_.At(i);
    if (!device.ok()) {
      Add({.severity = Severity::kMissing,
           .rule = "device",
           .message = std::string(Message(device.status()))});
      continue;
    }
    report_.devices[i].spec = (*device)->spec();
    if (i > 0) CheckTag(**device, report_.devices[i].uuid);
    const ExtentFileCheck check{
        .device_index = i,
        .log_length = i == 0 ? report_.superblock.log_length : 0,
        .image = i == 0 ? image : std::nullopt,
        .unread = unread_,
        .has_node_files = device_.capabilities().has_node_files};
    for (Finding& finding : CheckExtentFiles(**device, player, check)) {
      if (!Add(std::move(finding))) return;
    }
  }
  for (Finding& finding : CheckNodeFiles(device_, player, unread_)) {
    if (!Add(std::move(finding))) return;
  }
}

void Checker::FillFigures(const LogPlayer& player) {
  for (const auto& [id, node] : player.tree().nodes()) {
    if (node->is_meta || id == kRootNode) continue;
    if (node->is_symlink()) {
      ++report_.symlinks;
    } else {
      ++(node->is_directory ? report_.directories : report_.files);
    }
  }
  report_.volumes = player.tree().volumes().size();
  for (std::size_t i = 0; i < report_.devices.size(); ++i) {
    if (report_.devices[i].spec.empty()) continue;
    const std::uint64_t free = player.allocator(i).free_bytes();
    report_.free_bytes += free;
    report_.used_bytes += report_.devices[i].size - free;
    for (const Range& range : player.PendingOn(i)) {
      report_.pending_bytes += range.length;
    }
  }
}

/// Whether so many slots from `index` on are zero: one fence for all of them.
bool Checker::IsZeroFrom(std::uint64_t index) const {
  const std::size_t at = EntryAt(index);
  const std::size_t end = EntryAt(std::min(index + kBatch, slots_));
  entries_->Invalidate(at, end - at);
  return IsZero(entries_->bytes().subspan(at, end - at));
}

/// A writer that ended between storing entries and counting them leaves them
/// behind the end; the next one's opening zeroes them.
void Checker::CheckBeyondEnd(std::uint64_t next_index) {
  std::optional<std::uint64_t> first;
  std::uint64_t whole = 0;
  std::uint64_t parts = 0;
  MediaEntry entry{};
  for (std::uint64_t i = next_index; i < slots_; ++i) {
    if ((i - next_index) % kBatch == 0 && IsZeroFrom(i)) {
      i += kBatch - 1;
      continue;
    }
    Load(i, entry);
    const auto bytes = std::as_bytes(std::span(&entry, 1));
    if (IsZero(bytes)) continue;
    if (!first) first = i;
    ++(IsTorn(entry, i) ? parts : whole);
  }
  if (!first) return;
  Unfinished("unpublished",
             fmt::format("{} whole and {} partial entries stand from here on, "
                         "beyond next_index {}: an interrupted append",
                         whole, parts, next_index),
             first);
}

bool SameFindings(const FsckReport& a, const FsckReport& b) {
  return std::equal(a.findings.begin(), a.findings.end(), b.findings.begin(),
                    b.findings.end(), [](const Finding& x, const Finding& y) {
                      return x.ToString() == y.ToString();
                    });
}

}  // namespace

FsckReport Fsck(DaxDevice& device) {
  DeviceSet alone(
      std::shared_ptr<DaxDevice>(std::shared_ptr<DaxDevice>(), &device));
  return Fsck(alone);
}

FsckReport Fsck(DeviceSet& devices) {
  FsckReport report = Checker(devices).Run();
  // What is found is told only when it stands still: a short while for damage,
  // a longer one for what a live writer may just be doing.
  std::chrono::milliseconds pause(5);
  for (int pass = 1; pass < kMaxPasses && !report.clean(); ++pass) {
    std::this_thread::sleep_for(pause);
    FsckReport again = Checker(devices).Run();
    const bool same = SameFindings(report, again);
    report = std::move(again);
    const bool only_errors = std::all_of(
        report.findings.begin(), report.findings.end(),
        [](const Finding& f) { return f.severity != Severity::kUnfinished; });
    if (same && (only_errors || pass >= 3)) break;
    pause = std::min(pause * 3, std::chrono::milliseconds(50));
  }
  return report;
}

}  // namespace famfs
