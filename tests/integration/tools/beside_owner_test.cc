// `famfs` beside the program that has the instance open, which is this one: it
// answers for tree volumes as the CSI controller does.
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>

#include "base/units.h"
#include "instance/mailbox/answerer.h"
#include "instance/writer/writer.h"
#include "tests/integration/support/mailbox.h"
#include "tests/integration/support/rig.h"
#include "tests/integration/tools/famfs_command.h"

namespace famfs {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class BesideOwner : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    device_ = IsEmulated() ? place_.Emulated("pool") : place_.Image("pool.img");
    ASSERT_THAT(place_.Write("mkvol", device_, {"vol", "--size", "1200M"}),
                Exits(kOk));
    auto opened = OpenDevice(device_, Access::kReadWrite);
    ASSERT_TRUE(opened.ok()) << opened.status();
    auto writer = Writer::Open(std::shared_ptr<DaxDevice>(*std::move(opened)),
                               {.system_uuid = *Uuid::Parse(kOwner),
                                .lock_directory = place_.LockDirectory()});
    ASSERT_TRUE(writer.ok()) << writer.status();
    writer_ = *std::move(writer);
    StartAnswering();
  }
  void TearDown() override {
    if (writer_ == nullptr) return;
    answerer_.reset();
    EXPECT_THAT(writer_->Hosts(), IsEmpty()) << "each closed its row";
    writer_.reset();
    EXPECT_THAT(Famfs({"fsck", device_}), Exits(kOk));
  }

  [[nodiscard]] static bool IsEmulated() {
    return std::string_view(GetParam()) == "emulated";
  }
  void StartAnswering() {
    auto answerer = Answerer::Start(*writer_);
    ASSERT_TRUE(answerer.ok()) << answerer.status();
    answerer_ = *std::move(answerer);
  }
  Outcome Write(const std::string& command,
                const std::vector<std::string>& arguments) const {
    return place_.Write(command, device_, arguments);
  }
  [[nodiscard]] std::string List() const {
    return Famfs({"ls", device_, "-R"}).out;
  }
  std::string Out(const std::string& path) const {
    const std::string to = place_.File("out");
    EXPECT_THAT(Famfs({"cp", device_, "-f", ":" + path, to}), Exits(kOk));
    return rig::ReadWholeFile(to);
  }
  /// Whether some host's request stands in its mailbox.
  bool IsAsked() { return !rig::StandingRequests(*writer_->device()).empty(); }

  const Workplace place_;
  std::string device_;
  std::unique_ptr<Writer> writer_;
  std::unique_ptr<Answerer> answerer_;
};

INSTANTIATE_TEST_SUITE_P(Devices, BesideOwner,
                         ::testing::Values("emulated", "image"),
                         [](const auto& which) {
                           return std::string(which.param);
                         });

TEST_P(BesideOwner, NamesOfATreeVolumeAreChangedByAskingIt) {
  EXPECT_THAT(Write("mkdir", {"-p", ":vol/a/b", "-m", "0750"}), Exits(kOk));
  EXPECT_THAT(Write("symlink", {"b/f", ":vol/a/link"}), Exits(kOk));
  EXPECT_THAT(Write("creat", {"vol/a/b/f", "--size", "3M", "--seed", "7"}),
              Exits(kOk));
  EXPECT_THAT(Famfs({"verify", device_, ":vol/a/b/f", "--seed", "7"}),
              Exits(kOk));
  EXPECT_THAT(Write("mv", {":vol/a/b/f", ":vol/g"}), Exits(kOk));
  EXPECT_THAT(Write("mkdir", {"vol/a"}), Exits(kProblems)) << "it is there";
  EXPECT_EQ(List(), "vol/\nvol/a/\nvol/a/b/\nvol/a/link -> b/f\nvol/g\n");
  EXPECT_EQ(writer_->Tree()->FindPath("vol/a/b")->owner.mode, 0750U);
  EXPECT_THAT(Write("rm", {"-r", ":vol/a", ":vol/g"}), Exits(kOk));
  EXPECT_EQ(List(), "vol/\n");
}

