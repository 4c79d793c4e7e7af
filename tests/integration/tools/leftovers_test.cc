// What a command leaves that does not reach its end: nothing, or what the same
// command takes again.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <filesystem>
#include <memory>

#include "base/unique_fd.h"
#include "base/uuid.h"
#include "tests/integration/support/rig.h"
#include "tests/integration/tools/famfs_command.h"

namespace famfs {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::size_t Entries(const std::string& directory) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(directory), {}));
}

/// An instance with a file that takes a while to be copied.
class Leftovers : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_THAT(
        place_.Write("creat", device_, {"big", "--size", "1G", "--seed", "1"}),
        Exits(kOk));
    fs::create_directory(out_);
  }

  /// Starts `famfs`, waits until it has written something below out_ (a file
  /// without a name is seen by what the file system gave away), and sends the
  /// signal.
  std::unique_ptr<rig::Process> Send(const std::vector<std::string>& arguments,
                                     int signal) {
    std::vector<std::string> argv = {rig::Binary("famfs")};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    auto process = rig::Process::Start(
        {.argv = argv, .environment = {}, .working_directory = {}});
    EXPECT_TRUE(process.ok()) << process.status();
    const std::string descriptors =
        "/proc/" + std::to_string((*process)->pid()) + "/fd";
    EXPECT_TRUE(rig::Eventually([&] { return WritesBelow(descriptors); }));
    (*process)->Signal(signal);
    return *std::move(process);
  }
  /// Its end.
  int Interrupt(const std::vector<std::string>& arguments, int signal) {
    return Send(arguments, signal)->Wait().value_or(-1);
  }
  /// Whether the process has a file of more than a few pages open below out_.
  [[nodiscard]] bool WritesBelow(const std::string& descriptors) const {
    std::error_code ignored;
    for (fs::directory_iterator i(descriptors, ignored), end; i != end;
         i.increment(ignored)) {
      const std::string path = fs::read_symlink(i->path(), ignored).string();
      struct stat info {};
      if (path.starts_with(out_) && ::stat(i->path().c_str(), &info) == 0 &&
          S_ISREG(info.st_mode) && info.st_blocks > 64) {
        return true;
      }
    }
    return false;
  }

  const Workplace place_;
  const std::string device_ = place_.Emulated("pool");
  const std::string out_ = place_.File("out");
};

TEST_F(Leftovers, OfAnInterruptedCopyOutNothingStays) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGKILL}) {
    EXPECT_EQ(Interrupt({"cp", device_, ":big", out_ + "/big"}, signal),
              128 + signal);
    EXPECT_EQ(Entries(out_), 0U) << "signal " << signal;
  }
  rig::WriteFile(out_ + "/big", "old");
  EXPECT_EQ(Interrupt({"cp", "-f", device_, ":big", out_ + "/big"}, SIGTERM),
            128 + SIGTERM);
  EXPECT_EQ(rig::ReadWholeFile(out_ + "/big"), "old");
  EXPECT_EQ(Entries(out_), 1U);
}

TEST_F(Leftovers, OfAnInterruptedExportNothingStays) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGKILL}) {
    EXPECT_EQ(Interrupt({"export", device_, out_ + "/image"}, signal),
              128 + signal);
    EXPECT_EQ(Entries(out_), 0U) << "signal " << signal;
  }
}

TEST_F(Leftovers, AFileLimitIsAnErrorAndLeavesNothing) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{
           {"cp", device_, ":big", out_ + "/big"},
           {"export", device_, out_ + "/image"},
           {"mkfs", "image:" + out_ + "/new.img", "--size", "4G",
            "--system-uuid", kOwner}}) {
    std::vector<std::string> argv = {"/bin/sh", "-c",
                                     "ulimit -f 16; exec \"$0\" \"$@\"",
                                     rig::Binary("famfs")};
    argv.insert(argv.end(), words.begin(), words.end());
    const Outcome outcome = RunProgram(argv);
    EXPECT_THAT(outcome, Exits(kProblems)) << words[0];
    EXPECT_THAT(outcome.err, HasSubstr("File too large")) << words[0];
    EXPECT_EQ(Entries(out_), 0U) << words[0];
  }
}

TEST_F(Leftovers, AnInterruptedImportLeavesNothing) {
  const std::string image = place_.File("flat.img");
  ASSERT_THAT(Famfs({"export", device_, image}), Exits(kOk));
  EXPECT_EQ(Interrupt({"import", image, out_ + "/pool2"}, SIGTERM),
            128 + SIGTERM);
  EXPECT_EQ(Entries(out_), 0U);
  // A killed one cannot clean up; the same command takes what it left.
  EXPECT_EQ(Interrupt({"import", image, out_ + "/pool2"}, SIGKILL),
            128 + SIGKILL);
  EXPECT_THAT(Famfs({"ls", out_ + "/pool2"}), Exits(kProblems));
  ASSERT_THAT(Famfs({"import", image, out_ + "/pool2"}), Exits(kOk));
  EXPECT_THAT(Famfs({"verify", out_ + "/pool2", ":big", "--seed", "1"}),
              Exits(kOk));
  EXPECT_THAT(Famfs({"fsck", out_ + "/pool2"}), Exits(kOk));
}

