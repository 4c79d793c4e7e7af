// What it costs to play a log, to follow it, to check it and to hold it in
// memory: beside one checksum pass over the same bytes, which no reader can do
// without. And the index of nodes beside the library's hash table.
#include <absl/hash/hash.h>
#include <fcntl.h>
#include <libdeflate.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <ctime>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "instance/check/fsck.h"
#include "instance/log/fast_play.h"
#include "instance/reader/reader.h"
#include "instance/tree/node_index.h"
#include "instance/tree/node_storage.h"
#include "media/checksum.h"
#include "tests/bench/benches.h"
#include "tests/bench/index_peer.h"
#include "tests/bench/stack.h"

namespace famfs::bench {
namespace {

constexpr std::uint64_t kEntries = 1'000'000;
constexpr std::uint64_t kFilesInDirectory = 1'000;
constexpr std::uint64_t kFollowed = 1'000;  // entries of one refresh

double Milliseconds() {
  return std::chrono::duration<double, std::milli>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

template <typename Work>
double Time(const Work& work) {
  const double start = Milliseconds();
  work();
  return Milliseconds() - start;
}

/// An image in /dev/shm whose log holds directories of 1,000 files each, every
/// file one unit, with a free one after every eighth. Sparse but for the log.
class PlayImage {
 public:
  explicit PlayImage(std::uint64_t entries) {
    char name[] = "/dev/shm/famfs-bench-XXXXXX";
    fd_ = UniqueFd(::mkostemp(name, O_CLOEXEC));
    path_ = name;
    super_.magic = kSuperblockMagic;
    super_.version = kSuperblockVersion;
    super_.log_offset = kLogOffset;
    super_.log_length = kMinLogLength;
    while (LastIndex(super_.log_length) + 1 < entries) super_.log_length *= 2;
    super_.alloc_unit = kAllocUnit;
    super_.omf_major = kOmfMajor;
    super_.omf_minor = kOmfMinor;
    super_.fs_uuid.bytes.fill(0x11);
    super_.device_uuid.bytes.fill(0x22);
    super_.system_uuid.bytes.fill(0x33);
    super_.device_size =
        std::max(kMinDeviceSize, kLogOffset + super_.log_length +
                                     (entries + entries / 8) * kAllocUnit);
    Seal(super_);
    Check(::ftruncate(fd_.get(), static_cast<off_t>(super_.device_size)) == 0);
    Store(0, &super_, sizeof(super_));
    for (std::uint64_t i = 0; i < entries; ++i) {
      const MediaEntry entry = EntryOf(i);
      Store(kLogOffset + EntryAt(i), &entry, sizeof(entry));
    }
    Publish(entries);
  }
  ~PlayImage() { ::unlink(path_.c_str()); }
  PlayImage(const PlayImage&) = delete;
  PlayImage& operator=(const PlayImage&) = delete;

  void Publish(std::uint64_t entries) {
    MediaLogHeader header;
    header.magic = kLogMagic;
    header.length = super_.log_length;
    header.last_index = LastIndex(super_.log_length);
    Seal(header);
    header.next_seqnum = entries;
    header.next_index = entries;
    Store(kLogOffset, &header, sizeof(header));
  }
  [[nodiscard]] std::shared_ptr<DaxDevice> Open() const {
    return Must(OpenDevice("image:" + path_, Access::kRead), "OpenDevice");
  }
  [[nodiscard]] const MediaSuperblock& superblock() const { return super_; }
  [[nodiscard]] double path_bytes_per_file() const {
    return static_cast<double>(path_bytes_) / static_cast<double>(files_);
  }
  [[nodiscard]] double files() const { return static_cast<double>(files_); }

 private:
  MediaEntry EntryOf(std::uint64_t i) {
    const std::string directory =
        fmt::format("run-{:04}", i / kFilesInDirectory);
    MediaEntry entry{};
    entry.seqnum = i;
    if (i % kFilesInDirectory == 0) {
      entry.type = static_cast<std::uint32_t>(EntryType::kMkdir);
      entry.mkdir.mode = 0755;
      SetPath(entry.mkdir.path, directory);
    } else {
      const std::string path = fmt::format("{}/part-{:07}.bin", directory, i);
      path_bytes_ += path.size();
      ++files_;
      MediaFile& file = entry.file;
      file.size = kAllocUnit;
      file.flags = kFileFlagsWritten;
      file.mode = 0644;
      SetPath(file.path, path);
      file.extent_count = 1;
      file.extents[0] = {
          0, kLogOffset + super_.log_length + (i + i / 8) * kAllocUnit,
          kAllocUnit};
    }
    Seal(entry);
    return entry;
  }
  void Store(std::uint64_t at, const void* bytes, std::size_t length) {
    Check(::pwrite(fd_.get(), bytes, length, static_cast<off_t>(at)) ==
          static_cast<ssize_t>(length));
  }
  static void Check(bool good) {
    if (!good) Must(ErrnoError(errno, "an image in /dev/shm"), "PlayImage");
  }

  UniqueFd fd_;
  std::string path_;
  MediaSuperblock super_;
  std::uint64_t path_bytes_ = 0;
  std::uint64_t files_ = 0;
};

/// One pass of libdeflate's CRC-32 over a log's entries.
double ChecksumPass(const Mapping& log, std::uint64_t entries) {
  volatile std::uint32_t crc = 0;
  return Time([&] {
    crc = libdeflate_crc32(0, log.data() + EntryAt(0),
                           entries * sizeof(MediaEntry));
  });
}

Row PlayRow(const PlayImage& image, std::uint64_t entries, Band band) {
  const auto device = image.Open();
  const auto log = Must(
      device->Map(kLogOffset, image.superblock().log_length, Access::kRead),
      "Map");
  return Compare(
      fmt::format("play {} entries / one CRC-32 pass", entries), "ms", band,
      [&] {
        std::unique_ptr<LogPlayer> player;
        const double taken = Time([&] {
          player = PlayFast(image.superblock(), device->size(), *log, entries);
        });
        if (player == nullptr) Must(Internal("a rule is broken"), "PlayFast");
        return taken;
      },
      [&] { return ChecksumPass(*log, entries); });
}

/// Bytes of anonymous memory that the process has, or that malloc has given
/// out: whichever grew more is what an object cost.
struct Memory {
  double resident = 0;
  double allocated = 0;
  static Memory Now() {
    Memory now;
    std::ifstream status("/proc/self/status");
    std::string line;
    while (std::getline(status, line)) {
      if (line.starts_with("RssAnon:"))
        now.resident = std::stod(line.substr(8));
    }
    now.resident *= 1024;
    const struct mallinfo2 info = ::mallinfo2();
    now.allocated = static_cast<double>(info.uordblks + info.hblkhd);
    return now;
  }
};

Row MemoryRow(const PlayImage& image) {
  ::malloc_trim(0);
  const Memory before = Memory::Now();
  const auto reader = Must(Reader::Open(image.Open()), "Reader::Open");
  const Memory after = Memory::Now();
  const double bytes = std::max(after.resident - before.resident,
                                after.allocated - before.allocated);
  const double path = image.path_bytes_per_file();
  Row row = Single("reader memory of a file beyond its path", "bytes",
                   {.high = 300}, bytes / image.files() - path, 1);
  return row;
}

/// A reader that is there already meets the last 1,000 of a million entries.
Row FollowRow(PlayImage& image, const Mapping& log) {
  return Compare(
      fmt::format("follow {} more entries / one CRC-32 pass", kFollowed), "ms",
      {},
      [&] {
        image.Publish(kEntries - kFollowed);
        const auto reader = Must(Reader::Open(image.Open()), "Reader::Open");
        image.Publish(kEntries);
        return Time([&] { Must(reader->Refresh().status(), "Refresh"); });
      },
      [&] { return ChecksumPass(log, kFollowed); });
}

/// Without a band: a check plays the log, and that alone may take eight times
/// what this scan takes.
Row FsckRow(DaxDevice& device, const Mapping& log) {
  const double gigabytes =
      static_cast<double>(kEntries * sizeof(MediaEntry)) / 1e9;
  return Compare(
      fmt::format("fsck of {} entries / CRC-32 scan", kEntries), "GB/s", {},
      [&] {
        return gigabytes * 1e3 / Time([&] {
                 if (!Fsck(device).clean()) Must(Internal("not clean"), "Fsck");
               });
      },
      [&] { return gigabytes * 1e3 / ChecksumPass(log, kEntries); });
}

/// Of this thread's own time: others on the machine shall not count.
double OwnNanoseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 +
         static_cast<double>(now.tv_nsec);
}

/// Nodes that an index finds by their ids.
class IndexedNodes {
 public:
  explicit IndexedNodes(std::size_t count) {
    std::mt19937_64 random(1);
    for (std::size_t i = 0; i < count; ++i) {
      Node node;
      node.id = random();
      hashes_.push_back(HashOf(node.id));
      store_.Add(std::move(node));
    }
    for (std::size_t i = 0; i < kLookups; ++i) {
      const auto slot = static_cast<std::uint32_t>(1 + random() % count);
      wanted_.push_back({store_.At(slot).id, slot});
    }
  }
  [[nodiscard]] double count() const {
    return static_cast<double>(hashes_.size());
  }

