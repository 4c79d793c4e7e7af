#include "instance/log/fast_play.h"

#include <sched.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/text.h"
#include "base/thread.h"
#include "media/checksum.h"
#include "media/rules.h"

namespace famfs {
namespace {

constexpr std::uint64_t kBatch = 256;            // entries
constexpr std::size_t kBatches = 4;              // between the stages
constexpr std::uint64_t kThreadFrom = 16 << 10;  // entries
constexpr std::size_t kPrefetchAhead = 12;       // entries

bool IsFile(const MediaEntry& entry) {
  return entry.type == static_cast<std::uint32_t>(EntryType::kFile);
}

/// What the first stage tells the second.
struct Batch {
  struct Hashed {
    NodeKey key;
    bool same_parent = false;  // as the file before
  };
  std::uint64_t begin = 0;
  std::size_t count = 0;
  bool good = false;  // each entry alone breaks no rule
  std::array<MediaEntry, kBatch> entries{};
  std::array<Hashed, kBatch> hashed{};  // of files
};

struct Log {
  std::span<const std::byte> bytes;
  const Mapping* mapping;  // null: no lines to invalidate
  std::uint64_t entries;
};

/// The first stage.
class Preparation {
 public:
  Preparation(const MediaSuperblock& superblock, std::uint64_t device_size,
              const Log& log)
      : log_(log),
        fs_uuid_(superblock.fs_uuid),
        data_start_(kLogOffset + superblock.log_length),
        device_size_(device_size) {}

  /// The entries from `begin` on; `begin` counts up from 0.
  void Fill(std::uint64_t begin, Batch& batch) {
    batch.begin = begin;
    batch.count =
        static_cast<std::size_t>(std::min(kBatch, log_.entries - begin));
    batch.good = false;
    if (log_.mapping != nullptr) {
      log_.mapping->Invalidate(EntryAt(begin),
                               batch.count * sizeof(MediaEntry));
    }
    for (std::size_t i = 0; i < batch.count; ++i) {
      MediaEntry& entry = batch.entries[i];
      std::memcpy(static_cast<void*>(&entry),
                  log_.bytes.data() + EntryAt(begin + i), sizeof(entry));
      if (!CheckEntry(entry, begin + i, data_start_, device_size_).ok()) return;
      if (IsFile(entry)) Hash(entry.file, batch.hashed[i]);
    }
    batch.good = true;
  }

 private:
  void Hash(const MediaFile& file, Batch::Hashed& hashed) {
    const std::string_view path = PathFromField(file.path);
    const std::string_view parent = ParentPath(path);
    hashed.same_parent = parent == parent_;
    if (!hashed.same_parent) {
      parent_ = parent;
      parent_id_ =
          parent.empty() ? kRootNode : NodeIdOf(fs_uuid_, parent, nullptr);
    }
    hashed.key = NodeKey(NodeIdOf(fs_uuid_, path, ExtentsOf(file).data()),
                         parent_id_, path.substr(path.rfind('/') + 1));
  }

  Log log_;
  Uuid fs_uuid_;
  std::uint64_t data_start_;
  std::uint64_t device_size_;
  std::string parent_;  // of the last file
  NodeId parent_id_ = kRootNode;
};

/// Batches that go round between the two stages' threads.
class Conveyor {
 public:
  Conveyor() : batches_(kBatches) {}

  // The first stage's: an empty batch, null when nobody wants more; then the
  // same batch, filled.
  Batch* NextEmpty() {
    const MutexLock lock(mutex_);
    while (!stopped_ && filled_ - used_ >= kBatches) changed_.Wait(mutex_);
    return stopped_ ? nullptr : &batches_[filled_ % kBatches];
  }
  void Filled() {
    const MutexLock lock(mutex_);
    ++filled_;
    changed_.NotifyOne();
  }

  // The second stage's.
  const Batch& NextFilled() {
    const MutexLock lock(mutex_);
    while (filled_ <= used_) changed_.Wait(mutex_);
    return batches_[used_ % kBatches];
  }
  void Used() {
    const MutexLock lock(mutex_);
    ++used_;
    changed_.NotifyOne();
  }
  void Stop() {
    const MutexLock lock(mutex_);
    stopped_ = true;
    changed_.NotifyOne();
  }

 private:
  std::vector<Batch> batches_;  // each is one stage's at a time
  Mutex mutex_;
  CondVar changed_;  // waited for by one of the two at a time
  std::size_t filled_ ABSL_GUARDED_BY(mutex_) = 0;
  std::size_t used_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

bool HasSecondProcessor() {
  cpu_set_t cpus;
  return ::sched_getaffinity(0, sizeof(cpus), &cpus) == 0 &&
         CPU_COUNT(&cpus) > 1;
}

}  // namespace

/// The second stage.
class FastPlay {
 public:
  FastPlay(LogPlayer& player, std::uint64_t entries) : player_(player) {
    player_.tree_.Reserve(player_.tree_.size() + entries);
    taken_.resize(1);
    taken_[0].reserve(entries);
  }

