// What a message advises works as it is written: each test provokes a message,
// takes the command out of it, and obeys it. The last one finds messages that
// nobody obeys yet.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "base/unique_fd.h"
#include "media/checksum.h"
#include "media/format.h"
#include "tests/integration/support/rig.h"
#include "tests/integration/tools/famfs_command.h"

namespace famfs {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class Remedies : public ::testing::Test {
 protected:
  /// The command that `text` advises and that begins so, up to a character that
  /// ends it in prose; the test fails when there is none.
  static std::string Advised(const std::string& text,
                             const std::string& begin) {
    const std::size_t at = text.find(begin);
    EXPECT_NE(at, std::string::npos) << begin << " in:\n" << text;
    if (at == std::string::npos) return {};
    return text.substr(at, text.find_first_of("`();,\n", at) - at);
  }
  /// Runs an advised "famfs ..." with the words replaced that stand for a
  /// choice of the reader's (DIR, IMAGE), and this place's identity when the
  /// command `writes`.
  [[nodiscard]] Outcome Obey(
      std::string command, bool writes = false,
      const std::map<std::string, std::string>& choices = {}) const {
    std::istringstream stream(command);
    std::vector<std::string> words;
    for (std::string word; stream >> word;) {
      const auto chosen = choices.find(word);
      words.push_back(chosen == choices.end() ? word : chosen->second);
    }
    EXPECT_FALSE(words.empty());
    if (words.empty()) return {};
    EXPECT_EQ(words.front(), "famfs");
    words.erase(words.begin());
    if (writes) {
      const auto identity = place_.Identity();
      words.insert(words.end(), identity.begin(), identity.end());
    }
    return Famfs(words);
  }
  /// Flips a byte in the path of an entry of an image.
  void Damage(const std::string& image, std::uint64_t entry) const {
    const auto fd = OpenFile(place_.File(image), O_RDWR);
    ASSERT_TRUE(fd.ok()) << fd.status();
    ASSERT_EQ(::pwrite(fd->get(), "!", 1,
                       static_cast<off_t>(kLogOffset + EntryAt(entry) + 45)),
              1);
  }
  void Fill(const std::string& device) const {
    for (const std::string name : {"f0", "f1"}) {
      ASSERT_THAT(
          place_.Write("creat", device, {name, "--size", "3M", "--seed", "7"}),
          Exits(kOk));
    }
  }

