// Pools that promise more than the file system below them can give: what
// GetCapacity answers is what CreateVolume can do, and nothing else.
#include <fcntl.h>
#include <unistd.h>

#include "base/units.h"
#include "tests/integration/controller/fixture.h"
#include "tests/unit/base/status_matchers.h"

namespace famfs {
namespace {

using ::famfs::testing::HasError;
using ::famfs::testing::IsOk;

class FullMemoryTest : public ControllerTest {
 protected:
  static constexpr std::uint64_t kTmpfsSize = 64 * kMiB;

  void StartOnATmpfsOf64M() {
    ASSERT_NO_FATAL_FAILURE(
        MakeDeviceIn(tmpfs_ / "dcd", {.size = 4 * kGiB, .sparse = false}));
    ASSERT_NO_FATAL_FAILURE(StartController());
  }

  void StartOnASparseImage() {
    const std::string path = tmpfs_ / "pool.img";
    rig::WriteFile(path, "");
    ASSERT_EQ(::truncate(path.c_str(), static_cast<off_t>(4 * kGiB)), 0);
    ASSERT_NO_FATAL_FAILURE(
        StartWith("pools:\n  - name: fast\n    device: image:" + path +
                  "\n    format: if-blank\n"));
  }

  /// Somebody else's file, as large as the tmpfs allows.
  void FillTheTmpfs() {
    const UniqueFd fd(
        ::open(filler().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    ASSERT_TRUE(fd.valid());
    off_t size = 0;
    while (::fallocate(fd.get(), 0, size, 64 << 10) == 0) size += 64 << 10;
    ASSERT_EQ(errno, ENOSPC);
  }
  void EmptyTheTmpfs() { ASSERT_EQ(::unlink(filler().c_str()), 0); }

  std::uint64_t Largest() {
    const pb::GetCapacityResponse capacity = Capacity();
    EXPECT_EQ(capacity.available_capacity(),
              capacity.maximum_volume_size().value());
    return static_cast<std::uint64_t>(capacity.maximum_volume_size().value());
  }

  absl::StatusOr<pb::CreateVolumeResponse> CreateForOneNode(
      const std::string& name, std::uint64_t size) {
    pb::CreateVolumeRequest request;
    request.set_name(name);
    request.mutable_capacity_range()->set_required_bytes(
        static_cast<std::int64_t>(size));
    auto& capability = *request.add_volume_capabilities();
    capability.mutable_mount();
    capability.mutable_access_mode()->set_mode(
        pb::VolumeCapability::AccessMode::SINGLE_NODE_MULTI_WRITER);
    return rig::Call(stub(), &pb::Controller::Stub::CreateVolume, request);
  }

 private:
  [[nodiscard]] std::string filler() const { return tmpfs_ / "filler"; }
  rig::Tmpfs tmpfs_{"64M"};
};

TEST_F(FullMemoryTest, CapacityIsWhatTheTmpfsCanGive) {
  ASSERT_NO_FATAL_FAILURE(StartOnATmpfsOf64M());
  const std::uint64_t largest = Largest();
  EXPECT_GT(largest, kTmpfsSize / 2);
  EXPECT_LT(largest, kTmpfsSize);
  EXPECT_THAT(Create("too-large", largest + 2 * kMiB),
              HasError(absl::StatusCode::kResourceExhausted,
                       "free " + FormatSize(largest) + ", largest " +
                           FormatSize(largest)));
  EXPECT_EQ(Largest(), largest) << "a refusal costs nothing";
  EXPECT_THAT(Create("most", largest), IsOk());
  EXPECT_EQ(Largest(), 0U);
}

TEST_F(FullMemoryTest, WhatOthersTakeIsNotPromised) {
  ASSERT_NO_FATAL_FAILURE(StartOnATmpfsOf64M());
  const std::uint64_t largest = Largest();
  ASSERT_NO_FATAL_FAILURE(FillTheTmpfs());
  EXPECT_EQ(Largest(), 0U);
  EXPECT_THAT(Create("pvc", 2 * kMiB),
              HasError(absl::StatusCode::kResourceExhausted,
                       "asked 2.00 MiB, free 0 B, largest 0 B"));
  ASSERT_NO_FATAL_FAILURE(EmptyTheTmpfs());
  EXPECT_EQ(Largest(), largest);
  EXPECT_THAT(Create("pvc", largest), IsOk());
}

TEST_F(FullMemoryTest, DeletingMakesRoomAgain) {
  ASSERT_NO_FATAL_FAILURE(StartOnATmpfsOf64M());
  const std::uint64_t largest = Largest();
  const auto all = Create("all", largest);
  ASSERT_TRUE(all.ok()) << all.status();
  ASSERT_NO_FATAL_FAILURE(FillTheTmpfs());
  EXPECT_EQ(Largest(), 0U);
  ASSERT_THAT(Delete(all->volume().volume_id()), IsOk());
  EXPECT_EQ(Largest(), largest);
  EXPECT_THAT(Create("next", largest), IsOk());
}

// What is stored into an image's holes needs blocks that its file system must
// have: without them a store is SIGBUS.
TEST_F(FullMemoryTest, ASparseImagePromisesNoMoreThanItsFileSystemHas) {
  ASSERT_NO_FATAL_FAILURE(StartOnASparseImage());
  const std::uint64_t largest = Largest();
  EXPECT_GT(largest, kTmpfsSize / 2);
  EXPECT_LT(largest, kTmpfsSize);
  EXPECT_THAT(CreateForOneNode("too-large", largest + 2 * kMiB),
              HasError(absl::StatusCode::kResourceExhausted, "pool fast"));
  const auto half = CreateForOneNode("half", largest / 4 / kMiB * 2 * kMiB);
  ASSERT_TRUE(half.ok()) << half.status();
  const std::uint64_t rest = Largest();
  EXPECT_LE(rest + static_cast<std::uint64_t>(half->volume().capacity_bytes()),
            largest)
      << "what it holds nothing of yet is promised all the same";
  EXPECT_THAT(CreateForOneNode("rest", rest), IsOk());
  EXPECT_EQ(Largest(), 0U);
}

}  // namespace
}  // namespace famfs
