// Who may write: one writer, the owner, and the one that came last.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "fixture.h"
#include "hook_device.h"
#include "instance/devices/metadata_store.h"

namespace famfs {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class TakeoverTest : public WriteTest {
 protected:
  /// As a writer on another host would, whose lock file ours does not see.
  std::unique_ptr<Writer> TakeOver() {
    auto writer = TryOpen(Path("locks-of-another-host"));
    EXPECT_OK(writer);
    return writer.ok() ? *std::move(writer) : nullptr;
  }
  std::uint64_t Epoch() {
    return (*Layout::Open(*device_, Access::kRead)->LoadState())->writer_epoch;
  }
};

TEST_F(TakeoverTest, ASecondWriterIsToldWhoTheFirstIs) {
  Start(Kind::kEmulated);
  const auto second = TryOpen();
  EXPECT_TRUE(absl::IsUnavailable(second.status())) << Say(second);
  EXPECT_THAT(Say(second), HasSubstr(fmt::format("pid {} (", ::getpid())));
  EXPECT_THAT(Say(second), HasSubstr("instance_write_"));
  Close();
  EXPECT_OK(TryOpen());
}

TEST_F(TakeoverTest, AForeignHostIsRefusedAndNothingChanges) {
  Start(Kind::kEmulated);
  Close();
  const std::uint64_t epoch = Epoch();
  const Uuid owner = std::exchange(system_uuid_, Uuid::Random());
  const auto writer = TryOpen();
  EXPECT_TRUE(absl::IsPermissionDenied(writer.status())) << Say(writer);
  EXPECT_THAT(Say(writer), HasSubstr(owner.ToString()));
  EXPECT_THAT(Say(writer), HasSubstr(system_uuid_.ToString()));
  EXPECT_EQ(Epoch(), epoch);
}

TEST_F(TakeoverTest, ABlankDeviceHasNothingToOpen) {
  MakeDevice(Kind::kEmulated);
  EXPECT_TRUE(absl::IsFailedPrecondition(TryOpen().status()));
}

TEST_F(TakeoverTest, EachOpeningTakesTheNextEpoch) {
  Start(Kind::kEmulated);
  EXPECT_EQ(Epoch(), 2U);
  Reopen();
  EXPECT_EQ(Epoch(), 3U);
}

TEST_F(TakeoverTest, AStaleWriterStopsForGood) {
  Start(Kind::kEmulated);
  ASSERT_OK(CreateVolume("v1", kAllocUnit));
  const auto successor = TakeOver();
  ASSERT_NE(successor, nullptr);
  const std::uint64_t epoch = Epoch();
  const absl::Status first = CreateVolume("v2", kAllocUnit);
  EXPECT_TRUE(absl::IsAborted(first)) << Say(first);
  EXPECT_THAT(Say(first), HasSubstr("another writer"));
  EXPECT_TRUE(absl::IsAborted(writer_->DeleteVolume("v1")));
  EXPECT_TRUE(absl::IsAborted(writer_->Mkdir("d", {})));
  EXPECT_TRUE(absl::IsAborted(writer_->Compact()));
  EXPECT_TRUE(absl::IsAborted(writer_->GetAvailableSpace().status()));
  EXPECT_EQ(Epoch(), epoch);
  EXPECT_EQ(successor->Figures().entries, 2U);
  ASSERT_OK(successor->CreateVolume("v3", Attributes("c", kAllocUnit), {}));
  ASSERT_OK(successor->DeleteVolume("v1"));
  ASSERT_OK(successor->Compact());
}

TEST_F(TakeoverTest, AnIdleWriterThatWasOvertakenLearnsOfItWhenItLooks) {
  Start(Kind::kImage);
  EXPECT_OK(writer_->CheckStanding());
  ASSERT_OK(CreateVolume("v1", kAllocUnit));
  EXPECT_OK(writer_->CheckStanding());
  ASSERT_NE(TakeOver(), nullptr);
  const absl::Status seen = writer_->CheckStanding();
  EXPECT_TRUE(absl::IsAborted(seen)) << Say(seen);
  EXPECT_THAT(Say(seen), HasSubstr("another writer"));
  EXPECT_EQ(Say(CreateVolume("v2", kAllocUnit)), Say(seen));
}

TEST_F(TakeoverTest, AStaleWriterDoesNotDeleteOrUndoTheEpoch) {
  Start(Kind::kEmulated);
  ASSERT_OK(CreateVolume("v1", kAllocUnit));
  const auto successor = TakeOver();
  const std::uint64_t epoch = Epoch();
  EXPECT_TRUE(absl::IsAborted(writer_->DeleteVolume("v1")));
  EXPECT_EQ(Epoch(), epoch);
  EXPECT_EQ(successor->Tree()->volumes().size(), 1U);
}

TEST_F(TakeoverTest, AStaleWritersPendingFileLeavesTheSuccessorsExtentAlone) {
  Start(Kind::kEmulated);
  auto pending = writer_->BeginFile("f", 1, {});
  ASSERT_OK(pending);
  const auto successor = TakeOver();
  // The successor found the place free, and uses it.
  ASSERT_OK(successor->CreateFile("g", 1, {}));
  EXPECT_TRUE(absl::IsAborted((*pending)->Commit()));
  pending->reset();
  EXPECT_EQ(device_->ListExtents()->size(), 3U);
  EXPECT_EQ(Fsck(), "");
}

/// On memory that is shared, where nothing but the reservations keeps one
/// writer's space from the next.
class LostFromSightTest : public TakeoverTest {
 protected:
  void SetUp() override {
    TakeoverTest::SetUp();
    Start(Kind::kImage);
  }
  static void Fill(PendingFile& file, std::byte value) {
    const auto memory = file.At(0);
    std::fill(memory.begin(), memory.end(), value);
  }
  /// What a writer's file holds: its first extent.
  std::vector<std::byte> Contents(const Writer& writer,
                                  const std::string& path) {
    const auto tree = writer.Tree();
    const MediaExtent extent = *tree->FindPath(path)->extents.begin();
    return Bytes(extent.offset, extent.length);
  }
  static bool IsAll(const std::vector<std::byte>& bytes, std::byte value) {
    return std::all_of(bytes.begin(), bytes.end(),
                       [value](std::byte b) { return b == value; });
  }
};

TEST_F(LostFromSightTest, AnOvertakersPendingFileKeepsItsSpace) {
  auto overtaker = TakeOver();
  ASSERT_NE(overtaker, nullptr);
  auto pending = overtaker->BeginFile("f", kAllocUnit, {});
  ASSERT_OK(pending);
  for (int round = 0; round < 2; ++round) {
    Reopen();  // as a controller does
    ASSERT_OK(TryOpen(Path("locks-of-a-third")));
  }
  Reopen();
  EXPECT_EQ(writer_->Figures().quarantined, kAllocUnit);
  ASSERT_OK(writer_->CreateFile("g", kAllocUnit, {}));
  Fill(**pending, std::byte{0x5a});  // it has not noticed yet
  EXPECT_TRUE(IsAll(Contents(*writer_, "g"), std::byte{0}));
  EXPECT_TRUE(absl::IsAborted((*pending)->Commit()));
  pending->reset();
  ASSERT_OK(writer_->Reclaim());
  EXPECT_EQ(writer_->Figures().quarantined, 0U);
  EXPECT_EQ(Fsck(), "");
}

TEST_F(LostFromSightTest, AnOvertakerLeavesTheSpaceOfWhomItOvertook) {
  auto pending = writer_->BeginFile("f", kAllocUnit, {});
  ASSERT_OK(pending);
  const auto overtaker = TakeOver();
  ASSERT_NE(overtaker, nullptr);
  ASSERT_OK(overtaker->CreateFile("g", kAllocUnit, {}));
  Fill(**pending, std::byte{0x5a});
  EXPECT_TRUE(IsAll(Contents(*overtaker, "g"), std::byte{0}));
  // Not committed: it learns only now that it was overtaken.
  pending->reset();
  ASSERT_OK(overtaker->Reclaim());
  EXPECT_EQ(overtaker->Figures().quarantined, 0U);
  EXPECT_EQ(Fsck(), "");
}

TEST_F(LostFromSightTest, SpaceOfAnOvertakerComesBackWhenItsProcessIsGone) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto overtaker = TryOpen(Path("locks-of-another-host"));
    if (!overtaker.ok()) ::_exit(1);
    auto pending = (*overtaker)->BeginFile("f", kAllocUnit, {});
    ::_exit(pending.ok() ? 0 : 1);  // as by SIGKILL
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  Reopen();
  EXPECT_EQ(writer_->Figures().quarantined, 0U);
  EXPECT_EQ(writer_->Figures().free, kFreshFree);
}

