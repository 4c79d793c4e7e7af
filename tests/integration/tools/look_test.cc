// Commands that look at an instance: stat, df, du, logplay; and compact.
#include <gtest/gtest.h>

#include "dax/device.h"
#include "instance/writer/writer.h"
#include "tests/integration/support/rig.h"
#include "tests/integration/tools/famfs_command.h"

namespace famfs {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::uint64_t kMiB = 1 << 20;

/// A directory with a file, and a volume; deleted ones on demand.
class Look : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_THAT(place_.Write("mkdir", device_, {"d", "-m", "0750"}),
                Exits(kOk));
    ASSERT_THAT(place_.Write("creat", device_, {"d/f", "--size", "3M"}),
                Exits(kOk));
    WithWriter([](Writer& writer) {
      ASSERT_TRUE(writer.CreateVolume("kept-1", Volume("kept"), {}).ok());
    });
  }

  static VolumeAttributes Volume(const std::string& name) {
    VolumeAttributes attributes;
    attributes.name = name;
    attributes.capacity = 8 * kMiB;
    attributes.created_unix_ns = 1;
    return attributes;
  }

  void WithWriter(const std::function<void(Writer&)>& body) {
    auto device = OpenDevice(device_, Access::kReadWrite);
    ASSERT_TRUE(device.ok()) << device.status();
    const auto writer =
        Writer::Open(std::shared_ptr<DaxDevice>(*std::move(device)),
                     {.system_uuid = *Uuid::Parse(kOwner),
                      .lock_directory = place_.LockDirectory()});
    ASSERT_TRUE(writer.ok()) << writer.status();
    body(**writer);
  }
  void DeleteAVolume() {
    WithWriter([](Writer& writer) {
      ASSERT_TRUE(writer.CreateVolume("gone-1", Volume("gone"), {}).ok());
      ASSERT_TRUE(writer.DeleteVolume("gone-1").ok());
    });
  }

  const Workplace place_;
  const std::string device_ = place_.Image("pool.img");
};

TEST_F(Look, StatTellsAFileADirectoryAndAVolume) {
  const Outcome text = Famfs({"stat", device_, "d/f", "/kept-1/", "d"});
  ASSERT_THAT(text, Exits(kOk));
  EXPECT_THAT(text.out,
              AllOf(HasSubstr("3145728 bytes"), HasSubstr("extent   0: "),
                    HasSubstr("drwxr-x---"), HasSubstr("kept, a volume")));
  const auto json = JsonOf(
      Famfs({"stat", device_, "--json", "d/f", "kept-1", "kept-1/data", "/"}));
  ASSERT_EQ(json.size(), 4U);
  EXPECT_EQ(json[0]["allocated"], 4 * kMiB);
  EXPECT_EQ(json[0]["extents"].size(), 1U);
  EXPECT_EQ(json[0]["interleaved"], false);
  EXPECT_TRUE(json[0]["in_volume"].is_null());
  EXPECT_EQ(json[1]["volume"]["name"], "kept");
  EXPECT_EQ(json[1]["volume"]["capacity"], 8 * kMiB);
  EXPECT_EQ(json[1]["children"], 1);
  EXPECT_EQ(json[2]["in_volume"], "kept-1");
  EXPECT_EQ(json[3]["type"], "directory");
}

TEST_F(Look, StatOfAMissingPathGoesOnWithTheOthers) {
  const Outcome stat = Famfs({"stat", device_, "none", "d"});
  EXPECT_THAT(stat, Exits(kProblems));
  EXPECT_THAT(stat.err, AllOf(HasSubstr("none"), HasSubstr("famfs ls")));
  EXPECT_THAT(stat.out, HasSubstr("d/\n"));
}

TEST_F(Look, DfAddsUp) {
  const auto before = JsonOf(Famfs({"df", device_, "--json"}));
  EXPECT_EQ(before["size"], 4096 * kMiB);
  // Superblock region, log, file, volume.
  EXPECT_EQ(before["used"], (2 + 8 + 4 + 8) * kMiB);
  EXPECT_EQ(before["pending"], 0);
  EXPECT_EQ(
      before["used"].get<std::uint64_t>() + before["free"].get<std::uint64_t>(),
      before["size"].get<std::uint64_t>());
  EXPECT_LE(before["largest"], before["free"]);
  EXPECT_EQ(before["volumes"].at(0)["name"], "kept");
  EXPECT_EQ(before["volumes"].at(0)["allocated"], 8 * kMiB);
  const Outcome text = Famfs({"df", device_, "-v"});
  ASSERT_THAT(text, Exits(kOk));
  EXPECT_THAT(text.out, AllOf(HasSubstr("22.00 MiB"), HasSubstr("kept-1"),
                              HasSubstr("largest")));
}

