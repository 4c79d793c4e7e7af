// What the crash tests share: media, lock directories, bases of histories.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/crash/explorer.h"

namespace famfs::crash {

/// Set by `tests/crash/run --nightly`: everything takes longer.
bool IsNightly();

/// What histories begin with: a file system that was made and closed.
struct Base {
  State state;
  int names = 0;
};

class CrashTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  /// Two equal media: of one that is written to, and of one that is crashed.
  void MakeMedia(bool has_extent_files);
  /// Leaves a closed instance on both: fresh, or one with two volumes, a
  /// deleted one, a file, and entries that later ones replaced.
  Base MakeBase(bool used);
  /// The same with a tree volume that has a directory, three files and a link;
  /// of one file pieces are dead.
  Base MakeTreeBase();
  /// The history that everything in tree volumes happens in.
  void RunTreeScenario(History& history);
  /// The history that everything happens in, from a blank medium on.
  void RunBaseScenario(History& history);

  [[nodiscard]] ExplorerOptions Options() const;
  std::string Locks(const char* whose) const { return locks_ + "/" + whose; }
  static std::string First(const std::vector<std::string>& problems);

  std::unique_ptr<Medium> live_;
  std::unique_ptr<Medium> crashed_;

 private:
  std::string locks_;
};

}  // namespace famfs::crash