  const Workplace place_;
};

TEST_F(Remedies, OfDamageThatARepairLeaves) {
  const std::string device = place_.Image("pool.img");
  Fill(device);
  Damage("pool.img", 0);
  const std::string told = place_.Write("fsck", device, {"--repair"}).out;
  const std::string out = place_.File("out");
  EXPECT_THAT(Obey(Advised(told, "famfs cp"), false, {{"DIR", out}}),
              Exits(kProblems));
  EXPECT_THAT(Famfs({"verify", out + "/f1", "--seed", "7"}), Exits(kOk));
  EXPECT_THAT(Obey(Advised(told, "famfs mkfs"), true), Exits(kOk));
  EXPECT_THAT(Famfs({"fsck", device}), Exits(kOk));
  EXPECT_THAT(place_.Write("cp", device, {"-r", out + "/", ":"}), Exits(kOk));
  EXPECT_THAT(Famfs({"verify", device, ":f1", "--seed", "7"}), Exits(kOk));
}

TEST_F(Remedies, OfEachRefusalOfADamagedInstance) {
  const std::string device = place_.Image("pool.img");
  Fill(device);
  Damage("pool.img", 0);
  int round = 0;
  for (const Outcome& refused :
       {Famfs({"ls", device}), Famfs({"cp", device, ":f1", place_.File("x")}),
        place_.Write("creat", device, {"new", "--size", "1M"})}) {
    EXPECT_THAT(
        Obey(Advised(refused.err, "famfs fsck " + device + " ")
                 .substr(0, std::string("famfs fsck ").size() + device.size()))
            .out,
        HasSubstr("entry 0: crc"));
    const std::string out = place_.File("out" + std::to_string(++round));
    // "famfs cp ... : DIR copies it out."
    std::string command = Advised(refused.err, "famfs cp");
    command = command.substr(0, command.find(" copies"));
    EXPECT_THAT(Obey(command, false, {{"DIR", out}}), Exits(kProblems));
    EXPECT_THAT(Famfs({"verify", out + "/f1", "--seed", "7"}), Exits(kOk));
  }
}

TEST_F(Remedies, OfAnExtentThatNobodyNames) {
  const std::string device = place_.Emulated("pool");
  Fill(device);
  const auto fd = OpenFile(place_.File("pool/extents/200000"), O_RDWR);
  ASSERT_TRUE(fd.ok());
  ASSERT_EQ(::pwrite(fd->get(), "!", 1, static_cast<off_t>(EntryAt(0) + 45)),
            1);
  const std::string told = place_.Write("fsck", device, {"--repair"}).out;
  std::string command = Advised(told, "famfs export");
  command = command.substr(0, command.find(" keeps"));
  EXPECT_THAT(Obey(command, false, {{"IMAGE", place_.File("all.img")}}),
              Exits(kOk));
  EXPECT_TRUE(fs::exists(place_.File("all.img")));
}

TEST_F(Remedies, OfADeviceThatIsMissingOrBlank) {
  const std::string device = "image:" + place_.File("pool.img");
  EXPECT_THAT(Famfs({"ls", device}).err, HasSubstr("`famfs mkfs`"));
  EXPECT_THAT(place_.Write("mkfs", device, {"--size", "4G"}), Exits(kOk));
  rig::WriteFile(place_.File("blank.img"), "");
  fs::resize_file(place_.File("blank.img"), 4ULL << 30);
  EXPECT_THAT(Famfs({"ls", place_.File("blank.img")}).err,
              HasSubstr("run famfs mkfs"));
  EXPECT_THAT(place_.Write("mkfs", place_.File("blank.img"), {}), Exits(kOk));
}

TEST_F(Remedies, OfMkfsOnWhatIsThere) {
  const std::string device = place_.Emulated("pool");
  const Outcome sized = place_.Write("mkfs", device, {"--size", "4G"});
  EXPECT_THAT(sized.err, HasSubstr("Leave out --size"));
  EXPECT_THAT(place_.Write("mkfs", device, {}).err, HasSubstr("use --force"));
  EXPECT_THAT(place_.Write("mkfs", device, {"--force"}), Exits(kOk));
}

TEST_F(Remedies, OfADeviceThatIsNotBlank) {
  const std::string device = place_.Emulated("pool");
  const std::string other = place_.Emulated("other");
  ASSERT_TRUE(fs::remove(place_.File("other/extents/0")));
  const Outcome refused = place_.Write("devadd", device, {other});
  EXPECT_THAT(refused, Exits(kProblems));
  EXPECT_THAT(refused.err, HasSubstr("famfs devadd --force"));
  EXPECT_THAT(place_.Write("devadd", device, {other, "--force"}), Exits(kOk));
  // And of the device that is missing from then on.
  EXPECT_THAT(Famfs({"fsck", device}).out, HasSubstr("name it with --device"));
  EXPECT_THAT(Famfs({"fsck", device, "--device", other}), Exits(kOk));
}

TEST_F(Remedies, OfANameThatIsNotThere) {
  const std::string device = place_.Image("pool.img");
  Fill(device);
  EXPECT_THAT(Famfs({"stat", device, "nothing"}).err,
              HasSubstr("famfs ls -R shows what is"));
  EXPECT_EQ(Famfs({"ls", "-R", device}).out, "f0\nf1\n");
  rig::WriteFile(place_.File("a"), "x");
  const std::vector<std::string> copy = {place_.File("a"), ":d/"};
  EXPECT_THAT(place_.Write("cp", device, copy).err,
              HasSubstr("make it with famfs mkdir"));
  EXPECT_THAT(place_.Write("mkdir", device, {"d"}), Exits(kOk));
  EXPECT_THAT(place_.Write("cp", device, copy), Exits(kOk));
}

TEST_F(Remedies, OfADirectoryThatIsToBeCopied) {
  const std::string device = place_.Image("pool.img");
  ASSERT_THAT(place_.Write("mkdir", device, {"d"}), Exits(kOk));
  EXPECT_THAT(Famfs({"cp", device, ":d", place_.File("out")}).err,
              HasSubstr("copy it with cp -r"));
  EXPECT_THAT(Famfs({"cp", device, "-r", ":d", place_.File("out")}),
              Exits(kOk));
}

TEST_F(Remedies, OfAHostThatNobodyKnows) {
  const std::string device = place_.Image("pool.img");
  const Outcome evict = Famfs({"evict", device, kOwner});
  EXPECT_THAT(evict, Exits(kProblems));
  EXPECT_THAT(evict.err, HasSubstr("famfs hosts lists them"));
  EXPECT_THAT(Famfs({"hosts", device}), Exits(kOk));
}

TEST_F(Remedies, OfAnotherHostsInstance) {
  const std::string device = place_.Image("pool.img");
  const std::vector<std::string> words = {
      "mkdir",
      device,
      "d",
      "--system-uuid",
      "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
      "--lock-directory",
      place_.LockDirectory()};
  EXPECT_THAT(Famfs(words).err, HasSubstr("with --take-over"));
  std::vector<std::string> taking = words;
  taking.emplace_back("--take-over");
  EXPECT_THAT(Famfs(taking), Exits(kOk));
}

TEST_F(Remedies, OfALockFileThatIsNone) {
  const std::string device = place_.Image("pool.img");
  const std::string uuid = JsonOf(Famfs({"fsck", device, "--json"}))["uuid"];
  fs::create_directories(place_.LockDirectory());
  fs::create_directory(place_.LockDirectory() + "/" + uuid + ".writer");
  EXPECT_THAT(place_.Write("mkdir", device, {"d"}), Exits(kProblems));
  EXPECT_THAT(Famfs({"mkdir", device, "d", "--system-uuid", kOwner,
                     "--lock-directory", place_.File("other-locks")}),
              Exits(kOk));
}

TEST_F(Remedies, OfALayoutThatIsHalfSaid) {
  const std::string device = place_.Image("pool.img");
  EXPECT_THAT(
      place_.Write("creat", device, {"f", "--size", "8M", "--buckets", "2"})
          .err,
      HasSubstr("needs --strips"));
  EXPECT_THAT(
      place_.Write("creat", device,
                   {"f", "--size", "8M", "--buckets", "2", "--strips", "2"}),
      Exits(kOk));
}

TEST_F(Remedies, OfALogThatIsBeingCompacted) {
  const std::string device = place_.Image("pool.img");
  const auto fd = OpenFile(place_.File("pool.img"), O_RDWR);
  ASSERT_TRUE(fd.ok());
  MediaLogHeader header;
  ASSERT_EQ(::pread(fd->get(), &header, sizeof(header), kLogOffset),
            static_cast<ssize_t>(sizeof(header)));
  header.length = 0;
  Seal(header);
  ASSERT_EQ(::pwrite(fd->get(), &header, sizeof(header), kLogOffset),
            static_cast<ssize_t>(sizeof(header)));
  std::string command = Advised(Famfs({"logplay", device}).err, "famfs fsck");
  command = command.substr(0, command.find(" tells"));
  EXPECT_THAT(Obey(command).out, HasSubstr("compacting form"));
}

TEST_F(Remedies, OfAFileInATreeVolumeThatDiffers) {
  const std::string device = place_.Emulated("pool");
  ASSERT_THAT(place_.Write("mkvol", device, {"vol", "--size", "8M"}),
              Exits(kOk));
  rig::WriteFile(place_.File("f"), "one");
  ASSERT_THAT(place_.Write("cp", device, {place_.File("f"), ":vol/f"}),
              Exits(kOk));
  rig::WriteFile(place_.File("f"), "other");
  const std::vector<std::string> again = {"-c", place_.File("f"), ":vol/f"};
  const Outcome refused = place_.Write("cp", device, again);
  EXPECT_THAT(refused, Exits(kProblems));
  EXPECT_THAT(Obey(Advised(refused.err, "famfs rm"), true), Exits(kOk));
  EXPECT_THAT(place_.Write("cp", device, again), Exits(kOk));
}

TEST_F(Remedies, OfATreeVolumeThatIsFull) {
  const std::string device = place_.Emulated("pool");
  ASSERT_THAT(place_.Write("mkvol", device, {"vol", "--size", "2M"}),
              Exits(kOk));
  const Outcome refused =
      place_.Write("creat", device, {"vol/f", "--size", "3M"});
  EXPECT_THAT(refused, Exits(kProblems));
  EXPECT_THAT(Obey(Advised(refused.err, "famfs df -v")).out,
              HasSubstr("2.00 MiB tree"));
  EXPECT_THAT(Obey(Advised(refused.err, "famfs du")).out, HasSubstr("vol"));
}

/// With mounts.
class RemediesOfMounts : public Remedies {
 protected:
  void SetUp() override {
    if (::access("/dev/fuse", R_OK | W_OK) != 0) {
      GTEST_SKIP() << "no /dev/fuse: mounting needs FUSE and root";
    }
    fs::create_directory(mount_);
    Fill(device_);
  }
  void TearDown() override { ::umount2(mount_.c_str(), MNT_DETACH); }

