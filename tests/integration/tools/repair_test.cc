// famfs fsck --repair: what it mends, and what it refuses to touch.
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>

#include "media/checksum.h"
#include "media/format.h"
#include "media/region.h"
#include "tests/integration/support/rig.h"
#include "tests/integration/tools/famfs_command.h"

namespace famfs {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// An image with two directories and a file, to be damaged byte by byte.
class Repair : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_THAT(place_.Write("mkdir", device_, {"a"}), Exits(kOk));
    ASSERT_THAT(
        place_.Write("creat", device_, {"a/f", "--size", "3M", "--seed", "1"}),
        Exits(kOk));
    ASSERT_THAT(place_.Write("mkdir", device_, {"b"}), Exits(kOk));
  }

  template <typename T>
  void Put(std::uint64_t at, const T& value) const {
    std::FILE* const image = std::fopen(place_.File("pool.img").c_str(), "r+b");
    ASSERT_NE(image, nullptr);
    std::fseek(image, static_cast<long>(at), SEEK_SET);
    ASSERT_EQ(std::fwrite(&value, sizeof(value), 1, image), 1U);
    std::fclose(image);
  }
  template <typename T>
  [[nodiscard]] T Get(std::uint64_t at) const {
    T value{};
    std::FILE* const image = std::fopen(place_.File("pool.img").c_str(), "rb");
    std::fseek(image, static_cast<long>(at), SEEK_SET);
    EXPECT_EQ(std::fread(static_cast<void*>(&value), sizeof(value), 1, image),
              1U);
    std::fclose(image);
    return value;
  }

  /// Damage that --repair mends, without a loss.
  void ExpectMended(const std::string& told) const {
    EXPECT_THAT(Famfs({"fsck", device_}), Exits(kProblems));
    const Outcome repair = place_.Write("fsck", device_, {"--repair"});
    EXPECT_THAT(repair, Exits(kOk));
    EXPECT_THAT(repair.out, AllOf(HasSubstr("repaired: "), HasSubstr(told)));
    EXPECT_THAT(Famfs({"fsck", device_}), Exits(kOk));
    EXPECT_EQ(Famfs({"ls", device_, "-R"}).out, "a/\na/f\nb/\n");
    EXPECT_THAT(Famfs({"verify", device_, ":a/f", "--seed", "1"}), Exits(kOk));
  }
  /// Damage that --repair leaves as it is, to the byte.
  void ExpectRefused(const std::string& why) const {
    const std::string log = Log();
    const Outcome repair = place_.Write("fsck", device_, {"--repair"});
    EXPECT_THAT(repair, Exits(kProblems));
    EXPECT_THAT(repair.out,
                AllOf(HasSubstr("left as it is: "), HasSubstr(why)));
    EXPECT_TRUE(Log() == log) << "the log was changed";
    const auto json =
        JsonOf(place_.Write("fsck", device_, {"--repair", "--json"}));
    EXPECT_EQ(json["clean"], false);
    EXPECT_GE(json["refused"].size(), 1U);
  }
  [[nodiscard]] std::string Log() const {
    return RunProgram({"/bin/sh", "-c",
                       "dd if=\"$0\" bs=1M skip=2 count=1 status=none | "
                       "sha256sum",
                       place_.File("pool.img")})
        .out;
  }

  const Workplace place_;
  const std::string device_ = place_.Image("pool.img");
};

TEST_F(Repair, CleanInstanceIsNotWritten) {
  const auto before = fs::last_write_time(place_.File("pool.img"));
  const Outcome repair = place_.Write("fsck", device_, {"--repair"});
  EXPECT_THAT(repair, Exits(kOk));
  EXPECT_THAT(repair.out, HasSubstr(": clean"));
  EXPECT_EQ(fs::last_write_time(place_.File("pool.img")), before);
}

TEST_F(Repair, CountersThatDifferAgreeAgain) {
  Put<std::uint64_t>(kLogOffset + kLogCountersAt, 4);
  ExpectMended("counters");
}

TEST_F(Repair, SlotsBeyondTheEndAreBlankAgain) {
  Put(kLogOffset + EntryAt(3), Get<MediaEntry>(kLogOffset + EntryAt(0)));
  ExpectMended("beyond the log's end");
}

