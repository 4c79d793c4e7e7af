// Damaged and hostile images: fsck names what is wrong and exits 1, dump shows
// what is there as valid JSON, neither crashes.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <random>

#include "base/unique_fd.h"
#include "media/checksum.h"
#include "tests/integration/support/rig.h"
#include "tests/integration/tools/famfs_command.h"
#include "tests/unit/media/golden.h"

namespace famfs {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

/// An image that holds the golden three entries, to be damaged.
class Victim {
 public:
  Victim() {
    const auto bytes = testing::GoldenImage("three-entries");
    Write(0, bytes.data(), bytes.size());
    Truncate(testing::kGoldenDeviceSize);
  }
  [[nodiscard]] std::string spec() const { return "image:" + path_; }

  void Truncate(std::uint64_t size) {
    ASSERT_EQ(::ftruncate(fd_.get(), static_cast<off_t>(size)), 0);
  }
  void Write(std::uint64_t at, const void* bytes, std::size_t size) {
    ASSERT_EQ(::pwrite(fd_.get(), bytes, size, static_cast<off_t>(at)),
              static_cast<ssize_t>(size));
  }
  template <typename T>
  T Read(std::uint64_t at) {
    T value{};
    EXPECT_EQ(::pread(fd_.get(), &value, sizeof(T), static_cast<off_t>(at)),
              static_cast<ssize_t>(sizeof(T)));
    return value;
  }
  void Flip(std::uint64_t byte, unsigned bit) {
    auto value = Read<unsigned char>(byte);
    value = static_cast<unsigned char>(value ^ (1U << bit));
    Write(byte, &value, 1);
  }

  /// Changes an entry and gives it the checksum that fits: what a hostile
  /// writer does.
  void Forge(std::uint64_t index,
             const std::function<void(MediaEntry&)>& edit) {
    const std::uint64_t at = kLogOffset + EntryAt(index);
    auto entry = Read<MediaEntry>(at);
    edit(entry);
    Seal(entry);
    Write(at, &entry, sizeof(entry));
  }
  void EditHeader(const std::function<void(MediaLogHeader&)>& edit) {
    auto header = Read<MediaLogHeader>(kLogOffset);
    edit(header);
    Seal(header);
    Write(kLogOffset, &header, sizeof(header));
  }
  void EditSuperblock(const std::function<void(MediaSuperblock&)>& edit) {
    auto superblock = Read<MediaSuperblock>(0);
    edit(superblock);
    Seal(superblock);
    Write(0, &superblock, sizeof(superblock));
  }

