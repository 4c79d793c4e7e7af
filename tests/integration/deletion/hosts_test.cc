// Two hosts that share an image: a deleted volume's space is used again when
// both have let go of it, and not before.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/units.h"
#include "dax/image.h"
#include "instance/metadata_store.h"
#include "instance/mkfs.h"
#include "instance/writer.h"
#include "tests/integration/support/rig.h"

namespace famfs::itest {
namespace {

using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

const auto* const kIsolation =
    ::testing::AddGlobalTestEnvironment(new rig::Isolation);

constexpr std::uint64_t kVolume = 16 * kMiB;

/// A host of the pool: a mount namespace with an identity and a famfs-fused.
class Host {
 public:
  Host(const rig::TempDir& dir, const std::string& name, std::string device)
      : namespace_(*rig::MountNamespace::Create()),
        device_(std::move(device)),
        uuid_file_(dir / (name + ".uuid")),
        boot_file_(dir / (name + ".boot")) {
    rig::WriteFile(uuid_file_, uuid_.ToString());
    Reboot();
  }
  ~Host() {
    Kill();
    Unmount();
  }
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  void Reboot() const {
    rig::WriteFile(boot_file_, Uuid::Random().ToString() + "\n");
  }
  void Serve() {
    auto server = rig::Process::Start(
        {.argv = {rig::Binary("famfs-fused"), device_, mount_.path(),
                  "--poll-ms", "20", "--allow-existing-mount"},
         .environment = {"FAMFS_SYSTEM_UUID_FILE=" + uuid_file_,
                         "FAMFS_BOOT_ID_FILE=" + boot_file_},
         .mount_namespace = namespace_.fd()});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    const absl::Status ready = server_->WaitForOutput(" is mounted on ");
    ASSERT_TRUE(ready.ok()) << ready;
  }
  void Kill() {
    if (server_ != nullptr) server_->Kill();
  }
  void Unmount() const {
    namespace_.Run([&] {
      while (::umount2(mount_.path().c_str(), MNT_DETACH) == 0) {
      }
    });
  }
  /// Unmounts and waits until the server has ended.
  void Leave() {
    Unmount();
    const auto exit = server_->Wait();
    EXPECT_TRUE(exit.ok() && *exit == 0) << server_->output();
  }

  /// 0 or open(2)'s errno.
  int TryOpen(const std::string& file) const {
    int error = 0;
    namespace_.Run([&] {
      const UniqueFd fd(
          ::open((mount_.path() + "/" + file).c_str(), O_RDWR | O_CLOEXEC));
      error = fd.valid() ? 0 : errno;
    });
    return error;
  }
  /// A mapping whose descriptor is closed: nothing else holds the file.
  char* Map(const std::string& file) const {
    void* at = MAP_FAILED;
    namespace_.Run([&] {
      const UniqueFd fd(
          ::open((mount_.path() + "/" + file).c_str(), O_RDWR | O_CLOEXEC));
      EXPECT_TRUE(fd.valid()) << file << ": " << std::strerror(errno);
      at = ::mmap(nullptr, kVolume, PROT_READ | PROT_WRITE, MAP_SHARED,
                  fd.get(), 0);
    });
    EXPECT_NE(at, MAP_FAILED);
    return static_cast<char*>(at);
  }
  [[nodiscard]] const Uuid& uuid() const { return uuid_; }
  [[nodiscard]] rig::Process& server() const { return *server_; }

 private:
  rig::TempDir mount_{"famfs-mount"};
  rig::MountNamespace namespace_;
  std::string device_;
  std::string uuid_file_;
  std::string boot_file_;
  Uuid uuid_ = Uuid::Random();
  std::unique_ptr<rig::Process> server_;
};

class HostsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::access("/dev/fuse", R_OK | W_OK) != 0) {
      GTEST_SKIP() << "this machine has no /dev/fuse that this user may open";
    }
    const std::string image = memory_ / "pool.img";
    ASSERT_TRUE(CreateImage(image, 4 * kGiB).ok());
    std::shared_ptr<DaxDevice> device = *OpenImage(image, Access::kReadWrite);
    MkfsOptions mkfs;
    mkfs.system_uuid = owner_;
    mkfs.lock_directory = dir_ / "locks";
    ASSERT_TRUE(Mkfs(*device, mkfs).ok());
    auto writer = Writer::Open(
        device, {.system_uuid = owner_, .lock_directory = dir_ / "locks"});
    ASSERT_TRUE(writer.ok()) << writer.status();
    writer_ = *std::move(writer);
    a_ = std::make_unique<Host>(dir_, "a", "image:" + image);
    b_ = std::make_unique<Host>(dir_, "b", "image:" + image);
    ASSERT_NO_FATAL_FAILURE(a_->Serve());
    ASSERT_NO_FATAL_FAILURE(b_->Serve());
    ASSERT_NO_FATAL_FAILURE(Make("v"));
    extent_ = ExtentOf("v");
  }
  void TearDown() override {
    a_.reset();
    b_.reset();
  }

  void Make(const std::string& directory) {
    VolumeAttributes attributes;
    attributes.name = "pvc-" + directory;
    attributes.capacity = kVolume;
    const absl::Status made =
        writer_->CreateVolume(directory, attributes, {.mode = 0777});
    ASSERT_TRUE(made.ok()) << made;
  }
  Range ExtentOf(const std::string& directory) const {
    const Reader::View tree = writer_->Tree();
    const MediaExtent& extent = tree->FindPath(directory + "/data")->extents[0];
    return {extent.offset, extent.length};
  }
  void DeleteIt() {
    const absl::Status deleted = writer_->DeleteVolume("v");
    ASSERT_TRUE(deleted.ok()) << deleted;
  }
  PoolFigures Reclaimed() {
    const absl::Status status = writer_->Reclaim();
    EXPECT_TRUE(status.ok()) << status;
    return writer_->Figures();
  }
  HostStanding StandingOf(const Host& host) {
    for (const HostStatus& status : writer_->Hosts()) {
      if (status.host == host.uuid()) return status.standing;
    }
    return HostStanding::kDamaged;
  }
  bool Becomes(const Host& host, HostStanding standing) {
    return rig::Eventually([&] { return StandingOf(host) == standing; });
  }
  bool SpaceIsBack() {
    return rig::Eventually([&] { return Reclaimed().pending == 0; });
  }
  bool IsStillMarked(char mark) {
    const auto mapping =
        *writer_->device()->Map(extent_.offset, extent_.length, Access::kRead);
    mapping->Invalidate(0, 1);
    return static_cast<char>(mapping->data()[0]) == mark;
  }

  rig::TempDir dir_;
  rig::Tmpfs memory_{"2G"};
  const Uuid owner_ = Uuid::Random();
  std::unique_ptr<Writer> writer_;
  std::unique_ptr<Host> a_;
  std::unique_ptr<Host> b_;
  Range extent_;
};

