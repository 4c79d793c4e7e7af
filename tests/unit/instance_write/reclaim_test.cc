// Deleted space on a device that hosts share: who is waited for, what is
// scrubbed, when it may be used again.
#include <cstring>
#include <filesystem>

#include "fixture.h"
#include "hook_device.h"
#include "instance/deletion/host_session.h"
#include "instance/devices/metadata_store.h"
#include "instance/tree/new_entry.h"

namespace famfs {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::uint64_t kBoot = 77;

class ReclaimTest : public WriteTest {
 protected:
  void SetUp() override {
    WriteTest::SetUp();
    Start(Kind::kImage);
  }
  /// A server session, with no earlier connection gone.
  std::unique_ptr<HostSession> Join(const Uuid& host, std::uint32_t session = 1,
                                    std::uint64_t boot = kBoot,
                                    std::uint32_t connection = 40) {
    auto joined =
        HostSession::Register(*OpenAgain(), {.host = host,
                                             .boot = boot,
                                             .session = session,
                                             .connection = connection});
    EXPECT_OK(joined);
    return joined.ok() ? *std::move(joined) : nullptr;
  }
  /// Their processes have no marks, as where there are no such locks.
  void TakeMarks() {
    auto layout = Layout::Open(*device_, Access::kReadWrite);
    const Uuid fs_uuid = layout->superblock().fs_uuid;
    for (HostRow row : LoadHosts(layout->head(), fs_uuid)) {
      ASSERT_TRUE(row.record.marked);
      row.record.marked = false;
      ++row.record.sequence;
      StoreHost(layout->head(), row.row, row.record, fs_uuid);
    }
  }
  Range ExtentOf(const std::string& directory) {
    const Reader::View tree = writer_->Tree();
    const MediaExtent& extent = tree->FindPath(directory + "/data")->extents[0];
    return {extent.offset, extent.length};
  }
  void Fill(Range range) {
    const auto mapping =
        *device_->Map(range.offset, range.length, Access::kReadWrite);
    std::memset(mapping->mutable_data(), 0xa5, range.length);
  }
  bool IsZeros(Range range) {
    return IsZero(Bytes(range.offset, range.length));
  }
  std::vector<HostStanding> Standings() {
    std::vector<HostStanding> standings;
    for (const HostStatus& host : writer_->Hosts()) {
      standings.push_back(host.standing);
    }
    return standings;
  }
  const Uuid a_ = Uuid::Random();
  const Uuid b_ = Uuid::Random();
};

TEST_F(ReclaimTest, WithoutHostsDeletedSpaceIsScrubbedAndComesBack) {
  ASSERT_OK(CreateVolume("v1", 6 * kMiB));
  const Range extent = ExtentOf("v1");
  Fill(extent);
  ASSERT_OK(writer_->DeleteVolume("v1"));
  EXPECT_EQ(writer_->Figures().pending, 6 * kMiB);
  ASSERT_OK(writer_->Compact());
  EXPECT_EQ(writer_->Figures().pending, 6 * kMiB) << "not scrubbed yet";
  ASSERT_OK(writer_->Reclaim());
  EXPECT_TRUE(IsZeros(extent));
  EXPECT_EQ(writer_->Figures().pending, 0U);
  EXPECT_EQ(writer_->Figures().free, kFreshFree);
  EXPECT_EQ(Fsck(), "");
  ASSERT_OK(CreateVolume("v2", 6 * kMiB));
  EXPECT_EQ(ExtentOf("v2"), extent);
  EXPECT_TRUE(IsZeros(extent));
}

TEST_F(ReclaimTest, WaitsForEachHost) {
  const auto a = Join(a_);
  const auto b = Join(b_);
  ASSERT_OK(CreateVolume("v1", 2 * kMiB));
  ASSERT_OK(CreateVolume("v2", 4 * kMiB));
  ASSERT_OK(writer_->DeleteVolume("v1"));
  ASSERT_OK(writer_->DeleteVolume("v2"));
  ASSERT_OK(a->Acknowledge(2));
  ASSERT_OK(writer_->Reclaim());
  PoolFigures figures = writer_->Figures();
  EXPECT_EQ(figures.pending, 6 * kMiB);
  EXPECT_EQ(figures.quarantined, 6 * kMiB);
  EXPECT_EQ(figures.waiting_hosts, 1U);
  EXPECT_EQ(writer_->GetAvailableSpace()->free, kFreshFree - 6 * kMiB);
  EXPECT_THAT(Standings(),
              ::testing::UnorderedElementsAre(HostStanding::kAcknowledged,
                                              HostStanding::kBehind));
  const auto reader = Reader::Open(OpenAgain(Access::kRead));
  EXPECT_EQ((*reader)->Space().figures.quarantined, 6 * kMiB);
  EXPECT_EQ((*reader)->Space().figures.waiting_hosts, 1U);
  ASSERT_OK(b->Acknowledge(1));
  ASSERT_OK(writer_->Reclaim());
  figures = writer_->Figures();
  EXPECT_EQ(figures.pending, 4 * kMiB);
  EXPECT_EQ(figures.quarantined, 4 * kMiB);
  ASSERT_OK(b->Acknowledge(2));
  ASSERT_OK(b->Acknowledge(1));  // never goes back
  EXPECT_EQ(b->acknowledged(), 2U);
  ASSERT_OK(writer_->Reclaim());
  EXPECT_EQ(writer_->Figures().pending, 0U);
  EXPECT_EQ(Fsck(), "");
}

TEST_F(ReclaimTest, AClosedSessionIsNotWaitedFor) {
  const auto a = Join(a_);
  ASSERT_OK(CreateVolume("v1", kAllocUnit));
  ASSERT_OK(writer_->DeleteVolume("v1"));
  ASSERT_OK(writer_->Reclaim());
  EXPECT_EQ(writer_->Figures().quarantined, kAllocUnit);
  a->Close();
  EXPECT_THAT(writer_->Hosts(), IsEmpty());
  ASSERT_OK(writer_->Reclaim());
  EXPECT_EQ(writer_->Figures().pending, 0U);
}

TEST_F(ReclaimTest, EvictingASilentHostEndsTheQuarantine) {
  const auto a = Join(a_);
  ASSERT_OK(CreateVolume("v1", kAllocUnit));
  ASSERT_OK(writer_->DeleteVolume("v1"));
  EXPECT_TRUE(absl::IsNotFound(writer_->EvictHost(b_)));
  ASSERT_OK(writer_->EvictHost(a_));
  EXPECT_THAT(Standings(), ElementsAre(HostStanding::kEvicted));
  ASSERT_OK(writer_->Reclaim());
  EXPECT_EQ(writer_->Figures().pending, 0U);
  // It finds out, refuses, and cannot come back by itself.
  EXPECT_TRUE(a->usable());
  const absl::Status told = a->Check();
  EXPECT_TRUE(absl::IsPermissionDenied(told)) << Say(told);
  EXPECT_THAT(Say(told), HasSubstr("mount it again"));
  EXPECT_FALSE(a->usable());
  EXPECT_TRUE(absl::IsPermissionDenied(a->Acknowledge(9)));
  EXPECT_THAT(Standings(), ElementsAre(HostStanding::kEvicted));
  a->Close();
  EXPECT_THAT(Standings(), IsEmpty());
  EXPECT_TRUE(Join(a_, 2)->usable());
}

TEST_F(ReclaimTest, AHostThatReturnsWithAnotherBootClosesItsOldRows) {
  const auto old = Join(a_);
  ASSERT_OK(CreateVolume("v1", kAllocUnit));
  ASSERT_OK(writer_->DeleteVolume("v1"));
  // On the same boot the old one may still serve mappings.
  const auto same_boot = Join(a_, 2, kBoot, 41);
  EXPECT_EQ(writer_->Hosts().size(), 2U);
  const auto returned = Join(a_, 3, kBoot + 1);
  EXPECT_EQ(writer_->Hosts().size(), 1U);
  ASSERT_OK(returned->Acknowledge(1));
  ASSERT_OK(writer_->Reclaim());
  EXPECT_EQ(writer_->Figures().pending, 0U);
}

TEST_F(ReclaimTest, APredecessorWhoseConnectionIsGoneIsClosed) {
  const auto first = Join(a_, 1, kBoot, 40);
  const auto second = Join(a_, 2, kBoot, 41);
  TakeMarks();
  const auto third = HostSession::Register(
      *OpenAgain(), {.host = a_, .boot = kBoot, .session = 3, .connection = 42},
      [](const std::vector<HostRecord>& sessions) {
        EXPECT_EQ(sessions.size(), 2U);
        return std::vector<std::uint32_t>{1};
      });
  ASSERT_OK(third);
  EXPECT_EQ(writer_->Hosts().size(), 2U) << "the second and the third";
  EXPECT_TRUE(absl::IsPermissionDenied(first->Check()));
  EXPECT_OK(second->Check());
}

TEST_F(ReclaimTest, APredecessorThatEndedWithoutLeavingIsClosed) {
  auto first = Join(a_, 1, kBoot, 40);
  const auto second = Join(a_, 2, kBoot, 41);
  const auto of_another_host = Join(b_, 3, kBoot, 40);
  first.reset();
  EXPECT_EQ(writer_->Hosts().size(), 3U) << "nobody looked";
  second->ClosePredecessors();
  EXPECT_EQ(writer_->Hosts().size(), 2U);
  EXPECT_OK(second->Check());
  EXPECT_OK(of_another_host->Check());
}

// Such as a `famfs cp` that was killed beside a server.
TEST_F(ReclaimTest, ALaterOneThatEndedWithoutLeavingIsClosed) {
  const auto server = Join(a_, 1, kBoot, 40);
  server->ClosePredecessors();
  auto command = Join(a_, 2, kBoot, 0);
  server->ClosePredecessors();
  EXPECT_EQ(writer_->Hosts().size(), 2U) << "it lives";
  command.reset();
  server->ClosePredecessors();
  EXPECT_EQ(writer_->Hosts().size(), 1U);
  EXPECT_OK(server->Check());
}

// Of what reaches the memory without its process.
TEST_F(ReclaimTest, WithoutAMarkItsConnectionDecides) {
  auto first = Join(a_, 1, kBoot, 40);
  TakeMarks();
  first.reset();
  const auto second = Join(a_, 2, kBoot, 41);
  second->ClosePredecessors();
  EXPECT_EQ(writer_->Hosts().size(), 2U);
  const auto third = Join(a_, 3, kBoot, 40);
  EXPECT_EQ(writer_->Hosts().size(), 2U) << "its number is another's";
}

// It may be storing still.
TEST_F(ReclaimTest, APredecessorThatLivesWithoutItsConnectionIsNotClosed) {
  const auto first = Join(a_, 1, kBoot, 40);
  const auto second = HostSession::Register(
      *OpenAgain(), {.host = a_, .boot = kBoot, .session = 2, .connection = 40},
      [](const std::vector<HostRecord>& sessions) {
        EXPECT_THAT(sessions, IsEmpty()) << "nothing depends on it";
        return std::vector<std::uint32_t>{};
      });
  ASSERT_OK(second);
  EXPECT_EQ(writer_->Hosts().size(), 2U);
  EXPECT_OK(first->Check());
}

TEST_F(ReclaimTest, APredecessorIsClosedAsSoonAsItsConnectionGoes) {
  const auto first = Join(a_, 1, kBoot, 40);
  TakeMarks();
  bool gone = false;
  const auto second = HostSession::Register(
      *OpenAgain(), {.host = a_, .boot = kBoot, .session = 2, .connection = 41},
      [&gone](const std::vector<HostRecord>&) {
        return gone ? std::vector<std::uint32_t>{1}
                    : std::vector<std::uint32_t>{};
      });
  ASSERT_OK(second);
  (*second)->ClosePredecessors();
  EXPECT_EQ(writer_->Hosts().size(), 2U);
  gone = true;
  (*second)->ClosePredecessors();
  EXPECT_EQ(writer_->Hosts().size(), 1U);
  EXPECT_OK((*second)->Check());
}

TEST_F(ReclaimTest, TheWritersOwnHostIsNotWaitedForAfterItsReboot) {
  const auto joined = Join(system_uuid_, 1, kBoot);
  ASSERT_OK(CreateVolume("v1", kAllocUnit));
  ASSERT_OK(writer_->DeleteVolume("v1"));
  EXPECT_THAT(Standings(), ElementsAre(HostStanding::kStaleBoot));
  ASSERT_OK(writer_->Reclaim());
  EXPECT_EQ(writer_->Figures().pending, 0U);
}

TEST_F(ReclaimTest, ALostRowIsTakenAgainAndADamagedOneHoldsEverything) {
  const auto a = Join(a_);
  auto layout = Layout::Open(*device_, Access::kReadWrite);
  const Uuid fs_uuid = layout->superblock().fs_uuid;
  HostRow row = LoadHosts(layout->head(), fs_uuid).at(0);
  // Another host wrote there at the same moment.
  ++row.record.sequence;
  row.record.host = b_;
  StoreHost(layout->head(), row.row, row.record, fs_uuid);
  EXPECT_OK(a->Check());
  EXPECT_EQ(writer_->Hosts().size(), 2U);
  ASSERT_OK(a->Acknowledge(5));
  ASSERT_OK(CreateVolume("v1", kAllocUnit));
  ASSERT_OK(writer_->DeleteVolume("v1"));
  const std::byte wrong{0x55};
  for (const std::size_t copy : {0, 1}) {
    const std::size_t at =
        kRegionOffset + HostAt(row.row) + copy * kLineSize + 30;
    layout->head().Store(at, std::span(&wrong, 1));
  }
  EXPECT_THAT(Standings(),
              ::testing::UnorderedElementsAre(HostStanding::kAcknowledged,
                                              HostStanding::kDamaged));
  ASSERT_OK(writer_->Reclaim());
  EXPECT_EQ(writer_->Figures().quarantined, kAllocUnit);
  ASSERT_OK(writer_->EvictHost({}));
  ASSERT_OK(writer_->Reclaim());
  EXPECT_EQ(writer_->Figures().pending, 0U);
}

TEST_F(ReclaimTest, AllRowsInUseIsAnErrorThatSaysSo) {
  std::vector<std::unique_ptr<HostSession>> sessions;
  for (std::uint32_t i = 0; i < kHostRows; ++i) {
    sessions.push_back(Join(a_, i + 1, kBoot, 100 + i));
  }
  EXPECT_EQ(writer_->Hosts().size(), kHostRows);
  const auto refused = HostSession::Register(
      *OpenAgain(), {.host = b_, .boot = 1, .session = 5, .connection = 1});
  EXPECT_TRUE(absl::IsResourceExhausted(refused.status())) << Say(refused);
  sessions[17]->Close();
  EXPECT_TRUE(Join(b_)->usable());
}

TEST_F(ReclaimTest, RowsOfEvictedHostsAreTakenWhenNoOtherIsLeft) {
  std::vector<std::unique_ptr<HostSession>> sessions;
  for (std::uint32_t i = 0; i < kHostRows; ++i) {
    const Uuid host = Uuid::Random();
    sessions.push_back(Join(host, i + 1, kBoot, 100 + i));
    ASSERT_OK(sessions.back()->Check());
    if (i > 0) {
      ASSERT_OK(writer_->EvictHost(host));
    }
  }
  // Dead for good, each of them, and so are the next ones.
  for (std::uint32_t i = 0; i < 4; ++i) {
    const Uuid host = Uuid::Random();
    const auto joined = Join(host, 1000 + i);
    ASSERT_NE(joined, nullptr) << i;
    EXPECT_TRUE(joined->usable());
    ASSERT_OK(joined->Check());
    ASSERT_OK(writer_->EvictHost(host));
  }
  // A live row is nobody else's.
  EXPECT_OK(sessions[0]->Check());
}

TEST_F(ReclaimTest, AnEvictedSessionWhoseRowIsAnothersByNowStaysEvicted) {
  const auto a = Join(a_);
  ASSERT_OK(a->Check());
  ASSERT_OK(writer_->EvictHost(a_));
  auto layout = Layout::Open(*device_, Access::kReadWrite);
  const Uuid fs_uuid = layout->superblock().fs_uuid;
  HostRow row = LoadHosts(layout->head(), fs_uuid).at(0);
  // The next one's, who needed it before this one looked.
  ++row.record.sequence;
  row.record.host = b_;
  row.record.state = HostState::kLive;
  StoreHost(layout->head(), row.row, row.record, fs_uuid);
  for (int look = 0; look < 2; ++look) {
    EXPECT_TRUE(absl::IsPermissionDenied(a->Check()));
    EXPECT_FALSE(a->usable());
  }
  EXPECT_TRUE(absl::IsPermissionDenied(a->Acknowledge(9)));
  a->Close();
  ASSERT_EQ(writer_->Hosts().size(), 1U)
      << "it has no row, and b keeps its own";
  EXPECT_EQ(writer_->Hosts()[0].host, b_);
}

TEST_F(ReclaimTest, AScrubThatACrashInterruptsStartsAgain) {
  ASSERT_OK(CreateVolume("v1", 2 * kAllocUnit));
  const Range extent = ExtentOf("v1");
  Fill(extent);
  ASSERT_OK(writer_->DeleteVolume("v1"));
  writer_->CancelReclaim();
  EXPECT_TRUE(absl::IsAborted(writer_->Reclaim()));
  EXPECT_FALSE(IsZeros(extent));
  Reopen();
  EXPECT_EQ(writer_->Figures().pending, 2 * kAllocUnit);
  ASSERT_OK(writer_->Reclaim());
  EXPECT_TRUE(IsZeros(extent));
  EXPECT_EQ(writer_->Figures().free, kFreshFree);
}

TEST_F(ReclaimTest, SpaceAndSlotsThatAreShortAreReclaimed) {
  ASSERT_OK(CreateVolume("v1", kFreshFree));
  ASSERT_OK(writer_->DeleteVolume("v1"));
  EXPECT_EQ(writer_->GetAvailableSpace()->free, 0U)
      << "not scrubbed: not counted";
  ASSERT_OK(CreateVolume("v2", kFreshFree));
  EXPECT_EQ(Fsck(), "");
}

TEST_F(ReclaimTest, AFullPoolWithoutAReserveCompactsIntoScrubbedSpace) {
  Close();
  const Range all{kLogOffset + kMinLogLength,
                  kDeviceSize - kLogOffset - kMinLogLength};
  AppendRaw({VolumeEntry("v1", Attributes("pvc", all.length)),
             NewFileEntry("v1/data", all.length, 0,
                          std::array{MediaExtent{0, all.offset, all.length}},
                          {.mode = 0644}),
             NewMkdirEntry("d", {})});
  Fill({all.offset, kAllocUnit});
  Open();
  EXPECT_EQ(writer_->Figures().free, 0U);
  ASSERT_OK(writer_->DeleteVolume("v1"));
  ASSERT_OK(writer_->Compact());
  EXPECT_EQ(writer_->Figures().pending, all.length) << "nothing is scrubbed";
  ASSERT_OK(writer_->Reclaim());
  EXPECT_EQ(writer_->Figures().free, kFreshFree);
  // Where the image stood the space is not taken for zero.
  ASSERT_OK(CreateVolume("v2", kFreshFree));
  EXPECT_TRUE(IsZeros({all.offset, 4 * kAllocUnit}));
  EXPECT_EQ(Fsck(), "");
}

TEST_F(ReclaimTest, ThousandsOfCreatesAndDeletesReuseTheSpace) {
  for (int i = 0; i < 9000; ++i) {
    const std::string name = fmt::format("v{}", i);
    ASSERT_OK(CreateVolume(name, kGiB));
    ASSERT_OK(writer_->DeleteVolume(name));
  }
  ASSERT_OK(writer_->Reclaim());
  EXPECT_EQ(writer_->Figures().free, kFreshFree);
  EXPECT_EQ(Fsck(), "");
}

TEST_F(ReclaimTest, AnEmulatedDeviceNeedsNoHosts) {
  Close();
  device_.reset();
  std::filesystem::remove(Path("pool.img"));
  Start(Kind::kEmulated);
  ASSERT_OK(CreateVolume("v1", kAllocUnit));
  ASSERT_OK(writer_->DeleteVolume("v1"));
  EXPECT_EQ(writer_->Figures().releasable, kAllocUnit);
  ASSERT_OK(writer_->Reclaim());
  EXPECT_EQ(writer_->Figures().pending, 0U);
}

}  // namespace
}  // namespace famfs
