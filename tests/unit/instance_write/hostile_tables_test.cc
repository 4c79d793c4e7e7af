// Rows of the region's tables that are sealed and of this instance, and say
// what cannot be: another program's, or an attacker's.
#include <cstring>
#include <limits>

#include "fixture.h"
#include "instance/devices/metadata_store.h"
#include "media/region_tables.h"

namespace famfs {
namespace {

constexpr std::uint64_t kHuge = std::uint64_t{1} << 62;

class HostileTablesTest : public WriteTest {
 protected:
  void SetUp() override {
    WriteTest::SetUp();
    Start(Kind::kImage);
    ASSERT_OK(CreateVolume("kept", 4 * kMiB));
    const Reader::View tree = writer_->Tree();
    kept_ = tree->FindPath("kept/data")->extents[0];
  }
  /// Extents that no row may name, and one that none can be encoded of.
  [[nodiscard]] std::vector<MediaExtent> Impossible() const {
    return {{0, kHuge, kAllocUnit},
            {0, kDeviceSize - kAllocUnit, 4 * kAllocUnit},
            {7, 16 * kAllocUnit, kAllocUnit},
            {std::numeric_limits<std::uint64_t>::max(), 0, kAllocUnit},
            {0, kSuperblockOffset, kSuperblockRegion},
            {0, kLogOffset, kMinLogLength},
            {0, 0, kHuge},
            {0, std::numeric_limits<std::uint64_t>::max() - kAllocUnit + 1,
             4 * kAllocUnit},
            {0, 1, 3},
            kept_};
  }
  void Forge(std::size_t at, const Line& line) {
    const auto head = *device_->Map(0, kSuperblockRegion, Access::kReadWrite);
    StoreLine(*head, at, line);
  }
  void ExpectAllIsAsBefore() {
    Reopen();
    EXPECT_EQ(writer_->Figures().free, kFreshFree - kept_.length);
    EXPECT_EQ(writer_->Figures().quarantined, 0U);
    EXPECT_EQ(Fsck(), "");
    const auto reader = Reader::Open(OpenAgain(Access::kRead));
    ASSERT_OK(reader);
    EXPECT_LE((*reader)->Space().figures.free, kDeviceSize);
    // Life goes on, and nobody is given what the volume has.
    ASSERT_OK(CreateVolume("new", kFreshFree - kept_.length));
    ASSERT_OK(writer_->DeleteVolume("new"));
    ASSERT_OK(writer_->Reclaim());
    EXPECT_EQ(writer_->Figures().free, kFreshFree - kept_.length);
    EXPECT_EQ(Fsck(), "");
  }

  MediaExtent kept_;
};

TEST_F(HostileTablesTest, ReservationsOfWhatIsNotFree) {
  const Uuid fs_uuid = writer_->superblock().fs_uuid;
  Close();
  std::size_t row = 0;
  for (const MediaExtent& extent : Impossible()) {
    Forge(
        kReservationsAt + row++ * kLineSize,
        EncodeReservation(
            {.extent = extent, .holder = Uuid::Random(), .epoch = 1}, fs_uuid));
  }
  ExpectAllIsAsBefore();
}

TEST_F(HostileTablesTest, CleanRangesOfWhatIsNotFree) {
  const auto fill = [this](std::byte value) {
    const auto memory =
        *device_->Map(kept_.offset, kept_.length, Access::kReadWrite);
    std::memset(memory->mutable_data(), static_cast<int>(value), kept_.length);
  };
  fill(std::byte{0xa5});
  const Uuid fs_uuid = writer_->superblock().fs_uuid;
  Close();
  std::size_t row = 0;
  for (const MediaExtent& extent : Impossible()) {
    Forge(kCleanAt + row++ * kLineSize, EncodeClean({extent}, fs_uuid));
  }
  ExpectAllIsAsBefore();
  // The row that covers a live volume does not save its scrub.
  ASSERT_OK(writer_->DeleteVolume("kept"));
  ASSERT_OK(writer_->Reclaim());
  EXPECT_TRUE(IsZero(Bytes(kept_.offset, kept_.length)));
}

TEST_F(HostileTablesTest, AHostRowThatCannotBeHoldsBackAndIsCleared) {
  const Uuid fs_uuid = writer_->superblock().fs_uuid;
  Line line = EncodeHost({.sequence = 4, .host = Uuid::Random()}, fs_uuid);
  line[59] = std::byte{9};  // no state
  Forge(kHostsAt, line);
  ASSERT_OK(writer_->DeleteVolume("kept"));
  ASSERT_OK(writer_->Reclaim());
  EXPECT_EQ(writer_->Figures().quarantined, kept_.length);
  ASSERT_OK(writer_->EvictHost({}));
  ASSERT_OK(writer_->Reclaim());
  EXPECT_EQ(writer_->Figures().free, kFreshFree);
}

}  // namespace
}  // namespace famfs