TEST_P(BesideOwner, FilesAreCopiedInAndItHasTheirBytes) {
  const std::string source = place_.File("tree");
  fs::create_directories(source + "/sub");
  const std::string bytes = Pattern(5'000'001);
  rig::WriteFile(source + "/sub/large", bytes);
  rig::WriteFile(source + "/small", "small");
  rig::WriteFile(source + "/empty", "");
  fs::create_symlink("sub/large", source + "/link");
  const auto first =
      JsonOf(Write("cp", {"-r", source, ":vol/tree", "--json", "-t", "4"}));
  EXPECT_EQ(first["copied"], 4);
  EXPECT_EQ(first["problems"].size(), 0U);
  EXPECT_EQ(
      JsonOf(Write("cp", {"-r", source, ":vol/tree", "--json"}))["skipped"], 4);
  EXPECT_TRUE(Out("vol/tree/sub/large") == bytes);
  EXPECT_EQ(Out("vol/tree/small"), "small");
  std::vector<std::string> words = {"cp", source + "/small",
                                    device_ + ":/vol/again"};
  for (const std::string& word : place_.Identity()) words.push_back(word);
  EXPECT_THAT(Famfs(words), Exits(kOk));
  EXPECT_EQ(Out("vol/again"), "small");
}

/// Beyond what one request asks for.
TEST_P(BesideOwner, ALongFileIsMadeInSteps) {
  ASSERT_THAT(Write("creat", {"vol/long", "--size", "1050M"}), Exits(kOk));
  const auto stat = JsonOf(Famfs({"stat", device_, "vol/long", "--json"}));
  EXPECT_EQ(stat.at(0)["size"], 1050 * kMiB);
  const Outcome full = Write("creat", {"vol/more", "--size", "200M"});
  EXPECT_THAT(full, Exits(kProblems));
  EXPECT_THAT(full.err, HasSubstr("no room"));
  EXPECT_EQ(List(), "vol/\nvol/long\n") << "nothing is left of it";
}

TEST_P(BesideOwner, WhatLiesOutsideOfTreeVolumesIsRefusedAtOnce) {
  rig::WriteFile(place_.File("a"), "x");
  const std::vector<std::pair<std::string, std::vector<std::string>>> writes = {
      {"mkdir", {"d"}},
      {"creat", {"f", "--size", "1M"}},
      {"cp", {place_.File("a"), ":a"}},
      {"mkvol", {"other", "--size", "2M"}},
      {"rmvol", {"vol"}}};
  for (const auto& [command, arguments] : writes) {
    const Outcome outcome = Write(command, arguments);
    EXPECT_THAT(outcome, Exits(kProblems)) << command;
    EXPECT_THAT(outcome.err, AllOf(HasSubstr("One program at a time"),
                                   HasSubstr(fmt::format("pid {}", ::getpid())),
                                   HasSubstr("in tree volumes")))
        << command;
  }
  EXPECT_EQ(List(), "vol/\n");
}

/// Such as one that runs in a pod, with an identity of its own.
TEST_P(BesideOwner, AnotherHostsProgramIsAskedToo) {
  const std::vector<std::string> who = {
      "--system-uuid", "11111111-2222-3333-4444-555555555555",
      "--lock-directory", place_.File("other-locks")};
  std::vector<std::string> argv = {"mkdir", device_, ":vol/d"};
  argv.insert(argv.end(), who.begin(), who.end());
  EXPECT_THAT(Famfs(argv), Exits(kOk));
  EXPECT_EQ(List(), "vol/\nvol/d/\n");
  argv[2] = "outside";
  const Outcome outside = Famfs(argv);
  EXPECT_THAT(outside, Exits(kProblems));
  EXPECT_THAT(outside.err, HasSubstr("Run the command on the owning host"));
}

TEST_P(BesideOwner, NobodyWhoAnswersIsToldOnceAndTheChangeIsWithdrawn) {
  answerer_.reset();
  const Outcome one = Write("mkdir", {":vol/d", "--wait", "1"});
  EXPECT_THAT(one, Exits(kProblems));
  EXPECT_THAT(one.err, AllOf(HasSubstr("nobody has answered for 1 s"),
                             HasSubstr("--wait"), HasSubstr("controller"),
                             HasSubstr(fmt::format("pid {}", ::getpid()))));
  const std::string source = place_.File("many");
  fs::create_directories(source);
  for (int i = 0; i < 50; ++i) {
    rig::WriteFile(fmt::format("{}/{}", source, i), "x");
  }
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_THAT(Write("cp", {"-r", source + "/", ":vol", "--wait", "1"}),
              Exits(kProblems));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(25))
      << "not for each file anew";
  StartAnswering();
  EXPECT_THAT(Write("mkdir", {":vol/later"}), Exits(kOk));
  EXPECT_EQ(List(), "vol/\nvol/later/\n");
}

