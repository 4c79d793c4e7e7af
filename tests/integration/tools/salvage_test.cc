// A damaged instance: nothing is refused without a way out, and by --salvage
// every file comes out but that of the damaged entry.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/unique_fd.h"
#include "media/format.h"
#include "tests/integration/support/rig.h"
#include "tests/integration/tools/famfs_command.h"

namespace famfs {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::uint64_t kFiles = 6;
constexpr std::uint64_t kDamaged = 3;

std::string Name(std::uint64_t i) { return "f" + std::to_string(i); }

class Salvage : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    for (std::uint64_t i = 0; i < kFiles; ++i) {
      ASSERT_THAT(
          place_.Write("creat", device_,
                       {Name(i), "--size", "3M", "--seed", std::to_string(i)}),
          Exits(kOk));
    }
    FlipByteOf(kDamaged);
  }
  [[nodiscard]] bool Emulated() const {
    return std::string(GetParam()) == "emulated";
  }
  /// Of an entry of the log, in its path.
  void FlipByteOf(std::uint64_t entry) const {
    const std::string path = Emulated() ? place_.File("pool/extents/200000")
                                        : place_.File("pool.img");
    const auto at =
        static_cast<off_t>(EntryAt(entry) + 45 + (Emulated() ? 0 : kLogOffset));
    const auto fd = OpenFile(path, O_RDWR);
    ASSERT_TRUE(fd.ok()) << fd.status();
    unsigned char byte = 0;
    ASSERT_EQ(::pread(fd->get(), &byte, 1, at), 1);
    byte ^= 0x40;
    ASSERT_EQ(::pwrite(fd->get(), &byte, 1, at), 1);
  }
  [[nodiscard]] std::size_t ExtentFiles() const {
    std::size_t files = 0;
    for (const auto& entry :
         fs::directory_iterator(place_.File("pool/extents"))) {
      files += entry.is_regular_file() ? 1U : 0U;
    }
    return files;
  }
  /// Every file but the damaged one, whole, below `directory`.
  void ExpectAllWhole(const std::string& directory) const {
    for (std::uint64_t i = 0; i < kFiles; ++i) {
      const std::string path = directory + "/" + Name(i);
      EXPECT_EQ(fs::exists(path), i != kDamaged) << path;
      if (i == kDamaged) continue;
      EXPECT_THAT(Famfs({"verify", path, "--seed", std::to_string(i)}),
                  Exits(kOk));
    }
  }

  const Workplace place_;
  const std::string device_ = std::string(GetParam()) == "emulated"
                                  ? place_.Emulated("pool")
                                  : place_.Image("pool.img");
};

std::string NameOf(const ::testing::TestParamInfo<const char*>& device) {
  return device.param;
}

INSTANTIATE_TEST_SUITE_P(Devices, Salvage,
                         ::testing::Values("emulated", "image"), NameOf);

/// Only extents that are files could go.
using SalvageOfExtents = Salvage;
INSTANTIATE_TEST_SUITE_P(Devices, SalvageOfExtents,
                         ::testing::Values("emulated"), NameOf);

TEST_P(Salvage, WithoutItEachCommandRefusesAndTellsTheWayOut) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{
           {"ls", device_},
           {"stat", device_, "f0"},
           {"df", device_},
           {"du", device_},
           {"map", device_},
           {"verify", device_, ":f0", "--seed", "0"},
           {"cp", device_, ":f0", place_.File("out")},
           {"export", device_, place_.File("out.img")}}) {
    const Outcome outcome = Famfs(words);
    EXPECT_THAT(outcome, Exits(kProblems)) << words[0];
    EXPECT_THAT(outcome.err,
                AllOf(HasSubstr("entry 3: crc"),
                      HasSubstr("famfs cp -r --salvage " + device_)))
        << words[0];
  }
  const Outcome write = place_.Write("mkdir", device_, {"d"});
  EXPECT_THAT(write, Exits(kProblems));
  EXPECT_THAT(write.err, HasSubstr("--salvage"));
}

TEST_P(Salvage, AnErrorIsJsonWhereJsonWasAskedFor) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"ls", device_, "--json"},
                                             {"stat", device_, "f0", "--json"},
                                             {"df", device_, "--json"},
                                             {"du", device_, "--json"},
                                             {"map", device_, "--json"}}) {
    const Outcome outcome = Famfs(words);
    EXPECT_THAT(outcome, Exits(kProblems)) << words[0];
    EXPECT_THAT(JsonOf(outcome)["error"], HasSubstr("entry 3: crc"))
        << words[0];
  }
}