  const std::string mount_ = place_.File("m");
  const std::string device_ = place_.Emulated("pool");
};

TEST_F(RemediesOfMounts, OfAFileThatIsOnNone) {
  rig::WriteFile(place_.File("local"), "x");
  EXPECT_THAT(Famfs({"chkread", place_.File("local")}).err,
              HasSubstr("famfs mount makes one"));
  std::string command =
      Advised(Famfs({"flush", place_.File("local")}).err, "famfs flush");
  EXPECT_THAT(Obey(command, false, {{"DEVICE", device_}, {":PATH", ":f1"}}),
              Exits(kOk));
  ASSERT_THAT(Famfs({"mount", device_, mount_}), Exits(kOk));
  EXPECT_THAT(Famfs({"chkread", mount_ + "/f1"}), Exits(kOk));
  EXPECT_THAT(Famfs({"flush", mount_ + "/f1"}), Exits(kOk));
}

TEST_F(RemediesOfMounts, OfABusyMount) {
  ASSERT_THAT(Famfs({"mount", device_, mount_}), Exits(kOk));
  const auto held = OpenFile(mount_ + "/f1", O_RDONLY);
  ASSERT_TRUE(held.ok());
  EXPECT_THAT(Famfs({"umount", mount_}).err, HasSubstr("--lazy"));
  EXPECT_THAT(Famfs({"umount", mount_, "--lazy"}), Exits(kOk));
}

TEST_F(RemediesOfMounts, OfAServerThatEndsAtOnce) {
  const std::string bin = place_.File("bin");
  fs::create_directory(bin);
  fs::copy_file(rig::Binary("famfs"), bin + "/famfs");
  rig::WriteFile(bin + "/famfs-fused",
                 "#!/bin/sh\necho it cannot be >&2\nexit 9\n");
  fs::permissions(bin + "/famfs-fused", fs::perms::owner_all);
  const Outcome mount = RunProgram({bin + "/famfs", "mount", device_, mount_});
  EXPECT_THAT(mount, Exits(kProblems));
  ASSERT_THAT(mount.err, HasSubstr("famfs mount --foreground shows why"));
  EXPECT_THAT(
      RunProgram({bin + "/famfs", "mount", "--foreground", device_, mount_})
          .err,
      HasSubstr("it cannot be"));
}

/// Each "famfs COMMAND [OPTIONS]" of a message, and the test that obeys it.
const std::map<std::string, std::string> kObeyed = {
    {"famfs cp -r --salvage", "Remedies, OfDamageThatARepairLeaves"},
    {"famfs devices", "DaxDevices, AreAskedForWhereOneIsMissing"},
    {"famfs df -v", "Remedies, OfATreeVolumeThatIsFull"},
    {"famfs du", "Remedies, OfATreeVolumeThatIsFull"},
    {"famfs devadd --force", "Remedies, OfADeviceThatIsNotBlank"},
    {"famfs evict", "HostsTest, TheToolEvictsADeadHostBesideTheWriter"},
    {"famfs export --salvage", "Remedies, OfAnExtentThatNobodyNames"},
    {"famfs flush", "RemediesOfMounts, OfAFileThatIsOnNone"},
    {"famfs fsck", "Remedies, OfEachRefusalOfADamagedInstance"},
    {"famfs hosts", "Remedies, OfAHostThatNobodyKnows"},
    {"famfs import", "Leftovers, WhatIsBeingImportedIsTakenByNobody"},
    {"famfs ls -R", "Remedies, OfANameThatIsNotThere"},
    {"famfs mkdir", "Remedies, OfANameThatIsNotThere"},
    {"famfs mkfs", "Remedies, OfADeviceThatIsMissingOrBlank"},
    {"famfs mkfs --force", "Remedies, OfDamageThatARepairLeaves"},
    {"famfs mount", "RemediesOfMounts, OfAFileThatIsOnNone"},
    {"famfs mount --foreground", "RemediesOfMounts, OfAServerThatEndsAtOnce"},
    {"famfs rm", "Remedies, OfAFileInATreeVolumeThatDiffers"},
};

/// The string literals of a source, each in one piece and on a line of its own;
/// without its comments and raw strings (the examples of --help, which docs'
/// tests run).
std::string Messages(const fs::path& file) {
  const std::regex token(
      R"re((//[^\n]*)|(R"\w*\([^]*?\)\w*")|('(?:\\.|[^'\\\n])+')|"((?:\\.|[^"\\\n])*)"|([^\s"]))re");
  const std::string text = rig::ReadWholeFile(file.string());
  std::string messages;
  for (std::sregex_iterator i(text.begin(), text.end(), token), end; i != end;
       ++i) {
    if ((*i)[4].matched) messages += (*i)[4].str();
    if ((*i)[5].matched && !messages.ends_with('\n')) messages += '\n';
  }
  return messages;
}

/// All sources of some folders of this tree.
std::vector<fs::path> SourcesOf(const std::vector<std::string>& folders) {
  std::vector<fs::path> sources;
  for (const std::string& folder : folders) {
    for (const auto& file : fs::recursive_directory_iterator(
             std::string(FAMFS_SOURCE_DIR) + "/" + folder)) {
      const fs::path extension = file.path().extension();
      if (extension == ".cc" || extension == ".h") {
        sources.push_back(file.path());
      }
    }
  }
  return sources;
}

/// "mkfs|devadd|...": the commands that --help lists.
std::string Commands() {
  const std::string help = Famfs({"--help"}).out;
  const std::string list = help.substr(help.find("Subcommands:"));
  const std::regex line("\n  ([a-z]+) ");
  std::string commands;
  for (std::sregex_iterator i(list.begin(), list.end(), line), end;
       i != end && list.find("\n\n") > static_cast<std::size_t>(i->position());
       ++i) {
    commands += (commands.empty() ? "" : "|") + (*i)[1].str();
  }
  return commands;
}

/// Each "famfs COMMAND [OPTIONS]" in a message, with a file that has it.
std::map<std::string, fs::path> Advice() {
  const std::regex advice("famfs (" + Commands() +
                          ")\\b((?: -{1,2}[A-Za-z][-a-z]*)*)");
  std::map<std::string, fs::path> found;
  for (const fs::path& file :
       SourcesOf({"famfs-core", "controller", "node", "csi", "deploy"})) {
    const std::string text = Messages(file);
    for (std::sregex_iterator i(text.begin(), text.end(), advice), end;
         i != end; ++i) {
      found.emplace(i->str(), file);
    }
  }
  return found;
}

/// A test's body, and nothing when no integration test has this name.
std::string BodyOf(const std::string& test) {
  const std::regex begin("TEST_F\\(\\s*" +
                         std::regex_replace(test, std::regex(" "), "\\s+") +
                         "\\s*\\)");
  for (const fs::path& file : SourcesOf({"tests/integration"})) {
    const std::string text = rig::ReadWholeFile(file.string());
    std::smatch at;
    if (!std::regex_search(text, at, begin)) continue;
    const auto start = static_cast<std::size_t>(at.position());
    return text.substr(start, text.find("\n}\n", start) - start);
  }
  return {};
}

/// Whether a test runs a command: it takes it out of the message, or gives
/// `famfs` the command and its options itself.
bool Runs(const std::string& body, const std::string& command) {
  std::istringstream stream(command);
  std::string word;
  stream >> word >> word;
  if (std::regex_search(body,
                        std::regex("Advised\\([^;]*\"famfs " + word + "\\b"))) {
    return true;
  }
  do {
    if (body.find('"' + word + '"') == std::string::npos) return false;
  } while (stream >> word);
  return true;
}

TEST(RemediesInMessages, AreAllObeyed) {
  const auto advice = Advice();
  for (const auto& [command, file] : advice) {
    EXPECT_TRUE(kObeyed.contains(command))
        << file << " advises \"" << command << "\", and no test obeys it";
  }
  for (const auto& [command, test] : kObeyed) {
    EXPECT_TRUE(advice.contains(command))
        << "no message advises \"" << command << "\" any more";
    const std::string body = BodyOf(test);
    EXPECT_FALSE(body.empty()) << "there is no test " << test;
    EXPECT_TRUE(Runs(body, command))
        << test << " does not run \"" << command << "\"";
  }
}

}  // namespace
}  // namespace famfs