  /// Nanoseconds a node, as FastPlay adds them: there is room, and what a node
  /// will touch is loaded ahead.
  template <typename Index>
  double Add() const {
    const double start = OwnNanoseconds();
    Index index;
    index.Reserve(hashes_.size());
    Fill(index);
    return (OwnNanoseconds() - start) / count();
  }
  template <typename Index>
  void Fill(Index& index) const {
    constexpr std::uint32_t kAhead = 12;
    const auto end = static_cast<std::uint32_t>(hashes_.size());
    for (std::uint32_t i = 0; i < end; ++i) {
      if (i + kAhead < end) index.Prefetch(hashes_[i + kAhead]);
      if (Find(index, store_.At(i + 1).id) != 0) {
        Must(Internal("an id occurs twice"), "IndexedNodes");
      }
      index.Insert(hashes_[i], i + 1);
    }
  }
  /// Nanoseconds of a look-up of any of the nodes.
  template <typename Index>
  double Lookup(const Index& index) const {
    bool good = true;
    const double start = OwnNanoseconds();
    for (const auto& [id, slot] : wanted_) {
      good = Find(index, id) == slot && good;
    }
    const double time = OwnNanoseconds() - start;
    if (!good) Must(Internal("a node is not found"), "IndexedNodes");
    return time / static_cast<double>(wanted_.size());
  }

