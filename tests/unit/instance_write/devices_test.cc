// Instances on several devices: adding one, using it, missing it.
#include <cstring>
#include <filesystem>

#include "devices_fixture.h"
#include "instance/devices/mapped_file.h"
#include "instance/devices/secondary.h"
#include "media/rules.h"

namespace famfs {
namespace {

using ::testing::HasSubstr;

TEST_F(DevicesTest, AnAddedDeviceIsUsedAtOnceAndAfterReopening) {
  StartWith(Kind::kImage, 2);
  EXPECT_EQ(writer_->Figures().free, kFreshFree + kOtherFree);
  EXPECT_EQ(writer_->GetAvailableSpace()->total, 2 * kDeviceSize);
  EXPECT_EQ(FsckAll(), "");
  ASSERT_OK(CreateVolume("v1", 3 * kGiB));
  ASSERT_OK(CreateVolume("v2", 3 * kGiB));
  EXPECT_NE(ExtentsOf("v1/data")[0].device_index,
            ExtentsOf("v2/data")[0].device_index);
  OpenAll();
  EXPECT_EQ(writer_->Figures().free, kFreshFree + kOtherFree - 6 * kGiB);
  EXPECT_EQ(FsckAll(), "");
}

TEST_F(DevicesTest, ASecondaryIsRefusedAsAPrimary) {
  StartWith(Kind::kImage, 2);
  const auto layout =
      Layout::Open(**OpenDevice(others_[0], Access::kRead), Access::kRead);
  EXPECT_TRUE(absl::IsFailedPrecondition(layout.status()));
  EXPECT_THAT(Say(layout), HasSubstr("secondary one"));
  EXPECT_THAT(Say(layout), HasSubstr(writer_->superblock().fs_uuid.ToString()));
  const auto other = OpenDevice(others_[0], Access::kReadWrite);
  EXPECT_TRUE(absl::IsAlreadyExists(famfs::Mkfs(**other, Options())));
}

TEST_F(DevicesTest, ADeviceIsAddedOnce) {
  StartWith(Kind::kEmulated, 2);
  EXPECT_TRUE(absl::IsAlreadyExists(Add(others_[0])));
  EXPECT_TRUE(absl::IsAlreadyExists(Add(others_[0], {.force = true})));
  EXPECT_TRUE(absl::IsAlreadyExists(Add(device_->spec(), {.force = true})));
  EXPECT_EQ(writer_->Figures().entries, 1U);
}

TEST_F(DevicesTest, AnotherInstancesDevicesAreTakenByForceAlone) {
  Start(Kind::kImage);
  const std::string primary = MakeOther("other", Kind::kImage);
  ASSERT_OK(famfs::Mkfs(**OpenDevice(primary, Access::kReadWrite), Options()));
  EXPECT_THAT(Say(Add(primary)), HasSubstr("already holds the famfs"));
  EXPECT_EQ(writer_->Figures().entries, 0U);
  EXPECT_OK(Add(primary, {.force = true}));
  others_ = {primary};
  EXPECT_EQ(FsckAll(), "");
}

TEST_F(DevicesTest, OnlyABlankDeviceIsAddedWhereNobodyLooksOn) {
  Start(Kind::kImage);
  const std::string spec = MakeOther("other", Kind::kImage);
  {
    auto device = OpenDevice(spec, Access::kReadWrite);
    ASSERT_OK(device);
    auto mapping = (*device)->Map(0, kAllocUnit, Access::kReadWrite);
    ASSERT_OK(mapping);
    (*mapping)->mutable_data()[kAllocUnit - 1] = std::byte{1};
  }
  EXPECT_TRUE(absl::IsAlreadyExists(Add(spec, {.only_blank = true})));
  EXPECT_OK(Add(spec));
}

TEST_F(DevicesTest, ADeviceThatACrashLeftWithItsHeadIsAddedAgain) {
  Start(Kind::kImage);
  const std::string spec = MakeOther("other", Kind::kImage);
  const Uuid uuid = Uuid::Random();
  {
    auto device = OpenDevice(spec, Access::kReadWrite);
    ASSERT_OK(device);
    ASSERT_OK(WriteSecondaryHead(
        **device,
        MakeSecondarySuperblock(writer_->superblock(), uuid, **device)));
  }
  ASSERT_OK(Add(spec, {.only_blank = true}));
  EXPECT_EQ(writer_->AddedDevices()[0].device_uuid, uuid);
}

TEST_F(DevicesTest, ADeviceThatACrashLeftWithAnUnfinishedHeadIsAddedAgain) {
  Start(Kind::kImage);
  const std::string spec = MakeOther("other", Kind::kImage);
  {
    auto device = OpenDevice(spec, Access::kReadWrite);
    ASSERT_OK(device);
    auto mapping = (*device)->Map(0, kAllocUnit, Access::kReadWrite);
    ASSERT_OK(mapping);
    std::memset((*mapping)->mutable_data(), 0x5a, 4096);
    std::memcpy((*mapping)->mutable_data(), "FMadding", 8);
  }
  EXPECT_OK(Add(spec, {.only_blank = true}));
}

TEST_F(DevicesTest, AnEmulatedDeviceThatACrashLeftWithoutAHeadIsAddedAgain) {
  Start(Kind::kEmulated);
  const std::string spec = MakeOther("other", Kind::kEmulated);
  {
    auto device = OpenDevice(spec, Access::kReadWrite);
    ASSERT_OK(device);
    ASSERT_OK((*device)->CreateExtent({0, kAllocUnit}));
  }
  EXPECT_OK(Add(spec));
}

TEST_F(DevicesTest, AFileThatNoDeviceHoldsInOnePieceHasSeveralExtents) {
  Start(Kind::kImage);
  for (const char* name : {"small1", "small2"}) {
    others_.push_back(MakeOther(name, Kind::kImage, 8 * kMiB));
    ASSERT_OK(Add(others_.back()));
  }
  ASSERT_OK(CreateVolume("rest", kFreshFree - 4 * kMiB));
  const std::uint64_t size = 15 * kMiB + 1;
  {
    auto file = writer_->BeginFile("big", size, {});
    ASSERT_OK(file);
    // One word at the start of each contiguous piece, and the last byte.
    for (std::uint64_t at = 0; at < size;) {
      const auto memory = (*file)->At(at);
      ASSERT_FALSE(memory.empty());
      std::memcpy(memory.data(), &at, std::min(sizeof(at), memory.size()));
      at += memory.size();
    }
    (*file)->At(size - 1)[0] = std::byte{0x77};
    EXPECT_TRUE((*file)->At(size).empty());
    ASSERT_OK((*file)->Commit());
  }
  EXPECT_GT(ExtentsOf("big").size(), 1U);
  OpenAll();
  const Reader::View tree = writer_->Tree();
  auto devices = Set(Access::kRead);
  auto reader = Reader::Open(devices);
  ASSERT_OK(reader);
  const auto mapped =
      MappedFile::Map(*devices, *tree->FindPath("big"), Access::kRead);
  ASSERT_OK(mapped);
  std::uint64_t at = 0;
  for (const MappedFile::Piece& piece : mapped->Pieces(0, size)) {
    std::uint64_t word = 0;
    std::memcpy(&word, piece.mapping->data() + piece.at,
                std::min(sizeof(word), piece.length));
    if (piece.length >= sizeof(word)) {
      EXPECT_EQ(word, at);
    }
    at += piece.length;
  }
  EXPECT_EQ(at, size);
  const auto last = mapped->At(size - 1, 9);
  EXPECT_EQ(last.length, 1U);
  EXPECT_EQ(last.mapping->data()[last.at], std::byte{0x77});
}

TEST_F(DevicesTest, StripsLieOnDevicesAndInBuckets) {
  StartWith(Kind::kImage, 3);
  VolumeAttributes wide = Attributes("pvc-wide", 60 * kMiB);
  wide.interleave_strips = 3;
  wide.interleave_chunk = 2 * kMiB;
  ASSERT_OK(writer_->CreateVolume("wide", wide, {.mode = 0770}));
  const auto strips = ExtentsOf("wide/data");
  ASSERT_EQ(strips.size(), 3U);
  std::vector<bool> used(3);
  for (const MediaExtent& strip : strips) {
    used[strip.device_index] = true;
    EXPECT_EQ(strip.length, 20 * kMiB);
  }
  EXPECT_EQ(used, std::vector<bool>(3, true));
  // More strips than devices: so many parts of one device.
  wide.name = "pvc-4";
  wide.interleave_strips = 4;
  ASSERT_OK(writer_->CreateVolume("four", wide, {.mode = 0770}));
  const auto parts = ExtentsOf("four/data");
  ASSERT_EQ(parts.size(), 4U);
  for (const MediaExtent& part : parts) {
    EXPECT_EQ(part.device_index, parts[0].device_index);
  }
  wide.name = "pvc-5";
  wide.interleave_strips = 5;  // 4 GiB have no five parts of 1 GiB
  EXPECT_TRUE(absl::IsInvalidArgument(writer_->CreateVolume("five", wide, {})));
  EXPECT_EQ(FsckAll(), "");
}

TEST_F(DevicesTest, CapacityIsExactForEveryParameter) {
  StartWith(Kind::kImage, 3);
  ASSERT_OK(CreateVolume("odd", 7 * kMiB / kAllocUnit * kAllocUnit));
  for (const std::uint32_t strips : {0U, 2U, 3U, 4U}) {
    const VolumePlacement placement{.strips = strips,
                                    .chunk = strips == 0 ? 0 : 4 * kMiB};
    const auto capacity = writer_->GetAvailableSpace(placement);
    ASSERT_OK(capacity);
    VolumeAttributes attributes = Attributes("pvc-max", capacity->largest);
    attributes.interleave_strips = strips;
    attributes.interleave_chunk = placement.chunk;
    VolumeAttributes more = attributes;
    more.capacity += kAllocUnit;
    EXPECT_TRUE(
        absl::IsResourceExhausted(writer_->CreateVolume("max", more, {})))
        << strips;
    ASSERT_OK(
        writer_->CreateVolume(fmt::format("m{}", strips), attributes, {}));
    Close();
    // The next case starts on the same devices without the volume.
    ASSERT_OK(famfs::Mkfs(*device_, [this] {
      MkfsOptions options = Options();
      options.force = true;
      return options;
    }()));
    OpenAll();
    for (const std::string& other : others_) {
      ASSERT_OK(Add(other, {.force = true}));
    }
  }
}

TEST_F(DevicesTest, WhatMayBePassedThroughIsOneExtent) {
  StartWith(Kind::kEmulated, 2);
  EXPECT_EQ(writer_->GetAvailableSpace()->largest, kOtherFree);
  VolumeAttributes wide = Attributes("pvc-wide", 8 * kMiB);
  wide.interleave_strips = 2;
  wide.interleave_chunk = 2 * kMiB;
  EXPECT_TRUE(absl::IsInvalidArgument(writer_->CreateVolume("w", wide, {})));
  wide.data_path = DataPath::kCopy;
  ASSERT_OK(writer_->CreateVolume("w", wide, {}));
  EXPECT_EQ(ExtentsOf("w/data").size(), 2U);
  EXPECT_TRUE(absl::IsResourceExhausted(CreateVolume("v", 5 * kGiB)));
  ASSERT_OK(writer_->DeleteVolume("w"));
  ASSERT_OK(writer_->Compact());
  EXPECT_EQ(writer_->Figures().free, kFreshFree + kOtherFree);
  EXPECT_EQ(FsckAll(), "");
}

TEST_F(DevicesTest, AMissingDeviceTakesNothingElseAway) {
  StartWith(Kind::kEmulated, 2);
  ASSERT_OK(CreateVolume("v1", 3 * kGiB));  // on device 1, which has more free
  ASSERT_EQ(ExtentsOf("v1/data")[0].device_index, 1U);
  const std::vector<std::string> there = std::exchange(others_, {});
  OpenAll();
  EXPECT_EQ(Volumes(), std::vector<std::string>{"v1"});
  EXPECT_EQ(writer_->Figures().size, kDeviceSize);
  EXPECT_EQ(writer_->Figures().free, kFreshFree);
  EXPECT_EQ(writer_->GetAvailableSpace()->total, kDeviceSize);
  EXPECT_TRUE(writer_->MissingExtents().empty());
  ASSERT_OK(CreateVolume("v2", kGiB));
  EXPECT_EQ(ExtentsOf("v2/data")[0].device_index, 0U);
  const std::string found = FsckAll();
  EXPECT_THAT(found, HasSubstr("missing: device: device 1"));
  EXPECT_THAT(found, ::testing::Not(HasSubstr("error:")));
  const auto at = writer_->devices()->At(1);
  EXPECT_TRUE(absl::IsUnavailable(at.status()));
  // Its space comes back only with the device.
  ASSERT_OK(writer_->DeleteVolume("v1"));
  ASSERT_OK(writer_->Compact());
  EXPECT_EQ(writer_->Figures().free, kFreshFree - kGiB);
  others_ = there;
  OpenAll();
  EXPECT_EQ(writer_->Figures().free, kFreshFree - kGiB + kOtherFree);
  EXPECT_EQ(FsckAll(), "");
}

TEST_F(DevicesTest, ADeviceThatAppearsLaterIsTakenUp) {
  StartWith(Kind::kImage, 2);
  Close();
  std::filesystem::rename(Path("d1"), Path("away"));
  OpenAll();
  EXPECT_EQ(writer_->GetAvailableSpace()->total, kDeviceSize);
  std::filesystem::rename(Path("away"), Path("d1"));
  EXPECT_EQ(writer_->GetAvailableSpace()->total, 2 * kDeviceSize);
  EXPECT_EQ(writer_->Figures().free, kFreshFree + kOtherFree);
}

TEST_F(DevicesTest, AnotherInstancesDeviceIsNeverTakenForOurs) {
  StartWith(Kind::kEmulated, 2);
  Close();
  const auto other = OpenDevice(others_[0], Access::kReadWrite);
  MkfsOptions options = Options();
  options.force = true;
  ASSERT_OK(famfs::Mkfs(**other, options));
  OpenAll();
  EXPECT_EQ(writer_->GetAvailableSpace()->total, kDeviceSize);
  EXPECT_THAT(Say(writer_->devices()->At(1)), HasSubstr("as its primary"));
}

TEST_F(DevicesTest, AReaderFollowsAnAddedDevice) {
  Start(Kind::kImage);
  others_.push_back(MakeOther("d1", Kind::kImage));
  auto reader = Reader::Open(Set(Access::kRead));
  ASSERT_OK(reader);
  EXPECT_EQ((*reader)->Figures().size, kDeviceSize);
  ASSERT_OK(Add(others_[0]));
  ASSERT_OK((*reader)->Refresh());
  EXPECT_EQ((*reader)->Figures().size, 2 * kDeviceSize);
  EXPECT_EQ((*reader)->Figures().free,
            kDeviceSize - kLogOffset - kMinLogLength + kOtherFree);
}

TEST_F(DevicesTest, ADeviceWhoseEntryIsDamagedIsKnownByItsHead) {
  StartWith(Kind::kImage, 2);
  ASSERT_OK(CreateVolume("v1", 3 * kGiB));
  ASSERT_OK(CreateVolume("v2", 3 * kGiB));
  Close();
  {
    auto layout = Layout::Open(*device_, Access::kReadWrite);
    ASSERT_OK(layout);
    const std::byte junk{0x77};
    layout->log().Store(EntryAt(0) + 45, std::span(&junk, 1));
  }
  // Another instance's device is not taken for it.
  others_.insert(others_.begin(), MakeOther("blank", Kind::kImage));
  const auto devices = Set(Access::kRead);
  const auto reader = Reader::OpenSalvaged(devices);
  ASSERT_OK(reader);
  EXPECT_EQ((*reader)->Tree()->volumes().size(), 2U);
  const auto found = devices->At(1);
  ASSERT_OK(found);
  EXPECT_EQ((*found)->spec(), others_[1]);
  const auto alone =
      DeviceSet::Open(testing::Spec(device_->spec()), {}, Access::kRead);
  ASSERT_OK(alone);
  ASSERT_OK(Reader::OpenSalvaged(*alone));
  EXPECT_THAT(Say((*alone)->At(1)), HasSubstr("is missing"));
}

}  // namespace
}  // namespace famfs
