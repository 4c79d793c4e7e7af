// What cannot be done, and whether the message tells what to do about it.
#include <gtest/gtest.h>

#include <filesystem>

#include "dax/device.h"
#include "instance/writer/writer.h"
#include "tests/integration/support/rig.h"
#include "tests/integration/tools/famfs_command.h"

namespace famfs {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(MissingDevice, IsNamedWithTheCommandThatMakesIt) {
  const Workplace place;
  const std::string path = place.File("nothing");
  for (const std::string& device :
       {path, "image:" + path, "emulated:" + path}) {
    for (const std::string command : {"ls", "fsck", "dump"}) {
      const Outcome outcome = Famfs({command, device});
      EXPECT_THAT(outcome, Exits(kUsage)) << command;
      EXPECT_THAT(outcome.err, AllOf(HasSubstr(path), HasSubstr("mkfs")))
          << command;
    }
  }
}

TEST(BlankDevice, IsToldApartFromAMissingOne) {
  const Workplace place;
  rig::WriteFile(place.File("blank.img"), "");
  fs::resize_file(place.File("blank.img"), 4ULL << 30);
  const Outcome ls = Famfs({"ls", place.File("blank.img")});
  EXPECT_THAT(ls, Exits(kProblems));
  EXPECT_THAT(ls.err, AllOf(HasSubstr("no famfs"), HasSubstr("mkfs")));
}

TEST(WrongCommandLine, IsExitCodeTwo) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{
           {},
           {"nosuch"},
           {"ls"},
           {"ls", "--nosuch", "x"},
           {"mkfs", "image:/x", "--size", "many"},
           {"mkfs", "image:/x", "--size", "4G", "--uuid", "1234"},
           {"mkfs", "image:/x", "--tag",
            "3f2504e0-4f89-41d3-9a0c-0305e82c3301"},
           {"mkdir", "image:/x", "d", "--mode", "9"},
           {"mkfs", "/nowhere/x", "--size", "4G"}}) {
    const Outcome outcome = Famfs(words);
    EXPECT_THAT(outcome, Exits(kUsage));
    EXPECT_THAT(outcome.err, HasSubstr("famfs: "));
  }
}

TEST(SmallDevice, IsRefusedAndNotLeftBehind) {
  const Workplace place;
  const Outcome mkfs =
      place.Write("mkfs", "image:" + place.File("small.img"), {"--size", "1G"});
  EXPECT_THAT(mkfs, Exits(kProblems));
  EXPECT_THAT(mkfs.err, HasSubstr("4.00 GiB"));
  EXPECT_FALSE(fs::exists(place.File("small.img")));
  EXPECT_THAT(
      place.Write("mkfs", "emulated:" + place.File("small"), {"--size", "1G"}),
      Exits(kProblems));
  EXPECT_FALSE(fs::exists(place.File("small")));
}

TEST(FullDevice, IsToldWithWhatIsFree) {
  const Workplace place;
  const std::string device = "emulated:" + place.File("pool");
  ASSERT_THAT(place.Write("mkfs", device, {"--size", "4G", "--sparse"}),
              Exits(kOk));
  ASSERT_THAT(place.Write("creat", device, {"most", "--size", "3G"}),
              Exits(kOk));
  const Outcome more = place.Write("creat", device, {"more", "--size", "2G"});
  EXPECT_THAT(more, Exits(kProblems));
  EXPECT_THAT(more.err, AllOf(HasSubstr("2.00 GiB"), HasSubstr("free")));
  EXPECT_THAT(place.Write("creat", device, {"less", "--size", "512M"}),
              Exits(kOk));
  EXPECT_THAT(Famfs({"fsck", device}), Exits(kOk));
}

TEST(FullMemory, IsAnErrorAndNeverASignal) {
  const Workplace place;
  const rig::Tmpfs memory("64M");
  const std::string device = "emulated:" + memory / "pool";
  ASSERT_THAT(place.Write("mkfs", device, {"--size", "4G"}), Exits(kOk));
  const Outcome creat = place.Write("creat", device, {"f", "--size", "200M"});
  EXPECT_THAT(creat, Exits(kProblems));
  EXPECT_THAT(creat.err, HasSubstr("200"));
  EXPECT_EQ(Famfs({"ls", device}).out, "");
  EXPECT_THAT(place.Write("creat", device, {"f", "--size", "20M"}), Exits(kOk));
}

