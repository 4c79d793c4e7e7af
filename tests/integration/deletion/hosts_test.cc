// Two hosts that share an image: a deleted volume's space is used again when
// both have let go of it, and not before.
#include <gmock/gmock.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "base/units.h"
#include "dax/image.h"
#include "instance/check/mkfs.h"
#include "instance/writer/writer.h"
#include "tests/integration/deletion/host.h"
#include "tests/integration/tools/famfs_command.h"

namespace famfs::itest {
namespace {

using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr std::uint64_t kVolume = 16 * kMiB;

class HostsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::access("/dev/fuse", R_OK | W_OK) != 0) {
      GTEST_SKIP() << "this machine has no /dev/fuse that this user may open";
    }
    const std::string image = memory_ / "pool.img";
    spec_ = "image:" + image;
    ASSERT_TRUE(CreateImage(image, 4 * kGiB).ok());
    std::shared_ptr<DaxDevice> device = *OpenImage(image, Access::kReadWrite);
    MkfsOptions mkfs;
    mkfs.system_uuid = owner_;
    mkfs.lock_directory = dir_ / "locks";
    ASSERT_TRUE(Mkfs(*device, mkfs).ok());
    auto writer = Writer::Open(
        device, {.system_uuid = owner_, .lock_directory = dir_ / "locks"});
    ASSERT_TRUE(writer.ok()) << writer.status();
    writer_ = *std::move(writer);
    a_ = std::make_unique<Host>(dir_, "a", spec_);
    b_ = std::make_unique<Host>(dir_, "b", spec_);
    ASSERT_NO_FATAL_FAILURE(a_->Serve());
    ASSERT_NO_FATAL_FAILURE(b_->Serve());
    ASSERT_NO_FATAL_FAILURE(Make("v"));
    extent_ = ExtentOf("v");
  }
  void TearDown() override {
    a_.reset();
    b_.reset();
  }

  void Make(const std::string& directory) {
    VolumeAttributes attributes;
    attributes.name = "pvc-" + directory;
    attributes.capacity = kVolume;
    const absl::Status made =
        writer_->CreateVolume(directory, attributes, {.mode = 0777});
    ASSERT_TRUE(made.ok()) << made;
  }
  Range ExtentOf(const std::string& directory) const {
    const Reader::View tree = writer_->Tree();
    const MediaExtent& extent = tree->FindPath(directory + "/data")->extents[0];
    return {extent.offset, extent.length};
  }
  void DeleteIt() {
    const absl::Status deleted = writer_->DeleteVolume("v");
    ASSERT_TRUE(deleted.ok()) << deleted;
  }
  PoolFigures Reclaimed() {
    const absl::Status status = writer_->Reclaim();
    EXPECT_TRUE(status.ok()) << status;
    return writer_->Figures();
  }
  HostStanding StandingOf(const Host& host) {
    for (const HostStatus& status : writer_->Hosts()) {
      if (status.host == host.uuid()) return status.standing;
    }
    return HostStanding::kDamaged;
  }
  bool Becomes(const Host& host, HostStanding standing) {
    return rig::Eventually([&] { return StandingOf(host) == standing; });
  }
  bool SpaceIsBack() {
    return rig::Eventually([&] { return Reclaimed().pending == 0; });
  }
  bool IsStillMarked(char mark) {
    const auto mapping =
        *writer_->device()->Map(extent_.offset, extent_.length, Access::kRead);
    mapping->Invalidate(0, 1);
    return static_cast<char>(mapping->data()[0]) == mark;
  }

  [[nodiscard]] nlohmann::json Df() const {
    return JsonOf(Famfs({"df", spec_, "--json"}));
  }
  /// What `famfs hosts` says of a host.
  [[nodiscard]] nlohmann::json Row(const Host& host) const {
    nlohmann::json found;
    for (const auto& row : JsonOf(Famfs({"hosts", spec_, "--json"}))) {
      if (row["host"] == host.uuid().ToString()) found = row;
    }
    return found;
  }
  /// "state, bytes that wait for it".
  [[nodiscard]] std::string Told(const Host& host) const {
    const nlohmann::json row = Row(host);
    return row.is_null()
               ? "absent"
               : fmt::format("{}, {}", row["state"].get<std::string>(),
                             row["waiting_bytes"].get<std::uint64_t>());
  }

  rig::TempDir dir_;
  rig::Tmpfs memory_{"2G"};
  std::string spec_;
  const Uuid owner_ = Uuid::Random();
  std::unique_ptr<Writer> writer_;
  std::unique_ptr<Host> a_;
  std::unique_ptr<Host> b_;
  Range extent_;
};

