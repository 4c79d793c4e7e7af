// One pool whose file system hangs, beside one that lies elsewhere: the other,
// the health checks, the metrics and the end of the process do not wait for it.
#include <gmock/gmock.h>
#include <sys/mount.h>
#include <unistd.h>

#include <chrono>
#include <csignal>

#include "dax/image.h"
#include "tests/integration/controller/fixture.h"
#include "tests/integration/support/frozen_disk.h"
#include "tests/integration/support/http.h"
#include "tests/integration/support/metrics.h"

namespace famfs {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;

constexpr std::uint64_t kSize = 4 * kGiB;

class HungPool : public ControllerTest {
 protected:
  /// A controller of the pools "hung", on that image, and "beside".
  void StartOn(const std::string& image) {
    ASSERT_NO_FATAL_FAILURE(StartWith(
        "pools:\n  - {name: hung, format: if-blank, device: \"image:" + image +
            "\"}\n  - {name: beside, format: if-blank, device: \"emulated:" +
            memory_ / "dcd" + "\", emulated: {size: 4G, sparse: true}}\n",
        {"--http-endpoint", "tcp://127.0.0.1:0"}));
    port_ = rig::HttpPort(controller());
  }
  absl::StatusOr<pb::CreateVolumeResponse> Make(
      const std::string& pool, const std::string& name,
      rig::Duration limit = rig::kPatience) {
    pb::CreateVolumeRequest request;
    request.set_name(name);
    (*request.mutable_parameters())["pool"] = pool;
    request.mutable_capacity_range()->set_required_bytes(4 * kMiB);
    auto& capability = *request.add_volume_capabilities();
    capability.mutable_mount();
    capability.mutable_access_mode()->set_mode(
        pb::VolumeCapability::AccessMode::SINGLE_NODE_MULTI_WRITER);
    return rig::Call(stub(), &pb::Controller::Stub::CreateVolume, request,
                     limit);
  }
  double Available(const std::string& pool) {
    return rig::Scrape(port_).Value("famfs_csi_pool_available{pool=\"" + pool +
                                    "\"}");
  }
  static void ExpectUnavailable(const absl::Status& status) {
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    EXPECT_THAT(std::string(Message(status)), HasSubstr("pool hung"));
  }
  /// Everything but the hung pool, within the time that callers have.
  void ExpectThatTheRestGoesOn(const std::string& name) {
    const auto start = steady_clock::now();
    const auto made = Make("beside", name);
    ASSERT_TRUE(made.ok()) << made.status();
    pb::GetCapacityRequest request;
    (*request.mutable_parameters())["pool"] = "beside";
    EXPECT_TRUE(
        rig::Call(stub(), &pb::Controller::Stub::GetCapacity, request).ok());
    EXPECT_TRUE(Delete(made->volume().volume_id()).ok());
    EXPECT_LT(steady_clock::now() - start, seconds(10));
    EXPECT_EQ(rig::Http(port_, "/healthz").code, 200);
    const rig::HttpReply ready = rig::Http(port_, "/readyz");
    EXPECT_EQ(ready.code, 503);
    EXPECT_THAT(ready.body, HasSubstr("hung"));
    EXPECT_EQ(Available("hung"), 0);
    EXPECT_EQ(Available("beside"), 1);
  }
  /// Until the controller knows that it hangs, which no caller has to tell it.
  void AwaitThatItIsNoticed() {
    EXPECT_TRUE(rig::Eventually(
        [this] { return rig::Http(port_, "/readyz").code == 503; }));
  }

  const rig::Tmpfs memory_;
  std::uint16_t port_ = 0;
};

class FrozenPool : public HungPool {
 protected:
  void SetUp() override {
    auto disk = rig::FrozenDisk::Create();
    if (!disk.ok()) {
      GTEST_SKIP() << "no ext4 on a loop device here: " << disk.status();
    }
    disk_ = *std::move(disk);
    ASSERT_TRUE(CreateImage(disk_->File("image"), kSize).ok());
    ASSERT_NO_FATAL_FAILURE(StartOn(disk_->File("image")));
    ASSERT_TRUE(Make("hung", "before").ok());
  }
  // What waits for it would never end.
  void TearDown() override {
    if (disk_ != nullptr) disk_->Thaw();
  }

