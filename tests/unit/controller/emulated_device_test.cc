#include "controller/emulated_device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/units.h"
#include "dax/emulated.h"

namespace famfs::controller {
namespace {

using testing::HasSubstr;

class EmulatedDevice : public testing::Test {
 protected:
  EmulatedDevice() {
    std::filesystem::create_directories(root_);
    pool_.name = "trial";
    pool_.device = {DeviceSpec::Kind::kEmulated, directory_};
    pool_.format = csi::FormatPolicy::kIfBlank;
    pool_.emulated = csi::EmulatedSection{.size = 64 * kMiB, .hosts = {"a"}};
  }
  ~EmulatedDevice() override { std::filesystem::remove_all(root_); }

  const std::string root_ =
      testing::TempDir() + "/famfs-emulated-" + Uuid::Random().ToString();
  const std::string directory_ = root_ + "/dcd";
  csi::PoolSection pool_;
};

TEST_F(EmulatedDevice, IsMadeWhereThereIsNone) {
  ASSERT_TRUE(EnsureEmulatedDevice(pool_).ok());
  const auto made = ReadEmulatedConfig(directory_);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->size, 64 * kMiB);
  EXPECT_EQ(made->hosts, std::vector<std::string>{"a"});
  EXPECT_FALSE(made->sparse);
}

TEST_F(EmulatedDevice, IsKeptWithItsTag) {
  ASSERT_TRUE(EnsureEmulatedDevice(pool_).ok());
  const Uuid tag = ReadEmulatedConfig(directory_)->tag;
  ASSERT_TRUE(EnsureEmulatedDevice(pool_).ok());
  EXPECT_EQ(ReadEmulatedConfig(directory_)->tag, tag);
}

TEST_F(EmulatedDevice, FollowsTheConfiguredHosts) {
  ASSERT_TRUE(EnsureEmulatedDevice(pool_).ok());
  const Uuid tag = ReadEmulatedConfig(directory_)->tag;
  pool_.emulated->hosts = {"a", "b"};
  ASSERT_TRUE(EnsureEmulatedDevice(pool_).ok());
  const auto now = ReadEmulatedConfig(directory_);
  EXPECT_EQ(now->hosts, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(now->tag, tag);
  pool_.emulated->hosts.clear();
  ASSERT_TRUE(EnsureEmulatedDevice(pool_).ok());
  EXPECT_TRUE(ReadEmulatedConfig(directory_)->hosts.empty());
}

TEST_F(EmulatedDevice, OfAnotherSizeIsLeftAsItIs) {
  ASSERT_TRUE(EnsureEmulatedDevice(pool_).ok());
  pool_.emulated->size = 128 * kMiB;
  const absl::Status status = EnsureEmulatedDevice(pool_);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("never changes"));
  EXPECT_EQ(ReadEmulatedConfig(directory_)->size, 64 * kMiB);
}

TEST_F(EmulatedDevice, WithADamagedDescriptionIsNotMadeAnew) {
  ASSERT_TRUE(EnsureEmulatedDevice(pool_).ok());
  std::filesystem::resize_file(directory_ + "/device.yaml", 3);
  EXPECT_FALSE(EnsureEmulatedDevice(pool_).ok());
  EXPECT_EQ(std::filesystem::file_size(directory_ + "/device.yaml"), 3U);
}

TEST_F(EmulatedDevice, IsNotTouchedWithoutADescription) {
  pool_.emulated.reset();
  ASSERT_TRUE(EnsureEmulatedDevice(pool_).ok());
  EXPECT_FALSE(std::filesystem::exists(directory_));
}

}  // namespace
}  // namespace famfs::controller