TEST_P(Salvage, EverythingWholeIsCopiedOut) {
  const Outcome cp =
      Famfs({"cp", "-r", "--salvage", device_, ":", place_.File("out")});
  EXPECT_THAT(cp, Exits(kProblems)) << "something is missing";
  EXPECT_THAT(cp.err, AllOf(HasSubstr("SALVAGE"), HasSubstr("entry 3: crc")));
  ExpectAllWhole(place_.File("out"));
  const auto json = JsonOf(Famfs(
      {"cp", "-r", "--salvage", "--json", device_, ":", place_.File("again")}));
  EXPECT_EQ(json["copied"], kFiles - 1);
  EXPECT_EQ(json["damage"].at(0)["entry"], kDamaged);
}

TEST_P(Salvage, EachReadingCommandShowsWhatIsWhole) {
  const Outcome ls = Famfs({"ls", device_, "--salvage"});
  EXPECT_THAT(ls, Exits(kProblems));
  EXPECT_EQ(ls.out, "f0\nf1\nf2\nf4\nf5\n");
  EXPECT_THAT(ls.err, HasSubstr("SALVAGE"));
  const auto json = JsonOf(Famfs({"ls", device_, "--salvage", "--json"}));
  EXPECT_EQ(json["entries"].size(), kFiles - 1);
  EXPECT_EQ(json["damage"].at(0)["rule"], "crc");
  EXPECT_THAT(Famfs({"stat", device_, "f4", "--salvage"}).out,
              HasSubstr("3145728 bytes"));
  EXPECT_EQ(JsonOf(Famfs({"df", device_, "--salvage", "--json"}))["files"],
            kFiles - 1);
  EXPECT_EQ(
      JsonOf(Famfs({"du", device_, "-s", "--salvage", "--json"}))[0]["files"],
      kFiles - 1);
  EXPECT_THAT(Famfs({"map", device_, "--salvage"}).out, HasSubstr("f5"));
  EXPECT_THAT(Famfs({"verify", device_, ":f5", "--seed", "5", "--salvage"}).out,
              HasSubstr("are the stream"));
}

TEST_P(Salvage, OfAWholeInstanceItIsNothingSpecial) {
  FlipByteOf(kDamaged);
  const Outcome ls = Famfs({"ls", device_, "--salvage"});
  EXPECT_THAT(ls, Exits(kOk));
  EXPECT_THAT(ls.err, HasSubstr("nothing is damaged"));
}

TEST_P(Salvage, FilesOfADamagedDirectoryComeOut) {
  const Workplace place;
  const std::string device = place.Image("pool.img");
  ASSERT_THAT(place.Write("mkdir", device, {"a"}), Exits(kOk));
  ASSERT_THAT(
      place.Write("creat", device, {"a/f", "--size", "3M", "--seed", "1"}),
      Exits(kOk));
  const auto fd = OpenFile(place.File("pool.img"), O_RDWR);
  ASSERT_TRUE(fd.ok());
  ASSERT_EQ(::pwrite(fd->get(), "!", 1,
                     static_cast<off_t>(kLogOffset + EntryAt(0) + 45)),
            1);
  EXPECT_THAT(Famfs({"cp", "-r", "--salvage", device, ":", place.File("out")}),
              Exits(kProblems));
  EXPECT_THAT(Famfs({"verify", place.File("out/a/f"), "--seed", "1"}),
              Exits(kOk));
}

TEST_P(Salvage, ExportKeepsWhatTheDamagedEntryNamed) {
  const std::string image = place_.File("out.img");
  EXPECT_THAT(Famfs({"export", "--salvage", device_, image}), Exits(kOk));
  ASSERT_THAT(Famfs({"ls", image, "--salvage"}), Exits(kProblems));
  // Flipped back, the entry finds its bytes.
  const auto fd = OpenFile(image, O_RDWR);
  ASSERT_TRUE(fd.ok());
  const auto at = static_cast<off_t>(kLogOffset + EntryAt(kDamaged) + 45);
  unsigned char byte = 0;
  ASSERT_EQ(::pread(fd->get(), &byte, 1, at), 1);
  byte ^= 0x40;
  ASSERT_EQ(::pwrite(fd->get(), &byte, 1, at), 1);
  EXPECT_THAT(Famfs({"verify", image, ":f3", "--seed", "3"}), Exits(kOk));
}

