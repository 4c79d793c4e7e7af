#include "instance/reader/reader.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include "instance/devices/memory_source.h"
#include "instance/log/fast_play.h"
#include "instance/log/tree_promises.h"
#include "instance/tree/tree_diff.h"
#include "media/checksum.h"
#include "media/rules.h"

namespace famfs {
namespace {

constexpr int kMaxPasses = 1000;
// After so many passes with a compaction's image missing or wrong nobody is
// copying from it, and the log is good if its header is.
constexpr int kPassesBeforeLog = 200;
constexpr int kLoadRetries = 20;
constexpr int kTailRetries = 8;
constexpr std::uint64_t kInvalidateBatch = 1024;  // entries
// More new entries than this are not buffered: a whole new tree is built.
constexpr std::uint64_t kMaxAppended = 1 << 16;

void Pause(int attempt) {
  if (attempt < 4) {
    std::this_thread::yield();
  } else {
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
}

void CopyEntry(const Mapping& bytes, std::uint64_t index, MediaEntry& entry) {
  std::memcpy(static_cast<void*>(&entry), bytes.data() + EntryAt(index),
              sizeof(entry));
}

/// Copies the entries [begin, end) one by one to `take`, which says whether to
/// go on. Judged is always a copy: another host may write meanwhile.
template <typename Take>
void ForEachEntry(const Mapping& bytes, std::uint64_t begin, std::uint64_t end,
                  Take take) {
  MediaEntry entry{};
  for (std::uint64_t i = begin; i < end; ++i) {
    if ((i - begin) % kInvalidateBatch == 0) {
      const std::uint64_t count = std::min(kInvalidateBatch, end - i);
      bytes.Invalidate(EntryAt(i), count * sizeof(MediaEntry));
    }
    CopyEntry(bytes, i, entry);
    if (!take(i, entry)) return;
  }
}

/// Whether an entry may simply not be visible yet: its bytes are not all there.
bool LooksTorn(const MediaEntry& entry, std::uint64_t index) {
  return ChecksumOf(entry) != entry.crc || entry.seqnum != index;
}

}  // namespace

Reader::Reader(std::shared_ptr<DeviceSet> devices, Layout layout)
    : devices_(std::move(devices)),
      device_(devices_->primary()),
      layout_(std::move(layout)) {}

absl::StatusOr<std::unique_ptr<Reader>> Reader::Open(
    std::shared_ptr<DaxDevice> device) {
  return Open(std::make_shared<DeviceSet>(std::move(device)));
}

absl::StatusOr<std::unique_ptr<Reader>> Reader::Open(
    std::shared_ptr<DeviceSet> devices) {
  FAMFS_ASSIGN_OR_RETURN(Layout layout,
                         Layout::Open(*devices->primary(), Access::kRead));
  std::unique_ptr<Reader> reader(
      new Reader(std::move(devices), std::move(layout)));
  FAMFS_RETURN_IF_ERROR(reader->Refresh().status());
  return reader;
}

// The view holds the lock for its owner: no balance within this function.
Reader::View Reader::Tree() const ABSL_NO_THREAD_SAFETY_ANALYSIS {
  return {mutex_, player_};
}

const MediaSuperblock& Reader::superblock() const {
  return layout_.superblock();
}

std::vector<const ExtentAllocator*> Reader::AllocatorsOf(
    const std::vector<std::shared_ptr<DaxDevice>>& present) const {
  std::vector<const ExtentAllocator*> by_index(present.size(), nullptr);
  for (std::size_t i = 0; i < present.size(); ++i) {
    if (present[i] == nullptr || i > player_->devices().size()) continue;
    by_index[i] = &player_->allocator(i);
  }
  return by_index;
}

TreeUsage Reader::UsageOf(std::string_view volume) const {
  const ReaderMutexLock lock(mutex_);
  return player_->UsageOf(volume);
}

bool Reader::Shows(std::uint64_t generation, std::uint64_t entries) {
  const MutexLock refresh(refresh_mutex_);
  const LogPlayer* const player = own_player();
  if (player == nullptr) return false;
  // An image is the log of the generation that begins with it.
  const std::uint64_t seen =
      moment_.in_image() ? moment_.compaction.generation : moment_.generation;
  return seen != generation ? seen > generation
                            : player->next_index() >= entries;
}

PoolFigures Reader::Figures() const {
  // Looking for a missing device, or for the room under one, may take its time:
  // without the lock.
  std::vector<std::shared_ptr<DaxDevice>> present;
  for (std::size_t i = 0; i < devices_->size(); ++i) {
    present.push_back(devices_->Find(i));
  }
  std::vector<std::uint64_t> taken;
  {
    const ReaderMutexLock lock(mutex_);
    taken = TakenOf(AllocatorsOf(present));
  }
  const std::vector<BackingAnswer> backings = AskBackings(present, taken);
  const ReaderMutexLock lock(mutex_);
  PoolFigures figures{.entries = player_->next_index(),
                      .slots = LastIndex(layout_.superblock().log_length) + 1};
  const std::vector<const ExtentAllocator*> of_present = AllocatorsOf(present);
  for (std::size_t i = 0; i < of_present.size(); ++i) {
    if (of_present[i] == nullptr) continue;
    figures.size +=
        i == 0 ? layout_.device_size() : player_->devices()[i - 1].size;
    figures.free += of_present[i]->free_bytes();
    figures.largest = std::max(figures.largest, of_present[i]->largest_free());
    for (const Range& range : player_->PendingOn(i)) {
      figures.pending += range.length;
    }
  }
  figures.unbacked = Unbacked(FindSources(backings, of_present), of_present);
  const TreePromise promised = OutstandingPromises(*player_);
  figures.promised = promised.bytes;
  figures.promised_slots = promised.slots;
  return figures;
}

/// Devices are only ever added: an entry that does it is kept for good.
void Reader::ShareTable() {
  const std::vector<MediaAddDaxdev>& named = own_player()->devices();
  if (devices_->size() != named.size() + 1) {
    devices_->SetTable(layout_.superblock().fs_uuid, named);
  }
}

absl::StatusOr<std::vector<Change>> Reader::Refresh() {
  const MutexLock lock(refresh_mutex_);
  FAMFS_RETURN_IF_ERROR(replaced_);
  // What was missing in an earlier pass may be there again.
  FAMFS_RETURN_IF_ERROR(layout_.Renew());
  auto changes = salvaging_ ? RefreshSalvaged() : TryRefresh();
  if (IsReplaced(changes.status())) replaced_ = changes.status();
  return changes;
}

absl::StatusOr<std::vector<Change>> Reader::TryRefresh() {
  absl::Status last;
  for (int attempt = 0; attempt < kMaxPasses; ++attempt) {
    if (attempt > 0) Pause(attempt);
    FAMFS_ASSIGN_OR_RETURN(const Moment before, LoadMoment());
    if (StillBroken(before)) return broken_->status;
    absl::StatusOr<Pass> pass = Read(before, attempt >= kPassesBeforeLog);
    FAMFS_ASSIGN_OR_RETURN(const Moment after, LoadMoment());
    if (before != after) continue;
    if (pass.ok()) return Commit(before, *std::move(pass));
    last = pass.status();
    if (!absl::IsUnavailable(last)) return last;
  }
  return Unavailable("{}: the log did not stand still for {} passes: {}",
                     device_->spec(), kMaxPasses, Message(last));
}

/// A copy of a line taken while it is stored may look damaged; a damaged pair
/// stays so. Whose lines they are is looked at first, and so before and after
/// each pass: an instance made anew is never taken for this one's next state.
absl::StatusOr<Reader::Moment> Reader::LoadMoment() const {
  // Of a damaged superblock nothing can be told.
  if (!salvaging_) FAMFS_RETURN_IF_ERROR(layout_.identity().Check());
  absl::Status last;
  for (int attempt = 0; attempt < kLoadRetries; ++attempt) {
    if (attempt > 0) Pause(attempt);
    const auto state = layout_.LoadState();
    const auto compaction = layout_.LoadCompaction();
    if (state.ok() && compaction.ok()) {
      return Moment{.generation = state->value_or(StateRecord{}).generation,
                    .compaction = compaction->value_or(CompactionRecord{})};
    }
    last = state.ok() ? compaction.status() : state.status();
  }
  return Annotate(last, device_->spec());
}

/// The two counters may be seen from two different stores; then look again.
absl::StatusOr<MediaLogHeader> Reader::LoadHeader() const {
  absl::Status last;
  for (int attempt = 0; attempt < kLoadRetries; ++attempt) {
    if (attempt > 0) Pause(attempt);
    const MediaLogHeader header = layout_.LoadLogHeader();
    FAMFS_RETURN_IF_ERROR(layout_.Check());
    last = CheckLogHeader(header, layout_.superblock().log_length);
    if (last.ok()) return header;
    if (absl::IsUnavailable(last)) break;
  }
  return Annotate(last, device_->spec());
}

/// Unavailable for everything: it was removed, or overwritten, or is damaged.
absl::StatusOr<Reader::Source> Reader::OpenImage(
    const CompactionRecord& record) const {
  const std::uint64_t log_length = layout_.superblock().log_length;
  if (record.length < sizeof(MediaLogHeader) || record.length > log_length) {
    return Unavailable("compaction record: length is {}", record.length);
  }
  auto image = device_->Map(record.offset, record.length, Access::kRead);
  if (!image.ok()) {
    return Unavailable("compaction record: its image at {:#x}: {}",
                       record.offset, Message(image.status()));
  }
  Source source;
  source.image = *std::move(image);
  source.bytes = source.image.get();
  source.bytes->Invalidate(0, record.length);
  std::memcpy(&source.header, source.bytes->data(), sizeof(source.header));
  const std::uint64_t crc = Crc32(source.bytes->bytes());
  FAMFS_RETURN_IF_ERROR(source.bytes->Check());
  if (crc != record.image_crc) {
    return Unavailable("compaction record: the image at {:#x} has another crc",
                       record.offset);
  }
  if (const absl::Status status = CheckLogHeader(source.header, log_length);
      !status.ok()) {
    return Unavailable("compaction image: {}", Message(status));
  }
  if (EntryAt(source.header.next_index) > record.length) {
    return Unavailable("compaction image: {} bytes do not hold {} entries",
                       record.length, source.header.next_index);
  }
  return source;
}

absl::StatusOr<Reader::Source> Reader::OpenSource(const Moment& moment,
                                                  bool trust_log) const {
  if (moment.in_image() && !trust_log) return OpenImage(moment.compaction);
  Source source;
  source.bytes = &layout_.log();
  FAMFS_ASSIGN_OR_RETURN(source.header, LoadHeader());
  return source;
}

absl::StatusOr<Reader::Pass> Reader::Read(const Moment& moment,
                                          bool trust_log) {
  const bool known = own_player() != nullptr && moment == moment_;
  // Nothing is appended while a compaction is under way.
  if (known && moment.in_image()) return Pass{};
  FAMFS_ASSIGN_OR_RETURN(const Source source, OpenSource(moment, trust_log));
  absl::StatusOr<Pass> pass = ReadFrom(source, moment, known);
  if (!source.bytes->lost()) return pass;
  // Nothing can be said of what was not seen.
  broken_.reset();
  return source.bytes->Check();
}

/// `known`: the player has this moment's first entries already.
absl::StatusOr<Reader::Pass> Reader::ReadFrom(const Source& source,
                                              const Moment& moment,
                                              bool known) {
  Pass pass;
  const std::uint64_t end = source.header.next_index;
  if (known) {
    const std::uint64_t played = own_player()->next_index();
    if (end == played) return pass;
    if (end < played) {
      return DataLoss(
          "{}: the log has gone back from {} to {} entries; was the file "
          "system made anew? Mount it again",
          device_->spec(), played, end);
    }
    if (end - played <= kMaxAppended) {
      FAMFS_RETURN_IF_ERROR(ReadAppended(moment, source, pass.appended));
      return pass;
    }
  }
  FAMFS_ASSIGN_OR_RETURN(pass.player, ReadWhole(moment, source, end));
  return pass;
}

/// Fast if all is well, else one entry after the other: only so it is known
/// what is wrong, and whether it is the tail that is not visible yet.
absl::StatusOr<std::unique_ptr<LogPlayer>> Reader::ReadWhole(
    const Moment& moment, const Source& source, std::uint64_t end) {
  std::unique_ptr<LogPlayer> player;
  if (end >= kFastPlayFrom) {
    player = PlayFast(layout_.superblock(), layout_.device_size(),
                      *source.bytes, end);
  }
  if (player == nullptr) {
    player = std::make_unique<LogPlayer>(layout_.superblock(),
                                         layout_.device_size());
    FAMFS_RETURN_IF_ERROR(ReadAll(moment, source, end, *player));
  }
  return player;
}

absl::Status Reader::ReadAll(const Moment& moment, const Source& source,
                             std::uint64_t end, LogPlayer& player) {
  std::optional<BrokenEntry> broken;
  ForEachEntry(
      *source.bytes, 0, end, [&](std::uint64_t index, MediaEntry& entry) {
        absl::Status applied = player.Apply(index, entry);
        if (applied.ok()) return true;
        if (index + 1 == source.header.next_index && LooksTorn(entry, index)) {
          if (StillInvisible(source, index, entry)) return false;
          applied = player.Apply(index, entry);
        }
        if (!applied.ok()) broken = BrokenEntry{moment, index, entry, applied};
        return applied.ok();
      });
  return broken ? Break(*std::move(broken)) : absl::OkStatus();
}

absl::Status Reader::ReadAppended(const Moment& moment, const Source& source,
                                  std::vector<MediaEntry>& entries) {
  const std::uint64_t begin = own_player()->next_index();
  const std::uint64_t end = source.header.next_index;
  entries.reserve(end - begin);
  std::optional<BrokenEntry> broken;
  ForEachEntry(
      *source.bytes, begin, end, [&](std::uint64_t index, MediaEntry& entry) {
        if (LooksTorn(entry, index)) {
          if (index + 1 == end && StillInvisible(source, index, entry)) {
            return false;
          }
          if (LooksTorn(entry, index)) {
            LogPlayer judge(layout_.superblock(), layout_.device_size());
            judge.SkipTo(index);
            broken =
                BrokenEntry{moment, index, entry, judge.Apply(index, entry)};
            return false;
          }
        }
        entries.push_back(entry);
        return true;
      });
  return broken ? Break(*std::move(broken)) : absl::OkStatus();
}

/// Looks at the last entry a few more times; `entry` is what was seen last.
bool Reader::StillInvisible(const Source& source, std::uint64_t index,
                            MediaEntry& entry) const {
  for (int attempt = 0; attempt < kTailRetries; ++attempt) {
    Pause(attempt);
    source.bytes->Invalidate(EntryAt(index), sizeof(MediaEntry));
    CopyEntry(*source.bytes, index, entry);
    if (!LooksTorn(entry, index)) return false;
  }
  return true;
}

absl::Status Reader::Break(BrokenEntry broken) {
  broken.status = Annotate(broken.status, device_->spec());
  broken_ = std::move(broken);
  return broken_->status;
}

bool Reader::StillBroken(const Moment& moment) const {
  if (!broken_ || broken_->moment != moment || moment.in_image()) {
    return false;
  }
  if (layout_.LoadLogHeader().next_index <= broken_->index) return false;
  const MediaEntry now = layout_.LoadEntry(broken_->index);
  return std::memcmp(&now, &broken_->bytes, sizeof(now)) == 0;
}

absl::StatusOr<std::vector<Change>> Reader::Commit(const Moment& moment,
                                                   Pass pass) {
  broken_.reset();
  if (pass.player == nullptr) {
    moment_ = moment;
    return Append(moment, pass.appended);
  }
  std::vector<Change> changes;
  if (own_player() != nullptr) {
    changes = DiffTrees(own_player()->tree(), pass.player->tree());
  }
  pass.player->RecordChanges();
  {
    const WriterMutexLock lock(mutex_);
    player_.swap(pass.player);
  }
  moment_ = moment;
  ShareTable();
  return changes;  // the old tree goes with `pass`, outside of the lock
}

absl::StatusOr<std::vector<Change>> Reader::Append(
    const Moment& moment, const std::vector<MediaEntry>& entries) {
  if (entries.empty()) return std::vector<Change>{};
  std::uint64_t start = 0;
  {
    const WriterMutexLock lock(mutex_);
    start = player_->next_index();
    for (const MediaEntry& entry : entries) {
      const std::uint64_t index = player_->next_index();
      const absl::Status applied = player_->ApplyIntact(index, entry);
      if (!applied.ok()) {
        IgnoreError(Break({moment, index, entry, applied}), "kept in broken_");
        break;
      }
    }
    if (!broken_) {
      ShareTable();
      return player_->TakeChanges();
    }
  }
  FAMFS_RETURN_IF_ERROR(Rebuild(moment, start));
  return broken_->status;
}

/// Makes the tree again as it was at `end` entries, after some of a batch were
/// taken up and one of them broke a rule.
absl::Status Reader::Rebuild(const Moment& moment, std::uint64_t end) {
  Source source;
  source.bytes = &layout_.log();
  source.header.next_index = end + 1;  // the entry before it is not a tail
  const BrokenEntry broken = *broken_;
  FAMFS_ASSIGN_OR_RETURN(std::unique_ptr<LogPlayer> player,
                         ReadWhole(moment, source, end));
  broken_ = broken;
  player->RecordChanges();
  const WriterMutexLock lock(mutex_);
  player_.swap(player);
  return absl::OkStatus();
}

}  // namespace famfs
