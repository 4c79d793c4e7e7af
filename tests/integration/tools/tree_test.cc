// Tree volumes by hand: made, filled, shown, renamed, emptied, checked, carried
// to an image and back.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "base/unique_fd.h"
#include "base/units.h"
#include "media/format.h"
#include "tests/integration/support/rig.h"
#include "tests/integration/tools/famfs_command.h"

namespace famfs {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// On an emulated device, where a file's bytes are a file, and on an image.
class TreeVolume : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    device_ = std::string(GetParam()) == "emulated" ? place_.Emulated("pool")
                                                    : place_.Image("pool.img");
    ASSERT_THAT(place_.Write("mkvol", device_, {"vol", "--size", "64M"}),
                Exits(kOk));
  }
  void TearDown() override {
    if (HasFatalFailure()) return;
    EXPECT_THAT(Famfs({"fsck", device_}), Exits(kOk));
  }

  std::string Local(const std::string& name, const std::string& bytes) {
    rig::WriteFile(place_.File(name), bytes);
    return place_.File(name);
  }
  Outcome In(const std::vector<std::string>& arguments) const {
    return place_.Write("cp", device_, arguments);
  }
  std::string Out(const std::string& path) const {
    const std::string to = place_.File("out");
    EXPECT_THAT(Famfs({"cp", device_, "-f", ":" + path, to}), Exits(kOk));
    return rig::ReadWholeFile(to);
  }
  std::string List() const { return Famfs({"ls", device_, "-R"}).out; }
  nlohmann::json Stat(const std::string& path) const {
    return JsonOf(Famfs({"stat", device_, path, "--json"})).at(0);
  }

  Workplace place_;
  std::string device_;
};
INSTANTIATE_TEST_SUITE_P(Devices, TreeVolume,
                         ::testing::Values("emulated", "image"),
                         [](const auto& which) {
                           return std::string(which.param);
                         });

/// The owner removes what bears them (instance/tree/hidden_name.h).
TEST_P(TreeVolume, NamesOfFilesThatWereRemovedWhileOpenAreRefused) {
  const std::string hidden = "vol/.famfs-removed-00000001-0000000000000002";
  EXPECT_THAT(place_.Write("mkdir", device_, {hidden}), Exits(kProblems));
  EXPECT_THAT(place_.Write("mkdir", device_, {"vol/d"}), Exits(kOk));
  const Outcome moved = place_.Write("mv", device_, {"vol/d", hidden});
  EXPECT_THAT(moved, Exits(kProblems));
  EXPECT_THAT(moved.err, HasSubstr("choose another"));
  // Elsewhere they are names as any other.
  EXPECT_THAT(place_.Write("mkdir", device_, {"vol/d/" + hidden.substr(4)}),
              Exits(kOk));
}

TEST_P(TreeVolume, WhatIsCopiedInIsShownByItsNamesAndComesOut) {
  const std::string bytes = Pattern(5'000'001);
  ASSERT_THAT(place_.Write("mkdir", device_, {":vol/dir", "-m", "0750"}),
              Exits(kOk));
  ASSERT_THAT(In({Local("source", bytes), ":vol/dir/file with spaces", "-m",
                  "0640", "-u", "7", "-g", "8"}),
              Exits(kOk));
  ASSERT_THAT(
      place_.Write("symlink", device_, {"dir/file with spaces", "vol/latest"}),
      Exits(kOk));
  EXPECT_EQ(List(),
            "vol/\nvol/dir/\nvol/dir/file with spaces\nvol/latest -> dir/file "
            "with spaces\n");
  const std::string details = Famfs({"ls", device_, "-lR"}).out;
  EXPECT_THAT(details, AllOf(HasSubstr("drwxr-x---"),
                             HasSubstr("-rw-r-----     7     8        5000001"),
                             HasSubstr(" UTC vol/dir/file"),
                             HasSubstr("lrwxrwxrwx"), HasSubstr("tree, live")));
  const auto file = Stat("vol/dir/file with spaces");
  EXPECT_EQ(file["size"], 5'000'001);
  EXPECT_EQ(file["allocated"], 6 * kMiB);
  EXPECT_EQ(file["in_volume"], "vol");
  EXPECT_EQ(file["pieces"], 1);
  EXPECT_GT(file["mtime_ns"].get<std::int64_t>(), 1'600'000'000'000'000'000);
  EXPECT_EQ(Stat("vol/latest")["target"], "dir/file with spaces");
  EXPECT_EQ(Stat("vol/latest")["type"], "symlink");
  EXPECT_TRUE(Out("vol/dir/file with spaces") == bytes);
}

