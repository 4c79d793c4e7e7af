// Memory that is missing behind a volume, or behind the log: the access that
// meets it gets an error, the server lives, and everything else goes on.
#include <fcntl.h>
#include <linux/falloc.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <string>
#include <vector>

#include "dax/image.h"
#include "instance/check/mkfs.h"
#include "tests/integration/fuse/fixture.h"

namespace famfs::itest {
namespace {

constexpr auto kEnd = static_cast<off_t>(kVolumeSize);

/// An instance on a file system of 32 MiB that promises more, with two volumes
/// of 16 MiB; the parameter says on which kind of device.
class MissingMemoryTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (const std::string why = FuseMissing(); !why.empty()) {
      GTEST_SKIP() << why;
    }
    if (IsImage()) {
      MakeImage();
    } else {
      auto device = rig::Device::Create(memory_ / "device",
                                        {.size = 4 * kGiB, .sparse = true});
      ASSERT_TRUE(device.ok()) << device.status();
      spec_ = device->spec();
      OpenWriter(device->system_uuid());
    }
    if (HasFatalFailure()) return;
    for (const char* name : {"v", "w"}) {
      VolumeAttributes attributes;
      attributes.name = name;
      attributes.capacity = kVolumeSize;
      const absl::Status made = writer_->CreateVolume(
          name, attributes, {.uid = 0, .gid = 0, .mode = 0777});
      ASSERT_TRUE(made.ok()) << made;
    }
    auto mount =
        Mount::Start(spec_, {.arguments = {"--memory-report", Report()}});
    ASSERT_TRUE(mount.ok()) << mount.status();
    mount_ = *std::move(mount);
  }
  void TearDown() override {
    if (mount_ == nullptr) return;
    EXPECT_TRUE(mount_->server().Running()) << mount_->server().output();
  }

  [[nodiscard]] static bool IsImage() {
    return std::string(GetParam()) == "image";
  }
  void MakeImage() {
    const std::string path = memory_ / "image";
    ASSERT_TRUE(CreateImage(path, 4 * kGiB).ok());
    spec_ = "image:" + path;
    auto device = OpenDevice(spec_, Access::kReadWrite);
    ASSERT_TRUE(device.ok()) << device.status();
    MkfsOptions options;
    options.system_uuid = Uuid::Random();
    options.lock_directory = locks_.path();
    ASSERT_TRUE(Mkfs(**device, options).ok());
    OpenWriter(options.system_uuid);
  }
  void OpenWriter(const Uuid& system_uuid) {
    auto device = OpenDevice(spec_, Access::kReadWrite);
    ASSERT_TRUE(device.ok()) << device.status();
    auto writer = Writer::Open(std::shared_ptr<DaxDevice>(*std::move(device)),
                               {system_uuid, locks_.path()});
    ASSERT_TRUE(writer.ok()) << writer.status();
    writer_ = *std::move(writer);
  }

