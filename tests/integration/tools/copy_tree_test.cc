// famfs cp -r: directory trees, also after an interruption.
#include <gtest/gtest.h>
#include <sys/stat.h>
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

class CopyTree : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    fs::create_directories(tree_ + "/sub/deep");
    fs::create_directories(tree_ + "/bare");
    rig::WriteFile(tree_ + "/large", Pattern(150'000'001));
    rig::WriteFile(tree_ + "/sub/small", "small");
    for (int i = 0; i < 20; ++i) {
      rig::WriteFile(tree_ + "/sub/deep/" + std::to_string(i),
                     Pattern(static_cast<std::size_t>(100'000 + i)));
    }
    ::chmod((tree_ + "/sub").c_str(), 0750);
    ::chmod((tree_ + "/sub/small").c_str(), 0640);
  }

  Outcome CopyIn(const std::vector<std::string>& words) const {
    std::vector<std::string> arguments = {"-r"};
    arguments.insert(arguments.end(), words.begin(), words.end());
    return place_.Write("cp", device_, arguments);
  }
  /// What diff(1) says of two local trees; "" when they are alike.
  static std::string Difference(const std::string& a, const std::string& b) {
    return RunProgram({"/usr/bin/diff", "-r", a, b}).out;
  }
  [[nodiscard]] std::string List(const std::string& path) const {
    return Famfs({"ls", device_, path}).out;
  }

  const Workplace place_;
  const std::string tree_ = place_.File("tree");
  const std::string device_ = std::string(GetParam()) == "emulated"
                                  ? place_.Emulated("pool")
                                  : place_.Image("pool.img");
};

INSTANTIATE_TEST_SUITE_P(Devices, CopyTree,
                         ::testing::Values("emulated", "image"),
                         [](const auto& param) {
                           return std::string(param.param);
                         });

TEST_P(CopyTree, InAndOutKeepsEveryFileAndMode) {
  const Outcome in = CopyIn({"-t", "3", tree_, ":tree"});
  ASSERT_THAT(in, Exits(kOk));
  EXPECT_THAT(in.out, HasSubstr("22 files copied"));
  EXPECT_EQ(List("tree"), "tree/bare/\ntree/large\ntree/sub/\n");
  EXPECT_THAT(Famfs({"fsck", device_}), Exits(kOk));
  ASSERT_THAT(Famfs({"cp", device_, "-r", ":tree", place_.File("back")}),
              Exits(kOk));
  EXPECT_EQ(Difference(tree_, place_.File("back")), "");
  struct stat info {};
  ASSERT_EQ(::stat(place_.File("back/sub").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0750U);
  ASSERT_EQ(::stat(place_.File("back/sub/small").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0640U);
}

TEST_P(CopyTree, SecondRunSkipsWhatIsThereAndCopiesTheRest) {
  rig::WriteFile(place_.File("late"), "late");
  ASSERT_THAT(CopyIn({tree_, ":tree"}), Exits(kOk));
  fs::rename(place_.File("late"), tree_ + "/sub/late");
  const Outcome again = CopyIn({tree_, ":tree", "--json"});
  ASSERT_THAT(again, Exits(kOk));
  EXPECT_EQ(JsonOf(again)["copied"], 1);
  EXPECT_EQ(JsonOf(again)["skipped"], 22);
  EXPECT_EQ(List("tree/sub"),
            "tree/sub/deep/\ntree/sub/late\ntree/sub/small\n");
  // Out again, as well.
  const std::vector<std::string> out = {
      "cp", device_, "-r", ":tree", "--json", place_.File("tree2")};
  EXPECT_EQ(JsonOf(Famfs(out))["copied"], 23);
  fs::remove(place_.File("tree2/sub/late"));
}

TEST_P(CopyTree, FileThatDiffersIsToldAndTheOthersAreCopied) {
  ASSERT_THAT(CopyIn({tree_, ":tree"}), Exits(kOk));
  // The same size, another last byte: the sample has both ends of the file.
  std::string large = Pattern(150'000'001);
  large.back() = static_cast<char>(large.back() + 1);
  rig::WriteFile(tree_ + "/large", large);
  rig::WriteFile(tree_ + "/sub/small", "longer than small");
  rig::WriteFile(tree_ + "/new", "new");
  const Outcome again = CopyIn({tree_, ":tree"});
  EXPECT_THAT(again, Exits(kProblems));
  EXPECT_THAT(again.err, AllOf(HasSubstr("tree/large: is in the instance"),
                               HasSubstr("tree/sub/small: is in the instance"),
                               HasSubstr("made once")));
  EXPECT_THAT(again.out,
              AllOf(HasSubstr("1 files copied"), HasSubstr("2 failed")));
  // A byte that the sample does not see, full comparison does.
  large = Pattern(150'000'001);
  large[10'000] = static_cast<char>(large[10'000] + 1);
  rig::WriteFile(tree_ + "/large", large);
  rig::WriteFile(tree_ + "/sub/small", "small");
  EXPECT_THAT(CopyIn({tree_, ":tree"}), Exits(kOk));
  const Outcome full = CopyIn({tree_, ":tree", "--compare", "full"});
  EXPECT_THAT(full, Exits(kProblems));
  EXPECT_THAT(full.err, HasSubstr("tree/large"));
  EXPECT_THAT(CopyIn({tree_, ":tree", "--compare", "size"}), Exits(kOk));
}

TEST_P(CopyTree, DestinationSaysWhereItGoes) {
  ASSERT_THAT(place_.Write("mkdir", device_, {"data"}), Exits(kOk));
  ASSERT_THAT(CopyIn({tree_ + "/sub", ":data"}), Exits(kOk));
  EXPECT_EQ(List("data"), "data/sub/\n");
  ASSERT_THAT(CopyIn({tree_ + "/sub", ":data"}), Exits(kOk));  // goes on
  EXPECT_EQ(List("data"), "data/sub/\n");
  ASSERT_THAT(CopyIn({tree_ + "/sub/", ":held"}), Exits(kOk));
  EXPECT_EQ(List("held"), "held/deep/\nheld/small\n");
  ASSERT_THAT(CopyIn({tree_ + "/sub/", ":held"}), Exits(kOk));
  EXPECT_EQ(List("held"), "held/deep/\nheld/small\n");
  ASSERT_THAT(CopyIn({tree_ + "/sub", tree_ + "/bare", ":data/"}), Exits(kOk));
  EXPECT_EQ(List("data"), "data/bare/\ndata/sub/\n");
  ASSERT_THAT(CopyIn({tree_ + "/bare", ":"}), Exits(kOk));
  EXPECT_EQ(List(""), "bare/\ndata/\nheld/\n");
  // Whether "held" is the copy itself or takes it is for the caller to say.
  const Outcome unclear = CopyIn({tree_ + "/sub", ":held"});
  EXPECT_THAT(unclear, Exits(kProblems));
  EXPECT_THAT(unclear.err, AllOf(HasSubstr("sub/"), HasSubstr("held/")));
  EXPECT_EQ(List("held"), "held/deep/\nheld/small\n");
}

TEST_P(CopyTree, WhatCannotBeCopiedIsToldAndLeftOut) {
  rig::WriteFile(tree_ + "/empty", "");
  fs::create_symlink("large", tree_ + "/link");
  fs::create_symlink("nowhere", tree_ + "/dangling");
  ASSERT_EQ(::mkfifo((tree_ + "/fifo").c_str(), 0600), 0);
  const Outcome in = CopyIn({tree_, ":tree"});
  EXPECT_THAT(in, Exits(kProblems));
  for (const char* name : {"empty", "link", "dangling", "fifo"}) {
    EXPECT_THAT(in.err, HasSubstr(std::string("left out: ") + tree_ + "/" +
                                  name + ": is "));
  }
  EXPECT_EQ(List("tree"), "tree/bare/\ntree/large\ntree/sub/\n");
  fs::remove(tree_ + "/empty");
  fs::remove(tree_ + "/fifo");
  fs::remove(tree_ + "/dangling");
  EXPECT_THAT(CopyIn({"-L", tree_, ":tree"}), Exits(kOk));
  EXPECT_EQ(List("tree"), "tree/bare/\ntree/large\ntree/link\ntree/sub/\n");
}

TEST_P(CopyTree, PathsThatCannotBeAreToldBeforeAnythingIsWritten) {
  rig::WriteFile(tree_ + "/" + std::string(90, 'n'), "x");
  const Outcome in = CopyIn({tree_, ":tree"});
  EXPECT_THAT(in, Exits(kProblems));
  EXPECT_THAT(in.err, AllOf(HasSubstr("nnn"), HasSubstr("nothing is copied")));
  EXPECT_EQ(List(""), "");
}

TEST_P(CopyTree, DirectoryNeedsTheOption) {
  const Outcome in = place_.Write("cp", device_, {tree_, ":tree"});
  EXPECT_THAT(in, Exits(kProblems));
  EXPECT_THAT(in.err, HasSubstr("-r"));
  ASSERT_THAT(place_.Write("mkdir", device_, {"d"}), Exits(kOk));
  const Outcome out = Famfs({"cp", device_, ":d", place_.File("d")});
  EXPECT_THAT(out, Exits(kProblems));
  EXPECT_THAT(out.err, HasSubstr("-r"));
  EXPECT_THAT(CopyIn({tree_, ":none/tree"}), Exits(kProblems));
  EXPECT_THAT(CopyIn({tree_ + "/large", tree_, ":none"}), Exits(kProblems));
}

TEST(CopyTreeFull, LeavesOutNoFileThatFits) {
  const Workplace place;
  const std::string device = "emulated:" + place.File("pool");
  ASSERT_THAT(place.Write("mkfs", device, {"--size", "4G", "--sparse"}),
              Exits(kOk));
  ASSERT_THAT(place.Write("creat", device, {"most", "--size", "4070M"}),
              Exits(kOk));
  const std::string tree = place.File("tree");
  fs::create_directory(tree);
  rig::WriteFile(tree + "/a", Pattern(1'000'000));
  rig::WriteFile(tree + "/b", Pattern(64U << 20));
  const Outcome in = place.Write("cp", device, {"-r", tree, ":tree"});
  EXPECT_THAT(in, Exits(kProblems));
  EXPECT_THAT(in.err, HasSubstr("free"));
  EXPECT_EQ(Famfs({"ls", device, "tree"}).out, "tree/a\n");
  EXPECT_THAT(Famfs({"fsck", device}), Exits(kOk));
}

TEST(CopyTreeKilled, GoesOnWithASecondRun) {
  const Workplace place;
  const std::string device = place.Emulated("pool");
  const std::string tree = place.File("tree");
  fs::create_directory(tree);
  for (int i = 0; i < 8; ++i) {
    rig::WriteFile(tree + "/" + std::to_string(i), Pattern(40U << 20));
  }
  std::vector<std::string> argv = {
      rig::Binary("famfs"), "cp", device, "-r", tree, ":tree"};
  for (const std::string& word : place.Identity()) argv.push_back(word);
  auto process = rig::Process::Start(
      {.argv = argv, .environment = {}, .working_directory = {}});
  ASSERT_TRUE(process.ok()) << process.status();
  // Some file is being copied: the first extent after superblock and log.
  const std::string extent = place.File("pool/extents/a00000");
  ASSERT_TRUE(rig::Eventually([&] { return fs::exists(extent); }));
  (*process)->Kill();

  std::vector<std::string> words = {"-r", tree, ":tree", "--json"};
  const Outcome again = place.Write("cp", device, words);
  ASSERT_THAT(again, Exits(kOk));
  const auto json = JsonOf(again);
  EXPECT_EQ(json["copied"].get<int>() + json["skipped"].get<int>(), 8);
  EXPECT_THAT(Famfs({"fsck", device}), Exits(kOk));
  ASSERT_THAT(Famfs({"cp", device, "-r", ":tree", place.File("back")}),
              Exits(kOk));
  EXPECT_THAT(RunProgram({"/usr/bin/diff", "-r", tree, place.File("back")}),
              Exits(kOk));
}

}  // namespace
}  // namespace famfs