TEST_P(TreeVolume, ATreeGoesInAndOutWithLinksAndEmptyFiles) {
  const std::string source = place_.File("tree");
  fs::create_directories(source + "/a/b/c");
  const std::string long_name(255, 'n');
  rig::WriteFile(source + "/a/" + long_name, Pattern(100));
  rig::WriteFile(source + "/a/b/c/big", Pattern(4'200'000));
  rig::WriteFile(source + "/empty", "");
  fs::create_symlink("a/b", source + "/link");
  fs::create_symlink("nowhere at all", source + "/a/dangling");
  const std::vector<std::string> copy = {"-r", source, ":vol/tree", "--json"};
  const auto first = JsonOf(In(copy));
  EXPECT_EQ(first["copied"], 5);
  EXPECT_EQ(first["left_out"].size(), 0U);
  EXPECT_EQ(JsonOf(In(copy))["skipped"], 5) << "run again, it goes on";

  const std::string back = place_.File("back");
  const Outcome out = Famfs({"cp", "-r", device_, ":vol/tree", back});
  ASSERT_THAT(out, Exits(kOk));
  EXPECT_THAT(RunProgram({"diff", "-r", "--no-dereference", source, back}),
              Exits(0));
  EXPECT_EQ(fs::read_symlink(back + "/link"), "a/b");
  EXPECT_EQ(fs::file_size(back + "/empty"), 0U);
  EXPECT_THAT(Famfs({"cp", "-r", device_, ":vol/tree/", back}), Exits(kOk));
}

TEST_P(TreeVolume, TheDeviceMayStandBeforeTheColon) {
  const std::string source = Local("source", Pattern(1000));
  ASSERT_THAT(
      Famfs([&] {
        std::vector<std::string> words = {"cp", source, device_ + ":/vol/one"};
        for (const auto& word : place_.Identity()) {
          words.push_back(word);
        }
        return words;
      }()),
      Exits(kOk));
  // Also by its path alone, and with no slash.
  const std::string path = device_.substr(device_.find(':') + 1);
  ASSERT_THAT(Famfs({"cp", path + ":vol/one", place_.File("back")}),
              Exits(kOk));
  EXPECT_EQ(rig::ReadWholeFile(place_.File("back")), Pattern(1000));
  const Outcome alone = Famfs({"cp", source, place_.File("other")});
  EXPECT_THAT(alone, Exits(kUsage));
  EXPECT_THAT(alone.err, HasSubstr("DEVICE:PATH"));
  const Outcome two = Famfs({"cp", device_ + ":vol/one", device_ + ":vol/two"});
  EXPECT_THAT(two, Exits(kUsage));
  EXPECT_THAT(two.err, HasSubstr("both in the instance"));
}

