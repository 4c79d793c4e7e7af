// What an allocation costs as free space falls into pieces, and into what
// pieces it falls.
#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <ctime>
#include <memory>
#include <random>
#include <type_traits>
#include <vector>

#include "alloc/allocator.h"
#include "alloc/placement.h"
#include "base/units.h"
#include "media/format.h"
#include "tests/bench/alloc_peers.h"
#include "tests/bench/benches.h"
#include "tests/bench/stack.h"

namespace famfs::bench {
namespace {

/// Of this thread's own time: others on the machine shall not count.
double Nanoseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 +
         static_cast<double>(now.tv_nsec);
}

constexpr std::size_t kFew = 1'000;
constexpr std::size_t kMany = 1'000'000;
constexpr std::uint64_t kLongest = 16;  // units of a file, and of a gap
constexpr std::size_t kSteps = 20'000;
constexpr std::uint32_t kDevices = 4;  // of a file in strips
constexpr std::uint32_t kBuckets = 8;  // of which it uses as many
constexpr std::size_t kPlacements = 1'000;
constexpr std::uint64_t kAgedUnits = 128 * kGiB / kAllocUnit;
constexpr int kAgingSteps = 10'000;

Range Taken(const Range& range) { return range; }
Range Taken(const absl::StatusOr<Range>& range) {
  return range.ok() ? *range : Range{};
}

/// Ours, with nothing free at first.
class AllTaken : public ExtentAllocator {
 public:
  explicit AllTaken(std::uint64_t size) : ExtentAllocator(size) {
    Must(ExtentAllocator::Take({0, size}), "Take");
  }
  void Take(Range range) {
    const absl::Status status = ExtentAllocator::Take(range);
    if (!status.ok()) Must(status, "Take");
  }
  void Free(Range range) {
    const absl::Status status = ExtentAllocator::Free(range);
    if (!status.ok()) Must(status, "Free");
  }
};

/// Files on a device with gaps between them.
struct Layout {
  std::uint64_t size = 0;
  std::vector<Range> files;
  std::vector<Range> gaps;
};

Layout MakeLayout(std::size_t gaps) {
  std::mt19937_64 random(gaps);
  Layout layout;
  const auto next = [&] {
    const Range range{layout.size, (1 + random() % kLongest) * kAllocUnit};
    layout.size += range.length;
    return range;
  };
  while (layout.gaps.size() < gaps) {
    for (std::uint64_t i = 1 + random() % 3; i > 0; --i) {
      layout.files.push_back(next());
    }
    layout.gaps.push_back(next());
  }
  // In no order, as a pool's files come and go.
  std::shuffle(layout.gaps.begin(), layout.gaps.end(), random);
  return layout;
}

/// An allocator with the free extents of a layout. A step frees one of the
/// files, any, and allocates as much.
template <typename Allocator>
class Churn {
 public:
  explicit Churn(const Layout& layout)
      : layout_(layout), allocator_(layout.size) {
    for (const Range& gap : layout.gaps) allocator_.Free(gap);
  }

  /// Nanoseconds a step. After every so many the layout is restored, outside of
  /// the time, so that the number of free extents stays what it is.
  double Run(std::size_t steps) {
    const std::size_t batch = std::min(steps, layout_.gaps.size() / 10);
    double time = 0;
    for (std::size_t done = 0; done < steps; done += batch) {
      std::vector<Range> files(batch);
      const std::size_t part = layout_.files.size() / batch;
      for (std::size_t i = 0; i < batch; ++i) {
        files[i] = layout_.files[i * part + random_() % part];
      }
      std::shuffle(files.begin(), files.end(), random_);
      std::vector<Range> made(batch);
      const double start = Nanoseconds();
      for (std::size_t i = 0; i < batch; ++i) {
        allocator_.Free(files[i]);
        made[i] = Taken(allocator_.Allocate(files[i].length));
      }
      time += Nanoseconds() - start;
      for (std::size_t i = batch; i-- > 0;) {
        allocator_.Free(made[i]);
        allocator_.Take(files[i]);
      }
    }
    return time / static_cast<double>(steps);
  }

