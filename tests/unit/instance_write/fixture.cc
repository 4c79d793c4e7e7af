#include "fixture.h"

#include <stdlib.h>

#include <filesystem>

#include "dax/emulated.h"
#include "dax/image.h"
#include "instance/check/fsck.h"
#include "instance/devices/metadata_store.h"
#include "instance/tree/new_entry.h"
#include "media/checksum.h"

namespace famfs {

void WriteTest::SetUp() {
  const char* base =
      std::filesystem::is_directory("/dev/shm") ? "/dev/shm" : "/tmp";
  std::string name = fmt::format("{}/famfs-write-XXXXXX", base);
  ASSERT_NE(::mkdtemp(name.data()), nullptr);
  directory_ = name;
}

void WriteTest::TearDown() {
  writer_.reset();
  device_.reset();
  std::filesystem::remove_all(directory_);
}

void WriteTest::MakeDevice(Kind kind, std::uint64_t size) {
  kind_ = kind;
  if (kind == Kind::kEmulated) {
    ASSERT_OK(CreateEmulatedDevice(
        Path("pool"),
        {.size = size, .tag = Uuid::Random(), .hosts = {}, .sparse = true}));
  } else {
    ASSERT_OK(CreateImage(Path("pool.img"), size));
  }
  device_ = OpenAgain();
}

std::shared_ptr<DaxDevice> WriteTest::OpenAgain(Access access) {
  if (open_again_) return open_again_(access);
  auto device = kind_ == Kind::kEmulated
                    ? OpenEmulatedDevice(Path("pool"), access)
                    : OpenImage(Path("pool.img"), access);
  EXPECT_OK(device);
  return device.ok() ? std::shared_ptr<DaxDevice>(*std::move(device)) : nullptr;
}

MkfsOptions WriteTest::Options() const {
  return {.log_length = std::nullopt,
          .fs_uuid = std::nullopt,
          .device_uuid = std::nullopt,
          .system_uuid = system_uuid_,
          .device_name = std::nullopt,
          .lock_directory = Path("locks")};
}

absl::StatusOr<std::unique_ptr<Writer>> WriteTest::TryOpen(
    const std::string& lock_directory) {
  return Writer::Open(
      OpenAgain(), {.system_uuid = system_uuid_,
                    .lock_directory = lock_directory.empty() ? Path("locks")
                                                             : lock_directory});
}

void WriteTest::Open() {
  auto writer = TryOpen();
  ASSERT_OK(writer);
  writer_ = *std::move(writer);
}

void WriteTest::Start(Kind kind) {
  ASSERT_NO_FATAL_FAILURE(MakeDevice(kind));
  ASSERT_NO_FATAL_FAILURE(Mkfs());
  ASSERT_NO_FATAL_FAILURE(Open());
}

void WriteTest::AppendRaw(std::vector<MediaEntry> entries) {
  auto layout = Layout::Open(*device_, Access::kReadWrite);
  ASSERT_OK(layout);
  std::uint64_t index = layout->LoadLogHeader().next_index;
  for (MediaEntry& entry : entries) {
    entry.seqnum = index;
    Seal(entry);
    layout->log().Store(EntryAt(index++), std::as_bytes(std::span(&entry, 1)));
  }
  StoreLogCounters(layout->log(), index);
}

absl::Status WriteTest::CreateVolume(const std::string& directory,
                                     std::uint64_t size) {
  return writer_->CreateVolume(directory, Attributes("pvc-" + directory, size),
                               {.uid = 1000, .gid = 1000, .mode = 0770});
}

std::vector<std::string> WriteTest::Volumes() const {
  std::vector<std::string> names;
  const Reader::View tree = writer_->Tree();
  for (const auto& [name, id] : tree->volumes()) names.push_back(name);
  return names;
}

std::string WriteTest::Fsck() {
  const FsckReport report = famfs::Fsck(*OpenAgain(Access::kRead));
  std::string text;
  for (const Finding& finding : report.findings) {
    text += finding.ToString() + "\n";
  }
  return text;
}

std::vector<std::byte> WriteTest::Bytes(std::uint64_t offset,
                                        std::uint64_t length) {
  const auto mapping =
      OpenAgain(Access::kRead)->Map(offset, length, Access::kRead);
  EXPECT_OK(mapping);
  if (!mapping.ok()) return {};
  const auto bytes = (*mapping)->bytes();
  return {bytes.begin(), bytes.end()};
}

MediaEntry VolumeEntry(const std::string& directory,
                       const VolumeAttributes& attributes) {
  MediaEntry entry = NewMkdirEntry(directory, {});
  EXPECT_OK(EncodeVolumeAttributes(attributes, entry.mkdir));
  return entry;
}

VolumeAttributes Attributes(const std::string& name, std::uint64_t capacity) {
  VolumeAttributes attributes;
  attributes.name = name;
  attributes.capacity = capacity;
  attributes.created_unix_ns = 1;
  return attributes;
}

std::string NameOfKind(const ::testing::TestParamInfo<Kind>& kind) {
  return kind.param == Kind::kImage ? "image" : "emulated";
}

}  // namespace famfs