TEST_P(TreeVolume, NamesChangeAndGo) {
  ASSERT_THAT(In({Local("a", Pattern(10)), Local("b", Pattern(20)), ":vol"}),
              Exits(kOk));
  ASSERT_THAT(place_.Write("mkdir", device_, {"-p", "vol/d/e"}), Exits(kOk));
  ASSERT_THAT(place_.Write("mv", device_, {"vol/a", "vol/d"}), Exits(kOk));
  ASSERT_THAT(place_.Write("mv", device_, {":vol/d/a", ":vol/d/e/c"}),
              Exits(kOk));
  EXPECT_THAT(place_.Write("mv", device_, {"-n", "vol/b", "vol/d/e/c"}),
              Exits(kProblems));
  EXPECT_EQ(List(), "vol/\nvol/b\nvol/d/\nvol/d/e/\nvol/d/e/c\n");
  ASSERT_THAT(place_.Write("mv", device_, {"--exchange", "vol/b", "vol/d/e/c"}),
              Exits(kOk));
  EXPECT_EQ(Out("vol/b"), Pattern(10));
  const Outcome within = place_.Write("mv", device_, {"vol/d", "vol/d/e"});
  EXPECT_THAT(within, Exits(kProblems));
  const Outcome full = place_.Write("rm", device_, {"vol/d"});
  EXPECT_THAT(full, Exits(kProblems));
  EXPECT_THAT(full.err, HasSubstr("-r removes it"));
  ASSERT_THAT(place_.Write("rm", device_, {"-r", ":vol/d", ":vol/b"}),
              Exits(kOk));
  EXPECT_EQ(List(), "vol/\n");
  EXPECT_THAT(place_.Write("rm", device_, {"vol/b"}), Exits(kProblems));
}

TEST_P(TreeVolume, WhatIsNotInOneIsRefusedThere) {
  ASSERT_THAT(place_.Write("mkdir", device_, {"plain"}), Exits(kOk));
  ASSERT_THAT(In({Local("a", "x"), ":plain/f"}), Exits(kOk));
  const Outcome rm = place_.Write("rm", device_, {"plain/f"});
  EXPECT_THAT(rm, Exits(kProblems));
  EXPECT_THAT(rm.err, HasSubstr("tree volume"));
  EXPECT_THAT(place_.Write("mv", device_, {"plain/f", "plain/g"}),
              Exits(kProblems));
  EXPECT_THAT(place_.Write("symlink", device_, {"f", "plain/l"}),
              Exits(kProblems));
  ASSERT_THAT(place_.Write("mkvol", device_, {"two", "--size", "2M"}),
              Exits(kOk));
  ASSERT_THAT(In({Local("b", "y"), ":vol/b"}), Exits(kOk));
  const Outcome across = place_.Write("mv", device_, {"vol/b", "two/b"});
  EXPECT_THAT(across, Exits(kProblems));
  EXPECT_THAT(across.err, HasSubstr("copy it"));
}

TEST_P(TreeVolume, AFileThatIsThereIsNotReplaced) {
  ASSERT_THAT(In({Local("a", Pattern(10)), ":vol/f"}), Exits(kOk));
  const Outcome again = In({Local("b", Pattern(20)), ":vol/f"});
  EXPECT_THAT(again, Exits(kProblems));
  EXPECT_THAT(again.err, HasSubstr("vol/f: exists"));
  EXPECT_EQ(Out("vol/f"), Pattern(10));
  const Outcome none = In({Local("b", Pattern(20)), ":vol/none/f"});
  EXPECT_THAT(none, Exits(kProblems));
  EXPECT_THAT(none.err, HasSubstr("vol/none is no directory"));
  EXPECT_EQ(List(), "vol/\nvol/f\n");
}

TEST_P(TreeVolume, AFullVolumeRefusesAndKeepsNothing) {
  ASSERT_THAT(place_.Write("mkvol", device_, {"small", "--size", "2M"}),
              Exits(kOk));
  const Outcome full = In({Local("a", Pattern(3'000'000)), ":small/f"});
  EXPECT_THAT(full, Exits(kProblems));
  EXPECT_THAT(full.err, AllOf(HasSubstr("small/f"), HasSubstr("no room")));
  EXPECT_THAT(List(), Not(HasSubstr("small/f")));
  EXPECT_THAT(List(), Not(HasSubstr(".famfs-part")));
  ASSERT_THAT(In({Local("a", Pattern(2'000'000)), ":small/f"}), Exits(kOk));
}

