// Programs on two hosts use a tree volume while its owner and both servers are
// killed and started again: what was answered stands, and what was not is done
// once or not at all.
#include <gtest/gtest.h>
#include <sys/statvfs.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <thread>
#include <vector>

#include "tests/integration/support/wait.h"
#include "tests/trees/client.h"
#include "tests/trees/hosts.h"

namespace famfs::trees {
namespace {

using rig::Duration;

constexpr std::size_t kClients = 8;
constexpr std::uint64_t kLongestPeace = 500;  // ms, between kills
constexpr std::uint64_t kLongestPause = 300;  // ms, until it is started again

void LetPass(std::uint64_t ms) {
  const rig::Deadline end{Duration(ms)};
  rig::PollFd(-1, 0, end, Duration(ms));
}

class KillsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string why = MissingFor("passthrough");
    if (!why.empty()) GTEST_SKIP() << why;
    auto pool = Pool::Make({.size = 4 * kGiB, .capacity = 1 * kGiB});
    ASSERT_TRUE(pool.ok()) << pool.status();
    pool_ = *std::move(pool);
    controller_ = std::make_unique<Controller>(*pool_);
    Expect(controller_->Start());
    for (std::size_t i = 0; i < hosts_.size(); ++i) {
      hosts_[i] =
          std::make_unique<Host>(*pool_, i == 0 ? "a" : "b", "passthrough");
      Expect(hosts_[i]->Serve());
    }
    if (traffic_.failed()) return;
    for (std::size_t i = 0; i < kClients; ++i) {
      clients_.push_back(std::make_unique<Client>(
          *hosts_[i % 2], *hosts_[(i + 1) % 2], i, Told().seed + i, traffic_));
      Expect(clients_.back()->Begin());
    }
  }

  void Expect(const absl::Status& status) {
    if (!status.ok()) traffic_.Fail(std::string(Message(status)));
  }

  void KillAndStart() {
    const std::uint64_t victims = Between(random_, 0, 5);
    const bool owner = victims <= 1 || victims == 5;
    Host* const host = victims < 2 ? nullptr : hosts_[victims % 2].get();
    if (owner) controller_->Kill();
    if (host != nullptr) host->Kill();
    kills_ += (owner ? 1U : 0U) + (host != nullptr ? 1U : 0U);
    LetPass(Between(random_, 0, kLongestPause));
    if (host != nullptr) Expect(host->Serve());
    if (owner) Expect(controller_->Start());
  }

  /// Ends all threads; what hangs is a failure, and is set free.
  void StopClients(std::vector<std::thread>& threads) {
    traffic_.Stop();
    if (!rig::Eventually([&] { return traffic_.finished == kClients; },
                         Duration(60'000))) {
      traffic_.Fail("a call has not returned within a minute of peace");
      for (const auto& host : hosts_) host->Kill();
    }
    for (std::thread& thread : threads) thread.join();
  }

  void VerifyAll() {
    for (const auto& host : hosts_) {
      for (const auto& client : clients_) Expect(client->Verify(*host));
    }
  }

  struct statvfs Figures() {
    struct statvfs figures = {};
    if (::statvfs(hosts_[0]->Root().c_str(), &figures) != 0) {
      traffic_.Fail("statvfs");
    }
    return figures;
  }

  /// Bytes are used by what is there, and by nothing else once all is back.
  void CheckSpace() {
    std::uint64_t allocated = 0;
    for (const auto& client : clients_) {
      allocated += client->Allocated(*hosts_[0]);
    }
    if (!rig::Eventually([&] {
          const struct statvfs now = Figures();
          return (now.f_blocks - now.f_bfree) * now.f_frsize == allocated;
        })) {
      const struct statvfs now = Figures();
      traffic_.Fail(fmt::format("{} bytes are used, by files that have {}",
                                (now.f_blocks - now.f_bfree) * now.f_frsize,
                                allocated));
    }
  }

  /// With everything removed, nothing is used.
  void RemoveAll() {
    for (const auto& entry :
         std::filesystem::directory_iterator(hosts_[1]->Root())) {
      std::filesystem::remove_all(entry.path());
    }
    if (!rig::Eventually([&] {
          const struct statvfs now = Figures();
          return now.f_bfree == now.f_blocks && now.f_ffree == now.f_files;
        })) {
      const struct statvfs now = Figures();
      traffic_.Fail(fmt::format(
          "of an empty volume {} of {} blocks and {} of {} names are free",
          now.f_bfree, now.f_blocks, now.f_ffree, now.f_files));
    }
    const std::filesystem::directory_iterator files(pool_->In("device/files"));
    if (files != std::filesystem::directory_iterator()) {
      traffic_.Fail("the file of a node is left: " + files->path().string());
    }
  }

  void StopAll() {
    for (const auto& host : hosts_) Expect(host->Stop());
    Expect(controller_->Stop());
    Expect(pool_->Check());
  }

  void Tell() {
    for (const auto& client : clients_) std::cout << client->Diary();
    for (const auto& host : hosts_) {
      std::cout << "==== server of " << host->name() << "\n" << host->Log();
    }
    std::cout << "==== controller\n" << controller_->Log();
    FAIL() << "seed " << Told().seed << ", after " << kills_
           << " kills: " << traffic_.failure();
  }

  Traffic traffic_;
  Random random_{Told().seed};
  std::unique_ptr<Pool> pool_;
  std::unique_ptr<Controller> controller_;
  std::array<std::unique_ptr<Host>, 2> hosts_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::uint64_t kills_ = 0;
};

TEST_F(KillsTest, WhatWasAnsweredStands) {
  const std::uint64_t wanted = Told().nightly ? 1000 : 20;
  std::vector<std::thread> threads;
  if (!traffic_.failed()) {
    for (const auto& client : clients_) {
      threads.emplace_back([&client] { client->Run(); });
    }
  }
  while (kills_ < wanted && !traffic_.failed()) {
    LetPass(Between(random_, 0, kLongestPeace));
    KillAndStart();
  }
  if (!threads.empty()) StopClients(threads);
  if (!traffic_.failed()) VerifyAll();
  if (!traffic_.failed()) CheckSpace();
  // Once more, by programs that know nothing of it.
  if (!traffic_.failed()) StopAll();
  if (!traffic_.failed()) {
    Expect(controller_->Start());
    for (const auto& host : hosts_) Expect(host->Serve());
  }
  if (!traffic_.failed()) VerifyAll();
  if (!traffic_.failed()) RemoveAll();
  if (!traffic_.failed()) StopAll();
  if (traffic_.failed()) return Tell();
  std::cout << fmt::format(
      "kills: seed {}: {} kills; {} calls answered, {} lost ({} of them were "
      "done), {} looks from the other host; longest stall {}\n",
      Told().seed, kills_, traffic_.calls, traffic_.lost, traffic_.done,
      traffic_.looks, traffic_.LongestStall());
}

}  // namespace
}  // namespace famfs::trees
