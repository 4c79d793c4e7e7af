// Answers that were wrong in small: each is told apart, refused or obeyed.
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>

#include "tests/integration/support/rig.h"
#include "tests/integration/tools/famfs_command.h"

namespace famfs {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(Modes, AreNothingButPermissionBits) {
  const Workplace place;
  const std::string device = place.Emulated("pool");
  rig::WriteFile(place.File("a"), "x");
  for (const std::string mode : {"4755", "2755", "1777", "10000"}) {
    for (const std::vector<std::string>& words :
         std::vector<std::vector<std::string>>{
             {"creat", "f", "--size", "1M", "-m", mode},
             {"mkdir", "d", "-m", mode},
             {"cp", place.File("a"), ":a", "-m", mode}}) {
      const Outcome outcome =
          place.Write(words[0], device,
                      std::vector<std::string>(words.begin() + 1, words.end()));
      EXPECT_THAT(outcome, Exits(kUsage)) << words[0] << " " << mode;
      EXPECT_THAT(outcome.err, HasSubstr(mode));
    }
  }
  EXPECT_EQ(Famfs({"ls", device}).out, "");
}

TEST(WrongCommandLines, PointToTheHelpOfTheCommand) {
  EXPECT_THAT(Famfs({"ls", "--nosuch", "x"}).err,
              HasSubstr("Try: famfs ls --help\n"));
  EXPECT_THAT(Famfs({"creat", "x"}).err,
              HasSubstr("Try: famfs creat --help\n"));
  EXPECT_THAT(Famfs({"nosuch"}).err, HasSubstr("Try: famfs --help\n"));
  EXPECT_THAT(Famfs({}).err, HasSubstr("Try: famfs --help\n"));
}

TEST(NilUuid, IsNobodys) {
  const Workplace place;
  constexpr const char* kNil = "00000000-0000-0000-0000-000000000000";
  const std::string device = place.Emulated("pool");
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{
           {"mkdir", device, "d", "--take-over", "--system-uuid", kNil},
           {"mkfs", device, "--force", "--system-uuid", kNil},
           {"mkfs", device, "--force", "--uuid", kNil},
           {"mkfs", "emulated:" + place.File("new"), "--size", "4G", "--tag",
            kNil}}) {
    const Outcome outcome = Famfs(words);
    EXPECT_THAT(outcome, Exits(kUsage)) << words.back();
    EXPECT_THAT(outcome.err, HasSubstr("nil"));
  }
  const std::string file = place.File("identity");
  rig::WriteFile(file, std::string(kNil) + "\n");
  ::setenv("FAMFS_SYSTEM_UUID_FILE", file.c_str(), 1);
  const Outcome by_file = Famfs({"mkdir", device, "d", "--take-over",
                                 "--lock-directory", place.LockDirectory()});
  ::unsetenv("FAMFS_SYSTEM_UUID_FILE");
  EXPECT_THAT(by_file, Exits(kProblems));
  EXPECT_THAT(by_file.err, HasSubstr("nil"));
  EXPECT_EQ(JsonOf(Famfs({"dump", device, "--json"}))["superblock"]["sys_uuid"],
            kOwner);
}

TEST(Fsck, TellsATagThatContradictsTheSuperblock) {
  const Workplace place;
  const std::string device = place.Emulated("pool");
  const std::string yaml = place.File("pool/device.yaml");
  const std::string before = rig::ReadWholeFile(yaml);
  const std::string tag = JsonOf(Famfs({"dump", device, "--json"}))["tag"];
  std::string after = before;
  after.replace(after.find(tag), tag.size(),
                "3f2504e0-4f89-41d3-9a0c-0305e82c3301");
  rig::WriteFile(yaml, after);
  const Outcome fsck = Famfs({"fsck", device});
  EXPECT_THAT(fsck, Exits(kProblems));
  EXPECT_THAT(fsck.out, AllOf(HasSubstr("error: tag: "), HasSubstr(tag)));
  const Outcome repair = place.Write("fsck", device, {"--repair"});
  EXPECT_THAT(repair.out, HasSubstr("write the superblock's into device.yaml"));
  rig::WriteFile(yaml, before);
  EXPECT_THAT(Famfs({"fsck", device}), Exits(kOk));
}

TEST(Fsck, IsCleanAfterAnImportUnderAnotherTag) {
  const Workplace place;
  const std::string device = place.Emulated("pool");
  ASSERT_THAT(Famfs({"export", device, place.File("flat.img")}), Exits(kOk));
  ASSERT_THAT(Famfs({"import", place.File("flat.img"), place.File("pool2"),
                     "--tag", "3f2504e0-4f89-41d3-9a0c-0305e82c3301"}),
              Exits(kOk));
  EXPECT_THAT(Famfs({"fsck", place.File("pool2")}), Exits(kOk));
}

TEST(Names, ThatAreNotTextAreToldApart) {
  const Workplace place;
  const std::string device = place.Emulated("pool");
  for (const std::string name : {"a\xff", "a\\xff", "Größe"}) {
    ASSERT_THAT(place.Write("mkdir", device, {name}), Exits(kOk));
  }
  const Outcome ls = Famfs({"ls", device});
  EXPECT_EQ(ls.out, "Größe/\na\\\\xff/\na\\xff/\n");
  const auto entries = JsonOf(Famfs({"ls", device, "--json"}))["entries"];
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(entries[0]["path"], "Größe");
  EXPECT_EQ(entries[1]["path"], "a\\xff");
  EXPECT_FALSE(entries[1].contains("path_hex"));
  EXPECT_EQ(entries[2]["path"], "a\\xff");
  EXPECT_EQ(entries[2]["path_hex"], "61ff");
}