TEST_P(TreeVolume, DfTellsWhatIsPromised) {
  const auto before = JsonOf(Famfs({"df", device_, "--json"}));
  EXPECT_EQ(before["promised"], 64 * kMiB);
  EXPECT_EQ(before["log"]["promised"], 128 + 3 * 32);
  EXPECT_EQ(before["volumes"].at(0)["layout"], "tree");
  ASSERT_THAT(In({Local("a", Pattern(3'000'000)), ":vol/a"}), Exits(kOk));
  const auto after = JsonOf(Famfs({"df", device_, "--json"}));
  EXPECT_EQ(after["promised"], 60 * kMiB);
  EXPECT_EQ(after["volumes"].at(0)["allocated"], 4 * kMiB);
  EXPECT_THAT(Famfs({"df", device_}).out,
              AllOf(HasSubstr("promised       60.00 MiB"),
                    HasSubstr("promised to tree volumes")));
  const auto du = JsonOf(Famfs({"du", device_, "vol", "-s", "--json"}));
  EXPECT_EQ(du.at(0)["allocated"], 4 * kMiB);
  EXPECT_EQ(du.at(0)["files"], 1);
}

TEST_P(TreeVolume, CreatAndVerifyWorkInIt) {
  ASSERT_THAT(place_.Write("creat", device_,
                           {":vol/s", "--size", "5000001", "--seed", "42"}),
              Exits(kOk));
  EXPECT_THAT(Famfs({"verify", device_, ":vol/s", "--seed", "42"}), Exits(kOk));
  EXPECT_THAT(Famfs({"verify", device_, ":vol/s", "--seed", "43"}),
              Exits(kProblems));
  ASSERT_THAT(place_.Write("creat", device_, {"vol/z", "--size", "3M"}),
              Exits(kOk));
  EXPECT_TRUE(Out("vol/z") == std::string(3 * kMiB, '\0'));
  EXPECT_THAT(place_.Write("creat", device_,
                           {"vol/i", "--size", "8M", "--strips", "2"}),
              Exits(kProblems));
}

TEST_P(TreeVolume, DumpAndLogplayTellRecordsAndPieces) {
  ASSERT_THAT(In({Local("a", Pattern(10)), ":vol/a"}), Exits(kOk));
  ASSERT_THAT(place_.Write("symlink", device_, {"a", "vol/l"}), Exits(kOk));
  ASSERT_THAT(place_.Write("rm", device_, {"vol/l"}), Exits(kOk));
  const auto dump = JsonOf(Famfs({"dump", device_, "--json"}));
  std::size_t pieces = 0;
  std::set<std::string> names;
  for (const auto& entry : dump["entries"]) {
    if (entry.contains("file") && !entry["file"]["piece"].is_null()) ++pieces;
    if (entry.contains("mkdir") && !entry["mkdir"]["node"].is_null()) {
      names.insert(entry["mkdir"]["node"]["name"].get<std::string>());
    }
  }
  EXPECT_EQ(pieces, 1U);
  EXPECT_TRUE(names.contains("a") && names.contains("l"));
  EXPECT_THAT(Famfs({"dump", device_}).out,
              AllOf(HasSubstr("target: a"), HasSubstr("state: removed")));
  const std::string played = Famfs({"logplay", device_}).out;
  // On an emulated device each opening compacts what went before.
  EXPECT_THAT(played,
              AllOf(HasSubstr(" vol/a: "), HasSubstr("10 bytes, revision 4"),
                    HasSubstr("piece       vol/"), HasSubstr(": number 0, "),
                    HasSubstr("symlink     vol/l: -> a"),
                    HasSubstr("removal     vol/l: -> a"),
                    HasSubstr("in tree volumes: 2 nodes"),
                    HasSubstr("(1 removals), 1 pieces")));
}

TEST_P(TreeVolume, MapDrawsItsFiles) {
  ASSERT_THAT(In({Local("a", Pattern(3'000'000)), ":vol/a"}), Exits(kOk));
  const auto map = JsonOf(Famfs({"map", device_, "--json"}));
  std::uint64_t bytes = 0;
  for (const auto& segment : map["segments"]) {
    if (segment.value("path", "") == "vol/a") {
      bytes += segment["length"].get<std::uint64_t>();
    }
  }
  EXPECT_EQ(bytes, 4 * kMiB);
}

