// Random operations against a model that is too simple to be wrong: one flag
// per unit, and every question answered by a scan.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <random>
#include <vector>

#include "alloc/allocator.h"
#include "base/units.h"

namespace famfs {
namespace {

constexpr std::uint64_t kUnit = 2 * kMiB;
constexpr std::uint64_t kUnitsPerGib = kGiB / kUnit;
constexpr std::uint64_t kUnits = 6 * kUnitsPerGib + 37;

class BitmapModel {
 public:
  bool TakeAll(std::uint64_t first, std::uint64_t count) {
    if (first + count > kUnits || !AllAre(first, count, false)) return false;
    Set(first, count, true);
    return true;
  }
  bool FreeAll(std::uint64_t first, std::uint64_t count) {
    if (first + count > kUnits || !AllAre(first, count, true)) return false;
    Set(first, count, false);
    return true;
  }

  /// Free extents, in units, cut off at both ends of the window.
  [[nodiscard]] std::vector<Range> FreeExtents(Range window = {0,
                                                               kUnits}) const {
    std::vector<Range> extents;
    for (std::uint64_t i = window.offset; i < window.end(); ++i) {
      if (used_[i]) continue;
      if (extents.empty() || extents.back().end() != i)
        extents.push_back({i, 0});
      ++extents.back().length;
    }
    return extents;
  }

  /// Where the allocator has to place `count` units, or kUnits.
  [[nodiscard]] std::uint64_t Place(std::uint64_t count,
                                    Range window = {0, kUnits}) const {
    std::uint64_t best = kUnits;
    std::uint64_t best_room = kUnits + 1;
    if (count >= kUnitsPerGib) {
      for (const Range& extent : FreeExtents(window)) {
        const std::uint64_t at = RoundUp(extent.offset, kUnitsPerGib);
        if (at + count <= extent.end() && extent.end() - at < best_room) {
          best = at;
          best_room = extent.end() - at;
        }
      }
      if (best != kUnits) return best;
    }
    for (const Range& extent : FreeExtents(window)) {
      if (extent.length >= count && extent.length < best_room) {
        best = extent.offset;
        best_room = extent.length;
      }
    }
    return best;
  }

 private:
  [[nodiscard]] bool AllAre(std::uint64_t first, std::uint64_t count,
                            bool used) const {
    for (std::uint64_t i = first; i < first + count; ++i) {
      if (used_[i] != used) return false;
    }
    return true;
  }
  void Set(std::uint64_t first, std::uint64_t count, bool used) {
    for (std::uint64_t i = first; i < first + count; ++i) used_[i] = used;
  }

  std::vector<bool> used_ = std::vector<bool>(kUnits);
};

/// What the longest aligned request would get; empty below 1 GiB.
Range LargestAligned(const std::vector<Range>& extents) {
  Range largest;
  for (const Range& extent : extents) {
    const std::uint64_t at = RoundUp(extent.offset, kUnitsPerGib);
    if (at + std::max(kUnitsPerGib, largest.length + 1) <= extent.end()) {
      largest = {at, extent.end() - at};
    }
  }
  return largest;
}

Range RandomWindow(std::mt19937_64& random) {
  const std::uint64_t first = random() % kUnits;
  return {first, 1 + random() % (kUnits - first)};
}

/// Both sides, told the same things.
class Pair {
 public:
  void Allocate(std::uint64_t count) {
    const std::uint64_t expected = model_.Place(count);
    const auto range = allocator_.Allocate(count * kUnit);
    ASSERT_EQ(range.ok(), expected != kUnits) << range.status();
    if (!range.ok()) return;
    ASSERT_EQ(*range, (Range{expected * kUnit, count * kUnit}));
    ASSERT_TRUE(model_.TakeAll(expected, count));
    taken_.push_back({expected, count});
  }

  void AllocateIn(Range window, std::uint64_t count) {
    const Range bytes{window.offset * kUnit, window.length * kUnit};
    std::uint64_t largest = 0;
    for (const Range& extent : model_.FreeExtents(window)) {
      largest = std::max(largest, extent.length);
    }
    ASSERT_EQ(allocator_.LargestIn(bytes), largest * kUnit);
    const std::uint64_t expected = model_.Place(count, window);
    const auto range = allocator_.AllocateIn(bytes, count * kUnit);
    ASSERT_EQ(range.ok(), expected != kUnits) << range.status();
    if (!range.ok()) return;
    ASSERT_EQ(*range, (Range{expected * kUnit, count * kUnit}));
    ASSERT_TRUE(model_.TakeAll(expected, count));
    taken_.push_back({expected, count});
  }

  void Take(std::uint64_t first, std::uint64_t count) {
    const bool ok = allocator_.Take({first * kUnit, count * kUnit}).ok();
    ASSERT_EQ(ok, model_.TakeAll(first, count)) << first << "+" << count;
    if (ok) taken_.push_back({first, count});
  }

  void Free(std::uint64_t first, std::uint64_t count) {
    const bool ok = allocator_.Free({first * kUnit, count * kUnit}).ok();
    ASSERT_EQ(ok, model_.FreeAll(first, count)) << first << "+" << count;
  }

  void FreeOneTaken(std::mt19937_64& random) {
    if (taken_.empty()) return;
    std::swap(taken_[random() % taken_.size()], taken_.back());
    const Range range = taken_.back();
    taken_.pop_back();
    // A part of it may be free already, by an earlier Free of random units:
    // then both refuse.
    Free(range.offset, range.length);
  }

