// PlayFast against the player that takes one entry after the other: where that
// takes a whole log, PlayFast gives the same tree and free space; where that
// refuses an entry, PlayFast gives nothing.
#include "instance/log/fast_play.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "media/checksum.h"
#include "raw_image.h"

namespace famfs::testing {
namespace {

constexpr std::uint64_t kDeviceSize = 64 * kGiB;
constexpr std::uint64_t kUnits = (kDeviceSize - kImageData) / kAllocUnit;

MediaSuperblock Superblock() {
  MediaSuperblock super;
  super.fs_uuid.bytes.fill(0x11);
  super.device_uuid.bytes.fill(0x22);
  super.log_length = kImageLog;
  super.device_size = kDeviceSize;
  return super;
}

/// Entries that follow each other as a writer makes them: nested directories,
/// files of one and several extents on two devices, volumes, their revisions
/// and deletions.
class LogMaker {
 public:
  explicit LogMaker(unsigned seed) : random_(seed) {
    Append(DaxdevEntry(1, 0x33, kDeviceSize));
  }

  void Grow(std::size_t entries) {
    while (entries_.size() < entries) {
      switch (random_() % 16) {
        case 0:
          MakeDirectory();
          break;
        case 1:
          MakeVolume();
          break;
        case 2:
          Revise();
          break;
        default:
          MakeFile(directories_[random_() % directories_.size()]);
      }
    }
  }

  void Append(MediaEntry entry) {
    entry.seqnum = entries_.size();
    Seal(entry);
    entries_.push_back(entry);
  }
  std::vector<MediaEntry>& entries() { return entries_; }
  MediaEntry& at(std::size_t i) { return entries_[i]; }

  /// Stamps an entry that a test has changed.
  void Stamp(std::size_t i) { Seal(entries_[i]); }

  [[nodiscard]] std::vector<std::byte> Bytes() const {
    std::vector<std::byte> bytes(EntryAt(entries_.size()));
    if (!entries_.empty()) {
      std::memcpy(bytes.data() + EntryAt(0), entries_.data(),
                  entries_.size() * sizeof(MediaEntry));
    }
    return bytes;
  }
  MediaExtent Next(std::uint64_t units) {
    // From both ends of two devices, so that extents come in no order.
    const std::uint64_t device = random_() % 4 == 0 ? 1 : 0;
    std::uint64_t& low = low_[device];
    std::uint64_t& high = high_[device];
    MediaExtent extent;
    if (random_() % 2 == 0) {
      extent = Unit(low, units);
      low += units + random_() % 2;
    } else {
      high -= units + random_() % 2;
      extent = Unit(high, units);
    }
    extent.device_index = device;
    return extent;
  }

 private:
  std::string Name() { return "n" + std::to_string(counter_++); }

  void MakeDirectory() {
    std::string path = directories_[random_() % directories_.size()];
    path += (path.empty() ? "" : "/") + Name();
    if (path.size() > 60) return;
    Append(MkdirEntry(path));
    directories_.push_back(path);
  }
  void MakeFile(const std::string& directory) {
    const std::string path =
        directory + (directory.empty() ? "" : "/") + Name();
    if (random_() % 8 == 0) {
      Append(InterleavedEntry(path, 4 * kAllocUnit, kAllocUnit,
                              {Next(2), Next(2)}));
      return;
    }
    std::vector<MediaExtent> extents = {Next(1 + random_() % 2)};
    while (random_() % 6 == 0 && extents.size() < 5) extents.push_back(Next(1));
    Append(FileEntry(path, extents));
  }
  void MakeVolume() {
    volumes_.emplace_back(Name(), 1);
    Append(VolumeEntry(volumes_.back().first,
                       Attributes("pvc-" + volumes_.back().first)));
    MakeFile(volumes_.back().first);
  }
  void Revise() {
    if (volumes_.empty()) return;
    const std::size_t i = random_() % volumes_.size();
    VolumeAttributes attributes = Attributes("pvc-" + volumes_[i].first);
    attributes.revision = ++volumes_[i].second;
    const std::string directory = volumes_[i].first;
    if (random_() % 2 == 0) {
      attributes.state = VolumeState::kDeleted;
      attributes.deletion_number = ++deletions_;
      volumes_.erase(volumes_.begin() + static_cast<long>(i));
    }
    Append(VolumeEntry(directory, attributes));
  }

