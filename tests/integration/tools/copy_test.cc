// famfs cp: contents into an instance and out of it.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "tests/integration/support/rig.h"
#include "tests/integration/tools/famfs_command.h"

namespace famfs {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Both kinds of device must carry the bytes.
class Copy : public ::testing::TestWithParam<const char*> {
 protected:
  const Workplace place_;
  const std::string device_ = std::string(GetParam()) == "emulated"
                                  ? place_.Emulated("pool")
                                  : place_.Image("pool.img");
};

INSTANTIATE_TEST_SUITE_P(Devices, Copy, ::testing::Values("emulated", "image"),
                         [](const auto& param) {
                           return std::string(param.param);
                         });

TEST_P(Copy, InAndOutKeepsEveryByte) {
  const std::string bytes = Pattern(23'456'789);
  rig::WriteFile(place_.File("source"), bytes);
  ::chmod(place_.File("source").c_str(), 0640);
  const Outcome in =
      place_.Write("cp", device_, {place_.File("source"), ":copy"});
  ASSERT_THAT(in, Exits(kOk));
  EXPECT_THAT(in.err, IsEmpty()) << "no progress bar without a terminal";

  const auto entry = JsonOf(Famfs({"ls", device_, "--json"}))["entries"].at(0);
  EXPECT_EQ(entry["size"], bytes.size());
  EXPECT_EQ(entry["mode_octal"], "0o640");

  ASSERT_THAT(Famfs({"cp", device_, ":copy", place_.File("back")}), Exits(kOk));
  EXPECT_TRUE(rig::ReadWholeFile(place_.File("back")) == bytes);
  struct stat info {};
  ASSERT_EQ(::stat(place_.File("back").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0640U);
  EXPECT_THAT(Famfs({"fsck", device_}), Exits(kOk));
}

TEST_P(Copy, SeveralFilesGoIntoADirectory) {
  rig::WriteFile(place_.File("a"), "first");
  rig::WriteFile(place_.File("b"), "second");
  const std::vector<std::string> sources = {place_.File("a"), place_.File("b"),
                                            ":d"};
  const Outcome early = place_.Write("cp", device_, sources);
  EXPECT_THAT(early, Exits(kProblems));
  EXPECT_THAT(early.err, HasSubstr("famfs mkdir"));
  ASSERT_THAT(place_.Write("mkdir", device_, {"d"}), Exits(kOk));
  ASSERT_THAT(place_.Write("cp", device_, sources), Exits(kOk));
  EXPECT_EQ(Famfs({"ls", device_, "d"}).out, "d/a\nd/b\n");

  fs::create_directory(place_.File("out"));
  ASSERT_THAT(Famfs({"cp", device_, ":d/a", ":d/b", place_.File("out")}),
              Exits(kOk));
  EXPECT_EQ(rig::ReadWholeFile(place_.File("out/a")), "first");
  EXPECT_EQ(rig::ReadWholeFile(place_.File("out/b")), "second");
}

TEST_P(Copy, OptionsSetOwnerAndMode) {
  rig::WriteFile(place_.File("a"), "x");
  ASSERT_THAT(place_.Write("cp", device_,
                           {"-m", "0400", "-u", "11", "-g", "12",
                            place_.File("a"), ":a"}),
              Exits(kOk));
  const auto entry = JsonOf(Famfs({"ls", device_, "--json"}))["entries"].at(0);
  EXPECT_EQ(entry["mode_octal"], "0o400");
  EXPECT_EQ(entry["uid"], 11);
  EXPECT_EQ(entry["gid"], 12);
}

TEST_P(Copy, APathOnceUsedIsRefused) {
  rig::WriteFile(place_.File("a"), "x");
  ASSERT_THAT(place_.Write("cp", device_, {place_.File("a"), ":a"}),
              Exits(kOk));
  const Outcome again = place_.Write("cp", device_, {place_.File("a"), ":a"});
  EXPECT_THAT(again, Exits(kProblems));
  EXPECT_THAT(again.err, HasSubstr("a"));
}

TEST_P(Copy, LocalFileIsReplacedByForceAlone) {
  rig::WriteFile(place_.File("a"), "new");
  ASSERT_THAT(place_.Write("cp", device_, {place_.File("a"), ":a"}),
              Exits(kOk));
  rig::WriteFile(place_.File("old"), "old");
  const Outcome refused = Famfs({"cp", device_, ":a", place_.File("old")});
  EXPECT_THAT(refused, Exits(kProblems));
  EXPECT_THAT(refused.err, HasSubstr("--force"));
  EXPECT_EQ(rig::ReadWholeFile(place_.File("old")), "old");
  ASSERT_THAT(Famfs({"cp", device_, "--force", ":a", place_.File("old")}),
              Exits(kOk));
  EXPECT_EQ(rig::ReadWholeFile(place_.File("old")), "new");
}

TEST_P(Copy, SourcesThatCannotBeAreToldBeforeAnythingIsWritten) {
  rig::WriteFile(place_.File("good"), "x");
  rig::WriteFile(place_.File("empty"), "");
  ASSERT_THAT(place_.Write("mkdir", device_, {"d"}), Exits(kOk));
  for (const std::string bad : {"empty", "missing", "."}) {
    const Outcome cp = place_.Write(
        "cp", device_, {place_.File("good"), place_.File(bad), ":d"});
    EXPECT_THAT(cp, Exits(kProblems));
    EXPECT_THAT(cp.err, HasSubstr(bad));
  }
  EXPECT_EQ(Famfs({"ls", device_, "d"}).out, "");
}

TEST_P(Copy, SidesMustDiffer) {
  EXPECT_THAT(place_.Write("cp", device_, {":a", ":b"}), Exits(kUsage));
  EXPECT_THAT(place_.Write("cp", device_, {"a", "b"}), Exits(kUsage));
  EXPECT_THAT(place_.Write("cp", device_, {"a"}), Exits(kUsage));
}

TEST(CopyProgress, IsDrawnForATerminal) {
  const Workplace place;
  const std::string device = place.Emulated("pool");
  rig::WriteFile(place.File("a"), Pattern(8U << 20));
  // script(1) runs a command on a terminal of its own.
  const std::string command = rig::Binary("famfs") + " cp " + device + " " +
                              place.File("a") + " :a --system-uuid " + kOwner +
                              " --lock-directory " + place.LockDirectory();
  const Outcome cp =
      RunProgram({"/usr/bin/script", "-qec", command, "/dev/null"});
  EXPECT_THAT(cp, Exits(kOk));
  EXPECT_THAT(cp.out, HasSubstr("copying in [#"));
  EXPECT_THAT(cp.out, HasSubstr("100 %"));
}

TEST(CopyKilled, LeavesTheFileWholeOrNotAtAll) {
  const Workplace place;
  const std::string device = place.Emulated("pool");
  const std::string bytes = Pattern(192U << 20);
  rig::WriteFile(place.File("source"), bytes);
  std::vector<std::string> argv = {rig::Binary("famfs"), "cp", device,
                                   place.File("source"), ":f"};
  for (const std::string& word : place.Identity()) argv.push_back(word);
  auto process = rig::Process::Start(
      {.argv = argv, .environment = {}, .working_directory = {}});
  ASSERT_TRUE(process.ok()) << process.status();
  // The extent is there: its bytes are being copied.
  const std::string extent = place.File("pool/extents/a00000");
  ASSERT_TRUE(rig::Eventually([&] { return fs::exists(extent); }));
  (*process)->Kill();

  EXPECT_THAT(Famfs({"ls", device}), Exits(kOk));
  // The next writer takes back what the dead one held.
  ASSERT_THAT(place.Write("mkdir", device, {"next"}), Exits(kOk));
  EXPECT_THAT(Famfs({"fsck", device}), Exits(kOk));
  if (Famfs({"ls", device, "f"}).exit == kOk) {
    ASSERT_THAT(Famfs({"cp", device, ":f", place.File("back")}), Exits(kOk));
    EXPECT_TRUE(rig::ReadWholeFile(place.File("back")) == bytes);
  } else {
    EXPECT_FALSE(fs::exists(extent));
  }
}

}  // namespace
}  // namespace famfs