  [[nodiscard]] std::string Report() const { return locks_ / "report"; }
  [[nodiscard]] std::string File(const std::string& volume) const {
    return mount_->path() + "/" + volume + "/data";
  }
  /// The file that is behind a volume, and where its memory begins in it.
  [[nodiscard]] std::pair<std::string, off_t> Behind(
      const std::string& volume) const {
    const auto tree = writer_->Tree();
    const std::uint64_t offset =
        tree->FindPath(volume + "/data")->extents[0].offset;
    if (IsImage()) return {memory_ / "image", static_cast<off_t>(offset)};
    return {fmt::format("{}/device/extents/{:x}", memory_.path(), offset), 0};
  }
  void FillUp() const {
    const UniqueFd fd(::open((memory_ / "filling").c_str(),
                             O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    const std::vector<char> bytes(64 << 10, 'f');
    while (::write(fd.get(), bytes.data(), bytes.size()) > 0) {
    }
  }
  const rig::TempDir locks_;
  const rig::Tmpfs memory_{"64M"};
  std::string spec_;
  std::unique_ptr<Writer> writer_;
  std::unique_ptr<Mount> mount_;
};

INSTANTIATE_TEST_SUITE_P(Devices, MissingMemoryTest,
                         ::testing::Values("emulated", "image"));

TEST_P(MissingMemoryTest, AWriteThatFindsNoRoomIsEnospcAndOthersGoOn) {
  const UniqueFd other = OpenOrFail(File("w"), O_RDWR | O_DIRECT);
  ASSERT_EQ(::pwrite(other.get(), std::string(4096, 'w').data(), 4096, 0),
            4096);
  FillUp();
  const UniqueFd fd = OpenOrFail(File("v"), O_RDWR | O_DIRECT);
  const std::string bytes(1 * kMiB, 'v');
  int error = 0;
  off_t written = 0;
  while (written < kEnd && error == 0) {
    const ssize_t n = ::pwrite(fd.get(), bytes.data(), bytes.size(), written);
    if (n <= 0) error = ErrnoOf(n);
    written += std::max<ssize_t>(n, 0);
  }
  EXPECT_EQ(error, ENOSPC);
  // The other volume: what is there is read and written as before.
  std::string there(4096, ' ');
  EXPECT_EQ(::pread(other.get(), there.data(), 4096, 0), 4096);
  EXPECT_EQ(there, std::string(4096, 'w'));
  EXPECT_EQ(::pwrite(other.get(), there.data(), 4096, 0), 4096);
  // With room again the same descriptor goes on.
  std::filesystem::remove(memory_ / "filling");
  EXPECT_EQ(::pwrite(fd.get(), bytes.data(), bytes.size(), written),
            static_cast<ssize_t>(bytes.size()));
  EXPECT_TRUE(mount_->server()
                  .WaitForOutput("v/data: memory is missing, answered with "
                                 "ENOSPC")
                  .ok());
  EXPECT_TRUE(rig::Eventually([&] {
    return rig::ReadWholeFile(Report()).find(" v/data\n") != std::string::npos;
  })) << rig::ReadWholeFile(Report());
  EXPECT_EQ(rig::ReadWholeFile(Report()).find("w/data"), std::string::npos);
}

TEST_P(MissingMemoryTest, AnOpenFileThatIsMadeShorterIsEioInAllThatMovesBytes) {
  // The last one on the device: of an image the other keeps its memory.
  const bool v_is_last = Behind("v").second > Behind("w").second;
  const std::string gone = v_is_last ? "v" : "w";
  const auto [path, at] = Behind(gone);
  // Opened before it is served: afterwards nobody may shorten it.
  const UniqueFd behind = OpenOrFail(path, O_RDWR);
  const UniqueFd fd = OpenOrFail(File(gone), O_RDWR | O_DIRECT);
  const UniqueFd other =
      OpenOrFail(File(v_is_last ? "w" : "v"), O_RDWR | O_DIRECT);
  alignas(4096) static std::array<char, 4096> bytes;
  bytes.fill('x');
  ASSERT_EQ(::pwrite(fd.get(), bytes.data(), 4096, kEnd - 4096), 4096);
  ASSERT_EQ(::pwrite(other.get(), bytes.data(), 4096, 0), 4096);
  ASSERT_EQ(::ftruncate(behind.get(), at), 0);
  EXPECT_EQ(ErrnoOf(::pwrite(fd.get(), bytes.data(), 4096, 0)), EIO);
  EXPECT_EQ(ErrnoOf(::pread(fd.get(), bytes.data(), 4096, 0)), EIO);
  EXPECT_EQ(ErrnoOf(::fallocate(fd.get(), FALLOC_FL_ZERO_RANGE, 0, 4096)), EIO);
  off_t from = 0;
  off_t to = 8192;
  EXPECT_EQ(
      ErrnoOf(::copy_file_range(fd.get(), &from, other.get(), &to, 4096, 0)),
      EIO);
  from = 0;
  to = 0;
  EXPECT_EQ(
      ErrnoOf(::copy_file_range(other.get(), &from, fd.get(), &to, 4096, 0)),
      EIO);
  EXPECT_EQ(::pread(other.get(), bytes.data(), 4096, 0), 4096);
  EXPECT_EQ(bytes[4095], 'x');
  EXPECT_TRUE(mount_->server()
                  .WaitForOutput(gone + "/data: memory is missing, answered "
                                        "with EIO")
                  .ok());
}

TEST_P(MissingMemoryTest, ALogThatIsMadeShorterKeepsNobodyFromTheirFiles) {
  const UniqueFd fd = OpenOrFail(File("v"), O_RDWR | O_DIRECT);
  std::string bytes(4096, 'x');
  ASSERT_EQ(::pwrite(fd.get(), bytes.data(), 4096, 0), 4096);
  if (IsImage()) {
    ASSERT_EQ(
        ::truncate((memory_ / "image").c_str(), static_cast<off_t>(kLogOffset)),
        0);
  } else {
    ASSERT_EQ(::truncate((memory_ / "device/extents/200000").c_str(), 0), 0);
  }
  EXPECT_TRUE(
      mount_->server().WaitForOutput("the log cannot be followed").ok());
  EXPECT_TRUE(mount_->server().WaitForOutput("made shorter").ok());
  EXPECT_EQ(OpenErrno(File("w"), O_RDONLY), EIO);
  if (!IsImage()) {
    EXPECT_EQ(::pread(fd.get(), bytes.data(), 4096, 0), 4096);
    EXPECT_EQ(bytes, std::string(4096, 'x'));
  }
  // The owner does not acknowledge what it cannot have stored.
  EXPECT_TRUE(absl::IsUnavailable(
      writer_->Mkdir("new", {.uid = 0, .gid = 0, .mode = 0755})));
}

}  // namespace
}  // namespace famfs::itest