TEST_P(TreeVolume, ADeletedOneIsGone) {
  ASSERT_THAT(In({Local("a", Pattern(10)), ":vol/a"}), Exits(kOk));
  ASSERT_THAT(place_.Write("rmvol", device_, {"vol"}), Exits(kOk));
  EXPECT_EQ(List(), "");
  EXPECT_THAT(place_.Write("rmvol", device_, {"vol"}), Exits(kProblems));
  ASSERT_THAT(place_.Write("mkvol", device_,
                           {"file", "--size", "3M", "--layout", "file"}),
              Exits(kOk));
  EXPECT_EQ(Stat("file/data")["size"], 4 * kMiB);
}

TEST_P(TreeVolume, ItSurvivesACompaction) {
  ASSERT_THAT(In({Local("a", Pattern(3'000'000)), ":vol/a"}), Exits(kOk));
  ASSERT_THAT(place_.Write("mv", device_, {"vol/a", "vol/b"}), Exits(kOk));
  ASSERT_THAT(place_.Write("compact", device_, {}), Exits(kOk));
  EXPECT_TRUE(Out("vol/b") == Pattern(3'000'000));
}

// ---- between kinds of devices

TEST(TreeVolumeTransfer, EveryByteGoesThereAndBack) {
  const Workplace place;
  const std::string device = place.Emulated("pool");
  ASSERT_THAT(place.Write("mkvol", device, {"vol", "--size", "64M"}),
              Exits(kOk));
  rig::WriteFile(place.File("a"), Pattern(5'000'001));
  rig::WriteFile(place.File("empty"), "");
  ASSERT_THAT(place.Write("cp", device, {place.File("a"), ":vol/a"}),
              Exits(kOk));
  ASSERT_THAT(place.Write("cp", device, {place.File("empty"), ":vol/empty"}),
              Exits(kOk));
  ASSERT_THAT(place.Write("creat", device, {"vol/zeros", "--size", "3M"}),
              Exits(kOk));
  const std::string image = place.File("flat.img");
  ASSERT_THAT(Famfs({"export", device, image}), Exits(kOk));
  EXPECT_THAT(Famfs({"fsck", image}), Exits(kOk));
  ASSERT_THAT(Famfs({"cp", image, ":vol/a", place.File("from-image")}),
              Exits(kOk));
  EXPECT_TRUE(rig::ReadWholeFile(place.File("from-image")) ==
              Pattern(5'000'001));
  ASSERT_THAT(Famfs({"import", image, place.File("pool2")}), Exits(kOk));
  const std::string second = "emulated:" + place.File("pool2");
  EXPECT_THAT(Famfs({"fsck", second}), Exits(kOk));
  ASSERT_THAT(Famfs({"export", second, place.File("flat2.img")}), Exits(kOk));
  EXPECT_THAT(RunProgram({"cmp", image, place.File("flat2.img")}), Exits(0));
  // The same node files, with the same bytes and sizes.
  EXPECT_THAT(RunProgram({"diff", "-r", place.File("pool/files"),
                          place.File("pool2/files")}),
              Exits(0));
  // And it can be written on.
  ASSERT_THAT(place.Write("rm", second, {"vol/a"}), Exits(kOk));
  EXPECT_THAT(Famfs({"fsck", second}), Exits(kOk));
}