TEST(Flush, IsOfFilesOnAFamfsMountAlone) {
  const Workplace place;
  rig::WriteFile(place.File("local"), "x");
  const Outcome flush = Famfs({"flush", place.File("local")});
  EXPECT_THAT(flush, Exits(kProblems));
  EXPECT_THAT(flush.err, HasSubstr("does not lie on a famfs mount"));
}

class OnAMount : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::access("/dev/fuse", R_OK | W_OK) != 0) {
      GTEST_SKIP() << "no /dev/fuse: mounting needs FUSE and root";
    }
    ASSERT_THAT(place_.Write("mkdir", device_, {"-p", "a/b"}), Exits(kOk));
    ASSERT_THAT(place_.Write("creat", device_, {"a/f", "--size", "3M"}),
                Exits(kOk));
    fs::create_directory(mount_);
    ASSERT_THAT(Famfs({"mount", device_, mount_}), Exits(kOk));
  }
  void TearDown() override { ::umount2(mount_.c_str(), MNT_DETACH); }

  const Workplace place_;
  const std::string device_ = place_.Emulated("pool");
  const std::string mount_ = place_.File("m");
};

TEST_F(OnAMount, APathIsThatPlaceAndNotTheRoot) {
  EXPECT_EQ(Famfs({"ls", mount_}).out, "a/\n");
  EXPECT_EQ(Famfs({"ls", mount_ + "/a"}).out, "a/b/\na/f\n");
  EXPECT_EQ(Famfs({"ls", mount_ + "/a/f"}).out, "a/f\n");
  EXPECT_EQ(Famfs({"ls", mount_ + "/a", "f"}).out, "a/f\n");
  EXPECT_EQ(JsonOf(Famfs({"ls", mount_ + "/a", "--json"}))["path"], "a");
  EXPECT_THAT(Famfs({"stat", mount_ + "/a", "f"}).out, HasSubstr("a/f"));
  EXPECT_EQ(JsonOf(Famfs({"du", mount_ + "/a/b", "--json"}))[0]["path"], "a/b");
}

TEST_F(OnAMount, CommandsOnTheWholeInstanceWantTheMountItself) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"df", mount_ + "/a"},
                                             {"fsck", mount_ + "/a"},
                                             {"dump", mount_ + "/a"},
                                             {"mkdir", mount_ + "/a", "c"}}) {
    const Outcome outcome = Famfs(words);
    EXPECT_THAT(outcome, Exits(kUsage)) << words[0];
    EXPECT_THAT(outcome.err, HasSubstr("lies inside of the mount " + mount_))
        << words[0];
  }
  EXPECT_THAT(Famfs({"df", mount_}), Exits(kOk));
}

TEST_F(OnAMount, ABindOfADirectoryIsThatDirectory) {
  const std::string bind = place_.File("bind");
  fs::create_directory(bind);
  for (const std::string from : {"/a", "/.meta/ro/a"}) {
    ASSERT_EQ(::mount((mount_ + from).c_str(), bind.c_str(), nullptr, MS_BIND,
                      nullptr),
              0);
    EXPECT_EQ(Famfs({"ls", bind}).out, "a/b/\na/f\n") << from;
    EXPECT_THAT(Famfs({"chkread", bind + "/f"}), Exits(kOk)) << from;
    ASSERT_EQ(::umount2(bind.c_str(), MNT_DETACH), 0);
  }
}

TEST_F(OnAMount, AMountOverAMountIsMadeByTheOptionThatIsAdvised) {
  const Outcome refused = Famfs({"mount", device_, mount_});
  EXPECT_THAT(refused, Exits(kProblems));
  ASSERT_THAT(refused.err, HasSubstr("--allow-existing-mount"));
  EXPECT_THAT(Famfs({"mount", device_, mount_, "--allow-existing-mount"}),
              Exits(kOk));
  EXPECT_THAT(Famfs({"umount", mount_}), Exits(kOk));
}

TEST_F(OnAMount, AReadOnlyFileSystemIsTheSameToEveryCommand) {
  const rig::Tmpfs memory("64M");
  const std::string device = "emulated:" + memory / "pool";
  ASSERT_THAT(place_.Write("mkfs", device, {"--size", "4G"}), Exits(kOk));
  ASSERT_EQ(::mount(nullptr, memory.path().c_str(), nullptr,
                    MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr),
            0);
  const std::string point = place_.File("point");
  fs::create_directory(point);
  for (const Outcome& outcome :
       {Famfs({"mount", device, point}), place_.Write("mkdir", device, {"d"}),
        place_.Write("creat", device, {"f", "--size", "1M"})}) {
    EXPECT_THAT(outcome, Exits(kUsage));
    EXPECT_THAT(outcome.err, HasSubstr("Read-only file system"));
  }
}

}  // namespace
}  // namespace famfs
