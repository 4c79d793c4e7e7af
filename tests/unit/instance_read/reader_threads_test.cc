// One thread follows a log that grows and is compacted while others read the
// tree: run under TSan. Each reader must always see a whole volume or none.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>

#include "instance/reader/reader.h"
#include "raw_image.h"

namespace famfs::testing {
namespace {

constexpr int kVolumes = 150;
constexpr int kReaders = 3;

std::string Directory(int i) { return "v" + std::to_string(i); }

/// Publishes the volume and its file by one store, as the Writer does.
void AppendVolume(RawImage& image, int i) {
  const std::uint64_t index = image.header().next_index;
  image.Put(index, VolumeEntry(Directory(i), Attributes(Directory(i))));
  image.Put(index + 1, FileEntry(Directory(i) + "/data",
                                 {Unit(static_cast<std::uint64_t>(i))}));
  image.Publish(index + 2);
}

/// The log again as it is, by way of an image.
void CompactInPlace(RawImage& image, std::uint64_t generation) {
  std::vector<MediaEntry> entries;
  for (std::uint64_t i = 0; i < image.header().next_index; ++i) {
    entries.push_back(image.Get(i));
  }
  image.Compact(generation, Unit(1000).offset, entries);
}

TEST(ReaderThreads, ViewsAreWholeWhileTheLogGrowsAndIsCompacted) {
  RawImage image;
  image.SetState(State(0, 1));
  auto opened = Reader::Open(image.Open());
  ASSERT_TRUE(opened.ok()) << Message(opened.status());
  Reader& reader = **opened;
  std::atomic<bool> written = false;
  std::atomic<bool> followed = false;
  std::atomic<int> broken = 0;

  std::thread writer([&] {
    for (int i = 0; i < kVolumes; ++i) {
      AppendVolume(image, i);
      if (i % 10 == 9) {
        CompactInPlace(image, static_cast<std::uint64_t>(i / 10 + 1));
      }
    }
    written = true;
  });
  std::size_t added = 0;
  std::thread follower([&] {
    for (bool last = false; !last;) {
      last = written;
      const auto changes = reader.Refresh();
      if (!changes.ok()) {
        ADD_FAILURE() << Message(changes.status());
        break;
      }
      added += changes->size();
    }
    followed = true;
  });
  std::vector<std::thread> readers;
  for (int r = 0; r < kReaders; ++r) {
    readers.emplace_back([&] {
      while (!followed) {
        {
          const auto tree = reader.Tree();
          for (const auto& [name, id] : tree->volumes()) {
            if (tree->Lookup(id, "data") == nullptr) ++broken;
          }
        }
        if (reader.Figures().entries % 2 != 0) ++broken;
        std::this_thread::yield();
      }
    });
  }
  writer.join();
  follower.join();
  for (std::thread& thread : readers) thread.join();
  EXPECT_EQ(broken, 0);
  EXPECT_EQ(added, 2U * kVolumes);
  EXPECT_EQ(reader.Tree()->volumes().size(),
            static_cast<std::size_t>(kVolumes));
}

}  // namespace
}  // namespace famfs::testing