/// What an import is filling is not what one has left.
TEST_F(Leftovers, WhatIsBeingImportedIsTakenByNobody) {
  const std::string image = place_.File("flat.img");
  ASSERT_THAT(Famfs({"export", device_, image}), Exits(kOk));
  const std::string pool = out_ + "/pool2";
  const auto import = Send({"import", image, pool}, SIGSTOP);
  for (const std::vector<std::string>& options :
       std::vector<std::vector<std::string>>{
           {}, {"--force"}, {"--size", "4G"}}) {
    const Outcome mkfs = place_.Write("mkfs", "emulated:" + pool, options);
    EXPECT_THAT(mkfs, Exits(kProblems));
    EXPECT_THAT(mkfs.err, HasSubstr("is making an instance there"));
  }
  EXPECT_THAT(Famfs({"import", image, pool}).err,
              HasSubstr("is making an instance there"));
  import->Signal(SIGCONT);
  EXPECT_EQ(import->Wait().value_or(-1), 0);
  EXPECT_THAT(Famfs({"verify", pool, ":big", "--seed", "1"}), Exits(kOk));
  EXPECT_THAT(Famfs({"fsck", pool}), Exits(kOk));
}

TEST_F(Leftovers, AnInterruptedMkfsLeavesNothing) {
  for (const std::string kind : {"image:", "emulated:"}) {
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
      EXPECT_EQ(Interrupt({"mkfs", kind + out_ + "/new", "--size", "4G",
                           "--log-length", "1G", "--system-uuid", kOwner,
                           "--lock-directory", place_.LockDirectory()},
                          signal),
                128 + signal)
          << kind;
      EXPECT_EQ(Entries(out_), 0U) << kind << " signal " << signal;
    }
  }
}

TEST_F(Leftovers, AnInterruptedCopyInLeavesNoSpaceBehind) {
  const std::string source = place_.File("source");
  ASSERT_THAT(Famfs({"cp", device_, ":big", source}), Exits(kOk));
  const auto free = JsonOf(Famfs({"df", device_, "--json"}))["free"];
  auto process =
      rig::Process::Start({.argv = {rig::Binary("famfs"), "cp", device_, source,
                                    ":copy", "--system-uuid", kOwner,
                                    "--lock-directory", place_.LockDirectory()},
                           .environment = {},
                           .working_directory = {}});
  ASSERT_TRUE(process.ok());
  EXPECT_TRUE(rig::Eventually(
      [&] { return Entries(place_.File("pool/extents")) > 3; }));
  (*process)->Signal(SIGTERM);
  EXPECT_EQ((*process)->Wait().value_or(-1), 128 + SIGTERM);
  EXPECT_EQ(Entries(place_.File("pool/extents")), 3U);
  EXPECT_EQ(Entries(place_.LockDirectory()), 0U) << "the lock's file went, too";
  EXPECT_EQ(JsonOf(Famfs({"df", device_, "--json"}))["free"], free);
  EXPECT_THAT(Famfs({"fsck", device_}), Exits(kOk));
}

TEST_F(Leftovers, UnfinishedCopiesAreNeverCopiedIn) {
  const std::string part = out_ + "/.famfs-part." + Uuid::Random().ToString();
  rig::WriteFile(part, "half");
  rig::WriteFile(out_ + "/whole", "whole");
  const Outcome cp = place_.Write("cp", device_, {"-r", out_, ":in"});
  EXPECT_THAT(cp, Exits(kProblems));
  EXPECT_THAT(cp.err, HasSubstr("is an unfinished copy"));
  EXPECT_EQ(Famfs({"ls", device_, "in"}).out, "in/whole\n");
}

TEST(LeftoversOfMkfs, AFullFileSystemLeavesNothingAndTakesItsRetry) {
  const Workplace place;
  for (const std::string kind : {"emulated:", "image:"}) {
    for (const std::string sparse : {"", "--sparse"}) {
      if (kind == "image:" && !sparse.empty()) continue;
      const rig::Tmpfs memory("6M");
      std::vector<std::string> options = {"--size", "4G"};
      if (!sparse.empty()) options.push_back(sparse);
      const std::string device = kind + memory / "new";
      const Outcome full = place.Write("mkfs", device, options);
      EXPECT_THAT(full, Exits(kProblems)) << device;
      EXPECT_THAT(full.err, AllOf(HasSubstr("full"), Not(HasSubstr("fsck"))))
          << device;
      EXPECT_EQ(Entries(memory.path()), 0U) << device;
      ASSERT_EQ(
          RunProgram({"/bin/mount", "-o", "remount,size=64M", memory.path()})
              .exit,
          0);
      EXPECT_THAT(place.Write("mkfs", device, options), Exits(kOk)) << device;
      EXPECT_THAT(Famfs({"fsck", device}), Exits(kOk)) << device;
    }
  }
}

TEST(LeftoversOfMkfs, ADirectoryThatWasThereIsAsItWas) {
  const Workplace place;
  const rig::Tmpfs memory("6M");
  EXPECT_THAT(
      place.Write("mkfs", "emulated:" + memory.path(), {"--size", "4G"}),
      Exits(kProblems));
  EXPECT_EQ(Entries(memory.path()), 0U);
}

