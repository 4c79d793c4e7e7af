// Where a tree volume does else than tmpfs on purpose.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace famfs::posix {

/// Patterns are those of fnmatch(3); all four must match.
struct Difference {
  int number;         // of the list in docs/semantics.md
  const char* where;  // "CASE: WHAT"
  const char* tmpfs;  // what is seen there
  const char* tree;
};

const std::vector<Difference>& KnownDifferences();

/// The numbers of the page's list.
std::vector<int> NumbersOfThePage();

/// The first one that a difference is; null: none.
const Difference* Find(std::string_view where, std::string_view tmpfs,
                       std::string_view tree);

}  // namespace famfs::posix