TEST_F(HostsTest, AMappedVolumeIsNotReusedUntilItIsLetGo) {
  char* const mapped = a_->Map("v/data", kVolume);
  mapped[0] = 'm';
  ASSERT_EQ(::msync(mapped, kVolume, MS_SYNC), 0);
  EXPECT_TRUE(IsStillMarked('m'));
  DeleteIt();
  ASSERT_TRUE(Becomes(*b_, HostStanding::kAcknowledged));
  EXPECT_EQ(a_->TryOpen("v/data") == 0, false);
  EXPECT_EQ(StandingOf(*a_), HostStanding::kBehind);
  const PoolFigures figures = Reclaimed();
  EXPECT_EQ(figures.quarantined, kVolume);
  EXPECT_EQ(figures.waiting_hosts, 1U);
  // Another volume goes elsewhere, and the mapping stays usable.
  ASSERT_NO_FATAL_FAILURE(Make("w"));
  EXPECT_NE(ExtentOf("w").offset, extent_.offset);
  EXPECT_TRUE(IsStillMarked('m'));
  mapped[4096] = 'x';
  EXPECT_EQ(mapped[0], 'm');
  ASSERT_EQ(::munmap(mapped, kVolume), 0);
  ASSERT_TRUE(Becomes(*a_, HostStanding::kAcknowledged));
  ASSERT_TRUE(SpaceIsBack());
  EXPECT_TRUE(IsStillMarked('\0'));
  ASSERT_NO_FATAL_FAILURE(Make("u"));
  EXPECT_EQ(ExtentOf("u"), extent_);
  EXPECT_TRUE(b_->ReadsAsZeros("u/data"));
}

TEST_F(HostsTest, AKilledHostQuarantinesItAndEvictingFreesIt) {
  b_->Kill();
  DeleteIt();
  ASSERT_TRUE(Becomes(*a_, HostStanding::kAcknowledged));
  EXPECT_EQ(StandingOf(*b_), HostStanding::kBehind);
  PoolFigures figures = Reclaimed();
  EXPECT_EQ(figures.quarantined, kVolume);
  EXPECT_EQ(figures.pending, kVolume);
  const auto reader = Reader::Open(writer_->device());
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ((*reader)->Space().figures.quarantined, kVolume);
  ASSERT_TRUE(writer_->EvictHost(b_->uuid()).ok());
  EXPECT_EQ(StandingOf(*b_), HostStanding::kEvicted);
  figures = Reclaimed();
  EXPECT_EQ(figures.pending, 0U);
  EXPECT_EQ(figures.quarantined, 0U);
}

TEST_F(HostsTest, AHostThatReturnsAfterAReboot) {
  b_->Kill();
  DeleteIt();
  ASSERT_TRUE(Becomes(*a_, HostStanding::kAcknowledged));
  EXPECT_EQ(Reclaimed().quarantined, kVolume);
  b_->Unmount();
  b_->Reboot();
  ASSERT_NO_FATAL_FAILURE(b_->Serve());
  EXPECT_TRUE(SpaceIsBack());
  EXPECT_EQ(writer_->Hosts().size(), 2U);
}

// No reboot and no eviction: the killed server's mark is gone.
TEST_F(HostsTest, AServerThatFollowsAKilledOneClosesItsRow) {
  b_->Kill();
  DeleteIt();
  b_->Unmount();
  ASSERT_NO_FATAL_FAILURE(b_->Serve());
  EXPECT_EQ(writer_->Hosts().size(), 2U);
  EXPECT_TRUE(SpaceIsBack());
}

// Whatever else has got its connection's number meanwhile, and whoever maps it.
TEST_F(HostsTest, AMappingMadeThroughAKilledServerReachesNothing) {
  char* const mapped = b_->Map("v/data", kVolume);
  mapped[0] = 'a';
  b_->Kill();
  DeleteIt();
  b_->Unmount();
  ASSERT_NO_FATAL_FAILURE(b_->Serve());
  EXPECT_EQ(writer_->Hosts().size(), 2U);
  ASSERT_TRUE(SpaceIsBack());
  ASSERT_NO_FATAL_FAILURE(Make("u"));
  ASSERT_EQ(ExtentOf("u"), extent_);
  mapped[0] = 'b';
  ::msync(mapped, kVolume, MS_SYNC);
  ::munmap(mapped, kVolume);
  EXPECT_TRUE(a_->ReadsAsZeros("u/data"));
}

TEST_F(HostsTest, AMappingMadeThroughAServerThatLivesIsWaitedFor) {
  char* const mapped = b_->Map("v/data", kVolume);
  b_->Unmount();
  Host again(*b_);
  ASSERT_NO_FATAL_FAILURE(again.Serve());
  DeleteIt();
  EXPECT_EQ(writer_->Hosts().size(), 3U);
  EXPECT_EQ(Reclaimed().quarantined, kVolume);
  ::munmap(mapped, kVolume);
  EXPECT_TRUE(SpaceIsBack());
  again.Leave();
}