TEST_F(Repair, TornCopiesInTheRegionAreRenewed) {
  // The older copy of the state: the newest one stays valid.
  std::array<std::byte, kLineSize> junk{};
  const auto state =
      Get<std::array<std::byte, 2 * kLineSize>>(kRegionOffset + kStateAt);
  const Uuid uuid = Get<MediaSuperblock>(0).fs_uuid;
  const auto newest = DecodeState(state, uuid);
  ASSERT_TRUE(newest.ok() && newest->has_value());
  const std::uint64_t other =
      kRegionOffset + CopyAt(kStateAt, (*newest)->sequence + 1);
  std::copy_n(state.begin(), kLineSize, junk.begin());
  junk[40] ^= std::byte{1};
  Put(other, junk);
  ExpectMended("region");
}

TEST_F(Repair, TornCompactionRecordIsRenewed) {
  // Both copies exist after one compaction.
  const Uuid uuid = Get<MediaSuperblock>(0).fs_uuid;
  Put(kRegionOffset + CopyAt(kCompactionAt, 2),
      EncodeCompaction({.sequence = 2}, uuid));
  Line torn = EncodeCompaction({.sequence = 1}, uuid);
  torn[30] ^= std::byte{1};
  Put(kRegionOffset + CopyAt(kCompactionAt, 1), torn);
  ExpectMended("compaction record");
}

TEST_F(Repair, LogHeaderIsStoredAnewWhenItsEntriesAreAllThere) {
  Put<std::uint64_t>(kLogOffset + 24, 0x1234);  // its checksum
  EXPECT_THAT(Famfs({"ls", device_}), Exits(kProblems));
  ExpectMended("log header");
}

TEST_F(Repair, LogHeaderIsNotGuessed) {
  Put<std::uint64_t>(kLogOffset + 24, 0x1234);
  Put<std::uint64_t>(kLogOffset + kLogCountersAt + 8, 2);
  ExpectRefused("3 entries stand there, but it counts 2");
}

TEST_F(Repair, BrokenEntryIsLeftAsItIs) {
  Put<std::uint8_t>(kLogOffset + EntryAt(1) + 45, '!');
  ExpectRefused("an entry is never changed");
}

TEST_F(Repair, SuperblockIsLeftAsItIs) {
  Put<std::uint64_t>(96, 0x1234);  // its checksum
  ExpectRefused("the superblock says where everything lies");
}

TEST_F(Repair, StateWithoutAValidCopyIsLeftAsItIs) {
  for (const std::uint64_t slot : {0U, 1U}) {
    const std::uint64_t at = kRegionOffset + kStateAt + slot * kLineSize;
    StateRecord state;
    state.sequence = slot;
    Line line = EncodeState(state, Get<MediaSuperblock>(0).fs_uuid);
    line[30] ^= std::byte{1};
    Put(at, line);
  }
  ExpectRefused("no valid copy is left");
}

TEST_F(Repair, IsTheOwnersAloneAndNeedsTheLock) {
  Put<std::uint64_t>(kLogOffset + kLogCountersAt, 4);
  const Outcome foreign = Famfs({"fsck", device_, "--repair", "--system-uuid",
                                 "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
                                 "--lock-directory", place_.LockDirectory()});
  EXPECT_THAT(foreign, Exits(kProblems));
  EXPECT_THAT(foreign.err, HasSubstr(kOwner));
  EXPECT_THAT(Famfs({"fsck", device_}), Exits(kProblems)) << "still unfinished";
  EXPECT_THAT(place_.Write("fsck", place_.File("none"), {"--repair"}),
              Exits(kUsage));
}

TEST(RepairExtents, LeftoverFilesGoAndMissingOnesAreTold) {
  const Workplace place;
  const std::string device = place.Emulated("pool");
  ASSERT_THAT(place.Write("creat", device, {"f", "--size", "2M"}), Exits(kOk));
  const std::string extents = place.File("pool/extents/");
  rig::WriteFile(extents + "40000000", "");
  fs::resize_file(extents + "40000000", 2U << 20);
  const Outcome repair = place.Write("fsck", device, {"--repair"});
  EXPECT_THAT(repair, Exits(kOk));
  EXPECT_THAT(repair.out, HasSubstr("repaired: "));
  EXPECT_FALSE(fs::exists(extents + "40000000"));

  fs::remove(extents + "a00000");
  const Outcome lost = place.Write("fsck", device, {"--repair"});
  EXPECT_THAT(lost, Exits(kProblems));
  EXPECT_THAT(lost.out, HasSubstr("the bytes of a file are gone"));
  EXPECT_EQ(Famfs({"ls", device}).out, "f\n");
}

}  // namespace
}  // namespace famfs
