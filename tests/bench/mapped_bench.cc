#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>
#include <numeric>
#include <random>

#include "tests/bench/benches.h"
#include "tests/bench/mapped_file.h"
#include "tests/bench/stack.h"

namespace famfs::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kSize = 1UL << 30;
constexpr std::size_t kHugePage = 2UL << 20;
constexpr std::size_t kLine = 64;
constexpr auto kSlice = std::chrono::milliseconds(500);

double Nanoseconds(Clock::duration time) {
  return std::chrono::duration<double, std::nano>(time).count();
}

// A random cycle through every 64-byte line of the first 256 MiB's worth of
// lines, spread over the whole file: each load's address is the last one's
// value, so the loads cannot overlap.
void WriteChase(std::byte* base) {
  constexpr std::size_t kLinks = 4UL << 20;
  std::vector<std::uint32_t> order(kLinks);
  std::iota(order.begin(), order.end(), 0U);
  std::mt19937 random(1);
  std::shuffle(order.begin() + 1, order.end(), random);
  constexpr std::size_t kStride = kSize / kLinks / kLine * kLine;
  for (std::size_t i = 0; i < kLinks; ++i) {
    const std::uint64_t next = order[(i + 1) % kLinks] * kStride;
    std::memcpy(base + order[i] * kStride, &next, sizeof(next));
  }
}

double ChaseNs(const MappedFile& file) {
  std::uint64_t at = 0;
  std::uint64_t loads = 0;
  const auto start = Clock::now();
  Clock::duration took{};
  while (took < kSlice) {
    for (int i = 0; i < 100'000; ++i) {
      std::memcpy(&at, file.data() + at, sizeof(at));
    }
    loads += 100'000;
    took = Clock::now() - start;
  }
  if (at == 1) std::puts("");  // keeps the loads
  return Nanoseconds(took) / static_cast<double>(loads);
}

double CopyGiBs(const MappedFile& file) {
  alignas(64) static std::byte buffer[4096];
  std::mt19937_64 random(7);
  std::uint64_t copied = 0;
  const auto start = Clock::now();
  Clock::duration took{};
  while (took < kSlice) {
    for (int i = 0; i < 1000; ++i) {
      const std::size_t page = random() % (kSize / 4096);
      std::memcpy(buffer, file.data() + page * 4096, 4096);
      asm volatile("" : : "r"(buffer) : "memory");
    }
    copied += 1000 * 4096;
    took = Clock::now() - start;
  }
  return static_cast<double>(copied) / (1UL << 30) /
         std::chrono::duration<double>(took).count();
}

struct Touch {
  double p50_us = 0;
  double p99_us = 0;
};

// A mapping of its own each time: nothing of the page table is there.
Touch FirstTouch(const std::string& path) {
  const MappedFile file(path, kSize, false);
  std::vector<double> times;
  for (std::size_t at = 0; at < kSize; at += kHugePage) {
    const auto start = Clock::now();
    const volatile auto* byte =
        reinterpret_cast<const volatile unsigned char*>(file.data() + at);
    (void)*byte;
    times.push_back(Nanoseconds(Clock::now() - start) / 1000);
  }
  return {Percentile(times, 0.5), Percentile(times, 0.99)};
}

double TouchAllMs(const std::string& path) {
  const MappedFile file(path, kSize, false);
  const auto start = Clock::now();
  for (std::size_t at = 0; at < kSize; at += 4096) {
    const volatile auto* byte =
        reinterpret_cast<const volatile unsigned char*>(file.data() + at);
    (void)*byte;
  }
  return Nanoseconds(Clock::now() - start) / 1e6;
}

void MakeRawFile(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL, 0644);
  if (fd < 0 || ::posix_fallocate(fd, 0, kSize) != 0) {
    std::perror(path.c_str());
    std::exit(2);
  }
  ::close(fd);
}

}  // namespace

std::vector<Row> MappedBench() {
  Stack stack(/*sparse=*/false);
  const std::string ours_path = stack.PublishedFile("mapped", kSize);
  const std::string raw_path = stack.memory() + "/raw";
  MakeRawFile(raw_path);
  PinThread();
  std::vector<Row> rows;
  {
    const MappedFile ours(ours_path, kSize, true);
    const MappedFile raw(raw_path, kSize, true);
    WriteChase(ours.data());
    WriteChase(raw.data());
    // Loads per second, so that more is better and 1.0 is the limit.
    rows.push_back(Compare(
        "mmap.random_64B_dependent", "Mloads/s", {.low = 0.98},
        [&] { return 1000 / ChaseNs(ours); },
        [&] { return 1000 / ChaseNs(raw); }));
    rows.push_back(Compare(
        "mmap.random_4KiB_copy", "GiB/s", {.low = 0.98},
        [&] { return CopyGiBs(ours); }, [&] { return CopyGiBs(raw); }));
    rows.push_back(Single("mmap.mapped_by_2MiB_pages", "MiB", {.low = 1.0},
                          static_cast<double>(ours.HugeMapped() >> 20),
                          static_cast<double>(raw.HugeMapped() >> 20)));
  }
  rows.push_back(Compare(
      "mmap.first_touch_2MiB_p50", "us", {.high = 1.2},
      [&] { return FirstTouch(ours_path).p50_us; },
      [&] { return FirstTouch(raw_path).p50_us; }));
  rows.push_back(Compare(
      "mmap.first_touch_2MiB_p99", "us", {},
      [&] { return FirstTouch(ours_path).p99_us; },
      [&] { return FirstTouch(raw_path).p99_us; }));
  rows.push_back(Compare(
      "mmap.touch_each_4KiB_of_1GiB", "ms", {.high = 1.2},
      [&] { return TouchAllMs(ours_path); },
      [&] { return TouchAllMs(raw_path); }));
  return rows;
}

}  // namespace famfs::bench