  std::mt19937 random_;
  std::vector<MediaEntry> entries_;
  std::vector<std::string> directories_ = {""};
  std::vector<std::pair<std::string, std::uint32_t>> volumes_;  // revision
  std::uint64_t counter_ = 0;
  std::uint64_t deletions_ = 0;
  std::uint64_t low_[2] = {0, 0};
  std::uint64_t high_[2] = {kUnits, kUnits};
};

std::unique_ptr<LogPlayer> PlayOneByOne(const LogMaker& maker) {
  auto player = std::make_unique<LogPlayer>(Superblock(), kDeviceSize);
  const std::vector<std::byte> bytes = maker.Bytes();
  const std::uint64_t entries =
      (bytes.size() - EntryAt(0)) / sizeof(MediaEntry);
  for (std::uint64_t i = 0; i < entries; ++i) {
    MediaEntry entry{};
    std::memcpy(static_cast<void*>(&entry), bytes.data() + EntryAt(i),
                sizeof(entry));
    if (!player->Apply(i, entry).ok()) return nullptr;
  }
  return player;
}

std::unique_ptr<LogPlayer> Fast(const LogMaker& maker) {
  const std::vector<std::byte> bytes = maker.Bytes();
  return PlayFast(Superblock(), kDeviceSize, std::span(bytes),
                  (bytes.size() - EntryAt(0)) / sizeof(MediaEntry));
}

/// One line for each node, in the order in which the tree tells them.
std::vector<std::string> Lines(const Namespace& tree) {
  std::vector<std::string> lines;
  std::vector<const Node*> nodes = {tree.Find(kRootNode)};
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const Node& node = *nodes[i];
    EXPECT_EQ(tree.Find(node.id), &node);
    EXPECT_EQ(tree.FindPath(tree.PathOf(node)), &node);
    std::string line =
        fmt::format("{:x} {} {} {}:{} {:o} {} {} {}", node.id,
                    tree.PathOf(node), node.is_directory, node.owner.uid,
                    node.owner.gid, node.owner.mode, node.size, node.chunk(),
                    node.volume == nullptr ? 0 : node.volume->revision);
    for (const MediaExtent& extent : node.extents) {
      line += fmt::format(" {}@{:x}+{:x}", extent.device_index, extent.offset,
                          extent.length);
    }
    lines.push_back(line);
    for (const Node& child : tree.Children(node)) nodes.push_back(&child);
  }
  EXPECT_EQ(lines.size(), tree.size());
  return lines;
}

void ExpectSame(const LogPlayer& fast, const LogPlayer& slow) {
  EXPECT_EQ(Lines(fast.tree()), Lines(slow.tree()));
  EXPECT_EQ(fast.next_index(), slow.next_index());
  EXPECT_EQ(fast.superseding(), slow.superseding());
  EXPECT_EQ(fast.tree().volumes(), slow.tree().volumes());
  ASSERT_EQ(fast.devices().size(), slow.devices().size());
  for (std::uint64_t device = 0; device <= fast.devices().size(); ++device) {
    EXPECT_EQ(fast.allocator(device).FreeExtents(),
              slow.allocator(device).FreeExtents());
  }
  ASSERT_EQ(fast.pending().size(), slow.pending().size());
  for (const auto& [directory, volume] : slow.pending()) {
    const auto it = fast.pending().find(directory);
    ASSERT_NE(it, fast.pending().end());
    EXPECT_EQ(it->second.deletion_number, volume.deletion_number);
    EXPECT_EQ(it->second.extents, volume.extents);
  }
}

TEST(FastPlay, GivesWhatOneByOneGives) {
  for (const unsigned seed : {1U, 2U, 3U, 4U, 5U}) {
    SCOPED_TRACE(seed);
    LogMaker maker(seed);
    maker.Grow(2'000);
    const auto slow = PlayOneByOne(maker);
    const auto fast = Fast(maker);
    ASSERT_NE(slow, nullptr);
    ASSERT_NE(fast, nullptr);
    ExpectSame(*fast, *slow);
    EXPECT_GT(fast->pending().size(), 0U);
    EXPECT_GT(fast->tree().volumes().size(), 0U);
  }
}

// Long enough for the thread that runs ahead.
TEST(FastPlay, GivesTheSameOnTwoThreadsOfALongLog) {
  LogMaker maker(6);
  maker.Grow(20'000);
  const std::vector<std::byte> bytes = maker.Bytes();
  const std::uint64_t entries = maker.entries().size();
  const auto slow = PlayOneByOne(maker);
  ASSERT_NE(slow, nullptr);
  for (const PlayThreads threads :
       {PlayThreads::kAsNeeded, PlayThreads::kOne}) {
    const auto fast =
        PlayFast(Superblock(), kDeviceSize, std::span(bytes), entries, threads);
    ASSERT_NE(fast, nullptr);
    ExpectSame(*fast, *slow);
  }
  // Broken near the beginning, with the first stage well ahead.
  maker.at(300).crc ^= 1;
  EXPECT_EQ(Fast(maker), nullptr);
}

TEST(FastPlay, AnEmptyLogGivesAnEmptyTree) {
  const LogPlayer slow(Superblock(), kDeviceSize);
  const auto fast =
      PlayFast(Superblock(), kDeviceSize, std::span<const std::byte>{}, 0);
  ASSERT_NE(fast, nullptr);
  ExpectSame(*fast, slow);
}

TEST(FastPlay, RefusesMoreEntriesThanTheBytesHold) {
  LogMaker maker(1);
  maker.Grow(10);
  const std::vector<std::byte> bytes = maker.Bytes();
  EXPECT_EQ(PlayFast(Superblock(), kDeviceSize, std::span(bytes), 11), nullptr);
}

struct Breakage {
  const char* name;
  void (*apply)(LogMaker& maker);
};

// Each is appended to a good log, or changes it, so that one entry alone breaks
// a rule.
const Breakage kBreakages[] = {
    {"checksum", [](LogMaker& m) { m.at(900).crc ^= 4; }},
    {"a byte that nothing reads",
     [](LogMaker& m) { m.at(700).raw[519] ^= std::byte{1}; }},
    {"seqnum",
     [](LogMaker& m) {
       m.at(512).seqnum = 513;
       m.Stamp(512);
     }},
    {"type",
     [](LogMaker& m) {
       m.at(3).type = 2;
       m.Stamp(3);
     }},
    {"absolute path",
     [](LogMaker& m) { m.Append(FileEntry("/x", {m.Next(1)})); }},
    {"dots", [](LogMaker& m) { m.Append(FileEntry("../x", {m.Next(1)})); }},
    {"no parent",
     [](LogMaker& m) { m.Append(FileEntry("nowhere/x", {m.Next(1)})); }},
    {"a file as parent",
     [](LogMaker& m) {
       m.Append(FileEntry("file", {m.Next(1)}));
       m.Append(FileEntry("file/x", {m.Next(1)}));
     }},
    {"a file twice",
     [](LogMaker& m) {
       m.Append(FileEntry("file", {m.Next(1)}));
       m.Append(FileEntry("file", {m.Next(1)}));
     }},
    {"a file where a directory is",
     [](LogMaker& m) {
       m.Append(MkdirEntry("both"));
       m.Append(FileEntry("both", {m.Next(1)}));
     }},
    {"a directory where a file is",
     [](LogMaker& m) {
       m.Append(FileEntry("both", {m.Next(1)}));
       m.Append(MkdirEntry("both"));
     }},
    {"a reserved path",
     [](LogMaker& m) { m.Append(FileEntry(".meta/.log", {m.Next(1)})); }},
    {"overlap",
     [](LogMaker& m) {
       const MediaExtent extent = m.Next(2);
       m.Append(FileEntry("x", {extent}));
       m.Append(FileEntry("y", {extent}));
     }},
    {"overlap with what a deleted volume held",
     [](LogMaker& m) {
       const MediaExtent extent = m.Next(1);
       VolumeAttributes attributes = Attributes("pvc-x");
       m.Append(VolumeEntry("x", attributes));
       m.Append(FileEntry("x/data", {extent}));
       attributes.revision = 2;
       attributes.state = VolumeState::kDeleted;
       attributes.deletion_number = 99;
       m.Append(VolumeEntry("x", attributes));
       m.Append(FileEntry("y", {extent}));
     }},
    {"a path below a deleted volume",
     [](LogMaker& m) {
       VolumeAttributes attributes = Attributes("pvc-x");
       m.Append(VolumeEntry("x", attributes));
       m.Append(FileEntry("x/data", {m.Next(1)}));
       attributes.revision = 2;
       attributes.state = VolumeState::kDeleted;
       attributes.deletion_number = 99;
       m.Append(VolumeEntry("x", attributes));
       m.Append(FileEntry("x/data", {m.Next(1)}));
     }},
    {"the path of a deleted volume",
     [](LogMaker& m) {
       VolumeAttributes attributes = Attributes("pvc-x");
       m.Append(VolumeEntry("x", attributes));
       attributes.revision = 2;
       attributes.state = VolumeState::kDeleted;
       attributes.deletion_number = 99;
       m.Append(VolumeEntry("x", attributes));
       m.Append(FileEntry("x", {m.Next(1)}));
     }},
    {"a device that no entry added",
     [](LogMaker& m) {
       MediaExtent extent = m.Next(1);
       extent.device_index = 2;
       m.Append(FileEntry("x", {extent}));
     }},
    {"an extent beyond the second device",
     [](LogMaker& m) {
       MediaExtent extent{1, kDeviceSize, kAllocUnit};
       m.Append(FileEntry("x", {extent}));
     }},
    {"an extent beyond the first device",
     [](LogMaker& m) { m.Append(FileEntry("x", {Unit(kUnits)})); }},
    {"a revision left out",
     [](LogMaker& m) {
       VolumeAttributes attributes = Attributes("pvc-x");
       m.Append(VolumeEntry("x", attributes));
       attributes.revision = 3;
       m.Append(VolumeEntry("x", attributes));
     }},
    {"a CSI name twice",
     [](LogMaker& m) {
       m.Append(VolumeEntry("x", Attributes("pvc-x")));
       m.Append(VolumeEntry("y", Attributes("pvc-x")));
     }},
    {"a device twice",
     [](LogMaker& m) { m.Append(DaxdevEntry(2, 0x33, kDeviceSize)); }},
};

TEST(FastPlay, GivesNothingWhereOneByOneRefusesAnEntry) {
  for (const Breakage& breakage : kBreakages) {
    SCOPED_TRACE(breakage.name);
    LogMaker maker(7);
    maker.Grow(1'000);
    ASSERT_NE(Fast(maker), nullptr);
    breakage.apply(maker);
    EXPECT_EQ(PlayOneByOne(maker), nullptr);
    EXPECT_EQ(Fast(maker), nullptr);
    // The same somewhere in the middle.
    maker.Grow(maker.entries().size() + 300);
    EXPECT_EQ(Fast(maker), nullptr);
  }
}

}  // namespace
}  // namespace famfs::testing
