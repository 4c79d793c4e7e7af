// A device of its own for each test, with the verbs that the tests speak in.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "instance/check/mkfs.h"
#include "instance/reader/reader.h"
#include "instance/writer/writer.h"

namespace famfs {

inline constexpr std::uint64_t kDeviceSize = 4 * kGiB;
/// What is free for volumes on a fresh device with a log of 8 MiB: all but the
/// superblock region, the log and the writer's reserve.
inline constexpr std::uint64_t kFreshFree =
    kDeviceSize - kSuperblockRegion - 2 * kMinLogLength;

inline std::string Say(const absl::Status& status) {
  return std::string(Message(status));
}
template <typename T>
std::string Say(const absl::StatusOr<T>& value) {
  return Say(value.status());
}

#define ASSERT_OK(expr)                                     \
  do {                                                      \
    const auto& famfs_ok_ = (expr);                         \
    ASSERT_TRUE(famfs_ok_.ok()) << ::famfs::Say(famfs_ok_); \
  } while (false)
#define EXPECT_OK(expr)                                     \
  do {                                                      \
    const auto& famfs_ok_ = (expr);                         \
    EXPECT_TRUE(famfs_ok_.ok()) << ::famfs::Say(famfs_ok_); \
  } while (false)

enum class Kind { kEmulated, kImage };

class WriteTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  /// Makes the device, sparse, and opens it for writing.
  void MakeDevice(Kind kind, std::uint64_t size = kDeviceSize);
  /// The same device once more, as another process would open it.
  std::shared_ptr<DaxDevice> OpenAgain(Access access = Access::kReadWrite);
  MkfsOptions Options() const;
  void Mkfs() { ASSERT_OK(famfs::Mkfs(*device_, Options())); }
  void Open();
  /// As after the end of the process: the lock and the mappings go.
  void Close() { writer_.reset(); }
  void Reopen() {
    Close();
    Open();
  }
  absl::StatusOr<std::unique_ptr<Writer>> TryOpen(
      const std::string& lock_directory = {});
  /// Device, file system and writer at once.
  void Start(Kind kind);

  /// Writes entries into the log of a closed instance, numbered and sealed, as
  /// another program would.
  void AppendRaw(std::vector<MediaEntry> entries);

  absl::Status CreateVolume(const std::string& directory, std::uint64_t size);
  std::vector<std::string> Volumes() const;
  /// What fsck finds, a line each; empty: clean.
  std::string Fsck();
  /// Bytes of the device, read beside the writer. For image devices.
  std::vector<std::byte> Bytes(std::uint64_t offset, std::uint64_t length);
  [[nodiscard]] std::string Path(const std::string& name) const {
    return directory_ + "/" + name;
  }

  std::string directory_;  // everything of this test; removed at its end
  Kind kind_ = Kind::kImage;
  std::shared_ptr<DaxDevice> device_;
  /// How OpenAgain opens a device that MakeDevice did not make.
  std::function<std::shared_ptr<DaxDevice>(Access)> open_again_;
  Uuid system_uuid_ = Uuid::Random();
  std::unique_ptr<Writer> writer_;
};

/// A volume's mkdir entry, as AppendRaw wants it.
MediaEntry VolumeEntry(const std::string& directory,
                       const VolumeAttributes& attributes);

VolumeAttributes Attributes(const std::string& name, std::uint64_t capacity);

/// For INSTANTIATE_TEST_SUITE_P.
std::string NameOfKind(const ::testing::TestParamInfo<Kind>& kind);

}  // namespace famfs