 private:
  const Layout& layout_;
  Allocator allocator_;
  std::mt19937_64 random_{1};
};

using Extent = FreeMap::Extent;

std::vector<Extent> InUnits(std::vector<Range> ranges) {
  std::sort(ranges.begin(), ranges.end(),
            [](Range a, Range b) { return a.offset < b.offset; });
  std::vector<Extent> extents;
  extents.reserve(ranges.size());
  for (const Range& range : ranges) {
    extents.push_back({static_cast<FreeMap::Unit>(range.offset / kAllocUnit),
                       static_cast<FreeMap::Unit>(range.length / kAllocUnit)});
  }
  return extents;
}

/// The same frees, placements and takes in any map of free extents: a batch
/// frees files, any, and places as many of the same lengths; then both are
/// undone, the placements freed and the files taken again.
template <typename Map>
class Sequence {
 public:
  explicit Sequence(const Layout& layout) : files_(InUnits(layout.files)) {
    map_.Assign(InUnits(layout.gaps));
    batch_ = std::clamp<std::size_t>(layout.gaps.size() / 10, 1, kSteps);
  }

  /// Nanoseconds of one free, one placement, one free, one take.
  double Run() {
    std::vector<Extent> files(kSteps);
    const std::size_t part = files_.size() / batch_;
    for (std::size_t i = 0; i < kSteps; ++i) {
      files[i] = files_[i % batch_ * part + random_() % part];
    }
    for (std::size_t at = 0; at < kSteps; at += batch_) {
      const auto end = std::min(at + batch_, kSteps);
      std::shuffle(files.begin() + static_cast<std::ptrdiff_t>(at),
                   files.begin() + static_cast<std::ptrdiff_t>(end), random_);
    }
    std::vector<Extent> made(kSteps);
    bool done = true;
    const double start = Nanoseconds();
    for (std::size_t at = 0; at < kSteps; at += batch_) {
      const std::size_t end = std::min(at + batch_, kSteps);
      for (std::size_t i = at; i < end; ++i) {
        done = !map_.Free(files[i]) && done;
        made[i] = {map_.BestFit(files[i].length)->start, files[i].length};
        done = !map_.Take(made[i]) && done;
      }
      for (std::size_t i = end; i-- > at;) {
        done = !map_.Free(made[i]) && !map_.Take(files[i]) && done;
      }
    }
    const double time = Nanoseconds() - start;
    if (!done) Must(Internal("a range overlaps"), "Sequence");
    return time / static_cast<double>(kSteps);
  }

 private:
  std::vector<Extent> files_;
  std::size_t batch_;
  Map map_;
  std::mt19937_64 random_{1};
};

/// Files in strips on devices, or on the buckets of one device, with the free
/// extents of a layout.
class Striper {
 public:
  Striper(std::size_t gaps, bool in_buckets)
      : buckets_(in_buckets ? kBuckets : 0) {
    const std::size_t devices = in_buckets ? 1 : kDevices;
    const Layout layout = MakeLayout(gaps / devices);
    for (std::size_t i = 0; i < devices; ++i) {
      allocators_.push_back(std::make_unique<AllTaken>(layout.size));
      for (const Range& gap : layout.gaps) allocators_.back()->Free(gap);
      devices_.push_back(allocators_.back().get());
    }
  }

  /// Nanoseconds of placing a file and giving it back.
  double Run() {
    double time = 0;
    const std::size_t batch = 20;
    for (std::size_t done = 0; done < kPlacements; done += batch) {
      std::vector<Placement> made;
      const double start = Nanoseconds();
      for (std::size_t i = 0; i < batch; ++i) {
        const std::uint64_t units = kDevices * (1 + random_() % (kLongest / 2));
        made.push_back(Must(Place(devices_, {.size = units * kAllocUnit,
                                             .max_extents = 1,
                                             .strips = kDevices,
                                             .chunk = kAllocUnit,
                                             .buckets = buckets_}),
                            "Place"));
      }
      for (const Placement& placement : made) {
        Must(GiveBack(devices_, placement), "GiveBack");
      }
      time += Nanoseconds() - start;
    }
    return time / static_cast<double>(kPlacements);
  }