 private:
  const Workplace place_;
  const std::string path_ = place_.File("victim.img");
  const UniqueFd fd_ = OpenFile(path_, O_RDWR | O_CREAT | O_EXCL).value();
};

struct Damage {
  const char* name;
  void (*inflict)(Victim&);
  const char* told;      // fsck's output names it so
  int dump = kProblems;  // exit code of dump: kOk for rules between entries
};

void PrintTo(const Damage& damage, std::ostream* out) { *out << damage.name; }

const Damage kDamages[] = {
    {"SuperblockMagicGone", [](Victim& v) { v.Flip(0, 3); }, "no famfs"},
    {"SuperblockChecksumBad", [](Victim& v) { v.Flip(50, 0); }, "superblock"},
    {"SuperblockLogLengthAbsurd",
     [](Victim& v) {
       v.EditSuperblock([](auto& s) { s.log_length = 1ULL << 60; });
     },
     "log"},
    {"SuperblockDeviceLargerThanTheImage",
     [](Victim& v) {
       v.EditSuperblock([](auto& s) { s.device_size = 1ULL << 50; });
     },
     "device_size"},
    {"LogMagicGone", [](Victim& v) { v.Flip(kLogOffset, 0); }, "log header"},
    {"LogHeaderChecksumBad", [](Victim& v) { v.Flip(kLogOffset + 17, 1); },
     "log header"},
    {"EntriesCountedBeyondTheLog",
     [](Victim& v) {
       v.EditHeader([](auto& h) { h.next_seqnum = h.next_index = ~0ULL; });
     },
     "next_index"},
    {"EntryChecksumBad",
     [](Victim& v) { v.Flip(kLogOffset + EntryAt(1) + 300, 5); }, "entry 1"},
    {"EntrySequenceWrong",
     [](Victim& v) { v.Forge(2, [](auto& e) { e.seqnum = 7; }); }, "entry 2"},
    {"EntryOfUnknownType",
     [](Victim& v) { v.Forge(0, [](auto& e) { e.type = 77; }); }, "entry 0"},
    {"PathClimbsOut",
     [](Victim& v) {
       v.Forge(1, [](auto& e) { SetPath(e.file.path, "../x"); });
     },
     "entry 1"},
    {"PathAbsolute",
     [](Victim& v) {
       v.Forge(1, [](auto& e) { SetPath(e.file.path, "/etc/passwd"); });
     },
     "entry 1"},
    {"PathIsNotText",
     [](Victim& v) {
       v.Forge(0, [](auto& e) { SetPath(e.mkdir.path, "a\xff\x1b[2Jb"); });
     },
     "entry 0"},
    {"PathWithoutEnd",
     [](Victim& v) {
       v.Forge(0, [](auto& e) { std::memset(e.mkdir.path, 'a', 80); });
     },
     "entry 0"},
    {"ParentMissing",
     [](Victim& v) {
       v.Forge(1, [](auto& e) { SetPath(e.file.path, "nowhere/f"); });
     },
     "entry 1", kOk},
    {"FileTwice",
     [](Victim& v) {
       v.Forge(2, [](auto& e) { SetPath(e.file.path, "dir1/simple.bin"); });
     },
     "entry 2", kOk},
    {"ExtentsOverlap",
     [](Victim& v) {
       v.Forge(1, [](auto& e) { e.file.extents[0].offset = 0x1000000; });
     },
     "entry 2", kOk},
    {"ExtentPastTheDevice",
     [](Victim& v) {
       v.Forge(1, [](auto& e) { e.file.extents[0].offset = 4ULL << 30; });
     },
     "entry 1"},
    {"ExtentEndWrapsAround",
     [](Victim& v) {
       v.Forge(1, [](auto& e) {
         e.file.extents[0] = {0, ~0ULL << 21, 1ULL << 22};
       });
     },
     "entry 1"},
    {"ExtentOverTheSuperblock",
     [](Victim& v) {
       v.Forge(1, [](auto& e) { e.file.extents[0].offset = 0; });
     },
     "entry 1"},
    {"ExtentCountHuge",
     [](Victim& v) { v.Forge(1, [](auto& e) { e.file.extent_count = ~0U; }); },
     "entry 1"},
    {"StripCountHuge",
     [](Victim& v) {
       v.Forge(2, [](auto& e) { e.file.interleave.strips_used = ~0ULL; });
     },
     "entry 2"},
    {"ChunkZero",
     [](Victim& v) {
       v.Forge(2, [](auto& e) { e.file.interleave.chunk = 0; });
     },
     "entry 2"},
    {"SizeBeyondItsExtents",
     [](Victim& v) { v.Forge(1, [](auto& e) { e.file.size = 1ULL << 62; }); },
     "entry 1"},
    {"CutInTheLog", [](Victim& v) { v.Truncate(3U << 20); }, "superblock"},
    {"CutInTheSuperblock", [](Victim& v) { v.Truncate(100); }, ""},
    {"CutToOneByte", [](Victim& v) { v.Truncate(1); }, ""},
    {"OddSize", [](Victim& v) { v.Truncate((4ULL << 30) - 12345); },
     "device_size"},
};

class Damaged : public ::testing::TestWithParam<Damage> {};

TEST_P(Damaged, FsckNamesItAndDumpShowsWhatIsThere) {
  Victim victim;
  ASSERT_NO_FATAL_FAILURE(GetParam().inflict(victim));
  const Outcome fsck = Famfs({"fsck", victim.spec()});
  EXPECT_THAT(fsck, Exits(kProblems));
  EXPECT_THAT(fsck.out, HasSubstr(GetParam().told));
  EXPECT_EQ(fsck.out.find('\x1b'), std::string::npos);

  const Outcome json = Famfs({"fsck", victim.spec(), "--json"});
  EXPECT_THAT(json, Exits(kProblems));
  EXPECT_GE(JsonOf(json)["findings"].size(), 1U);

  const Outcome dump = Famfs({"dump", victim.spec(), "--json"});
  EXPECT_THAT(dump, Exits(GetParam().dump));
  const nlohmann::json shown = JsonOf(dump);
  EXPECT_EQ(shown["problems"].empty(), GetParam().dump == kOk);
  EXPECT_TRUE(shown["superblock"].contains("magic"));
  const Outcome text = Famfs({"dump", victim.spec()});
  EXPECT_THAT(text, Exits(GetParam().dump));
  EXPECT_EQ(text.out.find('\x1b'), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Images, Damaged, ::testing::ValuesIn(kDamages),
                         [](const auto& param) {
                           return std::string(param.param.name);
                         });

TEST(DamagedBits, EachFlippedBitOfTheMetadataIsFound) {
  constexpr std::uint32_t kSeed = 20;
  SCOPED_TRACE(::testing::Message() << "seed " << kSeed);
  std::mt19937 random(kSeed);
  Victim victim;
  for (int round = 0; round < 60; ++round) {
    // Superblock with its checksum, log header, or one of the three entries.
    const std::uint64_t places[] = {random() % 104, kLogOffset + random() % 48,
                                    kLogOffset + 48 + random() % (3 * 544)};
    const std::uint64_t byte = places[random() % 3];
    const unsigned bit = random() % 8;
    SCOPED_TRACE(::testing::Message() << "byte " << byte << " bit " << bit);
    victim.Flip(byte, bit);
    EXPECT_THAT(Famfs({"fsck", victim.spec()}), Exits(kProblems));
    const Outcome dump = Famfs({"dump", victim.spec(), "--json"});
    EXPECT_THAT(dump, AnyOf(Exits(kOk), Exits(kProblems)));
    JsonOf(dump);
    victim.Flip(byte, bit);
  }
  EXPECT_THAT(Famfs({"fsck", victim.spec()}), Exits(kOk));
}

TEST(DamagedEmulated, MissingLogIsToldByBothCommands) {
  const Workplace place;
  const std::string device = place.Emulated("pool");
  ASSERT_TRUE(std::filesystem::remove(place.File("pool/extents/200000")));
  EXPECT_THAT(Famfs({"fsck", device}), Exits(kProblems));
  const Outcome dump = Famfs({"dump", device, "--json"});
  EXPECT_THAT(dump, Exits(kProblems));
  EXPECT_THAT(dump.out, HasSubstr("log: the device holds 0 of"));
  EXPECT_TRUE(JsonOf(dump)["entries"].empty());
}

TEST(DamagedEntries, DumpEscapesWhatIsNotText) {
  Victim victim;
  victim.Forge(0, [](auto& e) { SetPath(e.mkdir.path, "a\xff\\b"); });
  const nlohmann::json json = JsonOf(Famfs({"dump", victim.spec(), "--json"}));
  EXPECT_EQ(json["entries"][0]["mkdir"]["path"], "a\\xff\\\\b");
  EXPECT_EQ(json["entries"][0]["mkdir"]["path_hex"], "61ff5c62");
}

TEST(DamagedEntries, SlotsBehindTheEndAreShownOnRequest) {
  Victim victim;
  victim.EditHeader([](auto& h) { h.next_seqnum = h.next_index = 2; });
  const auto used = JsonOf(Famfs({"dump", victim.spec(), "--json"}));
  EXPECT_EQ(used["entries"].size(), 2U);
  const auto all = JsonOf(Famfs({"dump", victim.spec(), "--json", "--all"}));
  ASSERT_EQ(all["entries"].size(), 3U);
  EXPECT_EQ(all["entries"][1]["in_use"], true);
  EXPECT_EQ(all["entries"][2]["in_use"], false);
}

}  // namespace
}  // namespace famfs
