// A killed server's row of the host table, where no mark tells that it was
// killed, goes when its FUSE connection has gone, also where the kernel has
// given the number to another mount since.
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "dax/image.h"
#include "fuse/kernel/mount.h"
#include "instance/check/mkfs.h"
#include "instance/deletion/host_table.h"
#include "instance/devices/metadata_store.h"
#include "instance/log/layout.h"
#include "tests/integration/fuse/fixture.h"

namespace famfs::itest {
namespace {

class Connections : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = FuseMissing(); !why.empty()) {
      GTEST_SKIP() << why;
    }
    // Both servers are of one host and one boot.
    ASSERT_EQ(::setenv("FAMFS_SYSTEM_UUID_FILE", (dir_ / "uuid").c_str(), 1),
              0);
    ASSERT_TRUE(CreateImage(memory_ / "pool.img", 4 * kGiB).ok());
    MkfsOptions mkfs;
    mkfs.system_uuid = Uuid::Random();
    mkfs.lock_directory = dir_ / "locks";
    const absl::Status made =
        Mkfs(**OpenDevice(spec_, Access::kReadWrite), mkfs);
    ASSERT_TRUE(made.ok()) << made;
  }
  void TearDown() override { ::unsetenv("FAMFS_SYSTEM_UUID_FILE"); }

  [[nodiscard]] std::size_t Rows() const {
    const auto reader = Reader::Open(*OpenDevice(spec_, Access::kRead));
    EXPECT_TRUE(reader.ok()) << reader.status();
    return reader.ok() ? (*reader)->Hosts().size() : 0;
  }
  /// As of a server that could set none.
  void TakeMarks() const {
    const auto device = OpenDevice(spec_, Access::kReadWrite);
    ASSERT_TRUE(device.ok()) << device.status();
    auto layout = Layout::Open(**device, Access::kReadWrite);
    ASSERT_TRUE(layout.ok()) << layout.status();
    const Uuid fs_uuid = layout->superblock().fs_uuid;
    for (HostRow row : LoadHosts(layout->head(), fs_uuid)) {
      row.record.marked = false;
      ++row.record.sequence;
      StoreHost(layout->head(), row.row, row.record, fs_uuid);
    }
  }
  /// A mount of the same number as a connection that has just ended; invalid
  /// where somebody else on the machine got it.
  static NewMount TakeNumber(std::uint32_t number) {
    constexpr int kMostGaps = 32;  // lower numbers that are free
    std::vector<NewMount> others;
    for (int i = 0; i < kMostGaps; ++i) {
      auto mount = CreateMount("another");
      EXPECT_TRUE(mount.ok()) << mount.status();
      if (!mount.ok()) break;
      if (ConnectionOf(*mount) == number) return *std::move(mount);
      others.push_back(*std::move(mount));
    }
    return {};
  }
  /// False: the number was somebody else's.
  bool TryOnce() {
    const auto first = Mount::Start(spec_, {});
    EXPECT_TRUE(first.ok()) << first.status();
    struct stat info = {};
    if (!first.ok() || ::stat((*first)->path().c_str(), &info) != 0) {
      ADD_FAILURE() << "nothing is mounted";
      return true;
    }
    (*first)->server().Kill();
    TakeMarks();
    const auto second = Mount::Start(spec_, {});
    EXPECT_TRUE(second.ok()) << second.status();
    if (!second.ok()) return true;
    EXPECT_EQ(Rows(), 2U) << "the first one's mount still stands";
    // Between two of its looks.
    EXPECT_TRUE(rig::StandStill((*second)->server().pid()));
    EXPECT_EQ(::umount2((*first)->path().c_str(), MNT_DETACH), 0);
    const NewMount other = TakeNumber(minor(info.st_dev));
    (*second)->server().Signal(SIGCONT);
    if (!other.mount.valid()) return false;
    EXPECT_TRUE(rig::Eventually([this] { return Rows() == 1; }));
    return true;
  }

  rig::TempDir dir_{"famfs-connections"};
  rig::Tmpfs memory_{"1G"};
  const std::string spec_ = "image:" + (memory_ / "pool.img");
};

TEST_F(Connections, ANumberThatIsUsedAnewDoesNotKeepTheRow) {
  constexpr int kAttempts = 5;
  for (int i = 0; i < kAttempts; ++i) {
    if (TryOnce()) return;
  }
  GTEST_SKIP() << "other mounts of this machine took the number each time";
}

}  // namespace
}  // namespace famfs::itest