 private:
  std::uint32_t buckets_;
  std::vector<std::unique_ptr<AllTaken>> allocators_;
  std::vector<ExtentAllocator*> devices_;
  std::mt19937_64 random_{1};
};

/// What files of 2 MiB to 2 GiB that come and go leave of a device.
struct Aged {
  double step = 0;           // nanoseconds
  double largest_share = 0;  // of the free bytes, that the largest extent has
  double failures = 0;       // percent, of files that would fit as a sum
};

template <typename Allocator>
Aged Age() {
  std::mt19937_64 random(1);
  Allocator allocator(kAgedUnits * kAllocUnit);
  allocator.Free({0, kAgedUnits * kAllocUnit});
  std::vector<Range> files;
  std::uint64_t used = 0;
  double tried = 0;
  double failed = 0;
  const double start = Nanoseconds();
  for (int step = 0; step < kAgingSteps; ++step) {
    const std::uint64_t most = 1ULL << random() % 11;
    const std::uint64_t units = 1 + random() % most;
    while (used + units > kAgedUnits * 95 / 100) {
      std::swap(files[random() % files.size()], files.back());
      allocator.Free(files.back());
      used -= files.back().length / kAllocUnit;
      files.pop_back();
    }
    const Range range = Taken(allocator.Allocate(units * kAllocUnit));
    tried += 1;
    if (range.length == 0) {
      failed += 1;
      continue;
    }
    files.push_back(range);
    used += units;
  }
  Aged aged;
  aged.step = (Nanoseconds() - start) / kAgingSteps;
  aged.failures = 100 * failed / tried;
  std::uint64_t largest = 0;
  if constexpr (std::is_same_v<Allocator, AllTaken>) {
    largest = allocator.largest_free();
  } else {
    largest = allocator.Largest();
  }
  aged.largest_share = 100 * static_cast<double>(largest) /
                       static_cast<double>((kAgedUnits - used) * kAllocUnit);
  return aged;
}

void AddAged(std::vector<Row>& rows) {
  const Aged ours = Age<AllTaken>();
  const Aged first_fit = Age<BitmapAllocator>();
  rows.push_back(Single("aged.step_vs_bitmap_first_fit", "ns", {.high = 0.1},
                        ours.step, first_fit.step));
  rows.push_back(Single("aged.largest_free_vs_first_fit", "%", {},
                        ours.largest_share, first_fit.largest_share));
  rows.push_back(Single("aged.failures_below_95%_vs_first_fit", "%", {},
                        ours.failures, first_fit.failures));
}

/// Bytes that malloc has given out.
double Allocated() {
  const struct mallinfo2 info = ::mallinfo2();
  return static_cast<double>(info.uordblks + info.hblkhd);
}

/// Beside what FreeMap would be over the library's B-trees. Out of its band,
/// the library is about as fast: then it is to be used.
void AddBtreeRows(const Layout& few, const Layout& many,
                  std::vector<Row>& rows) {
  constexpr Band kWorthIt{.high = 0.9};
  for (const std::size_t gaps : {std::size_t{10}, std::size_t{10'000}, kMany}) {
    const Layout layout = MakeLayout(gaps);
    Sequence<FreeMap> ours(layout);
    Sequence<BtreeFreeMap> peer(layout);
    rows.push_back(Compare(
        fmt::format("free_map.at_{}_vs_two_btrees", gaps), "ns",
        gaps < 10'000 ? Band{} : kWorthIt, [&] { return ours.Run(); },
        [&] { return peer.Run(); }));
  }
  {
    Sequence<BtreeFreeMap> at_few(few);
    Sequence<BtreeFreeMap> at_many(many);
    rows.push_back(Compare(
        "two_btrees.at_1e6_vs_at_1e3", "ns", {}, [&] { return at_many.Run(); },
        [&] { return at_few.Run(); }));
  }
  const std::vector<Extent> extents = InUnits(many.gaps);
  const auto assign = [&](auto map) {
    const double start = Nanoseconds();
    map.Assign(extents);
    return (Nanoseconds() - start) / static_cast<double>(extents.size());
  };
  rows.push_back(Compare(
      "free_map.assign_an_extent_vs_two_btrees", "ns", kWorthIt,
      [&] { return assign(FreeMap()); },
      [&] { return assign(BtreeFreeMap()); }));
  const auto bytes = [&](auto map) {
    const double before = Allocated();
    map.Assign(extents);
    return (Allocated() - before) / static_cast<double>(extents.size());
  };
  rows.push_back(Single("free_map.bytes_an_extent_vs_two_btrees", "bytes", {},
                        bytes(FreeMap()), bytes(BtreeFreeMap())));
}

/// All that a log's player takes at once, beside what std::sort alone would
/// need to bring it in order.
Row SortRow(const Layout& layout) {
  const double count = static_cast<double>(layout.gaps.size());
  return Compare(
      "take_all.a_range_vs_std_sort_alone", "ns", {.high = 0.9},
      [&] {
        ExtentAllocator allocator(layout.size);
        const double start = Nanoseconds();
        Must(allocator.TakeAll(layout.gaps), "TakeAll");
        return (Nanoseconds() - start) / count;
      },
      [&] {
        std::vector<std::uint64_t> keys;
        keys.reserve(layout.gaps.size());
        for (const Range& gap : layout.gaps) {
          keys.push_back(gap.offset / kAllocUnit << 32 |
                         gap.length / kAllocUnit);
        }
        const double start = Nanoseconds();
        std::sort(keys.begin(), keys.end());
        return (Nanoseconds() - start) / count;
      });
}

/// What a log's player takes at once, beside as many single Takes.
Row TakeAllRow(const Layout& layout) {
  std::vector<Range> ranges = layout.gaps;
  const double count = static_cast<double>(ranges.size());
  return Compare(
      "take_all.a_range_vs_takes", "ns", {.high = 0.5},
      [&] {
        ExtentAllocator allocator(layout.size);
        const double start = Nanoseconds();
        Must(allocator.TakeAll(ranges), "TakeAll");
        return (Nanoseconds() - start) / count;
      },
      [&] {
        ExtentAllocator allocator(layout.size);
        const double start = Nanoseconds();
        for (const Range& range : ranges) Must(allocator.Take(range), "Take");
        return (Nanoseconds() - start) / count;
      });
}

}  // namespace

std::vector<Row> AllocBench() {
  PinThread();
  std::vector<Row> rows;
  const Layout few = MakeLayout(kFew);
  const Layout many = MakeLayout(kMany);
  {
    Churn<AllTaken> at_few(few);
    Churn<AllTaken> at_many(many);
    Churn<MapAllocator> map_at_few(few);
    Churn<MapAllocator> map_at_many(many);
    // Issue: at most 4 times; a map's ratio stands in the next row.
    rows.push_back(Compare(
        "alloc_free.at_1e6_vs_at_1e3", "ns", {.high = 4.0},
        [&] { return at_many.Run(kSteps); },
        [&] { return at_few.Run(kSteps); }));
    rows.push_back(Compare(
        "std_map.at_1e6_vs_at_1e3", "ns", {},
        [&] { return map_at_many.Run(kSteps); },
        [&] { return map_at_few.Run(kSteps); }));
    rows.push_back(Compare(
        "alloc_free.at_1e6_vs_std_map", "ns", {.high = 0.5},
        [&] { return at_many.Run(kSteps); },
        [&] { return map_at_many.Run(kSteps); }));
  }
  AddBtreeRows(few, many, rows);
  rows.push_back(TakeAllRow(many));
  rows.push_back(SortRow(many));
  for (const bool in_buckets : {false, true}) {
    Striper at_few(kFew, in_buckets);
    Striper at_many(kMany, in_buckets);
    rows.push_back(Compare(
        in_buckets ? "strips_in_buckets.at_1e6_vs_at_1e3"
                   : "strips_on_devices.at_1e6_vs_at_1e3",
        "ns", {.high = 4.0}, [&] { return at_many.Run(); },
        [&] { return at_few.Run(); }));
  }
  AddAged(rows);
  return rows;
}

}  // namespace famfs::bench
