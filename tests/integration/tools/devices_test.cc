// Several devices from the command line: devadd, files over them, df, map; a
// device that is missing. And the host table's commands.
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

#include "tests/integration/support/rig.h"
#include "tests/integration/tools/famfs_command.h"

namespace famfs {
namespace {

std::string Contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

using ::testing::AllOf;
using ::testing::HasSubstr;

class Devices : public ::testing::Test {
 protected:
  void SetUp() override {
    const Outcome added =
        place_.Write("devadd", first_, {second_, "--device-uuid", kSecondUuid});
    ASSERT_THAT(added, Exits(kOk));
  }
  /// Both devices are found.
  [[nodiscard]] std::vector<std::string> With(
      std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"--device", second_});
    return arguments;
  }
  [[nodiscard]] Outcome Write(std::vector<std::string> arguments) const {
    for (const std::string& word : place_.Identity()) arguments.push_back(word);
    return Famfs(With(std::move(arguments)));
  }

  static constexpr const char* kSecondUuid =
      "11111111-2222-3333-4444-555555555555";
  const Workplace place_;
  const std::string first_ = place_.Image("first");
  const std::string second_ = "image:" + MakeSparse("second");

 private:
  std::string MakeSparse(const std::string& name) {
    const std::string path = place_.File(name);
    std::ofstream(path).close();
    EXPECT_EQ(::truncate(path.c_str(), off_t{4} << 30), 0);
    return path;
  }
};

TEST_F(Devices, AFileIsInterleavedOverThem) {
  const std::string source = place_.File("source");
  rig::WriteFile(source, Pattern(9'000'000));
  ASSERT_THAT(Write({"cp", first_, source, ":wide", "--strips", "2"}),
              Exits(kOk));
  ASSERT_THAT(Write({"creat", first_, "seeded", "--size", "20M", "--seed", "7",
                     "-N", "2", "-C", "4M"}),
              Exits(kOk));
  const auto wide = JsonOf(Famfs(With({"stat", first_, "wide", "--json"})));
  EXPECT_EQ(wide[0]["chunk"], 2U << 20);
  ASSERT_EQ(wide[0]["extents"].size(), 2U);
  const std::string back = place_.File("back");
  ASSERT_THAT(Famfs(With({"cp", first_, ":wide", back})), Exits(kOk));
  EXPECT_EQ(Contents(back), Contents(source));
  // Wherever it stands, --device takes one word.
  EXPECT_THAT(
      Famfs({"verify", first_, "--device", second_, ":seeded", "--seed", "7"}),
      Exits(kOk));
  EXPECT_THAT(Famfs(With({"fsck", first_})), Exits(kOk));
}

TEST_F(Devices, ANewLogIsForTheMemoryOfAll) {
  const auto slots = [this](const std::string& name,
                            std::vector<std::string> more) {
    std::vector<std::string> argv = {"mkfs", "image:" + place_.File(name),
                                     "--size", "4G"};
    argv.insert(argv.end(), more.begin(), more.end());
    for (const std::string& word : place_.Identity()) argv.push_back(word);
    const Outcome made = Famfs(argv);
    EXPECT_THAT(made, Exits(kOk));
    return made.out.substr(made.out.rfind("log"));
  };
  EXPECT_THAT(slots("alone", {}), HasSubstr("8.00 MiB, room for 15420"));
  EXPECT_THAT(slots("beside", {"--device", first_, "--device", second_}),
              HasSubstr("16.00 MiB, room for 30840"));
  EXPECT_THAT(slots("told", {"--log-length", "8M", "--device", second_}),
              HasSubstr("8.00 MiB, room for 15420"));
  const Outcome gone = Famfs({"mkfs", "image:" + place_.File("none"), "--size",
                              "4G", "--device", "image:/nowhere"});
  EXPECT_THAT(gone, Exits(kUsage));
  EXPECT_THAT(gone.err, HasSubstr("/nowhere"));
}

