// What the owner pays to change the log: to append an entry, beside writing the
// whole log back each time as upstream does, and to drop the dead ones, beside
// one copy and one checksum of the same bytes.
#include <spdlog/spdlog.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/units.h"
#include "dax/emulated.h"
#include "dax/image.h"
#include "instance/check/mkfs.h"
#include "instance/devices/metadata_store.h"
#include "instance/tree/new_entry.h"
#include "instance/writer/writer.h"
#include "media/checksum.h"
#include "media/format.h"
#include "tests/bench/benches.h"
#include "tests/bench/stack.h"

namespace famfs::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kAppends = 500;      // of a round
constexpr std::size_t kWholeFlushes = 50;  // of a round
constexpr std::uint64_t kLiveVolumes = 3'750;
constexpr std::uint64_t kDeadVolumes = 2'500;
// A volume is two entries, its deletion a third: half of the log is dead.
constexpr std::uint64_t kLogEntries = 2 * kLiveVolumes + 3 * kDeadVolumes;
static_assert(kLogEntries == 15'000);
constexpr double kCompactionLimit = 20;  // ms, of the issue
constexpr Ownership kOwner{.uid = 0, .gid = 0, .mode = 0644};

template <typename Work>
double Nanoseconds(const Work& work) {
  const auto start = Clock::now();
  work();
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
}

/// A device that adds up what the removal of extents takes.
class RemovalTimer final : public DaxDevice {
 public:
  explicit RemovalTimer(std::shared_ptr<DaxDevice> inner)
      : inner_(std::move(inner)) {}
  [[nodiscard]] double milliseconds() const { return nanoseconds_ / 1e6; }

  std::string spec() const override { return inner_->spec(); }
  std::uint64_t size() const override { return inner_->size(); }
  Uuid tag() const override { return inner_->tag(); }
  Capabilities capabilities() const override { return inner_->capabilities(); }
  absl::StatusOr<std::unique_ptr<Mapping>> Map(std::uint64_t offset,
                                               std::uint64_t length,
                                               Access access) override {
    return inner_->Map(offset, length, access);
  }
  absl::Status CreateExtent(Range range) override {
    return inner_->CreateExtent(range);
  }
  absl::Status RemoveExtent(std::uint64_t offset) override {
    absl::Status status;
    nanoseconds_ += Nanoseconds([&] { status = inner_->RemoveExtent(offset); });
    return status;
  }
  absl::StatusOr<std::vector<Range>> DataIn(Range range) override {
    return inner_->DataIn(range);
  }
  absl::StatusOr<std::vector<Range>> ListExtents() override {
    return inner_->ListExtents();
  }
  absl::Status CleanUp() override { return inner_->CleanUp(); }
  absl::StatusOr<UniqueFd> OpenExtent(std::uint64_t offset) override {
    return inner_->OpenExtent(offset);
  }

 private:
  std::shared_ptr<DaxDevice> inner_;
  double nanoseconds_ = 0;
};

/// An empty instance with a log of 8 MiB and its writer, in a directory of its
/// own.
class Instance {
 public:
  Instance(std::string directory, bool extent_files)
      : directory_(std::move(directory)) {
    std::filesystem::create_directory(directory_);
    const std::string path = directory_ + "/device";
    const std::uint64_t size = 64 * kGiB;
    if (extent_files) {
      Must(CreateEmulatedDevice(path, {.size = size,
                                       .tag = Uuid::Random(),
                                       .hosts = {},
                                       .sparse = true}),
           "an emulated device");
    } else {
      Must(CreateImage(path, size), "an image");
    }
    device_ = std::make_shared<RemovalTimer>(
        Must(OpenDevice(path, Access::kReadWrite), path));
    const Uuid owner = Uuid::Random();
    MkfsOptions options;
    options.log_length = kMinLogLength;
    options.system_uuid = owner;
    options.lock_directory = directory_;
    Must(Mkfs(*device_, options), "mkfs");
    writer_ = Must(Writer::Open(device_, {.system_uuid = owner,
                                          .lock_directory = directory_}),
                   "Writer::Open");
  }
  ~Instance() {
    writer_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  [[nodiscard]] Writer& writer() { return *writer_; }
  [[nodiscard]] const RemovalTimer& device() const { return *device_; }
  /// The log, mapped a second time.
  [[nodiscard]] std::unique_ptr<Mapping> MapLog(Access access) {
    return Must(device_->Map(kLogOffset, kMinLogLength, access), "Map");
  }

 private:
  std::string directory_;
  std::shared_ptr<RemovalTimer> device_;
  std::unique_ptr<Writer> writer_;
};

/// Appends to a log that nobody reads, entry by entry, from slot 0 again when
/// it is full.
class RawLog {
 public:
  explicit RawLog(Mapping& log) : log_(log) {}

  MediaEntry Encode() {
    next_ = (next_ + 1) % (LastIndex(log_.size()) + 1);
    const MediaExtent extent{0, kLogOffset + log_.size() + next_ * kAllocUnit,
                             kAllocUnit};
    MediaEntry entry = NewFileEntry("run-0001/part-0000001.bin", kAllocUnit, 0,
                                    std::span(&extent, 1), kOwner);
    entry.seqnum = next_;
    Seal(entry);
    return entry;
  }
  /// The order and the write-backs of Writer::Append: ten lines of the log.
  void Append(const MediaEntry& entry) {
    log_.Store(EntryAt(next_), std::as_bytes(std::span(&entry, 1)));
    log_.WriteBack(EntryAt(next_), sizeof(entry));
    StoreLogCounters(log_, next_ + 1);
  }
  /// Upstream's rule: entry and header, then the whole log, with the same
  /// instruction as ours.
  void AppendAndFlushAll(const MediaEntry& entry) {
    log_.Store(EntryAt(next_), std::as_bytes(std::span(&entry, 1)));
    log_.Store16(kLogCountersAt, next_ + 1, next_ + 1);
    log_.WriteBack(0, log_.size());
  }

 private:
  Mapping& log_;
  std::uint64_t next_ = 0;
};

/// The median of so many calls: what else the machine does meanwhile hits some
/// of them, and hardly half.
template <typename Work>
double MedianCall(std::size_t calls, const Work& work) {
  std::vector<double> times;
  times.reserve(calls);
  for (std::size_t i = 0; i < calls; ++i) times.push_back(Nanoseconds(work));
  return Median(std::move(times));
}

double EntryAppend(RawLog& log) {
  return MedianCall(kAppends, [&] { log.Append(log.Encode()); });
}

double EncodeAlone(RawLog& log) {
  volatile std::uint64_t crc = 0;
  return MedianCall(kAppends, [&] { crc = log.Encode().crc; });
}

/// Files of one unit.
double CreateFiles(Writer& writer, std::uint64_t& next) {
  return MedianCall(kAppends, [&] {
    Must(writer.CreateFile(fmt::format("part-{:07}.bin", next++), kAllocUnit,
                           kOwner),
         "CreateFile");
  });
}

double MakeDirectories(Writer& writer, std::uint64_t& next) {
  return MedianCall(kAppends, [&] {
    Must(writer.Mkdir(fmt::format("run-{:07}", next++),
                      {.uid = 0, .gid = 0, .mode = 0755}),
         "Mkdir");
  });
}

void AddAppendRows(const std::string& memory, std::vector<Row>& rows) {
  Instance instance(memory + "/append", /*extent_files=*/false);
  Instance peer(memory + "/append-peer", /*extent_files=*/false);
  const auto mapping = peer.MapLog(Access::kReadWrite);
  RawLog log(*mapping);
  const auto whole = [&] {
    return MedianCall(kWholeFlushes,
                      [&] { log.AppendAndFlushAll(log.Encode()); });
  };
  // Issue: at least 20 times cheaper.
  const Band band{.high = 1.0 / 20};
  std::uint64_t next = 0;
  rows.push_back(Compare(
      "append.entry_vs_flush_of_whole_log", "ns", band,
      [&] { return EntryAppend(log); }, whole));
  // The whole operations, of which the append is the smaller part: paths,
  // placement, a promise and a hole for the extent, and the looks at memory
  // that another host may have written, before the entry and after it.
  rows.push_back(Compare(
      "append.writer_mkdir_vs_flush_of_whole_log", "ns", {},
      [&] { return MakeDirectories(instance.writer(), next); }, whole));
  rows.push_back(Compare(
      "append.writer_create_file_vs_whole_log", "ns", {},
      [&] { return CreateFiles(instance.writer(), next); }, whole));
  // What of an entry's append is not write-back.
  rows.push_back(Compare(
      "append.encode_and_crc_of_entry", "ns", {},
      [&] { return EncodeAlone(log); }, [&] { return EntryAppend(log); }));
}

std::string VolumeDirectory(std::uint64_t i) {
  return fmt::format("{:016x}-{:08x}", i * 0x9e3779b97f4a7c15ULL, i);
}

/// A log of 15,000 entries of which half are dead.
void FillHalfDead(Writer& writer) {
  VolumeAttributes attributes;
  attributes.capacity = kAllocUnit;
  for (std::uint64_t i = 0; i < kLiveVolumes + kDeadVolumes; ++i) {
    attributes.name = fmt::format("pvc-{}", VolumeDirectory(i));
    Must(writer.CreateVolume(VolumeDirectory(i), attributes,
                             {.uid = 0, .gid = 0, .mode = 0755}),
         "CreateVolume");
  }
  for (std::uint64_t i = 0; i < kDeadVolumes; ++i) {
    // Spread over the log.
    const std::uint64_t dead = i * 5 / 2;
    Must(writer.DeleteVolume(VolumeDirectory(dead)), "DeleteVolume");
  }
  if (writer.Figures().entries != kLogEntries) {
    Must(Internal("{} entries", writer.Figures().entries), "FillHalfDead");
  }
}

struct Reclaimed {
  double all = 0;      // ms
  double removal = 0;  // ms, of the extents' files
};

/// Writer::Reclaim: a compaction; with extent files their removal after it,
/// elsewhere the scrub of 2,500 volumes before it, whose extents are holes.
Reclaimed Reclaim(const std::string& memory, bool extent_files) {
  Instance instance(memory + "/compact", extent_files);
  Writer& writer = instance.writer();
  FillHalfDead(writer);
  const double before = instance.device().milliseconds();
  Reclaimed taken;
  taken.all = Nanoseconds([&] { Must(writer.Reclaim(), "Reclaim"); }) / 1e6;
  taken.removal = instance.device().milliseconds() - before;
  if (writer.Figures().entries != 2 * kLiveVolumes) {
    Must(Internal("{} entries stay", writer.Figures().entries), "Reclaim");
  }
  return taken;
}

/// Milliseconds of one copy and one checksum of a log of as many bytes.
double CopyAndSum(const Mapping& log) {
  std::vector<std::byte> copy(EntryAt(kLogEntries));
  volatile std::uint64_t crc = 0;
  return Nanoseconds([&] {
           std::memcpy(copy.data(), log.data(), copy.size());
           crc = Crc32(copy);
         }) /
         1e6;
}

void AddCompactRows(const std::string& memory, std::vector<Row>& rows) {
  Instance peer(memory + "/compact-peer", /*extent_files=*/false);
  FillHalfDead(peer.writer());
  const auto log = peer.MapLog(Access::kRead);
  const auto peer_work = [&] { return CopyAndSum(*log); };
  std::vector<double> all;
  rows.push_back(Compare(
      "compact.15000_entries_vs_copy_and_crc", "ms", {},
      [&] {
        const Reclaimed taken = Reclaim(memory, /*extent_files=*/true);
        all.push_back(taken.all);
        return taken.all - taken.removal;
      },
      peer_work));
  // Issue: at most 20 ms. The extents' files are unlinked after the compaction,
  // without the lock; 2,500 unlink(2) cost what the kernel takes for them.
  rows.push_back(Single("compact.15000_entries_vs_20ms", "ms", {.high = 1.0},
                        rows.back().ours, kCompactionLimit));
  rows.push_back(Single("compact.and_unlink_2500_extents_vs_20ms", "ms", {},
                        Median(all), kCompactionLimit));
  rows.push_back(Compare(
      "compact.and_scrub_2500_holes_vs_copy_and_crc", "ms", {},
      [&] { return Reclaim(memory, /*extent_files=*/false).all; }, peer_work));
}

}  // namespace

std::vector<Row> LogBench() {
  UseAllCpus();
  // A line for each compaction would stand between the rows.
  const auto level = spdlog::get_level();
  spdlog::set_level(spdlog::level::warn);
  const rig::Tmpfs memory("4G");
  std::vector<Row> rows;
  AddAppendRows(memory.path(), rows);
  AddCompactRows(memory.path(), rows);
  spdlog::set_level(level);
  return rows;
}

}  // namespace famfs::bench
