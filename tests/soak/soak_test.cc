// A soak: volumes live random lives on two nodes, in pools of both kinds, while
// controller, node plugins, spawner and servers are killed and started again.
// At the end nothing may be left of them, and every byte must have been right.
//
//   soak_test [--seconds=N] [--seed=N]
//
// A seed repeats what each thread chooses, not how the threads meet.
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <iostream>
#include <memory>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/integration/support/wait.h"
#include "tests/soak/cluster.h"
#include "tests/soak/end.h"
#include "tests/soak/killer.h"
#include "tests/soak/life.h"
#include "tests/soak/progress.h"

namespace famfs::soak {
namespace {

const auto* const kIsolation =
    ::testing::AddGlobalTestEnvironment(new rig::Isolation);

constexpr std::size_t kThreads = 6;
// Calm lives: to warm up what is then looked at, and to be seen in it.
constexpr milliseconds kWarmUp{2'000};
constexpr milliseconds kCalm{8'000};

std::uint64_t seconds = 20;
std::uint64_t seed = 0;  // 0: of the clock

class Soak : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::access("/dev/fuse", R_OK | W_OK) != 0) {
      GTEST_SKIP() << "this machine has no /dev/fuse that this user may open";
    }
    for (std::size_t i = 0; i < kThreads; ++i) {
      randoms_.emplace_back(seed * kThreads + i);
    }
  }

  /// Lives in all threads, until the time is over or something has failed.
  void Live(milliseconds time, bool kills) {
    const rig::Deadline end(time);
    const Killer killer(cluster_, progress_, seed + progress_.lives, kills);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < kThreads; ++i) {
      threads.emplace_back([this, i, &end] { LiveIn(i, end); });
    }
    for (std::thread& thread : threads) thread.join();
  }

  void LiveIn(std::size_t thread, const rig::Deadline& end) {
    Clients clients(cluster_);
    while (!end.Passed() && !progress_.failed()) {
      const std::uint64_t number = ++begun_;
      Life life(cluster_, clients, progress_, diaries_[thread],
                randoms_[thread], number,
                fmt::format("pvc-{}-{}", thread, number % 3));
      const absl::Status status = life.Run();
      if (status.ok()) {
        ++progress_.lives;
      } else if (!absl::IsCancelled(status)) {
        progress_.Fail(fmt::format("thread {}: life {:#x}: {}", thread, number,
                                   status.ToString()));
      }
    }
  }

  void Expect(const absl::Status& status) {
    if (!status.ok()) progress_.Fail(status.ToString());
  }

  /// What a reader of a failure needs.
  void Tell() {
    std::cout << cluster_.Logs();
    for (std::size_t i = 0; i < kThreads; ++i) {
      std::cout << "==== thread " << i << ", its last steps\n"
                << diaries_[i].Text();
    }
    FAIL() << "seed " << seed << ": " << progress_.failure();
  }

  Progress progress_{seed};
  Cluster cluster_;
  std::atomic<std::uint64_t> begun_ = 0;
  std::vector<Random> randoms_;
  std::array<Diary, kThreads> diaries_;
};

TEST_F(Soak, NothingIsLeftOfRandomLives) {
  const auto start = std::chrono::steady_clock::now();
  Expect(cluster_.Start());
  if (progress_.failed()) return Tell();
  const auto capacities = Capacities(cluster_);
  ASSERT_TRUE(capacities.ok()) << Message(capacities.status());
  const std::vector<std::string> files = cluster_.DeviceFiles();

  const milliseconds calm = kWarmUp + kCalm;
  const milliseconds all = std::chrono::seconds(seconds);
  Live(all > 2 * calm ? all - calm : all / 2, true);
  const std::uint64_t lives = progress_.lives;
  if (!progress_.failed()) Expect(AwaitGivenBack(cluster_, *capacities));
  if (!progress_.failed()) Expect(CheckNodes(cluster_));
  if (!progress_.failed()) Live(kWarmUp, false);
  if (!progress_.failed()) Expect(AwaitGivenBack(cluster_, *capacities));
  const auto holdings = AllHoldings(cluster_);
  if (!progress_.failed()) Live(kCalm, false);
  if (!progress_.failed()) Expect(AwaitGivenBack(cluster_, *capacities));
  if (!progress_.failed()) Expect(CheckNodes(cluster_));
  if (!progress_.failed()) Expect(AwaitHoldings(cluster_, holdings));
  if (!progress_.failed()) Expect(EndAll(cluster_));
  if (!progress_.failed()) Expect(CheckDevices(cluster_));
  if (progress_.failed()) return Tell();
  EXPECT_EQ(cluster_.DeviceFiles(), files);

  const std::chrono::duration<double> took =
      std::chrono::steady_clock::now() - start;
  std::cout << fmt::format(
      "soak: seed {}, {:.0f} s: {} lives ({:.1f} a second), {} of them while "
      "{} kills ({:.1f} a second); {} calls answered, {} made again, {} files "
      "opened again, {:.1f} GiB compared\n",
      seed, took.count(), progress_.lives,
      static_cast<double>(progress_.lives) / took.count(), lives,
      progress_.kills, static_cast<double>(progress_.kills) / took.count(),
      progress_.calls, progress_.retries, progress_.reopened,
      static_cast<double>(progress_.bytes) / static_cast<double>(1ULL << 30));
}

bool Parse(std::string_view argument, std::string_view name,
           std::uint64_t& value) {
  if (!argument.starts_with(name)) return false;
  argument.remove_prefix(name.size());
  const auto [end, error] = std::from_chars(
      argument.data(), argument.data() + argument.size(), value);
  return error == std::errc() && end == argument.data() + argument.size();
}

}  // namespace
}  // namespace famfs::soak

int main(int argc, char** argv) {
  using famfs::soak::Parse;
  using famfs::soak::seed;
  ::testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    if (!Parse(argv[i], "--seconds=", famfs::soak::seconds) &&
        !Parse(argv[i], "--seed=", seed)) {
      std::cerr << "usage: soak_test [--seconds=N] [--seed=N]\n";
      return 2;
    }
  }
  if (seed == 0) seed = std::random_device()() | 1U;
  return RUN_ALL_TESTS();
}
