// famfs map: the device as text, SVG and JSON.
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/integration/support/rig.h"
#include "tests/integration/tools/famfs_command.h"

namespace famfs {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class Map : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_THAT(place_.Write("mkfs", device_, {"--size", "4G", "--sparse"}),
                Exits(kOk));
    ASSERT_THAT(place_.Write("creat", device_, {"large", "--size", "2G"}),
                Exits(kOk));
    ASSERT_THAT(place_.Write("creat", device_, {"a&b<c>", "--size", "2M"}),
                Exits(kOk));
  }
  const Workplace place_;
  const std::string device_ = "emulated:" + place_.File("pool");
};

TEST_F(Map, TextShowsEveryFileAndALegend) {
  const Outcome map = Famfs({"map", device_, "--width", "80"});
  ASSERT_THAT(map, Exits(kOk));
  // 2 GiB of 4 GiB: half of the cells; and a file of one unit is not lost.
  EXPECT_THAT(map.out, AllOf(HasSubstr("aaaaaaaaaaaaaaaaaaaa"), HasSubstr("b"),
                             HasSubstr("  a                 2.00 GiB  large\n"),
                             HasSubstr("superblock"), HasSubstr("free")));
  EXPECT_THAT(map.out, Not(HasSubstr("\x1b["))) << "no colours in a pipe";
  EXPECT_THAT(Famfs({"map", device_, "--color", "always"}).out,
              HasSubstr("\x1b["));
}

TEST_F(Map, ColoursAreForATerminal) {
  const std::string command = rig::Binary("famfs") + " map " + device_;
  const Outcome seen =
      RunProgram({"/usr/bin/script", "-qec", command, "/dev/null"});
  EXPECT_THAT(seen, Exits(kOk));
  EXPECT_THAT(seen.out, HasSubstr("\x1b["));
  const Outcome plain = RunProgram(
      {"/usr/bin/script", "-qec", "NO_COLOR=1 " + command, "/dev/null"});
  EXPECT_THAT(plain.out, Not(HasSubstr("\x1b[30")));
}

TEST_F(Map, JsonCoversTheWholeDevice) {
  const auto json = JsonOf(Famfs({"map", device_, "--json"}));
  std::uint64_t at = 0;
  bool large = false;
  for (const auto& segment : json["segments"]) {
    EXPECT_EQ(segment["offset"].get<std::uint64_t>(), at);
    at += segment["length"].get<std::uint64_t>();
    large = large || (segment["kind"] == "file" && segment["path"] == "large");
  }
  EXPECT_EQ(at, 4ULL << 30);
  EXPECT_TRUE(large);
}

TEST_F(Map, SvgIsWellFormedAndNamesTheFiles) {
  const std::string svg = place_.File("pool.svg");
  ASSERT_THAT(Famfs({"map", device_, "--svg", svg}), Exits(kOk));
  const Outcome parsed = RunProgram(
      {"/usr/bin/python3", "-c",
       "import sys, xml.dom.minidom as m\n"
       "d = m.parse(sys.argv[1])\n"
       "for t in d.getElementsByTagName('title'): print(t.firstChild.data)\n",
       svg});
  ASSERT_THAT(parsed, Exits(kOk));
  EXPECT_THAT(parsed.out,
              AllOf(HasSubstr("file large, "), HasSubstr("file a&b<c>, "),
                    HasSubstr("superblock, "), HasSubstr("free, ")));
  // It replaces nothing unasked.
  const Outcome again = Famfs({"map", device_, "--svg", svg});
  EXPECT_THAT(again, Exits(kProblems));
  EXPECT_THAT(again.err, HasSubstr("--force"));
  EXPECT_THAT(Famfs({"map", device_, "--svg", svg, "--force"}), Exits(kOk));
  EXPECT_THAT(Famfs({"map", device_, "--svg", place_.File("no/x.svg")}),
              Exits(kProblems));
}

TEST_F(Map, WrongCallsAreRefused) {
  EXPECT_THAT(Famfs({"map", place_.File("none")}), Exits(kUsage));
  EXPECT_THAT(Famfs({"map", device_, "--rows", "0"}), Exits(kUsage));
  EXPECT_THAT(Famfs({"map", device_, "--color", "blue"}), Exits(kUsage));
}

}  // namespace
}  // namespace famfs