  void Compare() const {
    const auto extents = model_.FreeExtents();
    std::uint64_t free = 0;
    std::uint64_t largest = 0;
    for (const Range& extent : extents) {
      free += extent.length;
      largest = std::max(largest, extent.length);
    }
    ASSERT_EQ(allocator_.free_bytes(), free * kUnit);
    ASSERT_EQ(allocator_.largest_free(), largest * kUnit);
    ASSERT_EQ(allocator_.extent_count(), extents.size());
    std::vector<Range> found = allocator_.FreeExtents();
    for (Range& range : found) {
      range = {range.offset / kUnit, range.length / kUnit};
    }
    ASSERT_EQ(found, extents);
    std::vector<Range> by_length = extents;
    std::stable_sort(
        by_length.begin(), by_length.end(),
        [](const Range& a, const Range& b) { return a.length > b.length; });
    by_length.resize(std::min<std::size_t>(by_length.size(), 7));
    found = allocator_.LargestExtents(7);
    for (Range& range : found) {
      range = {range.offset / kUnit, range.length / kUnit};
    }
    ASSERT_EQ(found, by_length);
    const Range largest_aligned = LargestAligned(extents);
    ASSERT_EQ(allocator_.largest_aligned(), largest_aligned.length * kUnit);
  }

 private:
  ExtentAllocator allocator_{kUnits * kUnit};
  BitmapModel model_;
  std::vector<Range> taken_;  // in units
};

std::uint64_t RandomCount(std::mt19937_64& random) {
  return random() % 8 == 0 ? kUnitsPerGib - 3 + random() % 600
                           : 1 + random() % 40;
}

class AllocatorModelTest : public ::testing::TestWithParam<std::uint64_t> {};

/// `scattered`: units taken at random first, so that there are many extents.
void Compare(std::uint64_t seed, int scattered) {
  std::mt19937_64 random(seed);
  Pair pair;
  for (int i = 0; i < scattered; ++i) pair.Take(random() % kUnits, 1);
  for (int step = 0; step < 1500; ++step) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed << ", step " << step);
    switch (random() % 9) {
      case 0:
        pair.Take(random() % (kUnits + 2), 1 + random() % 20);
        break;
      case 1:
        pair.Free(random() % (kUnits + 2), 1 + random() % 3);
        break;
      case 2:
        pair.AllocateIn(RandomWindow(random), RandomCount(random));
        break;
      case 3:
      case 4:
      case 5:
        pair.FreeOneTaken(random);
        break;
      default:
        pair.Allocate(RandomCount(random));
    }
    if (!testing::Test::HasFatalFailure()) pair.Compare();
    if (testing::Test::HasFatalFailure()) return;
  }
}

TEST_P(AllocatorModelTest, AgreesOverRandomOperations) {
  Compare(GetParam(), 0);
}

TEST_P(AllocatorModelTest, AgreesWithManyFreeExtents) {
  Compare(GetParam(), 1000);
}

/// TakeAll beside one Take after another, on a device with gaps.
TEST_P(AllocatorModelTest, TakingAllIsTakingEach) {
  std::mt19937_64 random(GetParam());
  for (int round = 0; round < 60; ++round) {
    SCOPED_TRACE(::testing::Message()
                 << "seed " << GetParam() << ", round " << round);
    ExtentAllocator all(kUnits * kUnit);
    for (std::uint64_t i = random() % 200; i > 0; --i) {
      IgnoreError(all.Take({random() % kUnits * kUnit, kUnit}), "taken twice");
    }
    std::vector<Range> ranges;
    const std::uint64_t count = 1 + random() % 60;
    ExtentAllocator each = all;
    std::optional<std::size_t> refused;
    while (ranges.size() < count) {
      const Range range{random() % (kUnits + 1) * kUnit,
                        (1 + random() % 4) * kUnit};
      const bool ok = each.Take(range).ok();
      // Most rounds have no range that is refused, some have several.
      if (!ok && round % 4 != 0) continue;
      if (!ok && !refused) refused = ranges.size();
      ranges.push_back(range);
    }
    if (round % 2 == 0) std::sort(ranges.begin(), ranges.end());
    const auto before = all.FreeExtents();
    std::size_t failed = count;
    const absl::Status status = all.TakeAll(ranges, &failed);
    if (!refused) {
      ASSERT_TRUE(status.ok()) << status;
      ASSERT_EQ(all.FreeExtents(), each.FreeExtents());
      ASSERT_EQ(all.free_bytes(), each.free_bytes());
      ASSERT_EQ(all.largest_free(), each.largest_free());
      continue;
    }
    ASSERT_EQ(all.FreeExtents(), before) << "nothing was taken";
    std::size_t index = 0;
    while (all.Take(ranges[index]).ok()) ++index;
    ASSERT_EQ(failed, index);
    ASSERT_EQ(status, all.Take(ranges[index]));
  }
}

/// Fixed seeds repeat; the last one is new in every run and in the test's name.
INSTANTIATE_TEST_SUITE_P(Random, AllocatorModelTest,
                         ::testing::Values(1, 2, 3, 4, 5,
                                           std::random_device{}()),
                         [](const auto& test) {
                           return fmt::format("Seed{}", test.param);
                         });

}  // namespace
}  // namespace famfs