TEST_F(Look, DuAddsUpDirectories) {
  const auto json = JsonOf(Famfs({"du", device_, "--json", "-a"}));
  ASSERT_EQ(json.size(), 5U);  // d/f, d, kept-1/data, kept-1, the root
  EXPECT_EQ(json[0]["path"], "d/f");
  EXPECT_EQ(json[1]["path"], "d");
  EXPECT_EQ(json[1]["allocated"], 4 * kMiB);
  EXPECT_EQ(json[1]["size"], 3 * kMiB);
  EXPECT_EQ(json[4]["path"], "");
  EXPECT_EQ(json[4]["allocated"], 12 * kMiB);
  EXPECT_EQ(json[4]["files"], 2);
  EXPECT_EQ(Famfs({"du", device_, "d", "-s", "-b"}).out,
            fmt::format("{:>14} {:>14}  d/\n", 4 * kMiB, 3 * kMiB));
  EXPECT_THAT(Famfs({"du", device_, "none"}), Exits(kProblems));
}

TEST_F(Look, LogplayTellsEachEntry) {
  DeleteAVolume();
  const Outcome text = Famfs({"logplay", device_});
  ASSERT_THAT(text, Exits(kOk));
  EXPECT_THAT(text.out, AllOf(HasSubstr(" mkdir       d\n"),
                              HasSubstr(" file        d/f: 3145728 bytes at "),
                              HasSubstr(" volume      kept-1: kept, live"),
                              HasSubstr(" deletion    gone-1: gone, deleted")));
  const auto json = JsonOf(Famfs({"logplay", device_, "--json"}));
  EXPECT_EQ(json["statistics"]["entries"], 7);
  EXPECT_EQ(json["statistics"]["files"], 3);
  EXPECT_EQ(json["statistics"]["deletions"], 1);
  EXPECT_EQ(json["statistics"]["volumes"], 2);
  EXPECT_EQ(json["entries"].size(), 7U);
  const Outcome quiet = Famfs({"logplay", device_, "-q"});
  EXPECT_THAT(quiet.out, Not(HasSubstr("d/f")));
  EXPECT_THAT(quiet.out, HasSubstr("7 entries"));
}

TEST_F(Look, CompactDropsWhatIsDead) {
  WithWriter(
      [](Writer& writer) { ASSERT_TRUE(writer.Mkdir("again", {}).ok()); });
  DeleteAVolume();
  const Outcome compact = place_.Write("compact", device_, {"--json"});
  ASSERT_THAT(compact, Exits(kOk));
  const auto json = JsonOf(compact);
  EXPECT_EQ(json["entries_before"], 8);
  EXPECT_LE(json["entries"], 8);
  EXPECT_THAT(place_.Write("compact", device_, {}), Exits(kOk));
  EXPECT_THAT(Famfs({"fsck", device_}), Exits(kOk));
  EXPECT_EQ(Famfs({"ls", device_}).out, "again/\nd/\nkept-1/\n");
}

TEST_F(Look, CompactIsTheOwnersAlone) {
  const Outcome foreign = Famfs({"compact", device_, "--system-uuid",
                                 "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
                                 "--lock-directory", place_.LockDirectory()});
  EXPECT_THAT(foreign, Exits(kProblems));
  EXPECT_THAT(foreign.err, HasSubstr(kOwner));
  WithWriter([&](Writer&) {
    EXPECT_THAT(place_.Write("compact", device_, {}).err, HasSubstr("pid "));
    EXPECT_THAT(Famfs({"df", device_}), Exits(kOk)) << "readers go on";
  });
}

TEST_F(Look, DamagedLogIsToldByLogplay) {
  // One byte of the second entry's path.
  std::FILE* const image = std::fopen(place_.File("pool.img").c_str(), "r+b");
  ASSERT_NE(image, nullptr);
  std::fseek(image, (2L << 20) + 48 + 544 + 45, SEEK_SET);
  std::fputc('!', image);
  std::fclose(image);
  const Outcome logplay = Famfs({"logplay", device_});
  EXPECT_THAT(logplay, Exits(kProblems));
  EXPECT_THAT(logplay.out, AllOf(HasSubstr("     1 broken      crc"),
                                 HasSubstr("1 broken\n")));
  for (const std::string command : {"df", "du"}) {
    const Outcome outcome = Famfs({command, device_});
    EXPECT_THAT(outcome, Exits(kProblems)) << command;
    EXPECT_THAT(outcome.err, HasSubstr("entry 1")) << command;
  }
}

TEST(LookAtNothing, IsExitCodeTwo) {
  const Workplace place;
  const std::string path = place.File("nothing");
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"stat", path, "x"},
                                             {"df", path},
                                             {"du", path},
                                             {"logplay", path},
                                             {"flush", path, ":x"}}) {
    const Outcome outcome = Famfs(words);
    EXPECT_THAT(outcome, Exits(kUsage)) << words[0];
    EXPECT_THAT(outcome.err, HasSubstr(path)) << words[0];
  }
  EXPECT_THAT(place.Write("compact", path, {}), Exits(kUsage));
}

}  // namespace
}  // namespace famfs