  /// False: an entry breaks a rule.
  [[nodiscard]] bool Play(const Batch& batch) {
    if (!batch.good) return false;
    const std::size_t count = batch.count;
    for (std::size_t i = 0; i < std::min(count, kPrefetchAhead); ++i) {
      Prefetch(batch, i);
    }
    for (std::size_t i = 0; i < count; ++i) {
      if (i + kPrefetchAhead < count) Prefetch(batch, i + kPrefetchAhead);
      const MediaEntry& entry = batch.entries[i];
      const bool played = IsFile(entry) ? PlayFile(entry.file, batch.hashed[i])
                                        : PlayOther(entry);
      if (!played) return false;
      ++player_.next_index_;
    }
    return true;
  }

  /// Takes the extents. False: two overlap, or one does not fit its device.
  [[nodiscard]] bool Finish() {
    for (std::size_t device = 0; device < taken_.size(); ++device) {
      if (taken_[device].empty()) continue;
      if (!player_.mutable_allocator(device).TakeAll(taken_[device]).ok()) {
        return false;
      }
    }
    return true;
  }

 private:
  [[gnu::always_inline]] void Prefetch(const Batch& batch,
                                       std::size_t i) const {
    if (IsFile(batch.entries[i])) player_.tree_.Prefetch(batch.hashed[i].key);
  }

  bool PlayFile(const MediaFile& file, const Batch::Hashed& hashed) {
    const std::string_view path = PathFromField(file.path);
    if (!hashed.same_parent || parent_ == nullptr) {
      const std::string_view parent_path = ParentPath(path);
      parent_ = parent_path.empty() ? player_.tree_.Find(kRootNode)
                                    : player_.tree_.FindDirectory(
                                          parent_path, hashed.key.parent);
      if (parent_ == nullptr) return false;
    }
    // Below the root nothing of a deleted volume has its parent in the tree.
    const std::string_view name = path.substr(path.rfind('/') + 1);
    if (parent_->id == kRootNode && player_.pending_.contains(Abseil(name))) {
      return false;
    }
    for (const MediaExtent& extent : ExtentsOf(file)) {
      if (extent.device_index > player_.devices_.size()) return false;
      if (extent.device_index >= taken_.size()) {
        taken_.resize(extent.device_index + 1);
      }
      taken_[extent.device_index].push_back({extent.offset, extent.length});
    }
    return player_.tree_.Add(*parent_, hashed.key, name, NodeOf(file)) !=
           nullptr;
  }

  bool PlayOther(const MediaEntry& entry) {
    const std::size_t nodes = player_.tree_.size();
    if (player_.ApplyChecked(entry)) return false;
    // What follows may be its nodes and pieces, which need their order.
    if (!player_.usage_.empty()) return false;
    if (player_.tree_.size() < nodes) parent_ = nullptr;  // may be among them
    return true;
  }

  LogPlayer& player_;
  const Node* parent_ = nullptr;           // of the last file
  std::vector<std::vector<Range>> taken_;  // by device index
};

namespace {

/// Both stages in turns.
bool PlayAlone(Preparation& preparation, std::uint64_t entries,
               FastPlay& play) {
  const auto batch = std::make_unique<Batch>();
  for (std::uint64_t begin = 0; begin < entries; begin += kBatch) {
    preparation.Fill(begin, *batch);
    if (!play.Play(*batch)) return false;
  }
  return true;
}

/// The first stage on a thread of its own.
bool PlayPaired(Preparation& preparation, std::uint64_t entries,
                FastPlay& play) {
  Conveyor conveyor;
  auto thread = StartThread([&] {
    for (std::uint64_t begin = 0; begin < entries; begin += kBatch) {
      Batch* const batch = conveyor.NextEmpty();
      if (batch == nullptr) return;
      preparation.Fill(begin, *batch);
      conveyor.Filled();
    }
  });
  if (!thread.ok()) return PlayAlone(preparation, entries, play);
  bool good = true;
  for (std::uint64_t begin = 0; good && begin < entries; begin += kBatch) {
    good = play.Play(conveyor.NextFilled());
    conveyor.Used();
  }
  conveyor.Stop();
  thread->join();
  return good;
}

std::unique_ptr<LogPlayer> PlayFast(const MediaSuperblock& superblock,
                                    std::uint64_t device_size, const Log& log,
                                    PlayThreads threads) {
  if (log.entries > 0 && EntryAt(log.entries) > log.bytes.size()) {
    return nullptr;
  }
  auto player = std::make_unique<LogPlayer>(superblock, device_size);
  Preparation preparation(superblock, device_size, log);
  FastPlay play(*player, log.entries);
  const bool paired = threads == PlayThreads::kAsNeeded &&
                      log.entries >= kThreadFrom && HasSecondProcessor();
  const bool good = paired ? PlayPaired(preparation, log.entries, play)
                           : PlayAlone(preparation, log.entries, play);
  return good && play.Finish() ? std::move(player) : nullptr;
}

}  // namespace

std::unique_ptr<LogPlayer> PlayFast(const MediaSuperblock& superblock,
                                    std::uint64_t device_size,
                                    const Mapping& log, std::uint64_t entries,
                                    PlayThreads threads) {
  return PlayFast(superblock, device_size, Log{log.bytes(), &log, entries},
                  threads);
}

std::unique_ptr<LogPlayer> PlayFast(const MediaSuperblock& superblock,
                                    std::uint64_t device_size,
                                    std::span<const std::byte> log,
                                    std::uint64_t entries,
                                    PlayThreads threads) {
  return PlayFast(superblock, device_size, Log{log, nullptr, entries}, threads);
}

}  // namespace famfs