TEST_P(SalvageOfExtents, NeitherRepairNorAWriterRemovesWhatMayBeAFile) {
  const std::size_t before = ExtentFiles();
  const Outcome fsck = Famfs({"fsck", device_});
  EXPECT_THAT(fsck, Exits(kProblems));
  EXPECT_THAT(fsck.out, AllOf(HasSubstr("error: unnamed: "),
                              Not(HasSubstr("unfinished"))));
  EXPECT_THAT(place_.Write("fsck", device_, {"--repair"}), Exits(kProblems));
  EXPECT_THAT(place_.Write("creat", device_, {"new", "--size", "2M"}),
              Exits(kProblems));
  EXPECT_THAT(place_.Write("compact", device_, {}), Exits(kProblems));
  EXPECT_EQ(ExtentFiles(), before);
  FlipByteOf(kDamaged);
  EXPECT_THAT(Famfs({"verify", device_, ":f3", "--seed", "3"}), Exits(kOk));
}

TEST_P(Salvage, CopiesIntoADamagedInstanceAreRefused) {
  rig::WriteFile(place_.File("a"), "x");
  const Outcome cp =
      place_.Write("cp", device_, {"--salvage", place_.File("a"), ":a"});
  EXPECT_THAT(cp, Exits(kUsage));
  EXPECT_THAT(cp.err, HasSubstr("out of an instance"));
}

TEST_P(Salvage, AMountShowsWhatIsWholeAndTakesNothing) {
  if (::access("/dev/fuse", R_OK | W_OK) != 0) {
    GTEST_SKIP() << "no /dev/fuse: mounting needs FUSE and root";
  }
  const std::string mount_point = place_.File("mnt");
  fs::create_directory(mount_point);
  const Outcome refused = Famfs({"mount", device_, mount_point});
  EXPECT_THAT(refused, Exits(kProblems));
  EXPECT_THAT(refused.err, HasSubstr("--salvage"));
  const Outcome mount = Famfs({"mount", "--salvage", device_, mount_point});
  ASSERT_THAT(mount, Exits(kOk));
  EXPECT_THAT(mount.out, HasSubstr("for reading alone"));
  EXPECT_THAT(mount.err, HasSubstr("entry 3: crc"));
  ExpectAllWhole(mount_point);
  EXPECT_LT(::open((mount_point + "/f0").c_str(), O_RDWR | O_CLOEXEC), 0);
  EXPECT_EQ(errno, EROFS);
  // Also where a bind of it is writable.
  const std::string bind = place_.File("bind");
  fs::create_directory(bind);
  ASSERT_EQ(
      ::mount(mount_point.c_str(), bind.c_str(), nullptr, MS_BIND, nullptr), 0);
  ::mount(nullptr, bind.c_str(), nullptr, MS_REMOUNT | MS_BIND, nullptr);
  EXPECT_LT(::open((bind + "/f0").c_str(), O_RDWR | O_CLOEXEC), 0);
  EXPECT_EQ(errno, EROFS);
  ASSERT_EQ(::umount2(bind.c_str(), MNT_DETACH), 0);
  // Nobody waits for it.
  FlipByteOf(kDamaged);
  const Outcome hosts = Famfs({"hosts", device_, "--json"});
  EXPECT_THAT(hosts, Exits(kOk));
  EXPECT_TRUE(JsonOf(hosts).empty());
  EXPECT_THAT(Famfs({"umount", mount_point}), Exits(kOk));
}

TEST_P(Salvage, AMountOfADamagedSuperblockShowsEveryByte) {
  if (::access("/dev/fuse", R_OK | W_OK) != 0) {
    GTEST_SKIP() << "no /dev/fuse: mounting needs FUSE and root";
  }
  const auto fd = OpenFile(
      Emulated() ? place_.File("pool/extents/0") : place_.File("pool.img"),
      O_RDWR);
  ASSERT_TRUE(fd.ok()) << fd.status();
  const std::string mount_point = place_.File("mnt");
  fs::create_directory(mount_point);
  // In the magic, in the uuid, and in the crc.
  for (const off_t at : {3, 50, 96}) {
    unsigned char byte = 0;
    ASSERT_EQ(::pread(fd->get(), &byte, 1, at), 1);
    byte ^= 1;
    ASSERT_EQ(::pwrite(fd->get(), &byte, 1, at), 1);
    ASSERT_THAT(Famfs({"mount", "--salvage", device_, mount_point}), Exits(kOk))
        << at;
    ExpectAllWhole(mount_point);
    EXPECT_THAT(Famfs({"umount", mount_point}), Exits(kOk));
    byte ^= 1;
    ASSERT_EQ(::pwrite(fd->get(), &byte, 1, at), 1);
  }
}

}  // namespace
}  // namespace famfs
