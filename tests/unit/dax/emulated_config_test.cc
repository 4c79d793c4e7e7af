#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "base/new_file.h"
#include "base/units.h"
#include "dax/emulated.h"
#include "tests/unit/base/status_matchers.h"
#include "tests/unit/base/temporary_directory.h"
#include "tests/unit/dax/dax_testing.h"

namespace famfs {
namespace {

using absl::StatusCode;
using testing::HasError;
using testing::IsOk;
using testing::MakeEmulated;
using testing::SomeTag;
using testing::TemporaryDirectory;

constexpr const char* kTagLine = "tag: 6b1f0e1c-6a0e-4f0e-9c3b-0d9f3f6a2b11\n";

class EmulatedConfigTest : public ::testing::Test {
 protected:
  void Write(const std::string& yaml) {
    ASSERT_THAT(WriteFileAtomically(file_, yaml), IsOk());
  }

  const TemporaryDirectory directory_;
  const std::string file_ = directory_.File("device.yaml");
};

TEST_F(EmulatedConfigTest, WhatWasCreatedIsReadAgain) {
  EmulatedConfig config{.size = 6 * kMiB,
                        .tag = SomeTag(),
                        .hosts = {"node-a", "a: \"b\" #c", "true"},
                        .sparse = true};
  ASSERT_THAT(CreateEmulatedDevice(directory_.path(), config), IsOk());
  FAMFS_ASSERT_OK_AND_ASSIGN(const EmulatedConfig read,
                             ReadEmulatedConfig(directory_.path()));
  EXPECT_EQ(read.size, config.size);
  EXPECT_EQ(read.tag, config.tag);
  EXPECT_EQ(read.hosts, config.hosts);
  EXPECT_TRUE(read.sparse);
}

TEST_F(EmulatedConfigTest, ADeviceIsReadableByEveryHostWhateverTheUmask) {
  const std::string pool = directory_.File("pool");
  const mode_t before = ::umask(0077);
  const absl::Status created =
      CreateEmulatedDevice(pool, {.size = 2 * kMiB, .tag = SomeTag()});
  ::umask(before);
  ASSERT_THAT(created, IsOk());
  const auto mode = [](const std::string& path) {
    struct stat info {};
    EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
    return info.st_mode & 07777;
  };
  EXPECT_EQ(mode(pool), 0755U);
  EXPECT_EQ(mode(pool + "/extents"), 0755U);
  EXPECT_EQ(mode(pool + "/files"), 0755U);
  EXPECT_EQ(mode(pool + "/device.yaml"), 0644U);
}

TEST_F(EmulatedConfigTest, SizesMayHaveUnitsAndHostsMayBeAbsent) {
  Write(fmt::format("size: 4GiB\n{}hosts:\n", kTagLine));
  FAMFS_ASSERT_OK_AND_ASSIGN(const EmulatedConfig config,
                             ReadEmulatedConfig(directory_.path()));
  EXPECT_EQ(config.size, 4 * kGiB);
  EXPECT_TRUE(config.hosts.empty());
  EXPECT_FALSE(config.sparse);
}

TEST_F(EmulatedConfigTest, EveryMistakeIsToldWithItsPlace) {
  const std::string size = "size: 4M\n";
  const struct {
    std::string yaml;
    int line;
    std::string text;
  } cases[] = {
      {"- 1\n", 1, "the file must be a mapping"},
      {kTagLine, 1, "size is missing"},
      {"\n\n" + size, 3, "tag is missing"},
      {size + "tag: 123\n", 2, "\"123\" is not a UUID"},
      {size + "tag: 00000000-0000-0000-0000-000000000000\n", 2, "nil UUID"},
      {kTagLine + std::string("size: 3M\n"), 2, "multiple of 2 MiB"},
      {kTagLine + std::string("size: 0\n"), 2, "multiple of 2 MiB"},
      {kTagLine + std::string("size: -4\n"), 2, "\"-4\" is not a size"},
      {kTagLine + std::string("size: 14E\n"), 2, "more than a file can have"},
      {kTagLine + std::string("size:\n"), 2, "size has no value"},
      {kTagLine + std::string("size: [4M]\n"), 2, "must be a single value"},
      {kTagLine + size + "hosts: a\n", 3, "must be a list"},
      {kTagLine + size + "hosts:\n  - a\n  - [b]\n", 5,
       "hosts[1] must be a single"},
      {kTagLine + size + "hosts:\n  - a\n  - \"\"\n", 5, "must be a name"},
      {kTagLine + size + "sparse: perhaps\n", 3, "true or false"},
      {kTagLine + size + "colour: red\n", 3,
       "unknown key \"colour\"; known here are: size, tag"},
      {kTagLine + size + size, 3, "the key \"size\" is already at"},
      {kTagLine + size + "hosts: [a\n", 4, "end of sequence flow not found"},
      {kTagLine + std::string("  x\n\ty: [}\n"), 3, "illegal tab"},
      {size + "? [a, b]\n: 1\n", 2, "must be a key"},
  };
  for (const auto& c : cases) {
    Write(c.yaml);
    EXPECT_THAT(ReadEmulatedConfig(directory_.path()),
                HasError(StatusCode::kInvalidArgument,
                         fmt::format("{}:{}:", file_, c.line)))
        << c.yaml;
    EXPECT_THAT(ReadEmulatedConfig(directory_.path()),
                HasError(StatusCode::kInvalidArgument, c.text))
        << c.yaml;
  }
}

TEST_F(EmulatedConfigTest, AnEmptyFileLacksWhatItNeeds) {
  for (const char* yaml : {"", "# nothing\n"}) {
    Write(yaml);
    EXPECT_THAT(ReadEmulatedConfig(directory_.path()),
                HasError(StatusCode::kInvalidArgument,
                         file_ + ": is empty; it needs at least size and tag"));
  }
}

TEST_F(EmulatedConfigTest, HostileFilesAreRefusedWithoutACrash) {
  for (const std::string& yaml :
       {std::string(30'000, '['), std::string(30'000, '{'),
        std::string(100'000, 'x'), std::string("a: &a [*a]\n"),
        std::string("\xff\xfe\x00\x80", 4),
        std::string("size: !!int \"4M\"")}) {
    Write(yaml);
    EXPECT_FALSE(ReadEmulatedConfig(directory_.path()).ok())
        << yaml.substr(0, 20);
  }
}

TEST_F(EmulatedConfigTest, BadConfigurationsCreateNothing) {
  const std::string pool = directory_.File("pool");
  EXPECT_THAT(CreateEmulatedDevice(pool, {.size = 3 * kMiB, .tag = SomeTag()}),
              HasError(StatusCode::kInvalidArgument, "multiple of 2 MiB"));
  EXPECT_THAT(CreateEmulatedDevice(pool, {.size = 0, .tag = SomeTag()}),
              HasError(StatusCode::kInvalidArgument, "multiple of 2 MiB"));
  EXPECT_THAT(CreateEmulatedDevice(pool, {.size = 2 * kMiB, .tag = {}}),
              HasError(StatusCode::kInvalidArgument, "nil UUID"));
  EXPECT_FALSE(std::filesystem::exists(pool));
  EXPECT_THAT(CreateEmulatedDevice(directory_.File("a/b"),
                                   {.size = 2 * kMiB, .tag = SomeTag()}),
              HasError(StatusCode::kNotFound, "a/b"));
}

TEST_F(EmulatedConfigTest, ADeviceIsNeverCreatedOverAnother) {
  const EmulatedConfig config{.size = 4 * kMiB, .tag = SomeTag()};
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto device,
                             MakeEmulated(directory_.path()));
  EXPECT_THAT(CreateEmulatedDevice(directory_.path(), config),
              HasError(StatusCode::kAlreadyExists, file_));
  FAMFS_ASSERT_OK_AND_ASSIGN(const EmulatedConfig kept,
                             ReadEmulatedConfig(directory_.path()));
  EXPECT_EQ(kept.size, 64 * kMiB);

  ASSERT_THAT(device->CreateExtent({0, 2 * kMiB}), IsOk());
  ASSERT_EQ(::unlink(file_.c_str()), 0);
  EXPECT_THAT(CreateEmulatedDevice(directory_.path(), config),
              HasError(StatusCode::kAlreadyExists, "earlier device"));
}

TEST_F(EmulatedConfigTest, OfManyWhoCreateAtOnceOneWins) {
  std::vector<absl::Status> results(8);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < results.size(); ++i) {
    threads.emplace_back([this, i, &results] {
      results[i] = CreateEmulatedDevice(
          directory_.path(), {.size = (i + 1) * 2 * kMiB, .tag = SomeTag()});
    });
  }
  for (std::thread& thread : threads) thread.join();
  FAMFS_ASSERT_OK_AND_ASSIGN(const EmulatedConfig config,
                             ReadEmulatedConfig(directory_.path()));
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (config.size == (i + 1) * 2 * kMiB) {
      EXPECT_THAT(results[i], IsOk());
    } else {
      EXPECT_THAT(results[i], HasError(StatusCode::kAlreadyExists, file_));
    }
  }
  int names = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(directory_.path())) {
    EXPECT_NE(entry.path().filename().string()[0], '.') << entry.path();
    ++names;
  }
  EXPECT_EQ(names, 3);
}