TEST_P(BesideOwner, ASignalEndsTheWait) {
  answerer_.reset();
  std::vector<std::string> argv = {
      rig::Binary("famfs"), "mkdir", device_, ":vol/d", "--wait", "3600"};
  for (const std::string& word : place_.Identity()) argv.push_back(word);
  auto waiting = rig::Process::Start({.argv = argv});
  ASSERT_TRUE(waiting.ok()) << waiting.status();
  ASSERT_TRUE(rig::Eventually([&] { return IsAsked(); }));
  (*waiting)->Signal(SIGINT);
  const auto exit = (*waiting)->Wait();
  ASSERT_TRUE(exit.ok()) << exit.status();
  EXPECT_EQ(*exit, 128 + SIGINT);
  StartAnswering();
  EXPECT_THAT(Write("mkdir", {":vol/later"}), Exits(kOk));
  EXPECT_EQ(List(), "vol/\nvol/later/\n");
}

/// The real one; its lock is in the default place.
TEST(BesideController, TheCsiControllerAnswersAndWithoutItTheCommandWrites) {
  if (!fs::exists(rig::Binary("famfs-csi-controller"))) {
    GTEST_SKIP() << "the CSI driver is not built";
  }
  const Workplace place;
  const std::string device = place.Emulated("pool");
  ASSERT_THAT(place.Write("mkvol", device, {"vol", "--size", "64M"}),
              Exits(kOk));
  rig::WriteFile(place.File("config.yaml"),
                 fmt::format("pools:\n- name: fast\n  device: {}\n  "
                             "systemUuid: {}\n",
                             device, kOwner));
  const std::string socket = place.File("csi.sock");
  auto controller = rig::Process::Start(
      {.argv = {rig::Binary("famfs-csi-controller"), "--config",
                place.File("config.yaml"), "--endpoint", "unix://" + socket}});
  ASSERT_TRUE(controller.ok()) << controller.status();
  const absl::Status up = rig::WaitForSocket(socket, controller->get());
  ASSERT_TRUE(up.ok()) << up;
  const auto famfs = [&](std::vector<std::string> argv) {
    argv.insert(argv.end(), {"--system-uuid", kOwner});
    return Famfs(argv);
  };
  // It has opened the pool when it says so.
  ASSERT_TRUE((*controller)->WaitForOutput("opened " + device).ok())
      << (*controller)->output();
  const std::string bytes = Pattern(3'000'000);
  rig::WriteFile(place.File("source"), bytes);
  EXPECT_THAT(famfs({"mkdir", device, "-p", ":vol/a/b"}), Exits(kOk));
  EXPECT_THAT(famfs({"cp", place.File("source"), device + ":vol/a/b/f"}),
              Exits(kOk));
  EXPECT_THAT(famfs({"mv", device, ":vol/a/b/f", ":vol/g"}), Exits(kOk));
  const Outcome refused = famfs({"mkdir", device, "outside"});
  EXPECT_THAT(refused, Exits(kProblems));
  EXPECT_THAT(refused.err, HasSubstr("famfs-csi-cont")) << "whom it names";
  const auto exit = (*controller)->Stop();
  ASSERT_TRUE(exit.ok()) << exit.status();
  EXPECT_THAT(famfs({"mkdir", device, ":vol/alone"}), Exits(kOk));
  EXPECT_EQ(Famfs({"ls", device, "-R"}).out,
            "vol/\nvol/a/\nvol/a/b/\nvol/alone/\nvol/g\n");
  const std::string back = place.File("back");
  EXPECT_THAT(Famfs({"cp", device, ":vol/g", back}), Exits(kOk));
  EXPECT_TRUE(rig::ReadWholeFile(back) == bytes);
  EXPECT_THAT(Famfs({"fsck", device}), Exits(kOk));
}

}  // namespace
}  // namespace famfs