  std::unique_ptr<rig::FrozenDisk> disk_;
};

TEST_F(FrozenPool, HoldsUpItsOwnCallsAlone) {
  ASSERT_TRUE(disk_->Freeze().ok());
  // The call that meets it waits for ever; the later ones do not.
  const auto met = Make("hung", "met", seconds(2));
  EXPECT_TRUE(absl::IsDeadlineExceeded(met.status())) << met.status();
  ASSERT_NO_FATAL_FAILURE(AwaitThatItIsNoticed());
  for (const char* name : {"met", "later"}) {
    ExpectUnavailable(Make("hung", name).status());
  }
  const auto listed = rig::Call(stub(), &pb::Controller::Stub::ListVolumes,
                                pb::ListVolumesRequest());
  ExpectUnavailable(listed.status());
  ASSERT_NO_FATAL_FAILURE(ExpectThatTheRestGoesOn("other"));

  disk_->Thaw();
  EXPECT_TRUE(rig::Eventually(
      [this] { return rig::Http(port_, "/readyz").code == 200; }));
  EXPECT_TRUE(Make("hung", "later").ok());
  EXPECT_EQ(List().size(), 3U);  // with the one whose caller had gone
  EXPECT_EQ(controller().Stop().value_or(-1), 0) << controller().output();
}

TEST_F(FrozenPool, DoesNotKeepTheEndFromBeingTold) {
  ASSERT_TRUE(disk_->Freeze().ok());
  EXPECT_FALSE(Make("hung", "met", seconds(1)).ok());
  ASSERT_NO_FATAL_FAILURE(AwaitThatItIsNoticed());
  controller().Signal(SIGTERM);
  EXPECT_TRUE(controller().WaitForOutput("does not come", seconds(12)).ok())
      << controller().output();
  EXPECT_THAT(controller().output(), HasSubstr("(pool hung: calls: 1"));
  EXPECT_NE(::access(socket().c_str(), F_OK), 0) << "the socket is still there";
  // No signal reaches a thread that waits for a frozen file system.
  disk_->Thaw();
  EXPECT_EQ(controller().Wait().value_or(-1), 1);
}

/// The image is a file of another famfs, whose server can be stopped.
class StoppedServer : public HungPool {
 protected:
  void SetUp() override {
    if (::access("/dev/fuse", R_OK | W_OK) != 0) {
      GTEST_SKIP() << "no /dev/fuse: mounting needs FUSE and root";
    }
    const std::string outer = "image:" + place_ / "outer";
    const std::vector<std::string> identity = {
        "--system-uuid", Uuid::Random().ToString(), "--lock-directory",
        dir() / "locks"};
    ASSERT_NO_FATAL_FAILURE(Famfs({"mkfs", outer, "--size", "6G"}, identity));
    ASSERT_NO_FATAL_FAILURE(
        Famfs({"creat", outer, "inner", "--size", "4G"}, identity));
    auto server =
        rig::Process::Start({.argv = {rig::Binary("famfs-fused"), outer,
                                      mount_.path(), "--data-path", "copy"}});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    ASSERT_TRUE(server_->WaitForOutput(" is mounted on ").ok());
  }
  void TearDown() override {
    if (server_ != nullptr) {
      server_->Signal(SIGCONT);
      server_->Kill();  // what waits for it gets an error now
    }
    ::umount2(mount_.path().c_str(), MNT_DETACH);
  }
  static void Famfs(std::vector<std::string> argv,
                    const std::vector<std::string>& identity) {
    argv.insert(argv.begin(), rig::Binary("famfs"));
    argv.insert(argv.end(), identity.begin(), identity.end());
    auto process = rig::Process::Start({.argv = argv});
    ASSERT_TRUE(process.ok()) << process.status();
    ASSERT_EQ((*process)->Wait().value_or(-1), 0) << (*process)->output();
  }
  [[nodiscard]] std::string image() const { return mount_ / "inner"; }

  const rig::TempDir place_;
  const rig::TempDir mount_;
  std::unique_ptr<rig::Process> server_;
};

TEST_F(StoppedServer, UnderAnOpenPoolHoldsUpThatPoolUntilItGoesOn) {
  ASSERT_NO_FATAL_FAILURE(StartOn(image()));
  ASSERT_TRUE(Make("hung", "before").ok());
  ASSERT_TRUE(rig::StandStill(server_->pid()));
  ASSERT_NO_FATAL_FAILURE(AwaitThatItIsNoticed());
  ExpectUnavailable(Make("hung", "meanwhile").status());
  ASSERT_NO_FATAL_FAILURE(ExpectThatTheRestGoesOn("other"));
  server_->Signal(SIGCONT);
  EXPECT_TRUE(rig::Eventually(
      [this] { return rig::Http(port_, "/readyz").code == 200; }));
  EXPECT_TRUE(Make("hung", "meanwhile").ok());
  EXPECT_EQ(List().size(), 2U);
}

TEST_F(StoppedServer, FromTheBeginningKeepsNeitherTheStartNorTheEnd) {
  ASSERT_TRUE(rig::StandStill(server_->pid()));
  ASSERT_NO_FATAL_FAILURE(StartOn(image()));
  ASSERT_NO_FATAL_FAILURE(AwaitThatItIsNoticed());
  ExpectUnavailable(Make("hung", "meanwhile").status());
  ASSERT_NO_FATAL_FAILURE(ExpectThatTheRestGoesOn("other"));
  const auto start = steady_clock::now();
  EXPECT_EQ(controller().Stop(seconds(20)).value_or(-1), 1);
  EXPECT_LT(steady_clock::now() - start, seconds(12));
  EXPECT_THAT(controller().output(), HasSubstr("(pool hung: a look at image:"));
}

}  // namespace
}  // namespace famfs
