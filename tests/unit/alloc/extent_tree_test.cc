// The tree beside std::map, through growth and decline, so that nodes split,
// join and go at every level.
#include "alloc/extent_tree.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "base/status.h"

namespace famfs {
namespace {

using Unit = ExtentTree::Unit;
using Extent = ExtentTree::Extent;

/// Extents of 1 to 600 units, one at most in each cell of 1,000.
constexpr Unit kCell = 1000;
constexpr Unit kMaxLength = 600;

class Both {
 public:
  Both(std::mt19937_64& random, Unit cells) : random_(random), cells_(cells) {}

  void Assign(Unit share) {
    std::vector<Extent> extents;
    for (Unit cell = 0; cell < cells_; ++cell) {
      if (random_() % 100 < share) extents.push_back(RandomIn(cell));
    }
    tree_.Assign(extents);
    model_.clear();
    for (const Extent& extent : extents) model_[extent.end()] = extent.length;
  }

  /// Inserts into an empty cell, or changes or erases what is in it.
  void Touch(Unit cell, unsigned erase_percent) {
    const auto it = model_.lower_bound(cell * kCell + 1);
    const bool is_there = it != model_.end() && it->first <= (cell + 1) * kCell;
    auto at = tree_.Seek(cell * kCell + 1);
    const Extent extent = RandomIn(cell);
    if (!is_there) {
      if (random_() % 100 < erase_percent) return;
      // Behind the last one of a leaf, or before the first of the next.
      if (random_() % 2 == 0) tree_.Next(at);
      tree_.Insert(at, extent);
      model_[extent.end()] = extent.length;
      return;
    }
    ASSERT_TRUE(tree_.Next(at));
    ASSERT_EQ(tree_.Get(at), (Extent{it->first - it->second, it->second}));
    model_.erase(it);
    if (random_() % 100 < erase_percent) {
      tree_.Erase(at);
      return;
    }
    tree_.Replace(at, extent);
    model_[extent.end()] = extent.length;
  }

  void CompareAll() const {
    std::vector<Extent> expected;
    std::map<Unit, std::set<Unit>> by_length;
    for (const auto& [end, length] : model_) {
      expected.push_back({end - length, length});
      by_length[length].insert(end);
    }
    ASSERT_EQ(tree_.All(), expected);
    ASSERT_EQ(tree_.size(), expected.size());
    Unit last = 0;
    for (Unit length = 1; length < ExtentTree::kLongUnits; ++length) {
      const auto found = tree_.First(length);
      ASSERT_EQ(found.has_value(), by_length.contains(length)) << length;
      ASSERT_EQ(tree_.LastLength(length), last);
      if (!found) continue;
      ASSERT_EQ(found->end(), *by_length[length].begin());
      ASSERT_EQ(tree_.NextLength(last + 1), length);
      last = length;
      const Unit from = static_cast<Unit>(random_() % (cells_ * kCell));
      const auto later = by_length[length].lower_bound(from);
      const auto found_later = tree_.First(length, from);
      ASSERT_EQ(found_later.has_value(), later != by_length[length].end());
      if (found_later) {
        ASSERT_EQ(found_later->end(), *later);
      }
    }
    ASSERT_EQ(tree_.NextLength(last + 1), ExtentTree::kLongUnits);
  }

  /// Backwards over everything.
  void CompareBackwards() const {
    auto at = tree_.Seek(cells_ * kCell);
    auto it = model_.rbegin();
    if (tree_.Next(at)) {
      ASSERT_EQ(tree_.Get(at).end(), it->first) << "an end at the very end";
      ++it;
    }
    for (; it != model_.rend(); ++it) {
      ASSERT_TRUE(tree_.Previous(at));
      ASSERT_EQ(tree_.Get(at), (Extent{it->first - it->second, it->second}));
    }
    ASSERT_FALSE(tree_.Previous(at));
  }

 private:
  Extent RandomIn(Unit cell) {
    const Unit length = 1 + static_cast<Unit>(random_()) % kMaxLength;
    return {cell * kCell + static_cast<Unit>(random_()) % (kCell - length + 1),
            length};
  }

  std::mt19937_64& random_;
  Unit cells_;
  ExtentTree tree_;
  std::map<Unit, Unit> model_;  // end -> length
};

class ExtentTreeTest : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(ExtentTreeTest, GrowsAndDeclinesLikeAMap) {
  SCOPED_TRACE(::testing::Message() << "seed " << GetParam());
  std::mt19937_64 random(GetParam());
  constexpr Unit kCells = 12'000;
  Both both(random, kCells);
  for (const unsigned erase_percent : {10U, 90U, 40U, 100U, 5U}) {
    for (int pass = 0; pass < 4; ++pass) {
      for (Unit i = 0; i < kCells; ++i) {
        both.Touch(static_cast<Unit>(random() % kCells), erase_percent);
        if (HasFatalFailure()) return;
      }
      both.CompareAll();
      if (HasFatalFailure()) return;
    }
  }
  both.CompareBackwards();
}

TEST_P(ExtentTreeTest, EmptiesFromEitherEndAndFillsAgain) {
  SCOPED_TRACE(::testing::Message() << "seed " << GetParam());
  std::mt19937_64 random(GetParam());
  constexpr Unit kCells = 9'000;
  for (const bool forwards : {true, false}) {
    Both both(random, kCells);
    for (const unsigned erase_percent : {0U, 100U, 0U}) {
      for (Unit i = 0; i < kCells; ++i) {
        both.Touch(forwards ? i : kCells - 1 - i, erase_percent);
        if (i % 3'000 == 0) both.CompareAll();
        if (HasFatalFailure()) return;
      }
      both.CompareAll();
      both.CompareBackwards();
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(ExtentTreeTest, SplitsAndJoinsInATreeOfThreeLevels) {
  SCOPED_TRACE(::testing::Message() << "seed " << GetParam());
  std::mt19937_64 random(GetParam());
  constexpr Unit kCells = 260'000;
  Both both(random, kCells);
  both.Assign(70);
  both.CompareAll();
  // A part grows to what it can hold, another one goes altogether.
  for (const unsigned erase_percent : {0U, 100U}) {
    for (Unit i = 0; i < 60'000; ++i) {
      both.Touch(static_cast<Unit>(erase_percent * 1'000 + random() % 50'000),
                 erase_percent);
      if (HasFatalFailure()) return;
    }
    both.CompareAll();
    if (HasFatalFailure()) return;
  }
  both.CompareBackwards();
}

/// Fixed seeds repeat; the last one is new in every run and in the test's name.
INSTANTIATE_TEST_SUITE_P(Random, ExtentTreeTest,
                         ::testing::Values(1, 2, std::random_device{}()),
                         [](const auto& test) {
                           return fmt::format("Seed{}", test.param);
                         });

}  // namespace
}  // namespace famfs
