// Several thousand observations of what system calls do, on tmpfs and on a tree
// volume: as root and as a user, on both data paths. Where they differ, it is
// on purpose, and a numbered row of docs/semantics.md says so.
#include <fmt/format.h>
#include <grp.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <compare>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <sstream>

#include "tests/integration/fuse/tree_fixture.h"
#include "tests/integration/posix/differences.h"
#include "tests/integration/posix/room.h"

namespace famfs::posix {
namespace {

using Observations = std::map<std::string, std::string>;

/// Of cases that are one of many a short run makes each fourth, and those of
/// each user and data path begin elsewhere.
constexpr std::size_t kShares = 4;
bool MakesAll() { return std::getenv("FAMFS_NIGHTLY") != nullptr; }

/// Whose cases, and which.
struct Part {
  uid_t user = 0;
  std::size_t share = 0;
  auto operator<=>(const Part&) const = default;
};

const Cases& AllCases() {
  static const Cases all = [] {
    Cases cases;
    AddPathCases(cases);
    AddOpenCases(cases);
    AddNameCases(cases);
    AddPermissionCases(cases);
    AddPrivilegeCases(cases);
    AddTimeCases(cases);
    AddIoCases(cases);
    return cases;
  }();
  return all;
}

bool IsIn(const Part& part, const Case& one, std::size_t number) {
  if (one.needs_root && part.user != 0) return false;
  return !one.of_many || MakesAll() || number % kShares == part.share;
}

/// Runs the cases in a process of that user; a line each observation goes to
/// `out`: where, a tab, what.
void RunCases(const std::string& directory, const Part& part,
              std::ostream& out) {
  const uid_t user = part.user;
  std::size_t number = 0;
  for (const Case& one : AllCases()) {
    if (!IsIn(part, one, ++number)) continue;
    const std::string path = fmt::format("{}/{}", directory, number);
    if (::seteuid(0) != 0 || ::setegid(0) != 0) ::_exit(4);
    if (::mkdir(path.c_str(), 0755) != 0 ||
        ::chown(path.c_str(), user, user) != 0 ||
        ::chmod(path.c_str(), 0755) != 0) {
      std::cerr << path << ": " << NameOf(errno) << "\n";
      ::_exit(4);
    }
    if (::setegid(user) != 0 || ::seteuid(user) != 0) ::_exit(4);
    Room room(path);
    const Umask usual(022);
    out << "@" << one.name << std::endl;
    one.run(room);
    std::map<std::string, int> times;
    for (const Room::Seen& seen : room.seen()) {
      const int time = ++times[seen.what];
      out << one.name << ": " << seen.what;
      if (time > 1) out << " " << time;
      std::string value = seen.value;
      for (char& byte : value) byte = byte == '\n' || byte == '\t' ? '?' : byte;
      out << "\t" << value << "\n";
    }
    if (::seteuid(0) != 0) ::_exit(4);
    std::error_code error;
    std::filesystem::remove_all(path, error);
    if (error) {
      std::cerr << path << " stays: " << error.message() << "\n";
      ::_exit(4);
    }
  }
}

/// What is seen on the file system of `directory` by that user.
Observations Observe(const std::string& directory, const Part& part) {
  const uid_t user = part.user;
  const rig::TempDir results("famfs-posix");
  const std::string file = results / "seen";
  const pid_t child = ::fork();
  if (child == 0) {
    std::ofstream out(file);
    const bool is_user = ::setgroups(0, nullptr) == 0 &&
                         ::setresgid(user, user, 0) == 0 &&
                         ::setresuid(user, user, 0) == 0;
    if (!is_user) ::_exit(4);
    RunCases(directory, part, out);
    out.close();
    ::_exit(0);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  Observations seen;
  std::istringstream lines(rig::ReadWholeFile(file));
  std::string last;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("@")) {
      last = line;
      continue;
    }
    const std::size_t tab = line.find('\t');
    if (tab != std::string::npos) {
      seen[line.substr(0, tab)] = line.substr(tab + 1);
    }
  }
  EXPECT_EQ(status, 0) << "the last case: " << last;
  EXPECT_FALSE(seen.empty());
  return seen;
}

/// What tmpfs does, which is looked at once.
const Observations& Oracle(const Part& part) {
  static std::map<Part, Observations> known;
  if (const auto found = known.find(part); found != known.end()) {
    return found->second;
  }
  const rig::Tmpfs memory("1G");
  ::chmod(memory.path().c_str(), 0777);
  return known[part] = Observe(memory.path(), part);
}

class PosixTest : public itest::TreeFuseTest {
 protected:
  void SetUp() override {
    TreeFuseTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    AddTree("posix", kCapacity);
  }

  void Compare(const Part& part) {
    const Observations& expected = Oracle(part);
    const Observations seen = Observe(mount_->path() + "/posix", part);
    EXPECT_EQ(seen.size(), expected.size());
    std::size_t same = 0;
    std::map<int, std::size_t> by_number;
    for (const auto& [where, value] : expected) {
      const auto found = seen.find(where);
      const std::string there = found == seen.end() ? "nothing" : found->second;
      if (there == value) {
        ++same;
      } else if (const Difference* known = Find(where, value, there)) {
        ++by_number[known->number];
        used_.insert(known);
      } else {
        ADD_FAILURE() << where << "\n  on tmpfs  " << value << "\n  here      "
                      << there;
      }
    }
    std::cout << fmt::format("posix: {}, {}: {} of {} observations as on tmpfs",
                             GetParam(), part.user == 0 ? "root" : "a user",
                             same, expected.size());
    for (const auto& [number, count] : by_number) {
      std::cout << fmt::format(", {} by difference {}", count, number);
    }
    std::cout << "\n";
  }

  std::set<const Difference*> used_;

 private:
  static constexpr std::uint64_t kCapacity = kGiB;  // bytes
};

INSTANTIATE_TEST_SUITE_P(Paths, PosixTest,
                         ::testing::Values("passthrough", "copy"),
                         itest::NameOfPath);

TEST_P(PosixTest, WhatIsNotAsOnTmpfsIsKnown) {
  const std::size_t share = MakesAll() ? 0 : IsEmulated() ? 0 : 2;
  Compare({.user = 0, .share = share});
  Compare({.user = kUser, .share = MakesAll() ? 0 : share + 1});
  if (!MakesAll()) return;
  for (const Difference& known : KnownDifferences()) {
    EXPECT_TRUE(used_.contains(&known))
        << "nothing differs any more at " << known.where << ", number "
        << known.number;
  }
}

TEST(PosixPage, EachDifferenceHasItsRowAndEachRowItsDifference) {
  const std::vector<int> page = NumbersOfThePage();
  std::set<int> listed;
  for (const Difference& known : KnownDifferences()) {
    listed.insert(known.number);
  }
  EXPECT_EQ(listed, std::set<int>(page.begin(), page.end()));
  for (std::size_t i = 0; i < page.size(); ++i) {
    EXPECT_EQ(page[i], static_cast<int>(i + 1));
  }
}

}  // namespace
}  // namespace famfs::posix
