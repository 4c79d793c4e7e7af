// Extents whose files cannot be removed, or filled again, for now: the others
// do not wait for them.
#include <unistd.h>

#include <set>

#include "fixture.h"
#include "hook_device.h"

namespace famfs {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::uint64_t kVolume = 4 * kMiB;

/// A writer of an emulated device, two volumes on it, and extents that nobody
/// may remove.
class StuckTest : public WriteTest {
 protected:
  void SetUp() override {
    WriteTest::SetUp();
    hooks_.remove_extent = [this](std::uint64_t offset) {
      return kept_.contains(offset)
                 ? PermissionDenied("its immutable flag cannot be taken off")
                 : absl::OkStatus();
    };
    MakeDevice(Kind::kEmulated);
    Mkfs();
    OpenHooked();
    ASSERT_OK(CreateVolume("v1", kVolume));
    ASSERT_OK(CreateVolume("v2", kVolume));
    first_ = ExtentOf("v1");
    second_ = ExtentOf("v2");
  }
  void OpenHooked() {
    Close();
    auto writer = Writer::Open(
        std::make_shared<HookDevice>(OpenAgain(), hooks_),
        {.system_uuid = system_uuid_, .lock_directory = Path("locks")});
    ASSERT_OK(writer);
    writer_ = *std::move(writer);
  }
  Range ExtentOf(const std::string& directory) {
    const Reader::View tree = writer_->Tree();
    const MediaExtent& extent = tree->FindPath(directory + "/data")->extents[0];
    return {extent.offset, extent.length};
  }
  bool IsThere(const Range& extent) {
    const auto extents = OpenAgain(Access::kRead)->ListExtents();
    return std::find(extents->begin(), extents->end(), extent) !=
           extents->end();
  }
  void DeleteBoth() {
    ASSERT_OK(writer_->DeleteVolume("v1"));
    ASSERT_OK(writer_->DeleteVolume("v2"));
  }

  Hooks hooks_;
  std::set<std::uint64_t> kept_;  // offsets
  Range first_;
  Range second_;
};

TEST_F(StuckTest, OneDeletedVolumeWaitsAndTheOthersComeBack) {
  kept_ = {first_.offset};
  DeleteBoth();
  EXPECT_OK(writer_->Reclaim());
  EXPECT_TRUE(IsThere(first_));
  EXPECT_FALSE(IsThere(second_));
  EXPECT_EQ(writer_->Figures().free, kFreshFree - kVolume);
  EXPECT_EQ(writer_->Figures().pending, kVolume);
  ASSERT_OK(CreateVolume("v3", kVolume));
  EXPECT_NE(ExtentOf("v3"), first_);
  kept_.clear();
  EXPECT_OK(writer_->Reclaim());
  EXPECT_FALSE(IsThere(first_));
  EXPECT_EQ(writer_->Figures().pending, 0U);
  EXPECT_EQ(writer_->Figures().free, kFreshFree - kVolume);
  EXPECT_EQ(Fsck(), "");
}

TEST_F(StuckTest, TheNextWriterOpensAllTheSame) {
  kept_ = {first_.offset};
  DeleteBoth();
  ASSERT_OK(writer_->Reclaim());
  ASSERT_NO_FATAL_FAILURE(OpenHooked());
  EXPECT_TRUE(IsThere(first_));
  EXPECT_EQ(writer_->Figures().free, kFreshFree - kVolume);
  ASSERT_OK(CreateVolume("v3", kVolume));
  EXPECT_NE(ExtentOf("v3"), first_);
  kept_.clear();
  EXPECT_OK(writer_->Reclaim());
  EXPECT_FALSE(IsThere(first_));
  EXPECT_EQ(writer_->Figures().pending, 0U);
}

TEST_F(StuckTest, WhoNeedsTheSpaceTriesAgain) {
  kept_ = {first_.offset, second_.offset};
  DeleteBoth();
  ASSERT_OK(writer_->Reclaim());
  ASSERT_EQ(writer_->Figures().free, kFreshFree - 2 * kVolume);
  kept_.clear();
  EXPECT_OK(CreateVolume("large", kFreshFree));
  EXPECT_EQ(Fsck(), "");
}

TEST_F(StuckTest, MemoryIsGivenAgainToAllButTheOneThatCannotGetIt) {
  const Range head{kSuperblockOffset, kSuperblockRegion};
  hooks_.given_back = {{head, 1}, {first_, 2}, {second_, 4}};
  std::vector<std::uint64_t> filled;
  hooks_.refill = [&](Range extent) {
    if (extent == first_) return PermissionDenied("not this one");
    filled.push_back(extent.offset);
    return absl::OkStatus();
  };
  const absl::Status status = writer_->RefillMemory();
  EXPECT_TRUE(absl::IsPermissionDenied(status));
  EXPECT_THAT(Say(status),
              HasSubstr("file 'v1/data' were given back, and it has not got "
                        "them again: not this one"));
  EXPECT_THAT(filled, ElementsAre(head.offset, second_.offset));
  EXPECT_EQ(writer_->refilled_bytes(), 5U);
}

// Memory behind the image that is missing when it is stored, as on a file
// system that is full: nothing of the log has been touched yet.
TEST_F(StuckTest, ACompactionWhoseImageFindsNoMemoryChangesNothing) {
  ASSERT_OK(writer_->DeleteVolume("v1"));
  std::set<std::uint64_t> created;
  hooks_.before_create_extent = [&](Range extent) {
    created.insert(extent.offset);
  };
  hooks_.after_map = [&](Range mapped) {
    if (!created.contains(mapped.offset)) return;
    const auto file = OpenAgain()->OpenExtent(mapped.offset);
    ASSERT_OK(file);
    EXPECT_EQ(::ftruncate(file->get(), 0), 0);
  };
  const absl::Status missing = writer_->Compact();
  EXPECT_FALSE(missing.ok());
  EXPECT_THAT(Say(missing), HasSubstr("was made shorter"));
  EXPECT_EQ(created.size(), 1U);
  EXPECT_FALSE(writer_->stopped());
  EXPECT_THAT(Volumes(), ElementsAre("v2"));
  EXPECT_EQ(writer_->Figures().pending, kVolume);
  hooks_ = {};
  EXPECT_OK(writer_->Compact());
  EXPECT_EQ(writer_->Figures().pending, 0U);
  EXPECT_EQ(writer_->Figures().free, kFreshFree - kVolume);
  EXPECT_EQ(Fsck(), "");
}

}  // namespace
}  // namespace famfs