TEST_F(LostFromSightTest, WhatTheyGaveUpCountsBeforeItIsSaidToBeFull) {
  const std::uint64_t all = writer_->Figures().free;
  auto overtaker = TakeOver();
  ASSERT_NE(overtaker, nullptr);
  auto pending = overtaker->BeginFile("f", kAllocUnit, {});
  ASSERT_OK(pending);
  Reopen();
  ASSERT_EQ(writer_->Figures().quarantined, kAllocUnit);
  EXPECT_TRUE(absl::IsResourceExhausted(writer_->CreateFile("g", all, {})));
  pending->reset();
  EXPECT_OK(writer_->CreateFile("g", all, {}));
}

TEST_F(TakeoverTest, AFileThatIsGivenUpLeavesTheSuccessorsExtentAlone) {
  Start(Kind::kEmulated);
  auto pending = writer_->BeginFile("f", 1, {});
  ASSERT_OK(pending);
  const auto successor = TakeOver();
  ASSERT_OK(successor->CreateFile("g", 1, {}));
  pending->reset();  // it learns only now that it was overtaken
  EXPECT_EQ(device_->ListExtents()->size(), 3U);
  EXPECT_EQ(Fsck(), "");
}

TEST_F(TakeoverTest, AWriterOvertakenWhilePublishingDoesNotAcknowledge) {
  MakeDevice(Kind::kEmulated);
  ASSERT_NO_FATAL_FAILURE(Mkfs());
  Hooks hooks;
  auto writer = Writer::Open(
      std::make_shared<HookDevice>(OpenAgain(), hooks),
      {.system_uuid = system_uuid_, .lock_directory = Path("locks")});
  ASSERT_OK(writer);
  hooks.after_store16 = [&] {
    hooks.after_store16 = nullptr;
    auto layout = Layout::Open(*device_, Access::kReadWrite);
    StateRecord state = **layout->LoadState();
    ++state.sequence;
    ++state.writer_epoch;
    StoreState(layout->head(), state, layout->superblock().fs_uuid);
  };
  const absl::Status status = (*writer)->CreateFile("f", 1, {});
  EXPECT_TRUE(absl::IsAborted(status)) << Say(status);
  EXPECT_TRUE(absl::IsAborted((*writer)->Mkdir("d", {})));
  // The entry was published: its extent is the successor's to judge.
  EXPECT_EQ(device_->ListExtents()->size(), 3U);
}

