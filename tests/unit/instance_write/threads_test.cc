// Several threads on one writer.
#include <atomic>
#include <chrono>
#include <future>
#include <thread>

#include "fixture.h"
#include "hook_device.h"

namespace famfs {
namespace {

class ThreadsTest : public WriteTest {};

TEST_F(ThreadsTest, CreationsAndDeletionsAtOnceKeepEverythingExact) {
  Start(Kind::kEmulated);
  constexpr int kThreads = 4;
  constexpr int kRounds = 20;
  std::atomic<int> failures = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kRounds; ++i) {
        const std::string name = fmt::format("v{}-{}", t, i);
        if (!CreateVolume(name, kAllocUnit * (1 + i % 3)).ok()) ++failures;
        if (i % 2 == 0 && !writer_->DeleteVolume(name).ok()) ++failures;
        if (i % 5 == 0 && !writer_->GetAvailableSpace().ok()) ++failures;
        if (writer_->Tree()->volumes().size() > kThreads * kRounds) ++failures;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
  ASSERT_OK(writer_->Compact());
  std::uint64_t used = 0;
  {
    const Reader::View tree = writer_->Tree();
    EXPECT_EQ(tree->volumes().size(), kThreads * kRounds / 2U);
    for (const auto& [name, id] : tree->volumes()) {
      used += tree->Find(id)->volume->capacity;
    }
  }
  EXPECT_EQ(writer_->Figures().free, kFreshFree - used);
  EXPECT_EQ(Fsck(), "");
  Reopen();
  EXPECT_EQ(writer_->Figures().free, kFreshFree - used);
}

TEST_F(ThreadsTest, OfTwoCreationsOfOnePathOneWins) {
  Start(Kind::kEmulated);
  std::atomic<int> made = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      const absl::Status status = CreateVolume("v1", kAllocUnit);
      if (status.ok()) ++made;
      EXPECT_TRUE(status.ok() || absl::IsAborted(status) ||
                  absl::IsAlreadyExists(status))
          << Say(status);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(made, 1);
  EXPECT_EQ(writer_->Figures().free, kFreshFree - kAllocUnit);
}

TEST_F(ThreadsTest, AnExtentInTheMakingKeepsNobodyWaiting) {
  MakeDevice(Kind::kEmulated);
  ASSERT_NO_FATAL_FAILURE(Mkfs());
  Hooks hooks;
  auto writer = Writer::Open(
      std::make_shared<HookDevice>(OpenAgain(), hooks),
      {.system_uuid = system_uuid_, .lock_directory = Path("locks")});
  ASSERT_OK(writer);
  std::promise<void> begun;
  std::promise<void> other_done;
  hooks.before_create_extent = [&](Range range) {
    if (range.length != kGiB) return;
    begun.set_value();
    EXPECT_EQ(other_done.get_future().wait_for(std::chrono::seconds(60)),
              std::future_status::ready)
        << "the small volume waited for the large one";
  };
  std::thread large([&] {
    EXPECT_OK((*writer)->CreateVolume("large", Attributes("l", kGiB), {}));
  });
  begun.get_future().wait();
  EXPECT_OK((*writer)->CreateVolume("small", Attributes("s", kAllocUnit), {}));
  EXPECT_OK((*writer)->DeleteVolume("small"));
  EXPECT_OK((*writer)->GetAvailableSpace());
  other_done.set_value();
  large.join();
  EXPECT_EQ((*writer)->Tree()->volumes().size(), 1U);
}

}  // namespace
}  // namespace famfs
