// mkdir, creat and ls.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/integration/tools/famfs_command.h"

namespace famfs {
namespace {

using ::testing::HasSubstr;

TEST(Mkfs, MakesTheDeviceThatItsOptionsDescribe) {
  const Workplace place;
  const std::string device = "emulated:" + place.File("pool");
  constexpr const char* kTag = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
  ASSERT_THAT(place.Write("mkfs", device,
                          {"--size", "6G", "--log-length", "16M", "--tag", kTag,
                           "--sparse"}),
              Exits(kOk));
  const auto json = JsonOf(Famfs({"dump", device, "--json"}));
  EXPECT_EQ(json["tag"], kTag);
  EXPECT_EQ(json["superblock"]["dev_uuid"], kTag);
  EXPECT_EQ(json["superblock"]["sys_uuid"], kOwner);
  EXPECT_EQ(json["superblock"]["dd_size"], 6ULL << 30);
  EXPECT_EQ(json["superblock"]["log_len"], 16U << 20);
  EXPECT_EQ(json["log"]["last_index"], 30839);
}

TEST(Mkfs, HostsOfTheNewDeviceAreTheOnlyOnesThatSeeIt) {
  const Workplace place;
  const std::string device = "emulated:" + place.File("pool");
  const Outcome refused =
      place.Write("mkfs", device, {"--size", "4G", "--host", "elsewhere"});
  // The device is made for another host, so this one cannot go on.
  EXPECT_THAT(refused, Exits(kUsage));
  EXPECT_THAT(refused.err, HasSubstr("elsewhere"));
  EXPECT_FALSE(std::filesystem::exists(place.File("pool")));
}

TEST(Mkfs, ForceReplacesAnInstance) {
  const Workplace place;
  const std::string device = place.Emulated("pool");
  ASSERT_THAT(place.Write("creat", device, {"old", "--size", "2M"}),
              Exits(kOk));
  const Outcome refused = place.Write("mkfs", device, {});
  EXPECT_THAT(refused, Exits(kProblems));
  EXPECT_THAT(refused.err, HasSubstr("--force"));
  EXPECT_THAT(place.Write("mkfs", device, {"--force"}), Exits(kOk));
  EXPECT_EQ(Famfs({"ls", device}).out, "");
  EXPECT_THAT(Famfs({"fsck", device}), Exits(kOk));
}

TEST(Mkdir, MakesWithOwnerAndMode) {
  const Workplace place;
  const std::string device = place.Emulated("pool");
  ASSERT_THAT(place.Write("mkdir", device,
                          {"data", "-m", "0750", "-u", "7", "-g", "8"}),
              Exits(kOk));
  const auto entry = JsonOf(Famfs({"ls", device, "--json"}))["entries"].at(0);
  EXPECT_EQ(entry["path"], "data");
  EXPECT_EQ(entry["type"], "directory");
  EXPECT_EQ(entry["mode_octal"], "0o750");
  EXPECT_EQ(entry["uid"], 7);
  EXPECT_EQ(entry["gid"], 8);
}

TEST(Mkdir, ParentsAreMadeOnRequestAlone) {
  const Workplace place;
  const std::string device = place.Emulated("pool");
  EXPECT_THAT(place.Write("mkdir", device, {"a/b/c"}), Exits(kProblems));
  EXPECT_THAT(place.Write("mkdir", device, {"-p", "/a/b/c/"}), Exits(kOk));
  EXPECT_THAT(place.Write("mkdir", device, {"-p", "a/b/c"}), Exits(kOk));
  EXPECT_EQ(Famfs({"ls", device, "-R"}).out, "a/\na/b/\na/b/c/\n");
  // Nothing is written for what is there.
  EXPECT_EQ(JsonOf(Famfs({"dump", device, "--json"}))["entries"].size(), 3U);
}

TEST(Mkdir, RefusesAPathThatIsUsed) {
  const Workplace place;
  const std::string device = place.Emulated("pool");
  ASSERT_THAT(place.Write("creat", device, {"f", "--size", "1"}), Exits(kOk));
  for (const std::string path : {"f", "f/sub"}) {
    EXPECT_THAT(place.Write("mkdir", device, {path}), Exits(kProblems)) << path;
    EXPECT_THAT(place.Write("mkdir", device, {"-p", path}), Exits(kProblems))
        << path;
  }
}

TEST(Paths, HostileOnesAreRefused) {
  const Workplace place;
  const std::string device = place.Emulated("pool");
  for (const std::string& path :
       {std::string("../x"), std::string("a/../b"), std::string("."),
        std::string("a//b"), std::string(79, 'x'), std::string("a\nb"),
        std::string("")}) {
    EXPECT_THAT(place.Write("mkdir", device, {path}), Exits(kProblems)) << path;
    EXPECT_THAT(place.Write("creat", device, {path, "--size", "1M"}),
                Exits(kProblems))
        << path;
  }
  EXPECT_TRUE(JsonOf(Famfs({"dump", device, "--json"}))["entries"].empty());
  EXPECT_THAT(place.Write("mkdir", device, {std::string(78, 'x')}), Exits(kOk));
}

TEST(Creat, MakesAFileOfZeros) {
  const Workplace place;
  const std::string device = place.Emulated("pool");
  ASSERT_THAT(place.Write("creat", device, {"z", "--size", "5000000"}),
              Exits(kOk));
  ASSERT_THAT(Famfs({"cp", device, ":z", place.File("z")}), Exits(kOk));
  std::ifstream file(place.File("z"), std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(bytes.size(), 5'000'000U);
  EXPECT_EQ(bytes.find_first_not_of('\0'), std::string::npos);
}

TEST(Creat, RefusesAnEmptyFile) {
  const Workplace place;
  const std::string device = place.Emulated("pool");
  EXPECT_THAT(place.Write("creat", device, {"z", "--size", "0"}),
              Exits(kProblems));
}

TEST(Ls, ListsOneDirectoryOrAllBelow) {
  const Workplace place;
  const std::string device = place.Emulated("pool");
  ASSERT_THAT(place.Write("mkdir", device, {"d"}), Exits(kOk));
  ASSERT_THAT(
      place.Write("creat", device, {"d/f", "--size", "3M", "-m", "640"}),
      Exits(kOk));
  EXPECT_EQ(Famfs({"ls", device}).out, "d/\n");
  EXPECT_EQ(Famfs({"ls", device, "d"}).out, "d/f\n");
  EXPECT_EQ(Famfs({"ls", device, "/d/f"}).out, "d/f\n");
  EXPECT_EQ(Famfs({"ls", device, "-R"}).out, "d/\nd/f\n");
  EXPECT_THAT(Famfs({"ls", device, "-a", "-R"}).out,
              HasSubstr(".meta/.superblock\n"));
  const std::string details = Famfs({"ls", device, "d", "-l"}).out;
  EXPECT_THAT(details, HasSubstr("-rw-r-----"));
  EXPECT_THAT(details, HasSubstr("3145728"));
}

TEST(Ls, TellsWhatIsNotThere) {
  const Workplace place;
  const Outcome ls = Famfs({"ls", place.Emulated("pool"), "nothing"});
  EXPECT_THAT(ls, Exits(kProblems));
  EXPECT_THAT(ls.err, HasSubstr("nothing"));
}

}  // namespace
}  // namespace famfs
