// File handles: who has CAP_DAC_READ_SEARCH opens files by handles that it
// makes up, past all directories. None of a famfs mount may be opened so.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>

#include "tests/integration/fuse/fixture.h"

namespace famfs::itest {
namespace {

#ifndef AT_HANDLE_FID
#define AT_HANDLE_FID 0x200  // newer than Debian 12's headers
#endif

/// FUSE's handle of a node: its id, the high half first, and its generation.
struct Handle {
  std::uint32_t bytes = sizeof(std::uint32_t) * 3;
  std::int32_t type = 0x81;
  std::array<std::uint32_t, 3> fid{};

  static Handle OfNode(std::uint64_t id, std::uint32_t generation) {
    Handle handle;
    handle.fid = {static_cast<std::uint32_t>(id >> 32),
                  static_cast<std::uint32_t>(id), generation};
    return handle;
  }
  file_handle* get() { return reinterpret_cast<file_handle*>(this); }
};

class HandleTest : public EachPathTest {
 protected:
  void SetUp() override {
    // The kernels that can pass through are those that can refuse handles.
    if (!PassthroughMissing().empty()) GTEST_SKIP() << PassthroughMissing();
    EachPathTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    AddVolume("v", "pvc-1");
    AddVolume("another", "pvc-2");
    mount_ = MountIt();
    ASSERT_TRUE(mount_);
    volume_ = mount_->path() + "/v";
  }
  [[nodiscard]] int OpenErrnoOf(Handle handle) const {
    const UniqueFd directory = OpenOrFail(volume_, O_RDONLY | O_DIRECTORY);
    const int fd = ::open_by_handle_at(directory.get(), handle.get(), O_RDONLY);
    const int error = ErrnoOf(fd);
    if (fd >= 0) ::close(fd);
    return error;
  }
  std::unique_ptr<Mount> mount_;
  std::string volume_;
};

TEST_P(HandleTest, TheInstancesRootIsNotOpenedByAHandleThatIsMadeUp) {
  for (const std::uint32_t generation : {0U, 1U}) {
    EXPECT_EQ(OpenErrnoOf(Handle::OfNode(1, generation)), ESTALE);
  }
}

TEST_P(HandleTest, ANodeThatTheKernelKnowsIsNotOpenedByItsHandle) {
  for (const char* name : {"/another", "/another/data", "/.meta/.log"}) {
    struct stat info = {};
    ASSERT_EQ(::stat((mount_->path() + name).c_str(), &info), 0);
    EXPECT_EQ(OpenErrnoOf(Handle::OfNode(info.st_ino, 1)), ESTALE) << name;
  }
}

TEST_P(HandleTest, FilesHaveHandlesToTellThemApartBy) {
  Handle handle;
  int mount_id = 0;
  ASSERT_EQ(::name_to_handle_at(AT_FDCWD, (volume_ + "/data").c_str(),
                                handle.get(), &mount_id, AT_HANDLE_FID),
            0)
      << std::strerror(errno);
  EXPECT_EQ(OpenErrnoOf(handle), ESTALE);
}

TEST_P(HandleTest, AnOverlayAboveAVolumeGoesOn) {
  const rig::Tmpfs tmpfs("64M");
  for (const char* name : {"upper", "work", "merged"}) {
    ASSERT_EQ(::mkdir((tmpfs / name).c_str(), 0755), 0);
  }
  const std::string merged = tmpfs / "merged";
  const std::string options =
      fmt::format("lowerdir={},upperdir={},workdir={}", volume_,
                  tmpfs / "upper", tmpfs / "work");
  ASSERT_EQ(::mount("overlay", merged.c_str(), "overlay", 0, options.c_str()),
            0)
      << std::strerror(errno);
  {
    const UniqueFd below = OpenOrFail(volume_ + "/data", O_RDWR);
    ASSERT_EQ(::pwrite(below.get(), "below", 5, 0), 5);
  }
  std::array<char, 5> read = {};
  {
    const UniqueFd file = OpenOrFail(merged + "/data", O_RDONLY);
    ASSERT_EQ(::pread(file.get(), read.data(), read.size(), 0), 5);
    EXPECT_EQ(std::string_view(read.data(), 5), "below");
  }
  {  // copied up
    const UniqueFd file = OpenOrFail(merged + "/data", O_RDWR);
    EXPECT_EQ(::pwrite(file.get(), "above", 5, 0), 5);
  }
  const UniqueFd below = OpenOrFail(volume_ + "/data", O_RDONLY);
  ASSERT_EQ(::pread(below.get(), read.data(), read.size(), 0), 5);
  EXPECT_EQ(std::string_view(read.data(), 5), "below");
  EXPECT_EQ(::umount2(merged.c_str(), 0), 0);
}

INSTANTIATE_TEST_SUITE_P(Paths, HandleTest,
                         ::testing::Values("passthrough", "copy"),
                         [](const auto& path) {
                           return std::string(path.param);
                         });

}  // namespace
}  // namespace famfs::itest