 private:
  static constexpr std::size_t kLookups = 200'000;

  static std::uint32_t HashOf(NodeId id) {
    const std::size_t hash = absl::HashOf(id);
    return static_cast<std::uint32_t>(hash ^ (hash >> 32));
  }
  template <typename Index>
  std::uint32_t Find(const Index& index, NodeId id) const {
    return index.Find(HashOf(id), [&](std::uint32_t slot) {
      return store_.At(slot).id == id;
    });
  }

  NodeStore store_;
  std::vector<std::uint32_t> hashes_;                     // of slot 1, 2, ...
  std::vector<std::pair<NodeId, std::uint32_t>> wanted_;  // and its slot
};

/// Beside what NodeIndex would be over the library's hash table. Out of its
/// band, the library is about as fast: then it is to be used.
void AddIndexRows(std::vector<Row>& rows) {
  constexpr Band kWorthIt{.high = 0.9};
  const IndexedNodes nodes(kEntries);
  rows.push_back(Compare(
      fmt::format("add {} nodes to the index / flat_hash_set", kEntries), "ns",
      kWorthIt, [&] { return nodes.Add<NodeIndex>(); },
      [&] { return nodes.Add<FlatSetIndex>(); }));
  const double before = Memory::Now().allocated;
  NodeIndex ours;
  nodes.Fill(ours);
  const double between = Memory::Now().allocated;
  FlatSetIndex peer;
  nodes.Fill(peer);
  const double after = Memory::Now().allocated;
  rows.push_back(Compare(
      fmt::format("find one of {} nodes / flat_hash_set", kEntries), "ns",
      kWorthIt, [&] { return nodes.Lookup(ours); },
      [&] { return nodes.Lookup(peer); }));
  rows.push_back(Single("bytes of a node in the index / flat_hash_set", "bytes",
                        {}, (between - before) / nodes.count(),
                        (after - between) / nodes.count()));
}

}  // namespace

std::vector<Row> PlayBench() {
  UseAllCpus();
  std::vector<Row> rows;
  PlayImage image(kEntries);
  rows.push_back(MemoryRow(image));
  rows.push_back(PlayRow(image, 10'000, {}));
  rows.push_back(PlayRow(image, 100'000, {}));
  rows.push_back(PlayRow(image, kEntries, {.high = 8}));
  const auto device = image.Open();
  const auto log = Must(
      device->Map(kLogOffset, image.superblock().log_length, Access::kRead),
      "Map");
  const auto scan = [&] { return ChecksumPass(*log, kEntries); };
  rows.push_back(Compare(
      fmt::format("open a reader of {} entries / CRC-32 pass", kEntries), "ms",
      {},
      [&] {
        std::unique_ptr<Reader> reader;
        return Time([&] { reader = Must(Reader::Open(image.Open()), "Open"); });
      },
      scan));
  rows.push_back(FsckRow(*device, *log));
  rows.push_back(FollowRow(image, *log));
  // Last: what they free changes how malloc serves the others.
  AddIndexRows(rows);
  return rows;
}

}  // namespace famfs::bench
