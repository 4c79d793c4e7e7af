// Export to a flat image and import from one.
#include "instance/check/transfer.h"

#include <sys/stat.h>

#include <cstring>
#include <filesystem>

#include "dax/emulated.h"
#include "dax/image.h"
#include "fixture.h"
#include "instance/check/fsck.h"
#include "instance/devices/unfinished.h"

namespace famfs {
namespace {

using ::testing::HasSubstr;

class TransferTest : public WriteTest {
 protected:
  void SetUp() override {
    WriteTest::SetUp();
    Start(Kind::kEmulated);
    ASSERT_OK(CreateVolume("v1", 8 * kMiB));
    ASSERT_OK(writer_->Mkdir("d", {}));
    auto file = writer_->BeginFile("d/f", 3 * kMiB, {.mode = 0640});
    ASSERT_OK(file);
    std::byte* bytes = (*file)->At(0).data();
    for (std::size_t i = 0; i < 5000; ++i) bytes[i] = std::byte(i % 251);
    std::memset(bytes + kAllocUnit, 0x5a, kMiB);
    ASSERT_OK((*file)->Commit());
    file->reset();
    Close();
  }
  std::size_t FileCount() const {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
      static_cast<void>(entry);
      ++count;
    }
    return count;
  }
  /// The bytes of d/f, on any device.
  static std::vector<std::byte> BytesOfFile(std::shared_ptr<DaxDevice> device) {
    const auto reader = Reader::Open(device);
    EXPECT_OK(reader);
    if (!reader.ok()) return {};
    const Node* node = (*reader)->Tree()->FindPath("d/f");
    EXPECT_NE(node, nullptr);
    const auto mapping =
        device->Map(node->extents[0].offset, node->size, Access::kRead);
    EXPECT_OK(mapping);
    return {(*mapping)->bytes().begin(), (*mapping)->bytes().end()};
  }
  static TransferOptions Ignored() { return {}; }
};

TEST_F(TransferTest, ThereAndBackIsTheSame) {
  std::uint64_t last = 0;
  std::uint64_t total = 0;
  ASSERT_OK(
      ExportImage(*device_, Path("flat.img"),
                  {.progress = [&](std::uint64_t done, std::uint64_t all) {
                    EXPECT_GE(done, last);
                    last = done;
                    total = all;
                  }}));
  EXPECT_EQ(last, total);
  EXPECT_EQ(total, 2 * kMiB + 8 * kMiB + 8 * kMiB + 4 * kMiB);
  struct stat info {};
  ASSERT_EQ(::stat(Path("flat.img").c_str(), &info), 0);
  EXPECT_EQ(static_cast<std::uint64_t>(info.st_size), kDeviceSize);
  EXPECT_LT(static_cast<std::uint64_t>(info.st_blocks) * 512, 2 * kMiB)
      << "pages of zeros were written";

  std::shared_ptr<DaxDevice> image =
      *OpenImage(Path("flat.img"), Access::kRead);
  EXPECT_TRUE(famfs::Fsck(*image).clean());
  const auto bytes = BytesOfFile(device_);
  EXPECT_EQ(bytes.size(), 3 * kMiB);
  EXPECT_TRUE(bytes == BytesOfFile(image));

  const Uuid tag = Uuid::Random();
  ASSERT_OK(ImportImage(Path("flat.img"), Path("pool2"), tag, Ignored()));
  std::shared_ptr<DaxDevice> copy =
      *OpenEmulatedDevice(Path("pool2"), Access::kReadWrite);
  EXPECT_EQ(copy->tag(), tag);
  EXPECT_TRUE(famfs::Fsck(*copy).clean());
  EXPECT_TRUE(bytes == BytesOfFile(copy));
  auto writer = Writer::Open(
      copy, {.system_uuid = system_uuid_, .lock_directory = Path("locks")});
  ASSERT_OK(writer);
  EXPECT_TRUE((*writer)->MissingExtents().empty());
  EXPECT_EQ((*writer)->Figures().free, kFreshFree - 12 * kMiB);
}

TEST_F(TransferTest, AnImageCanBeExportedToo) {
  ASSERT_OK(ExportImage(*device_, Path("flat.img"), Ignored()));
  const auto image = OpenImage(Path("flat.img"), Access::kRead);
  ASSERT_OK(image);
  ASSERT_OK(ExportImage(**image, Path("again.img"), Ignored()));
  std::shared_ptr<DaxDevice> again =
      *OpenImage(Path("again.img"), Access::kRead);
  EXPECT_TRUE(famfs::Fsck(*again).clean());
  EXPECT_TRUE(BytesOfFile(device_) == BytesOfFile(again));
}

TEST_F(TransferTest, AnExistingImageIsNotReplaced) {
  ASSERT_OK(CreateImage(Path("flat.img"), kAllocUnit));
  const absl::Status status =
      ExportImage(*device_, Path("flat.img"), Ignored());
  EXPECT_TRUE(absl::IsAlreadyExists(status)) << Say(status);
  EXPECT_EQ(std::filesystem::file_size(Path("flat.img")), kAllocUnit);
}

TEST_F(TransferTest, AFailedExportLeavesNothing) {
  ASSERT_OK(device_->RemoveExtent(kLogOffset + kMinLogLength));
  const std::size_t before = FileCount();
  EXPECT_FALSE(ExportImage(*device_, Path("flat.img"), Ignored()).ok());
  EXPECT_EQ(FileCount(), before);
}

TEST_F(TransferTest, AChangeDuringTheExportIsNoticed) {
  Open();
  bool made = false;
  const absl::Status status = ExportImage(
      *device_, Path("flat.img"),
      {.progress = [&](std::uint64_t /*done*/, std::uint64_t /*total*/) {
        if (made) return;
        made = true;
        EXPECT_OK(writer_->Mkdir("meanwhile", {}));
      }});
  EXPECT_TRUE(absl::IsAborted(status)) << Say(status);
  EXPECT_FALSE(std::filesystem::exists(Path("flat.img")));
}

TEST_F(TransferTest, AChangeDuringTheImportIsNoticed) {
  ASSERT_OK(ExportImage(*device_, Path("flat.img"), Ignored()));
  bool changed = false;
  const absl::Status status = ImportImage(
      Path("flat.img"), Path("pool2"), Uuid::Random(),
      {.progress = [&](std::uint64_t, std::uint64_t) {
        if (std::exchange(changed, true)) return;
        auto writer = Writer::Open(
            *OpenImage(Path("flat.img"), Access::kReadWrite),
            {.system_uuid = system_uuid_, .lock_directory = Path("locks")});
        ASSERT_OK(writer);
        ASSERT_OK((*writer)->Mkdir("late", {}));
      }});
  EXPECT_TRUE(absl::IsAborted(status)) << Say(status);
  EXPECT_FALSE(std::filesystem::exists(Path("pool2")));
}

TEST_F(TransferTest, ADamagedImageIsNotImported) {
  ASSERT_OK(ExportImage(*device_, Path("flat.img"), Ignored()));
  {
    const auto image = OpenImage(Path("flat.img"), Access::kReadWrite);
    const auto log =
        (*image)->Map(kLogOffset, kMinLogLength, Access::kReadWrite);
    (*log)->mutable_data()[EntryAt(1) + 40] ^= std::byte{1};
  }
  const absl::Status status =
      ImportImage(Path("flat.img"), Path("pool2"), Uuid::Random(), Ignored());
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << Say(status);
  EXPECT_THAT(Say(status), HasSubstr("entry 1"));
  EXPECT_FALSE(std::filesystem::exists(Path("pool2")));
}

TEST_F(TransferTest, AnExistingDeviceIsNotImportedOver) {
  ASSERT_OK(ExportImage(*device_, Path("flat.img"), Ignored()));
  const absl::Status status =
      ImportImage(Path("flat.img"), Path("pool"), Uuid::Random(), Ignored());
  EXPECT_TRUE(absl::IsAlreadyExists(status)) << Say(status);
  Open();
  EXPECT_EQ(Volumes().size(), 1U);
}

TEST_F(TransferTest, AFailedImportLeavesADirectoryThatWasThereEmpty) {
  ASSERT_OK(ExportImage(*device_, Path("flat.img"), Ignored()));
  std::filesystem::create_directory(Path("pool2"));
  // A nil tag is no device's.
  EXPECT_FALSE(
      ImportImage(Path("flat.img"), Path("pool2"), Uuid{}, Ignored()).ok());
  EXPECT_TRUE(std::filesystem::is_empty(Path("pool2")));
}

TEST_F(TransferTest, WhatAKilledImportLeftIsTakenByTheNextOne) {
  ASSERT_OK(ExportImage(*device_, Path("flat.img"), Ignored()));
  const Uuid tag = Uuid::Random();
  ASSERT_OK(CreateEmulatedDevice(
      Path("pool2"), {.size = kDeviceSize, .tag = tag, .hosts = {}}));
  {
    const auto left = OpenEmulatedDevice(Path("pool2"), Access::kReadWrite);
    ASSERT_OK(left);
    ASSERT_OK(MarkUnfinished(**left));
    ASSERT_OK((*left)->CreateExtent({kLogOffset, kMinLogLength}));
    ASSERT_OK((*left)->CreateExtent({64 * kMiB, kAllocUnit}));
  }
  EXPECT_FALSE(
      ImportImage(Path("flat.img"), Path("pool2"), Uuid::Random(), Ignored())
          .ok());
  ASSERT_OK(ImportImage(Path("flat.img"), Path("pool2"), tag, Ignored()));
  const auto copy = OpenEmulatedDevice(Path("pool2"), Access::kRead);
  EXPECT_TRUE(famfs::Fsck(**copy).clean());
}

TEST_F(TransferTest, OneThatIsToldToEndLeavesNothing) {
  const TransferOptions told{.go_on = [] { return Aborted("told to end"); }};
  const std::size_t before = FileCount();
  EXPECT_EQ(Say(ExportImage(*device_, Path("flat.img"), told)), "told to end");
  EXPECT_EQ(FileCount(), before);
  ASSERT_OK(ExportImage(*device_, Path("flat.img"), Ignored()));
  EXPECT_EQ(
      Say(ImportImage(Path("flat.img"), Path("pool2"), Uuid::Random(), told)),
      "told to end");
  EXPECT_FALSE(std::filesystem::exists(Path("pool2")));
}

}  // namespace
}  // namespace famfs
