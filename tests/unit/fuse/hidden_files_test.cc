#include "fuse/files/hidden_files.h"

#include <gtest/gtest.h>

namespace famfs {
namespace {

constexpr NodeId kFile = 7;

TEST(HiddenFiles, OneAtATimeAsksForTheRemoval) {
  HiddenFiles files;
  EXPECT_EQ(files.BeginRemoval(kFile), std::nullopt);
  files.Add(kFile, "name");
  EXPECT_EQ(files.BeginRemoval(kFile), "name");
  EXPECT_EQ(files.BeginRemoval(kFile), std::nullopt);
  files.NotRemoved(kFile);
  EXPECT_EQ(files.BeginRemoval(kFile), "name");
  files.Erase(kFile);
  EXPECT_FALSE(files.Contains(kFile));
}

/// An unlink() that was interrupted may still be done.
TEST(HiddenFiles, WhatIsInDoubtStaysForATime) {
  HiddenFiles files;
  const auto now = HiddenFiles::Clock::now();
  files.Add(kFile, "name", now + HiddenFiles::kDoubt);
  files.EraseIfCertain(kFile, now);
  EXPECT_TRUE(files.Contains(kFile));
  files.EraseIfCertain(kFile, now + HiddenFiles::kDoubt);
  EXPECT_FALSE(files.Contains(kFile));
  files.Add(kFile, "name");
  files.EraseIfCertain(kFile, now);
  EXPECT_FALSE(files.Contains(kFile));
}

}  // namespace
}  // namespace famfs
