// An instance that is made anew under whoever has it open: everybody notices
// at the next look, and for good.
#include <gtest/gtest.h>

#include <filesystem>

#include "dax/emulated.h"
#include "dax/image.h"
#include "fixture.h"
#include "instance/deletion/host_session.h"
#include "instance/devices/identity.h"

namespace famfs {
namespace {

using ::testing::HasSubstr;

class ReplacedTest : public WriteTest,
                     public ::testing::WithParamInterface<Kind> {
 protected:
  void SetUp() override {
    WriteTest::SetUp();
    Start(GetParam());
    ASSERT_OK(CreateVolume("old1", 2 * kMiB));
    ASSERT_OK(CreateVolume("old2", 2 * kMiB));
    Close();
    auto reader = Reader::Open(OpenAgain(Access::kRead));
    ASSERT_OK(reader);
    reader_ = *std::move(reader);
  }
  /// A new instance on the device, with two volumes of its own.
  void MakeAnew() {
    MkfsOptions options = Options();
    options.force = true;
    ASSERT_OK(famfs::Mkfs(*device_, options));
    Fill();
  }
  void Fill() {
    Open();
    ASSERT_OK(CreateVolume("new1", 2 * kMiB));
    ASSERT_OK(CreateVolume("new2", 2 * kMiB));
    Close();
  }
  void ExpectEnded() {
    for (int look = 0; look < 3; ++look) {
      const auto changes = reader_->Refresh();
      EXPECT_TRUE(IsReplaced(changes.status())) << Say(changes);
    }
    // What it knew is all that it will ever know.
    EXPECT_EQ(reader_->Tree()->volumes().size(), 2U);
    EXPECT_TRUE(reader_->Tree()->volumes().contains("old1"));
  }
  [[nodiscard]] std::string DevicePath() const {
    const std::string spec = device_->spec();
    return spec.substr(spec.find(':') + 1);
  }
  std::unique_ptr<Reader> reader_;
};

TEST_P(ReplacedTest, AReaderEndsWhenMkfsMadeAnotherInstance) {
  MakeAnew();
  ExpectEnded();
  const auto changes = reader_->Refresh();
  EXPECT_THAT(Say(changes), HasSubstr(device_->spec()));
}

TEST_P(ReplacedTest, AReaderEndsWhileMkfsIsUnderWay) {
  const auto head = device_->Map(0, kSuperblockRegion, Access::kReadWrite);
  ASSERT_OK(head);
  std::fill_n((*head)->mutable_data(), 8, std::byte{0});  // its first step
  ExpectEnded();
}

TEST_P(ReplacedTest, AReaderEndsWhenTheDeviceWasRemovedAndMadeAgain) {
  const std::string path = DevicePath();
  device_.reset();
  std::filesystem::remove_all(path);
  // Away, it may come back: no end yet.
  const auto away = reader_->Refresh();
  EXPECT_TRUE(absl::IsUnavailable(away.status())) << Say(away);
  if (GetParam() == Kind::kEmulated) {
    ASSERT_OK(CreateEmulatedDevice(path, {.size = kDeviceSize,
                                          .tag = Uuid::Random(),
                                          .hosts = {},
                                          .sparse = true}));
  } else {
    ASSERT_OK(CreateImage(path, kDeviceSize));
  }
  auto device = OpenDevice(
      (GetParam() == Kind::kEmulated ? "emulated:" : "image:") + path,
      Access::kReadWrite);
  ASSERT_OK(device);
  device_ = *std::move(device);
  Mkfs();
  Fill();
  ExpectEnded();
}

TEST_P(ReplacedTest, ADamagedSuperblockIsNoEnd) {
  const auto head = device_->Map(0, kSuperblockRegion, Access::kReadWrite);
  ASSERT_OK(head);
  std::byte& uuid = (*head)->mutable_data()[50];
  uuid ^= std::byte{1};
  const auto broken = reader_->Refresh();
  EXPECT_TRUE(absl::IsDataLoss(broken.status())) << Say(broken);
  uuid ^= std::byte{1};
  EXPECT_OK(reader_->Refresh());
}

TEST_P(ReplacedTest, AWriterStopsAndSaysThatItWasReplaced) {
  Open();
  MkfsOptions options = Options();
  options.force = true;
  options.lock_directory = Path("elsewhere");  // does not see the writer's
  const absl::Status refused = famfs::Mkfs(*OpenAgain(), options);
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << Say(refused);
  EXPECT_THAT(Say(refused), HasSubstr("a writer that cannot be seen"));
  options.force_in_use = true;
  ASSERT_OK(famfs::Mkfs(*OpenAgain(), options));
  for (int attempt = 0; attempt < 2; ++attempt) {
    const absl::Status status = CreateVolume("late", 2 * kMiB);
    EXPECT_TRUE(IsReplaced(status)) << Say(status);
  }
  Close();
  Open();
  EXPECT_TRUE(Volumes().empty());
}

TEST_P(ReplacedTest, AFileThatIsBeingFilledEndsAtItsNextStep) {
  Open();
  const auto pending = writer_->BeginFile("f", kAllocUnit, {});
  ASSERT_OK(pending);
  EXPECT_OK((*pending)->CheckStanding());
  MkfsOptions options = Options();
  options.force = true;
  options.force_in_use = true;
  options.lock_directory = Path("elsewhere");  // does not see the writer's
  ASSERT_OK(famfs::Mkfs(*OpenAgain(), options));
  for (int step = 0; step < 2; ++step) {
    const absl::Status status = (*pending)->CheckStanding();
    EXPECT_TRUE(IsReplaced(status)) << Say(status);
  }
}

TEST_P(ReplacedTest, AHostSessionWritesNothingIntoTheNewTable) {
  const HostIdentity identity{
      .host = Uuid::Random(), .boot = 7, .session = 3, .connection = 0};
  auto session = HostSession::Register(*device_, identity);
  ASSERT_OK(session);
  MkfsOptions options = Options();
  options.force = true;
  options.force_in_use = true;
  ASSERT_OK(famfs::Mkfs(*device_, options));
  for (int round = 0; round < 2; ++round) {
    EXPECT_TRUE(IsReplaced((*session)->Acknowledge(5)));
    EXPECT_FALSE((*session)->usable());
  }
  (*session)->Close();
  const auto head = device_->Map(0, kSuperblockRegion, Access::kRead);
  ASSERT_OK(head);
  const auto reader = Reader::Open(OpenAgain());
  ASSERT_OK(reader);
  EXPECT_TRUE((*reader)->Hosts().empty());
  const auto table = (*head)->bytes().subspan(kRegionOffset + HostAt(0),
                                              kHostRows * 2 * kLineSize);
  EXPECT_TRUE(std::all_of(table.begin(), table.end(),
                          [](std::byte b) { return b == std::byte{0}; }));
}

TEST_P(ReplacedTest, ForceAloneDoesNotReplaceWhatAServerUses) {
  if (GetParam() == Kind::kEmulated) return;  // hosts register elsewhere alone
  const HostIdentity identity{
      .host = Uuid::Random(), .boot = 7, .session = 3, .connection = 0};
  auto session = HostSession::Register(*device_, identity);
  ASSERT_OK(session);
  MkfsOptions options = Options();
  options.force = true;
  const absl::Status refused = famfs::Mkfs(*device_, options);
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << Say(refused);
  EXPECT_THAT(Say(refused), HasSubstr(identity.host.ToString()));
  EXPECT_OK(reader_->Refresh());
  (*session)->Close();
  EXPECT_OK(famfs::Mkfs(*device_, options));
}

TEST_P(ReplacedTest, ANewInstanceNeedsANewUuid) {
  MkfsOptions options = Options();
  options.force = true;
  options.fs_uuid = reader_->superblock().fs_uuid;
  const absl::Status refused = famfs::Mkfs(*device_, options);
  EXPECT_TRUE(absl::IsInvalidArgument(refused)) << Say(refused);
  EXPECT_OK(reader_->Refresh());
}

INSTANTIATE_TEST_SUITE_P(Kinds, ReplacedTest,
                         ::testing::Values(Kind::kEmulated, Kind::kImage),
                         [](const auto& kind) {
                           return kind.param == Kind::kEmulated ? "emulated"
                                                                : "image";
                         });

}  // namespace
}  // namespace famfs
