// Random files on random devices, each answer compared with the model's.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <set>

#include "alloc/placement.h"
#include "base/units.h"
#include "tests/unit/alloc/placement_model.h"

namespace famfs {
namespace {

/// A pool of one to four devices, on both sides.
class Pool {
 public:
  explicit Pool(std::mt19937_64& random) : random_(random) {
    const std::size_t count = 1 + random() % 4;
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint64_t units = 2048 + random() % 1500;
      const bool missing = i > 0 && random() % 5 == 0;
      allocators_.push_back(
          missing ? nullptr : std::make_unique<ExtentAllocator>(units * kUnit));
      bitmaps_.emplace_back(missing ? 0 : units);
    }
  }

  /// Uses the pool up to some degree, in pieces that leave gaps.
  void Age() {
    const std::uint64_t usual = 1 + random_() % 300;
    for (std::size_t d = 0; d < bitmaps_.size(); ++d) {
      if (!allocators_[d]) continue;
      const std::uint64_t pieces = random_() % 120;
      for (std::uint64_t i = 0; i < pieces; ++i) {
        const std::uint64_t length = 1 + random_() % usual;
        if (length >= bitmaps_[d].size()) continue;
        const Range range{random_() % (bitmaps_[d].size() - length) * kUnit,
                          length * kUnit};
        const Placement piece{0, {{d, range.offset, range.length}}};
        ASSERT_EQ(allocators_[d]->Take(range).ok(), Mark(bitmaps_, piece));
      }
    }
  }

  PlacementRequest RandomRequest() {
    PlacementRequest request;
    request.max_extents = random_() % 3 == 0 ? 1 + random_() % kMaxExtents : 1;
    switch (random_() % 3) {
      case 0:
        break;
      case 1:
        request.strips = 1 + static_cast<std::uint32_t>(random_()) % 16;
        request.buckets = 1 + static_cast<std::uint32_t>(random_()) % 8;
        break;
      default:
        request.strips = 1 + static_cast<std::uint32_t>(random_()) % 5;
    }
    if (request.strips != 0) request.chunk = kUnit << random_() % 9;
    return request;
  }

  /// Sizes around everything that a rule turns on.
  std::uint64_t RandomSize(std::uint64_t largest) {
    switch (random_() % 6) {
      case 0:
        return 1 + random_() % (4 * kUnit);
      case 1:
        return 1 + (random_() >> (1 + random_() % 20));
      case 2:
        largest = std::max<std::uint64_t>(largest, 1);
        return largest - std::min(largest - 1, random_() % (2 * kUnit));
      case 3:
        return largest + 1 + random_() % (2 * kUnit);
      default:
        return 1 + random_() % std::max(largest, kUnit);
    }
  }

  /// Compares RoomFor with the model, and with what Place does.
  void CheckRoom(PlacementRequest request) {
    const Room room = RoomFor(devices(), request);
    if (!Keeps(request)) {
      ASSERT_EQ(room, Room{});
      return;
    }
    ASSERT_EQ(room.largest % kUnit, 0U);
    if (room.largest != 0) {
      ASSERT_TRUE(CanPlace(bitmaps_, request, room.largest));
      request.size = room.largest;
      CheckPlaceOnClones(request, true);
    }
    ASSERT_FALSE(CanPlace(bitmaps_, request, room.largest + kUnit));
    request.size = room.largest + kUnit;
    CheckPlaceOnClones(request, false);
    ASSERT_EQ(room.free, FreeFor(bitmaps_, request, room.largest));
    ASSERT_GE(room.free, room.largest);
  }

  void PlaceOne(PlacementRequest request) {
    request.size = RandomSize(RoomFor(devices(), request).largest);
    const auto before = AllFree();
    const auto placement = Place(devices(), request);
    if (!Keeps(request)) {
      ASSERT_EQ(placement.status().code(), absl::StatusCode::kInvalidArgument);
      ASSERT_EQ(AllFree(), before);
      return;
    }
    ASSERT_EQ(placement.ok(), CanPlace(bitmaps_, request, request.size))
        << request.size << ": " << placement.status();
    if (!placement.ok()) {
      ASSERT_EQ(placement.status().code(),
                absl::StatusCode::kResourceExhausted);
      ASSERT_EQ(AllFree(), before);
      return;
    }
    CheckShape(request, *placement);
    ASSERT_TRUE(Mark(bitmaps_, *placement)) << "overlap, or off its device";
    placements_.push_back(*placement);
    ASSERT_TRUE(GiveBack(devices(), *placement).ok());
    ASSERT_EQ(AllFree(), before) << "given back as it was";
    ASSERT_EQ(*Place(devices(), request), *placement) << "the same again";
  }

  void GiveBackOne() {
    if (placements_.empty()) return;
    std::swap(placements_[random_() % placements_.size()], placements_.back());
    ASSERT_TRUE(GiveBack(devices(), placements_.back()).ok());
    Unmark(bitmaps_, placements_.back());
    placements_.pop_back();
  }

