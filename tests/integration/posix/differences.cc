#include "tests/integration/posix/differences.h"

#include <fnmatch.h>

#include <cstdlib>
#include <sstream>

#include "tests/integration/support/rig.h"

namespace famfs::posix {
namespace {

constexpr std::string_view kHeading = "## Layout `tree` beside tmpfs";

bool Matches(const char* pattern, std::string_view text) {
  return ::fnmatch(pattern, std::string(text).c_str(), 0) == 0;
}

}  // namespace

const std::vector<Difference>& KnownDifferences() {
  static const std::vector<Difference> all = {
      {1, "link *: is", "0", "EPERM"},
      {1, "mkfifo *: is", "0", "EPERM"},
      {2, "open O_TMPFILE: is", "0", "EOPNOTSUPP"},
      {3, "extended attributes: setxattr", "0", "EOPNOTSUPP"},
      {3, "extended attributes: getxattr", "1", "ENODATA"},
      {3, "extended attributes: removexattr*", "*", "EOPNOTSUPP"},
      {4, "targets of links: a target of *", "0", "ENAMETOOLONG"},
      {5, "holes: SEEK_DATA of a hole", "ENXIO", "0"},
      {5, "holes: SEEK_HOLE of a hole", "0", "1048576"},
      {6, "cuts: truncate to *", "0", "ENOSPC"},
      {6, "offsets: pwrite at 9223372036854775806", "1", "ENOSPC"},
      // What that write leaves.
      {6, "offsets: lseek from the end", "*", "7"},
      {6, "offsets: lseek before the start from the end", "*", "EINVAL"},
      {6, "offsets: holds", "*", "0123456789"},
      {6, "offsets: after", "*", "* 10 bytes; "},
      {7, "allocations: ZERO_RANGE of *", "EOPNOTSUPP", "0"},
      {8, "bad values of times: access time then", "5000", "*"},
      {8, "times at utimensat of the access time: d/f ctime", "moves", "stays"},
      {9, "chown of nothing of a file *: is", "EPERM", "0"},
      {9, "chown of nothing of a file *: after", "f file * 1000:1000 4 bytes; ",
       "f file ?7?? 1000:1000 4 bytes; "},
      {9, "times at chown of nothing: d/f ctime", "moves", "stays"},
      {10, "* of a file ?766 by another: after", "*f file 766 *",
       "*f file 2766 *"},
      {11, "fallocate of a file * by root: after",
       "f file ?7?? 1000:1000 100 bytes; ", "f file * 1000:1000 100 bytes; "},
      {11, "punch hole of a file * by root: after",
       "f file ?7?? 1000:1000 4 bytes; ", "f file * 1000:1000 4 bytes; "},
      {12, "a removed directory: *", "ENOENT", "ESTALE"},
      {12, "times at unlink: d/f mtime", "stays", "moves"},
      {12, "times at rmdir: d/d mtime", "stays", "moves"},
      {12, "times at rename over: e/g mtime", "stays", "moves"},
      {13, "values of times: *", "1[02]000000000*", "9223372036.0"},
  };
  return all;
}

std::vector<int> NumbersOfThePage() {
  std::istringstream page(rig::ReadWholeFile(FAMFS_SEMANTICS_PAGE));
  std::vector<int> numbers;
  bool is_there = false;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("## ")) is_there = line.starts_with(kHeading);
    if (!is_there || !line.starts_with("| ")) continue;
    const int number = std::atoi(line.c_str() + 2);
    if (number > 0) numbers.push_back(number);
  }
  return numbers;
}

const Difference* Find(std::string_view where, std::string_view tmpfs,
                       std::string_view tree) {
  for (const Difference& known : KnownDifferences()) {
    if (Matches(known.where, where) && Matches(known.tmpfs, tmpfs) &&
        Matches(known.tree, tree)) {
      return &known;
    }
  }
  return nullptr;
}

}  // namespace famfs::posix
