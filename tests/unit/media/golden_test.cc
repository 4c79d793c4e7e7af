// What we write against what upstream wrote, byte for byte.
#include "golden.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "media/rules.h"
#include "media/volume_attributes.h"

namespace famfs {
namespace {

using namespace famfs::testing;

bool AllZero(const std::vector<std::byte>& image, std::size_t from,
             std::size_t to) {
  return std::all_of(image.begin() + static_cast<std::ptrdiff_t>(from),
                     image.begin() + static_cast<std::ptrdiff_t>(to),
                     [](std::byte b) { return b == std::byte{0}; });
}

TEST(GoldenImageTest, FreshSuperblockAndHeaderAreOurs) {
  const auto image = GoldenImage("fresh-8m");
  EXPECT_EQ(
      FirstDifference(ReadAt<MediaSuperblock>(image, 0), GoldenSuperblock()),
      -1);
  EXPECT_EQ(FirstDifference(ReadAt<MediaLogHeader>(image, kLogOffset),
                            GoldenLogHeader(0)),
            -1);
}

TEST(GoldenImageTest, ThreeEntriesAreOurs) {
  const auto image = GoldenImage("three-entries");
  EXPECT_EQ(
      FirstDifference(ReadAt<MediaSuperblock>(image, 0), GoldenSuperblock()),
      -1);
  EXPECT_EQ(FirstDifference(ReadAt<MediaLogHeader>(image, kLogOffset),
                            GoldenLogHeader(3)),
            -1);
  const auto entries = GoldenEntries();
  for (std::uint64_t i = 0; i < entries.size(); ++i) {
    EXPECT_EQ(
        FirstDifference(ReadAt<MediaEntry>(image, kLogOffset + EntryAt(i)),
                        entries[i]),
        -1)
        << "entry " << i;
  }
}

TEST(GoldenImageTest, EverythingElseIsZero) {
  const auto image = GoldenImage("three-entries");
  EXPECT_TRUE(AllZero(image, sizeof(MediaSuperblock), kLogOffset));
  EXPECT_TRUE(AllZero(image, kLogOffset + EntryAt(3), image.size()));
}

TEST(GoldenImageTest, KeepsAllRules) {
  const auto image = GoldenImage("three-entries");
  EXPECT_TRUE(
      CheckSuperblock(ReadAt<MediaSuperblock>(image, 0), kGoldenDeviceSize)
          .ok());
  EXPECT_TRUE(CheckLogHeader(ReadAt<MediaLogHeader>(image, kLogOffset),
                             kGoldenLogLength)
                  .ok());
  for (std::uint64_t i = 0; i < 3; ++i) {
    const absl::Status status =
        CheckEntry(ReadAt<MediaEntry>(image, kLogOffset + EntryAt(i)), i,
                   kGoldenDataStart, kGoldenDeviceSize);
    EXPECT_TRUE(status.ok()) << "entry " << i << ": " << status;
  }
}

TEST(GoldenImageTest, UpstreamsDirectoryIsNoVolume) {
  const auto image = GoldenImage("three-entries");
  const auto entry = ReadAt<MediaEntry>(image, kLogOffset + EntryAt(0));
  const auto attributes = DecodeVolumeAttributes(entry.mkdir);
  ASSERT_TRUE(attributes.ok()) << attributes.status();
  EXPECT_EQ(*attributes, std::nullopt);
}

}  // namespace
}  // namespace famfs