  void Compare() const {
    for (std::size_t d = 0; d < bitmaps_.size(); ++d) {
      if (!allocators_[d]) continue;
      std::vector<Range> runs = RunsIn(bitmaps_[d], 0, bitmaps_[d].size());
      for (Range& run : runs) run = {run.offset * kUnit, run.length * kUnit};
      ASSERT_EQ(allocators_[d]->FreeExtents(), runs);
    }
  }

 private:
  [[nodiscard]] std::vector<ExtentAllocator*> devices() const {
    std::vector<ExtentAllocator*> devices;
    for (const auto& allocator : allocators_) {
      devices.push_back(allocator.get());
    }
    return devices;
  }
  [[nodiscard]] std::vector<std::vector<Range>> AllFree() const {
    std::vector<std::vector<Range>> all;
    for (const auto& allocator : allocators_) {
      all.push_back(allocator ? allocator->FreeExtents()
                              : std::vector<Range>{});
    }
    return all;
  }

  /// The rules that RandomRequest may break.
  [[nodiscard]] bool Keeps(const PlacementRequest& request) const {
    if (request.strips == 0) return true;
    if (request.buckets == 0) return request.strips <= bitmaps_.size();
    return request.strips <= request.buckets &&
           std::any_of(bitmaps_.begin(), bitmaps_.end(), [&](const auto& d) {
             return d.size() * kUnit / request.buckets >= kGiB;
           });
  }

  void CheckPlaceOnClones(const PlacementRequest& request, bool fits) const {
    std::vector<ExtentAllocator> clones;
    clones.reserve(allocators_.size());
    std::vector<ExtentAllocator*> pointers;
    for (const auto& allocator : allocators_) {
      if (allocator) clones.push_back(*allocator);
      pointers.push_back(allocator ? &clones.back() : nullptr);
    }
    const auto placement = Place(pointers, request);
    ASSERT_EQ(placement.ok(), fits) << request.size << placement.status();
  }

  void CheckShape(const PlacementRequest& request,
                  const Placement& placement) const {
    std::uint64_t sum = 0;
    for (const MediaExtent& extent : placement.extents) sum += extent.length;
    if (request.strips == 0 || request.size < request.chunk) {
      ASSERT_EQ(placement.chunk, 0U);
      ASSERT_EQ(sum, RoundUp(request.size, kUnit));
      ASSERT_EQ(placement.extents.size(),
                FewestExtents(bitmaps_, request.size));
      if (placement.extents.size() == 1 && sum >= kGiB) {
        ASSERT_EQ(placement.extents[0].offset % kGiB == 0,
                  HasAligned(bitmaps_, sum / kUnit));
      }
      return;
    }
    const std::uint64_t stripe = request.strips * request.chunk;
    ASSERT_EQ(placement.chunk, request.chunk);
    ASSERT_EQ(placement.extents.size(), request.strips);
    ASSERT_EQ(sum, RoundUp(request.size, stripe));
    std::set<std::uint64_t> devices;
    std::set<std::uint64_t> buckets;
    for (const MediaExtent& strip : placement.extents) {
      ASSERT_EQ(strip.length, sum / request.strips);
      devices.insert(strip.device_index);
      if (request.buckets == 0) continue;
      const std::uint64_t bucket =
          bitmaps_[strip.device_index].size() / request.buckets * kUnit;
      buckets.insert(strip.offset / bucket);
      ASSERT_EQ(strip.offset / bucket,
                (strip.offset + strip.length - 1) / bucket);
      ASSERT_LT(strip.offset / bucket, request.buckets);
    }
    ASSERT_EQ(devices.size(), request.buckets == 0 ? request.strips : 1);
    ASSERT_EQ(buckets.size(), request.buckets == 0 ? 0 : request.strips);
  }

  std::mt19937_64& random_;
  std::vector<std::unique_ptr<ExtentAllocator>> allocators_;
  Bitmaps bitmaps_;
  std::vector<Placement> placements_;
};

class PlacementModelTest : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(PlacementModelTest, AgreesOverRandomFiles) {
  std::mt19937_64 random(GetParam());
  for (int round = 0; round < 12; ++round) {
    Pool pool(random);
    pool.Age();
    for (int step = 0; step < 40; ++step) {
      SCOPED_TRACE(::testing::Message() << "seed " << GetParam() << ", round "
                                        << round << ", step " << step);
      const PlacementRequest request = pool.RandomRequest();
      pool.CheckRoom(request);
      if (!HasFatalFailure()) pool.PlaceOne(request);
      if (!HasFatalFailure() && random() % 2 == 0) pool.GiveBackOne();
      if (!HasFatalFailure()) pool.Compare();
      if (HasFatalFailure()) return;
    }
  }
}

/// Fixed seeds repeat; the last one is new in every run and in the test's name.
INSTANTIATE_TEST_SUITE_P(Random, PlacementModelTest,
                         ::testing::Values(1, 2, 3, 4, 5, 6,
                                           std::random_device{}()),
                         [](const auto& test) {
                           return fmt::format("Seed{}", test.param);
                         });

}  // namespace
}  // namespace famfs
