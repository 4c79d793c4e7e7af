#include "base/new_file.h"

#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/uuid.h"
#include "tests/unit/base/status_matchers.h"
#include "tests/unit/base/temporary_directory.h"

namespace famfs {
namespace {

using testing::HasError;
using testing::IsOk;
using testing::TemporaryDirectory;

std::size_t FilesIn(const std::string& directory) {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    static_cast<void>(entry);
    ++files;
  }
  return files;
}

std::string PartName() { return ".famfs-part." + Uuid::Random().ToString(); }

TEST(NewFileTest, HasNoNameUntilItIsPublished) {
  const TemporaryDirectory directory;
  FAMFS_ASSERT_OK_AND_ASSIGN(NewFile file,
                             NewFile::Create(directory.File("f"), 0640));
  ASSERT_EQ(::write(file.fd(), "abc", 3), 3);
  EXPECT_EQ(FilesIn(directory.path()), 0U);
  ASSERT_THAT(file.Publish(false), IsOk());
  FAMFS_ASSERT_OK_AND_ASSIGN(const std::string text,
                             ReadFile(directory.File("f")));
  EXPECT_EQ(text, "abc");
  EXPECT_EQ(FilesIn(directory.path()), 1U);
}

TEST(NewFileTest, NothingIsLeftOfOneThatIsGivenUp) {
  const TemporaryDirectory directory;
  {
    FAMFS_ASSERT_OK_AND_ASSIGN(const NewFile file,
                               NewFile::Create(directory.File("f")));
    ASSERT_EQ(::write(file.fd(), "abc", 3), 3);
  }
  EXPECT_EQ(FilesIn(directory.path()), 0U);
}

TEST(NewFileTest, ReplacesOnlyWhenTold) {
  const TemporaryDirectory directory;
  std::ofstream(directory.File("f")) << "old";
  {
    FAMFS_ASSERT_OK_AND_ASSIGN(NewFile file,
                               NewFile::Create(directory.File("f")));
    EXPECT_THAT(file.Publish(false),
                HasError(absl::StatusCode::kAlreadyExists, "f"));
    ASSERT_EQ(::write(file.fd(), "new", 3), 3);
    ASSERT_THAT(file.Publish(true), IsOk());
  }
  FAMFS_ASSERT_OK_AND_ASSIGN(const std::string text,
                             ReadFile(directory.File("f")));
  EXPECT_EQ(text, "new");
  EXPECT_EQ(FilesIn(directory.path()), 1U);
}

TEST(NewFileTest, AFailedReplacementLeavesNothing) {
  const TemporaryDirectory directory;
  std::filesystem::create_directories(directory.File("d/full"));
  {
    FAMFS_ASSERT_OK_AND_ASSIGN(NewFile file,
                               NewFile::Create(directory.File("d")));
    EXPECT_FALSE(file.Publish(true).ok());
  }
  EXPECT_EQ(FilesIn(directory.path()), 1U);
}

TEST(NewFileTest, AMissingDirectoryNamesTheFile) {
  EXPECT_THAT(NewFile::Create("/dev/shm/famfs-none/f"),
              HasError(absl::StatusCode::kNotFound, "/dev/shm/famfs-none/f"));
}

TEST(NewFileTest, WhatAKilledProcessLeftIsRemovedByTheNextOne) {
  const TemporaryDirectory directory;
  const std::string left = directory.File(PartName());
  const std::string in_use = directory.File(PartName());
  const std::string foreign = directory.File(".famfs-part.txt");
  for (const std::string& path : {left, in_use, foreign}) {
    std::ofstream(path) << "part";
  }
  const UniqueFd held(::open(in_use.c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_EQ(::flock(held.get(), LOCK_EX | LOCK_NB), 0);
  // A replacement needs a name for a moment, and so looks at the others.
  ASSERT_THAT(WriteFileAtomically(directory.File("f"), "x"), IsOk());
  EXPECT_FALSE(std::filesystem::exists(left));
  EXPECT_TRUE(std::filesystem::exists(in_use));
  EXPECT_TRUE(std::filesystem::exists(foreign));
}

TEST(NewFileTest, PartNamesAreTheirOwnAlone) {
  EXPECT_TRUE(IsPartName(PartName()));
  for (const char* const name :
       {"", "f", ".famfs-part.", ".famfs-part.x", "famfs-part",
        "x.famfs-part.0b6ad5d4-6f0a-4c1a-8f60-0f6f3b2d9c11"}) {
    EXPECT_FALSE(IsPartName(name)) << name;
  }
}

TEST(WriteNewFileTest, IsWholeOrNotThere) {
  const TemporaryDirectory directory;
  ASSERT_THAT(WriteNewFile(directory.File("f"), "one", 0444), IsOk());
  struct stat info {};
  ASSERT_EQ(::stat(directory.File("f").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0444U);
  EXPECT_THAT(WriteNewFile(directory.File("f"), "two"),
              HasError(absl::StatusCode::kAlreadyExists, "f"));
}

}  // namespace
}  // namespace famfs
