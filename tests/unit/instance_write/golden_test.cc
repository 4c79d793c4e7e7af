// The same uuids and operations as upstream's images give the same bytes.
#include <cstring>

#include "fixture.h"
#include "tests/unit/media/golden.h"

namespace famfs {
namespace {

class GoldenWriteTest : public WriteTest {
 protected:
  MkfsOptions GoldenOptions() {
    const MediaSuperblock super = testing::GoldenSuperblock();
    system_uuid_ = super.system_uuid;
    MkfsOptions options = Options();
    options.fs_uuid = super.fs_uuid;
    options.device_uuid = super.device_uuid;
    options.device_name = "/dev/dax0.0";
    return options;
  }

  /// Compares [offset, offset + length) with the image, byte for byte.
  void ExpectSame(const std::vector<std::byte>& golden, std::uint64_t offset,
                  std::uint64_t length, std::string_view what) {
    const std::vector<std::byte> ours = Bytes(offset, length);
    ASSERT_EQ(ours.size(), length);
    for (std::uint64_t i = 0; i < length; ++i) {
      ASSERT_EQ(static_cast<int>(ours[i]), static_cast<int>(golden[offset + i]))
          << what << " differs at byte " << i;
    }
  }
};

TEST_F(GoldenWriteTest, MkfsMakesTheFreshImage) {
  MakeDevice(Kind::kImage);
  ASSERT_OK(famfs::Mkfs(*device_, GoldenOptions()));
  const auto golden = testing::GoldenImage("fresh-8m");
  // All of the superblock region but our own part of it, and all of the log.
  ExpectSame(golden, 0, kRegionOffset, "the superblock region");
  ExpectSame(golden, kLogOffset, kMinLogLength, "the log");
}

TEST_F(GoldenWriteTest, TheSameOperationsMakeTheSameEntries) {
  MakeDevice(Kind::kImage);
  ASSERT_OK(famfs::Mkfs(*device_, GoldenOptions()));
  Open();
  const Ownership owner{.uid = 1000, .gid = 1000, .mode = 0755};
  ASSERT_OK(writer_->Mkdir("dir1", owner));
  ASSERT_OK(writer_->CreateFile("dir1/simple.bin", 5'000'000,
                                {.uid = 1000, .gid = 1000, .mode = 0644}));
  const auto golden = testing::GoldenImage("three-entries");
  ExpectSame(golden, 0, sizeof(MediaSuperblock), "the superblock");
  ExpectSame(golden, kLogOffset, kLogCountersAt, "the log header");
  ExpectSame(golden, kLogOffset + EntryAt(0), 2 * sizeof(MediaEntry),
             "entries 0 and 1");
}

}  // namespace
}  // namespace famfs