TEST_F(HostsTest, AMappedVolumeIsNotReusedUntilItIsLetGo) {
  char* const mapped = a_->Map("v/data");
  mapped[0] = 'm';
  ASSERT_EQ(::msync(mapped, kVolume, MS_SYNC), 0);
  EXPECT_TRUE(IsStillMarked('m'));
  DeleteIt();
  ASSERT_TRUE(Becomes(*b_, HostStanding::kAcknowledged));
  EXPECT_EQ(a_->TryOpen("v/data") == 0, false);
  EXPECT_EQ(StandingOf(*a_), HostStanding::kBehind);
  const PoolFigures figures = Reclaimed();
  EXPECT_EQ(figures.quarantined, kVolume);
  EXPECT_EQ(figures.waiting_hosts, 1U);
  // Another volume goes elsewhere, and the mapping stays usable.
  ASSERT_NO_FATAL_FAILURE(Make("w"));
  EXPECT_NE(ExtentOf("w").offset, extent_.offset);
  EXPECT_TRUE(IsStillMarked('m'));
  mapped[4096] = 'x';
  EXPECT_EQ(mapped[0], 'm');
  ASSERT_EQ(::munmap(mapped, kVolume), 0);
  ASSERT_TRUE(Becomes(*a_, HostStanding::kAcknowledged));
  ASSERT_TRUE(SpaceIsBack());
  EXPECT_TRUE(IsStillMarked('\0'));
  ASSERT_NO_FATAL_FAILURE(Make("u"));
  EXPECT_EQ(ExtentOf("u"), extent_);
  char* const fresh = b_->Map("u/data");
  EXPECT_EQ(fresh[0], '\0');
  EXPECT_EQ(fresh[4096], '\0');
  ::munmap(fresh, kVolume);
}

TEST_F(HostsTest, AKilledHostQuarantinesItAndEvictingFreesIt) {
  b_->Kill();
  DeleteIt();
  ASSERT_TRUE(Becomes(*a_, HostStanding::kAcknowledged));
  EXPECT_EQ(StandingOf(*b_), HostStanding::kBehind);
  PoolFigures figures = Reclaimed();
  EXPECT_EQ(figures.quarantined, kVolume);
  EXPECT_EQ(figures.pending, kVolume);
  const auto reader = Reader::Open(writer_->device());
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ((*reader)->Space().figures.quarantined, kVolume);
  ASSERT_TRUE(writer_->EvictHost(b_->uuid()).ok());
  EXPECT_EQ(StandingOf(*b_), HostStanding::kEvicted);
  figures = Reclaimed();
  EXPECT_EQ(figures.pending, 0U);
  EXPECT_EQ(figures.quarantined, 0U);
}

TEST_F(HostsTest, AHostThatReturnsAfterAReboot) {
  b_->Kill();
  DeleteIt();
  ASSERT_TRUE(Becomes(*a_, HostStanding::kAcknowledged));
  EXPECT_EQ(Reclaimed().quarantined, kVolume);
  b_->Unmount();
  b_->Reboot();
  ASSERT_NO_FATAL_FAILURE(b_->Serve());
  EXPECT_TRUE(SpaceIsBack());
  EXPECT_EQ(writer_->Hosts().size(), 2U);
}

TEST_F(HostsTest, AnEvictedHostThatLivesRefusesOpensUntilItMountsAgain) {
  ASSERT_EQ(b_->TryOpen("v/data"), 0);
  ASSERT_TRUE(writer_->EvictHost(b_->uuid()).ok());
  ASSERT_TRUE(b_->server().WaitForOutput("was evicted").ok());
  EXPECT_EQ(b_->TryOpen("v/data"), EIO);
  EXPECT_EQ(a_->TryOpen("v/data"), 0);
  b_->Leave();
  ASSERT_NO_FATAL_FAILURE(b_->Serve());
  EXPECT_EQ(b_->TryOpen("v/data"), 0);
  EXPECT_TRUE(Becomes(*b_, HostStanding::kAcknowledged));
}

TEST_F(HostsTest, AHostThatUnmountsIsNotWaitedFor) {
  b_->Leave();
  EXPECT_EQ(writer_->Hosts().size(), 1U);
  a_->Leave();
  EXPECT_THAT(writer_->Hosts(), IsEmpty());
  DeleteIt();
  EXPECT_EQ(Reclaimed().pending, 0U);
}

}  // namespace
}  // namespace famfs::itest
