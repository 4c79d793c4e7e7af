// Deletion and restarts: examples 13, 14, 20, 21 and 25.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "tests/integration/semantics/fixture.h"

namespace famfs::semantics {
namespace {

using ::testing::AnyOf;

TEST_F(Semantics, Example13_ADeletedVolumesMappingsLiveOn) {
  const std::string id = NewVolume("claim");
  const std::string volume = Mount(a(), id, "pod");
  a().Run([&] {
    const Mapped mapped(volume + "/data", O_RDWR);
    ASSERT_TRUE(mapped.ok());
    mapped.Put(0, "mine");
    ASSERT_THAT(Delete(id), IsOk());
    EXPECT_EQ(mapped.Text(0, 4), "mine");
    mapped.Put(4 * kMiB, "still mine");
    EXPECT_EQ(mapped.Text(4 * kMiB, 10), "still mine");
    EXPECT_THAT(OpenErrno(volume + "/data", O_RDONLY), AnyOf(ENOENT, ESTALE));
    EXPECT_EQ(OpenErrno(fmt::format("/proc/thread-self/fd/{}", mapped.fd()),
                        O_RDONLY),
              ESTALE);
  });
  EXPECT_THAT(Stage(b(), id), HasCode(StatusCode::kNotFound));
}

TEST_F(Semantics, Example14_AClaimMadeAgainIsAnotherVolume) {
  const std::string old_id = NewVolume("claim");
  const std::string old_volume = Mount(a(), old_id, "old-pod");
  a().Run([&] {
    const Mapped old(old_volume + "/data", O_RDWR);
    ASSERT_TRUE(old.ok());
    old.Put(0, "old");
    ASSERT_THAT(Delete(old_id), IsOk());
    const std::string id = NewVolume("claim");
    EXPECT_NE(id, old_id);
    const std::string volume = Mount(a(), id, "new-pod");
    const Mapped fresh(volume + "/data", O_RDWR);
    ASSERT_TRUE(fresh.ok());
    EXPECT_TRUE(fresh.Text(0, kSize) == std::string(kSize, '\0'));
    fresh.Put(0, "new");
    EXPECT_EQ(old.Text(0, 3), "old");
  });
}

TEST_F(Semantics, Example20_DeletedSpaceComesBack) {
  const auto before = Capacity();
  ASSERT_TRUE(before.ok()) << Message(before.status());
  const std::string id = NewVolume("claim");
  const auto with_volume = Capacity();
  ASSERT_TRUE(with_volume.ok());
  EXPECT_EQ(with_volume->available_capacity(),
            before->available_capacity() - kEnd);
  ASSERT_THAT(Delete(id), IsOk());
  const auto after = Capacity();
  ASSERT_TRUE(after.ok());
  EXPECT_EQ(after->available_capacity(), before->available_capacity());
}

TEST_F(Semantics, Example21_AMappingOutlivesItsServer) {
  if (!cluster().passes_through()) {
    GTEST_SKIP() << "faults without a server need FUSE passthrough (Linux 6.9)";
  }
  const std::string volume = Mount(a(), NewVolume("claim"), "pod");
  a().Run([&] {
    const Mapped mapped(volume + "/data", O_RDWR);
    const UniqueFd directory = Open(volume, O_PATH | O_DIRECTORY);
    const UniqueFd reader = Open(volume + "/data", O_RDONLY);
    ASSERT_TRUE(mapped.ok() && directory.valid() && reader.valid());
    mapped.Put(0, "before");
    const pid_t server = a().FusedPid();
    ASSERT_GT(server, 0);
    ASSERT_EQ(::kill(server, SIGKILL), 0);
    ASSERT_TRUE(rig::WaitForExit(server));
    EXPECT_EQ(ErrnoOf(::openat(directory.get(), "data", O_RDONLY | O_CLOEXEC)),
              ENOTCONN);
    EXPECT_EQ(mapped.Text(0, 6), "before");
    mapped.Put(8 * kMiB, "a new page");
    EXPECT_EQ(mapped.Text(8 * kMiB, 10), "a new page");
    std::array<char, 6> read = {};
    EXPECT_EQ(::pread(reader.get(), read.data(), read.size(), 0), 6);
    EXPECT_EQ(std::string_view(read.data(), read.size()), "before");
    EXPECT_EQ(ErrnoOf(::pwrite(mapped.fd(), "x", 1, 0)), ENOTCONN);
    // Bound again at the pod's path by the plugin, without a call.
    EXPECT_TRUE(rig::Eventually(
        [&] { return OpenErrno(volume + "/data", O_RDWR) == 0; }));
    const Mapped again(volume + "/data", O_RDWR);
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(again.Text(8 * kMiB, 10), "a new page");
    again.Put(0, "after!");
    EXPECT_EQ(mapped.Text(0, 6), "after!");
  });
}

TEST_F(Semantics, Example25_VolumesSurviveTheController) {
  const auto before = Create("claim");
  ASSERT_TRUE(before.ok()) << Message(before.status());
  ASSERT_NO_FATAL_FAILURE(cluster().RestartController());
  const auto after = Create("claim");
  ASSERT_TRUE(after.ok()) << Message(after.status());
  EXPECT_EQ(after->SerializeAsString(), before->SerializeAsString());
}

}  // namespace
}  // namespace famfs::semantics