TEST_F(TakeoverTest, AChangedLogStopsTheWriter) {
  Start(Kind::kEmulated);
  ASSERT_OK(CreateVolume("v1", kAllocUnit));
  auto layout = Layout::Open(*device_, Access::kReadWrite);
  ASSERT_OK(layout);
  const std::byte wrong{0x55};
  layout->log().Store(EntryAt(1) + 30, std::span(&wrong, 1));
  const absl::Status status = CreateVolume("v2", kAllocUnit);
  EXPECT_TRUE(absl::IsAborted(status)) << Say(status);
  EXPECT_THAT(Say(status), HasSubstr("entry 1"));
}

TEST_F(TakeoverTest, TheFirstWriterOfAnUpstreamInstanceSetsOurRegionUp) {
  MakeDevice(Kind::kImage);
  ASSERT_NO_FATAL_FAILURE(Mkfs());
  {
    // Upstream's mkfs leaves there what an earlier life of the device wrote.
    auto layout = Layout::Open(*device_, Access::kReadWrite);
    ASSERT_OK(layout);
    layout->head().StoreZeros(kRegionOffset, kRegionSize);
    const Uuid other = Uuid::Random();
    StoreState(layout->head(),
               {.sequence = 8, .writer_epoch = 5, .writer_host = other}, other);
    StoreCompaction(layout->head(), {.sequence = 3, .length = 99}, other);
  }
  Open();
  EXPECT_EQ(Epoch(), 1U);
  const auto layout = Layout::Open(*device_, Access::kRead);
  EXPECT_FALSE(layout->LoadCompaction()->has_value());
  const auto region = Bytes(0, kSuperblockRegion);
  EXPECT_EQ(region[kRegionOffset + kCompactionAt + kLineSize], std::byte{0});
  EXPECT_EQ(Fsck(), "");
}

}  // namespace
}  // namespace famfs