TEST(TreeVolumeTransfer, LeftoversOfANodeFileAreToldAndMended) {
  const Workplace place;
  const std::string device = place.Emulated("pool");
  ASSERT_THAT(place.Write("mkvol", device, {"vol", "--size", "64M"}),
              Exits(kOk));
  rig::WriteFile(place.File("a"), Pattern(1000));
  ASSERT_THAT(place.Write("cp", device, {place.File("a"), ":vol/a"}),
              Exits(kOk));
  const std::string files = place.File("pool/files");
  rig::WriteFile(files + "/vol.00000000000000ff", "left");
  for (const auto& file : fs::directory_iterator(files)) {
    if (file.file_size() == 1000) fs::resize_file(file.path(), 10);
  }
  const Outcome fsck = Famfs({"fsck", device});
  EXPECT_THAT(fsck, Exits(kProblems));
  EXPECT_THAT(fsck.out,
              AllOf(HasSubstr("unfinished: node_file: the node file vol.0000000"
                              "0000000ff (4 bytes) is named by no record"),
                    HasSubstr("has 10 bytes, its record says 1000")));
  std::vector<std::string> repair = {"fsck", device, "--repair"};
  for (const auto& word : place.Identity()) repair.push_back(word);
  EXPECT_THAT(Famfs(repair), Exits(kOk));
  EXPECT_THAT(Famfs({"fsck", device}), Exits(kOk));
  for (const auto& file : fs::directory_iterator(files)) {
    fs::remove(file.path());
  }
  EXPECT_THAT(Famfs({"fsck", device}).out,
              HasSubstr("error: node_file: file 'vol/a' of 1000 bytes has no "
                        "node file"));
}

TEST(TreeVolumeTransfer, MemoryThatWasGivenBackIsToldAndGivenAgain) {
  const Workplace place;
  const std::string device = place.Emulated("pool");
  ASSERT_THAT(place.Write("mkvol", device, {"vol", "--size", "64M"}),
              Exits(kOk));
  ASSERT_THAT(
      place.Write("creat", device, {"vol/a", "--size", "5M", "--seed", "1"}),
      Exits(kOk));
  for (const auto& file : fs::directory_iterator(place.File("pool/files"))) {
    const auto fd = OpenFile(file.path().string(), O_RDWR);
    ASSERT_TRUE(fd.ok()) << fd.status();
    ASSERT_EQ(::fallocate(fd->get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                          0, 8192),
              0);
  }
  EXPECT_THAT(Famfs({"fsck", device}).out,
              HasSubstr("unfinished: memory: file 'vol/a' lacks 8192 bytes"));
  ASSERT_THAT(place.Write("mkdir", device, {"vol/d"}), Exits(kOk));
  EXPECT_THAT(Famfs({"fsck", device}), Exits(kOk));
}

TEST(TreeVolumeTransfer, WhatIsWholeOfADamagedOneComesOut) {
  const Workplace place;
  const std::string device = place.Image("pool.img");
  ASSERT_THAT(place.Write("mkvol", device, {"vol", "--size", "64M"}),
              Exits(kOk));                                           // 0
  ASSERT_THAT(place.Write("mkdir", device, {"vol/d"}), Exits(kOk));  // 1
  ASSERT_THAT(
      place.Write("creat", device, {"vol/d/s", "--size", "3M", "--seed", "1"}),
      Exits(kOk));
  const auto fd = OpenFile(place.File("pool.img"), O_RDWR);
  ASSERT_TRUE(fd.ok()) << fd.status();
  ASSERT_EQ(::pwrite(fd->get(), "!", 1,
                     static_cast<off_t>(kLogOffset + EntryAt(1) + 60)),
            1);
  EXPECT_THAT(Famfs({"ls", device}), Exits(kProblems));
  const Outcome out =
      Famfs({"cp", "-r", "--salvage", device, ":", place.File("out")});
  EXPECT_THAT(out, Exits(kProblems));
  EXPECT_THAT(out.err, HasSubstr("cannot be read; it stands at the volume's "
                                 "root as 'lost."));
  std::size_t files = 0;
  for (const auto& file : fs::recursive_directory_iterator(place.File("out"))) {
    if (!file.is_regular_file()) continue;
    ++files;
    EXPECT_THAT(Famfs({"verify", file.path().string(), "--seed", "1"}),
                Exits(kOk));
  }
  EXPECT_EQ(files, 1U);
}

}  // namespace
}  // namespace famfs