TEST(FullMemory, UnderAnImageIsToldBeforeAStoreMeetsIt) {
  const Workplace place;
  const rig::Tmpfs memory("64M");
  const std::string device = "image:" + memory / "pool.img";
  ASSERT_THAT(place.Write("mkfs", device, {"--size", "4G"}), Exits(kOk));
  rig::WriteFile(place.File("source"), Pattern(100U << 20));
  const Outcome cp = place.Write("cp", device, {place.File("source"), ":f"});
  EXPECT_THAT(cp, Exits(kProblems));
  EXPECT_THAT(cp.err, HasSubstr("has room for"));
  EXPECT_EQ(Famfs({"ls", device}).out, "");
}

TEST(SecondWriter, IsToldWhoHasItOpen) {
  const Workplace place;
  const std::string device = place.Emulated("pool");
  auto opened = OpenDevice(device, Access::kReadWrite);
  ASSERT_TRUE(opened.ok()) << opened.status();
  const auto writer =
      Writer::Open(std::shared_ptr<DaxDevice>(*std::move(opened)),
                   {.system_uuid = *Uuid::Parse(kOwner),
                    .lock_directory = place.LockDirectory()});
  ASSERT_TRUE(writer.ok()) << writer.status();

  rig::WriteFile(place.File("a"), "x");
  const std::vector<std::pair<std::string, std::vector<std::string>>> writes = {
      {"mkdir", {"d"}},
      {"creat", {"f", "--size", "1M"}},
      {"cp", {place.File("a"), ":a"}},
      {"mkfs", {"--force"}}};
  for (const auto& [command, arguments] : writes) {
    const Outcome outcome = place.Write(command, device, arguments);
    EXPECT_THAT(outcome, Exits(kProblems)) << command;
    EXPECT_THAT(outcome.err, HasSubstr(fmt::format("pid {}", ::getpid())))
        << command;
  }
  EXPECT_THAT(place.Write("mkdir", device, {"d"}).err,
              HasSubstr("One program at a time"));

  // Who only reads is not kept out.
  ASSERT_TRUE((*writer)->Mkdir("meanwhile", Ownership{}).ok());
  EXPECT_EQ(Famfs({"ls", device}).out, "meanwhile/\n");
  EXPECT_THAT(Famfs({"fsck", device}), Exits(kOk));
}

TEST(ForeignInstance, IsToldWithItsOwner) {
  const Workplace place;
  const std::string device = place.Emulated("pool");
  const Outcome mkdir = Famfs({"mkdir", device, "d", "--system-uuid",
                               "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
                               "--lock-directory", place.LockDirectory()});
  EXPECT_THAT(mkdir, Exits(kProblems));
  EXPECT_THAT(mkdir.err, AllOf(HasSubstr(kOwner), HasSubstr("--take-over")));
}

TEST(OwnIdentity, ComesFromTheHostsFileAndIsMadeWhenMissing) {
  const Workplace place;
  const std::string file = place.File("identity/system_uuid");
  fs::create_directory(place.File("identity"));
  ::setenv("FAMFS_SYSTEM_UUID_FILE", file.c_str(), 1);
  const std::string device = "emulated:" + place.File("pool");
  const Outcome mkfs = Famfs({"mkfs", device, "--size", "4G",
                              "--lock-directory", place.LockDirectory()});
  const Outcome mkdir =
      Famfs({"mkdir", device, "d", "--lock-directory", place.LockDirectory()});
  ::unsetenv("FAMFS_SYSTEM_UUID_FILE");
  EXPECT_THAT(mkfs, Exits(kOk));
  EXPECT_THAT(mkdir, Exits(kOk));
  const std::string identity = rig::ReadWholeFile(file).substr(0, 36);
  EXPECT_EQ(JsonOf(Famfs({"dump", device, "--json"}))["superblock"]["sys_uuid"],
            identity);
}

TEST(FullStandardOutput, IsNoSuccess) {
  const Workplace place;
  const std::string device = place.Emulated("pool");
  const Outcome dump =
      RunProgram({"/bin/sh", "-c", "exec \"$0\" dump \"$1\" >/dev/full",
                  rig::Binary("famfs"), device});
  EXPECT_THAT(dump, Exits(kProblems));
}

}  // namespace
}  // namespace famfs