TEST_F(Devices, DfAndMapShowEach) {
  ASSERT_THAT(Write({"creat", first_, "file", "--size", "2M"}), Exits(kOk));
  const auto json = JsonOf(Famfs(With({"df", first_, "--json"})));
  EXPECT_EQ(json["size"], std::uint64_t{8} << 30);
  ASSERT_EQ(json["devices"].size(), 2U);
  EXPECT_EQ(json["devices"][1]["device"], second_);
  const auto map =
      JsonOf(Famfs(With({"map", first_, "--index", "1", "--json"})));
  EXPECT_EQ(map["device"], second_);
  EXPECT_EQ(map["segments"][0]["kind"], "superblock");
  EXPECT_EQ(map["segments"][0]["device_index"], 1);
  const Outcome third = Famfs(With({"map", first_, "--index", "2"}));
  EXPECT_THAT(third, Exits(kUsage));
  EXPECT_THAT(third.err, HasSubstr("has 2 devices, so no device 2"));
}

TEST_F(Devices, AMissingOneIsToldAndTakesNothingElseAway) {
  ASSERT_THAT(Write({"creat", first_, "wide", "--size", "8M", "-N", "2"}),
              Exits(kOk));
  ASSERT_THAT(Write({"creat", first_, "other", "--size", "2M"}), Exits(kOk));
  const auto json = JsonOf(Famfs({"df", first_, "--json"}));
  EXPECT_EQ(json["size"], std::uint64_t{4} << 30);
  EXPECT_TRUE(json["devices"][1]["device"].is_null());
  const std::string back = place_.File("back");
  const Outcome wide = Famfs({"cp", first_, ":wide", back});
  EXPECT_THAT(wide, Exits(kProblems));
  EXPECT_THAT(wide.err, HasSubstr(kSecondUuid));
  const Outcome strips =
      place_.Write("creat", first_, {"x", "-s", "8M", "-N2"});
  EXPECT_THAT(strips, Exits(kProblems));
}

TEST_F(Devices, LayoutOptionsThatDoNotGoTogetherAreRefused) {
  const Outcome chunk = Write({"creat", first_, "x", "-s", "8M", "-C", "4M"});
  EXPECT_THAT(chunk, Exits(kUsage));
  EXPECT_THAT(chunk.err, HasSubstr("--chunk needs --strips"));
  EXPECT_THAT(Write({"creat", first_, "x", "-s", "8M", "-N", "3"}),
              Exits(kProblems));
  EXPECT_THAT(Write({"creat", first_, "x", "-s", "8M", "-N", "2", "-C", "3M"}),
              Exits(kProblems));
  EXPECT_THAT(Write({"creat", first_, "x", "-s", "8M", "-N", "17"}),
              Exits(kUsage));
}

TEST_F(Devices, EmulatedAndRealOnesDoNotGoTogether) {
  const Outcome added =
      place_.Write("devadd", first_, {place_.Emulated("third")});
  EXPECT_THAT(added, Exits(kProblems));
  EXPECT_THAT(added.err, HasSubstr("do not go together"));
}

class HostTable : public ::testing::Test {
 protected:
  const Workplace place_;
};

TEST_F(HostTable, OfAPoolThatNobodyServesIsEmpty) {
  const std::string device = place_.Image("pool");
  EXPECT_EQ(Famfs({"hosts", device}).out, "no server is registered\n");
  EXPECT_EQ(JsonOf(Famfs({"hosts", device, "--json"})).size(), 0U);
  EXPECT_THAT(Famfs({"hosts", place_.Emulated("emulated")}), Exits(kOk));
}

TEST_F(HostTable, OnlyARegisteredHostIsEvicted) {
  const std::string device = place_.Image("pool");
  const Outcome unknown =
      Famfs({"evict", device, "6b1f2a0e-5a34-4c0e-9d0b-2f6b6f6f9a11"});
  EXPECT_THAT(unknown, Exits(kProblems));
  EXPECT_THAT(unknown.err,
              AllOf(HasSubstr("6b1f2a0e"), HasSubstr("famfs hosts")));
  EXPECT_THAT(Famfs({"evict", device, "node-1"}), Exits(kUsage));
  EXPECT_THAT(Famfs({"evict", device}), Exits(kUsage));
  EXPECT_THAT(Famfs({"evict", device, "00000000-0000-0000-0000-000000000000"}),
              Exits(kUsage));
}

}  // namespace
}  // namespace famfs