TEST(LeftoversOfMkfs, ADeviceOfAKilledOneIsTakenByTheSameCommand) {
  const Workplace place;
  const std::string device = place.Emulated("pool");
  // As it stands before the last store: all but the magic.
  const auto fd = OpenFile(place.File("pool/extents/0"), O_RDWR);
  ASSERT_TRUE(fd.ok());
  ASSERT_EQ(::pwrite(fd->get(), "FMadding", 8, 0), 8);
  const Outcome other = place.Write("mkfs", device, {"--size", "6G"});
  EXPECT_THAT(other, Exits(kProblems)) << "another size is another device";
  EXPECT_THAT(place.Write("mkfs", device, {"--size", "4G"}), Exits(kOk));
  EXPECT_THAT(Famfs({"fsck", device}), Exits(kOk));
  EXPECT_THAT(place.Write("mkfs", device, {"--size", "4G"}), Exits(kProblems));
}

TEST(LeftoversOfMkfs, ADamagedSuperblockIsNoBlankDevice) {
  const Workplace place;
  const std::string device = place.Image("pool.img");
  ASSERT_THAT(
      place.Write("creat", device, {"f", "--size", "3M", "--seed", "1"}),
      Exits(kOk));
  const auto fd = OpenFile(place.File("pool.img"), O_RDWR);
  ASSERT_TRUE(fd.ok());
  ASSERT_EQ(::pwrite(fd->get(), "!", 1, 3), 1);  // of the magic
  const Outcome mkfs = place.Write("mkfs", device, {});
  EXPECT_THAT(mkfs, Exits(kProblems));
  EXPECT_THAT(mkfs.err, HasSubstr("famfs cp -r --salvage " + device));
  EXPECT_THAT(Famfs({"cp", "-r", "--salvage", device, ":", place.File("out")}),
              Exits(kProblems));
  EXPECT_THAT(Famfs({"verify", place.File("out/f"), "--seed", "1"}),
              Exits(kOk));
}

/// Every kind of thing that is no regular file.
TEST(ReplacedByForce, IsNothingButAFile) {
  const Workplace place;
  const std::string device = place.Emulated("pool");
  ASSERT_THAT(place.Write("creat", device, {"f", "--size", "3M"}), Exits(kOk));
  const std::string null = place.File("null");
  ASSERT_EQ(::mknod(null.c_str(), S_IFCHR | 0666, makedev(1, 3)), 0);
  const std::string pipe = place.File("pipe");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0666), 0);
  const std::string to_null = place.File("to-null");
  fs::create_symlink(null, to_null);
  const std::string to_stdout = place.File("stdout");
  fs::create_symlink("/proc/self/fd/1", to_stdout);
  for (const std::string& target : {null, pipe, to_null, to_stdout}) {
    struct stat before {};
    ASSERT_EQ(::lstat(target.c_str(), &before), 0);
    for (const std::vector<std::string>& words :
         std::vector<std::vector<std::string>>{
             {"cp", "-f", device, ":f", target},
             {"cp", device, ":f", target},
             {"map", device, "--svg", target, "-f"},
             {"map", device, "--svg", target}}) {
      const Outcome outcome = Famfs(words);
      EXPECT_THAT(outcome, Exits(kProblems)) << target;
      EXPECT_THAT(outcome.err, AllOf(HasSubstr("name a regular file"),
                                     Not(HasSubstr("--force"))))
          << target;
    }
    struct stat after {};
    ASSERT_EQ(::lstat(target.c_str(), &after), 0);
    EXPECT_EQ(after.st_ino, before.st_ino) << target;
    EXPECT_EQ(after.st_mode, before.st_mode) << target;
  }
}

TEST(ReplacedByForce, AreFilesAndLinksToThem) {
  const Workplace place;
  const std::string device = place.Emulated("pool");
  ASSERT_THAT(place.Write("creat", device, {"f", "--size", "3M"}), Exits(kOk));
  const std::string file = place.File("file");
  rig::WriteFile(file, "old");
  fs::create_symlink(file, place.File("link"));
  fs::create_symlink(place.File("none"), place.File("dangling"));
  for (const std::string name : {"file", "link", "dangling"}) {
    EXPECT_THAT(Famfs({"cp", device, ":f", place.File(name)}).err,
                HasSubstr("--force replaces it"))
        << name;
  }
  EXPECT_THAT(Famfs({"cp", "-f", device, ":f", place.File("link")}),
              Exits(kOk));
  EXPECT_EQ(rig::ReadWholeFile(file), "old") << "the link was replaced alone";
  EXPECT_EQ(fs::file_size(place.File("link")), 3U << 20);
  EXPECT_THAT(Famfs({"cp", "-f", device, ":f", file}), Exits(kOk));
  EXPECT_THAT(Famfs({"cp", "-f", device, ":f", place.File("dangling")}),
              Exits(kOk));
  EXPECT_FALSE(fs::exists(place.File("none")));
}

}  // namespace
}  // namespace famfs