// Who finds the directory made by another one, and is faster.
TEST_F(EmulatedConfigTest, WhoLosesLeavesTheWinnerItsDirectories) {
  for (int round = 0; round < 200; ++round) {
    const std::string place = directory_.path() + fmt::format("/{}", round);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&place] {
        IgnoreError(
            CreateEmulatedDevice(place, {.size = 2 * kMiB, .tag = SomeTag()}),
            "one of them wins");
      });
    }
    for (std::thread& thread : threads) thread.join();
    ASSERT_TRUE(std::filesystem::is_directory(place + "/extents")) << round;
  }
}

class HostNameTest : public ::testing::Test {
 protected:
  void TearDown() override { ::unsetenv("FAMFS_HOST"); }
};

TEST_F(HostNameTest, ComesFromTheEnvironmentElseTheKernel) {
  ::setenv("FAMFS_HOST", "node-a", 1);
  EXPECT_EQ(EmulatedHostName(), "node-a");
  char name[256] = {};
  ASSERT_EQ(::gethostname(name, sizeof(name) - 1), 0);
  ::setenv("FAMFS_HOST", "", 1);
  EXPECT_EQ(EmulatedHostName(), name);
  ::unsetenv("FAMFS_HOST");
  EXPECT_EQ(EmulatedHostName(), name);
}

TEST_F(HostNameTest, ADeviceIsClosedToHostsThatAreNotListed) {
  const TemporaryDirectory directory;
  ::setenv("FAMFS_HOST", "node-a", 1);
  ASSERT_THAT(
      MakeEmulated(
          directory.path(), Access::kReadWrite,
          {.size = 2 * kMiB, .tag = SomeTag(), .hosts = {"node-a", "node-b"}}),
      IsOk());
  ::setenv("FAMFS_HOST", "node-c", 1);
  const auto refused = OpenEmulatedDevice(directory.path(), Access::kRead);
  EXPECT_THAT(refused, HasError(StatusCode::kPermissionDenied, "\"node-c\""));
  EXPECT_THAT(refused,
              HasError(StatusCode::kPermissionDenied, "node-a, node-b"));
  ::setenv("FAMFS_HOST", "node-b", 1);
  EXPECT_THAT(OpenEmulatedDevice(directory.path(), Access::kRead), IsOk());
}

}  // namespace
}  // namespace famfs