TEST_F(HostsTest, AnEvictedHostThatLivesRefusesOpensUntilItMountsAgain) {
  ASSERT_EQ(b_->TryOpen("v/data"), 0);
  ASSERT_TRUE(writer_->EvictHost(b_->uuid()).ok());
  ASSERT_TRUE(b_->server().WaitForOutput("was evicted").ok());
  EXPECT_EQ(b_->TryOpen("v/data"), EIO);
  EXPECT_EQ(a_->TryOpen("v/data"), 0);
  b_->Leave();
  ASSERT_NO_FATAL_FAILURE(b_->Serve());
  EXPECT_EQ(b_->TryOpen("v/data"), 0);
  EXPECT_TRUE(Becomes(*b_, HostStanding::kAcknowledged));
}

TEST_F(HostsTest, AHostThatUnmountsIsNotWaitedFor) {
  b_->Leave();
  EXPECT_EQ(writer_->Hosts().size(), 1U);
  a_->Leave();
  EXPECT_THAT(writer_->Hosts(), IsEmpty());
  DeleteIt();
  EXPECT_EQ(Reclaimed().pending, 0U);
}

TEST_F(HostsTest, TheToolsTellWhoIsWaitedForAndWhatBecomesOfTheSpace) {
  const std::uint64_t free = Df()["free"];
  EXPECT_EQ(Told(*a_), "acknowledged, 0");
  EXPECT_EQ(Told(*b_), "acknowledged, 0");
  char* const mapped = a_->Map("v/data", kVolume);
  DeleteIt();
  ASSERT_TRUE(Becomes(*b_, HostStanding::kAcknowledged));
  nlohmann::json df = Df();
  EXPECT_EQ(df["pending"], kVolume);
  EXPECT_EQ(df["quarantined"], kVolume);
  EXPECT_EQ(df["waiting_hosts"], 1);
  EXPECT_EQ(df["pending_volumes"][0]["directory"], "v");
  EXPECT_EQ(df["pending_volumes"][0]["state"], "quarantined");
  EXPECT_EQ(Told(*a_), fmt::format("behind, {}", kVolume));
  EXPECT_EQ(Row(*a_)["acknowledged"], 0);
  EXPECT_EQ(Told(*b_), "acknowledged, 0");
  EXPECT_EQ(Row(*b_)["acknowledged"], 1);
  ::munmap(mapped, kVolume);
  ASSERT_TRUE(Becomes(*a_, HostStanding::kAcknowledged));
  // Nobody reclaims here but the test: the state stays to be looked at.
  df = Df();
  EXPECT_EQ(df["pending"], kVolume);
  EXPECT_EQ(df["quarantined"], 0);
  EXPECT_EQ(df["waiting_hosts"], 0);
  EXPECT_EQ(df["pending_volumes"][0]["state"], "to be scrubbed");
  EXPECT_EQ(Told(*a_), "acknowledged, 0");
  EXPECT_EQ(Reclaimed().pending, 0U);
  df = Df();
  EXPECT_EQ(df["pending"], 0);
  EXPECT_TRUE(df["pending_volumes"].empty());
  EXPECT_EQ(df["free"], free + kVolume);
}

TEST_F(HostsTest, TheToolEvictsADeadHostBesideTheWriter) {
  char* const mapped = b_->Map("v/data", kVolume);
  b_->Kill();
  ::munmap(mapped, kVolume);
  DeleteIt();
  ASSERT_TRUE(Becomes(*a_, HostStanding::kAcknowledged));
  EXPECT_EQ(Reclaimed().pending, kVolume);
  EXPECT_EQ(Df()["pending_volumes"][0]["state"], "quarantined");
  EXPECT_EQ(Told(*b_), fmt::format("behind, {}", kVolume));
  const std::string nobody = Uuid::Random().ToString();
  EXPECT_THAT(Famfs({"evict", spec_, nobody}), Exits(kProblems));
  EXPECT_EQ(Told(*b_), fmt::format("behind, {}", kVolume));
  EXPECT_THAT(Famfs({"evict", spec_, b_->uuid().ToString()}), Exits(kOk));
  EXPECT_EQ(Told(*b_), "evicted, 0");
  const nlohmann::json df = Df();
  EXPECT_EQ(df["quarantined"], 0);
  EXPECT_EQ(df["waiting_hosts"], 0);
  EXPECT_EQ(df["pending_volumes"][0]["state"], "to be scrubbed");
  EXPECT_EQ(Reclaimed().pending, 0U);
  ASSERT_NO_FATAL_FAILURE(Make("u"));
  EXPECT_EQ(ExtentOf("u"), extent_);
  EXPECT_TRUE(a_->ReadsAsZeros("u/data"));
}

}  // namespace
}  // namespace famfs::itest
