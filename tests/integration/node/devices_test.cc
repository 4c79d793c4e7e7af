// A pool on two devices, by configuration: the real controller adds the second
// one, nodes serve files that lie on both, and miss what lies on a device that
// is not there.
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "csi/volume/volume_id.h"
#include "dax/image.h"
#include "instance/log/layout.h"
#include "instance/reader/reader.h"
#include "tests/integration/node/test_node.h"

namespace famfs::node {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::uint64_t kDevice = 4 * kGiB;
constexpr std::uint64_t kSmall = 4 * kMiB;
constexpr std::uint64_t kWide = 6 * kGiB;  // more than one device holds

class DevicesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(CreateImage(memory_ / "first", kDevice).ok());
    ASSERT_TRUE(CreateImage(memory_ / "second", kDevice).ok());
  }
  void TearDown() override {
    if (HasFailure() && controller_ != nullptr) {
      std::cerr << "---- the controller's output:\n" << controller_->output();
    }
  }

  void StartController(const std::vector<std::string>& devices) {
    rig::WriteFile(
        dir_ / "config.yaml",
        fmt::format("pools:\n  - name: fast\n    device: {}\n    devices: "
                    "[{}]\n    format: if-blank\n    systemUuid: {}\n",
                    first_, fmt::join(devices, ", "), owner_.ToString()));
    auto process = rig::Process::Start(
        {.argv = {rig::Binary("famfs-csi-controller"), "--config",
                  dir_ / "config.yaml", "--reclaim-interval", "100ms",
                  "--endpoint", "unix://" + dir_ / "csi.sock"},
         .environment = {}});
    ASSERT_TRUE(process.ok()) << process.status();
    controller_ = *std::move(process);
    ASSERT_THAT(rig::WaitForSocket(dir_ / "csi.sock", controller_.get()),
                IsOk());
    stub_ = pb::Controller::NewStub(rig::Connect(dir_ / "csi.sock"));
  }
  void StopController() {
    stub_.reset();
    EXPECT_EQ(controller_->Stop().value_or(-1), 0) << controller_->output();
  }
  absl::StatusOr<std::string> Create(const std::string& name,
                                     std::uint64_t size) {
    pb::CreateVolumeRequest request;
    request.set_name(name);
    request.mutable_capacity_range()->set_required_bytes(
        static_cast<std::int64_t>(size));
    auto& capability = *request.add_volume_capabilities();
    capability.mutable_mount();
    capability.mutable_access_mode()->set_mode(Mode::SINGLE_NODE_WRITER);
    FAMFS_ASSIGN_OR_RETURN(
        const pb::CreateVolumeResponse created,
        rig::Call(*stub_, &pb::Controller::Stub::CreateVolume, request));
    return created.volume().volume_id();
  }
  std::uint64_t Capacity() {
    const auto capacity = rig::Call(*stub_, &pb::Controller::Stub::GetCapacity,
                                    pb::GetCapacityRequest());
    EXPECT_TRUE(capacity.ok()) << Message(capacity.status());
    return capacity.ok()
               ? static_cast<std::uint64_t>(capacity->available_capacity())
               : 0;
  }
  /// Which devices a volume's file lies on.
  std::set<std::uint64_t> DevicesOf(const std::string& id) const {
    std::set<std::uint64_t> devices;
    auto device = OpenDevice(first_, Access::kRead);
    EXPECT_THAT(device.status(), IsOk());
    const auto reader =
        Reader::Open(std::shared_ptr<DaxDevice>(*std::move(device)));
    EXPECT_THAT(reader.status(), IsOk());
    const Reader::View tree = (*reader)->Tree();
    const Node* file =
        tree->FindPath(csi::ParseVolumeId(id)->directory + "/data");
    EXPECT_NE(file, nullptr);
    for (const MediaExtent& extent : file->extents) {
      devices.insert(extent.device_index);
    }
    return devices;
  }
  /// A volume on this device alone, by trying.
  std::string CreateOn(std::uint64_t device) {
    for (int i = 0; i < 16; ++i) {
      const auto id = Create(fmt::format("on-{}-{}", device, tries_++), kSmall);
      EXPECT_THAT(id.status(), IsOk());
      if (id.ok() && DevicesOf(*id) == std::set{device}) return *id;
      // What is left there shrinks until the other device has more.
      EXPECT_THAT(Create(fmt::format("fill-{}", tries_++), kGiB).status(),
                  IsOk());
    }
    ADD_FAILURE() << "no volume lay on device " << device;
    return "";
  }
  std::unique_ptr<TestNode> MakeNode(const std::vector<std::string>& devices) {
    auto node = std::make_unique<TestNode>(
        std::vector<PoolLine>{{"fast", first_, devices}});
    node->Start();
    return node;
  }
  static absl::Status StageIt(TestNode& node, const std::string& id) {
    return node.Stage(id, node.StagingPath(id.substr(id.rfind(':') + 1)),
                      Mode::SINGLE_NODE_WRITER);
  }
  /// The path at which the pod finds it.
  static std::string PublishIt(TestNode& node, const std::string& id) {
    const std::string name = id.substr(id.rfind(':') + 1);
    EXPECT_THAT(StageIt(node, id), IsOk());
    const std::string target = node.TargetPath("pod-" + name);
    EXPECT_THAT(node.Publish(id, node.StagingPath(name), target, false,
                             Mode::SINGLE_NODE_WRITER),
                IsOk());
    return target;
  }
  static void Put(TestNode& node, const std::string& path, std::uint64_t at,
                  const std::string& text) {
    node.Run([&] {
      const UniqueFd fd(::open((path + "/data").c_str(), O_RDWR | O_CLOEXEC));
      ASSERT_TRUE(fd.valid()) << path;
      EXPECT_EQ(
          ::pwrite(fd.get(), text.data(), text.size(), static_cast<off_t>(at)),
          static_cast<ssize_t>(text.size()));
      EXPECT_EQ(::fsync(fd.get()), 0);
    });
  }
  static std::string Get(TestNode& node, const std::string& path,
                         std::uint64_t at, std::size_t length) {
    std::string text(length, '?');
    node.Run([&] {
      const UniqueFd fd(::open((path + "/data").c_str(), O_RDONLY | O_CLOEXEC));
      ASSERT_TRUE(fd.valid()) << path;
      EXPECT_EQ(::pread(fd.get(), text.data(), length, static_cast<off_t>(at)),
                static_cast<ssize_t>(length));
    });
    return text;
  }

  rig::TempDir dir_;
  rig::Tmpfs memory_;
  const std::string first_ = "image:" + memory_ / "first";
  const std::string second_ = "image:" + memory_ / "second";
  const Uuid owner_ = Uuid::Random();
  int tries_ = 0;
  std::unique_ptr<rig::Process> controller_;
  std::unique_ptr<pb::Controller::Stub> stub_;
};

TEST_F(DevicesTest, AFileLiesOnBothAndIsServedOnEveryNode) {
  ASSERT_NO_FATAL_FAILURE(StartController({second_}));
  EXPECT_THAT(controller_->output(), HasSubstr("is now device 1"));
  EXPECT_GT(Capacity(), kWide);
  const auto wide = Create("wide", kWide);
  ASSERT_THAT(wide.status(), IsOk());
  EXPECT_EQ(DevicesOf(*wide), (std::set<std::uint64_t>{0, 1}));
  const auto a = MakeNode({second_});
  const auto b = MakeNode({second_});
  const std::string at_a = PublishIt(*a, *wide);
  Put(*a, at_a, 0, "the beginning");
  Put(*a, at_a, kWide / 2, "the middle");
  Put(*a, at_a, kWide - 7, "the end");
  const std::string at_b = PublishIt(*b, *wide);
  EXPECT_EQ(Get(*b, at_b, 0, 13), "the beginning");
  EXPECT_EQ(Get(*b, at_b, kWide / 2, 10), "the middle");
  EXPECT_EQ(Get(*b, at_b, kWide - 7, 7), "the end");
  const auto stats = b->Stats(*wide, at_b);
  ASSERT_THAT(stats.status(), IsOk());
  EXPECT_EQ(stats->usage(0).total(), static_cast<std::int64_t>(kWide));
  // A controller that starts again adds nothing.
  StopController();
  ASSERT_NO_FATAL_FAILURE(StartController({second_}));
  EXPECT_THAT(controller_->output(), Not(HasSubstr("is now device")));
}

TEST_F(DevicesTest, AMissingDeviceTakesAwayOnlyWhatLiesOnIt) {
  ASSERT_NO_FATAL_FAILURE(StartController({second_}));
  const std::string here = CreateOn(0);
  const std::string there = CreateOn(1);
  const std::uint64_t whole = Capacity();
  StopController();
  fs::rename(memory_ / "second", memory_ / "away");

  const auto node = MakeNode({second_});
  EXPECT_THAT(node->output(), HasSubstr("device 1 of the instance"));
  const std::string path = PublishIt(*node, here);
  Put(*node, path, 0, "works");
  EXPECT_EQ(Get(*node, path, 0, 5), "works");
  EXPECT_THAT(node->Stats(here, path).status(), IsOk());
  EXPECT_THAT(StageIt(*node, there),
              IsError(absl::StatusCode::kUnavailable, "device 1"));

  ASSERT_NO_FATAL_FAILURE(StartController({second_}));
  EXPECT_THAT(controller_->output(), HasSubstr("is missing"));
  EXPECT_LT(Capacity(), whole - kGiB);
  EXPECT_THAT(Create("meanwhile", kSmall).status(), IsOk());

  // It comes back, and nobody has to be restarted.
  fs::rename(memory_ / "away", memory_ / "second");
  const std::string back = PublishIt(*node, there);
  Put(*node, back, 0, "also here");
  EXPECT_EQ(Get(*node, back, 0, 9), "also here");
  EXPECT_THAT(node->Stats(there, back).status(), IsOk());
  EXPECT_EQ(Capacity(), whole - kSmall);
}

TEST_F(DevicesTest, StatsOfAPublishedVolumeTellThatItsDeviceIsMissing) {
  ASSERT_NO_FATAL_FAILURE(StartController({second_}));
  const std::string there = CreateOn(1);
  std::string path;
  auto node = MakeNode({second_});
  path = PublishIt(*node, there);
  EXPECT_THAT(node->Stats(there, path).status(), IsOk());
  // A plugin that starts without it; the mounts are there still.
  EXPECT_EQ(node->StopPlugin(), 0);
  fs::rename(memory_ / "second", memory_ / "away");
  node->Start();
  EXPECT_THAT(node->Stats(there, path).status(),
              IsError(absl::StatusCode::kUnavailable, "device 1"));
  fs::rename(memory_ / "away", memory_ / "second");
  EXPECT_THAT(node->Stats(there, path).status(), IsOk());
}

TEST_F(DevicesTest, ADeviceIsAddedToALivePoolWithoutANewServer) {
  ASSERT_NO_FATAL_FAILURE(StartController({}));
  const std::string first = CreateOn(0);
  const auto node = MakeNode({});
  const std::string path = PublishIt(*node, first);
  Put(*node, path, 0, "before");
  Uuid fs_uuid;
  {
    const auto device = OpenDevice(first_, Access::kRead);
    fs_uuid = Layout::Open(**device, Access::kRead)->superblock().fs_uuid;
  }
  const pid_t server = node->FusedPid(fs_uuid);

  StopController();
  ASSERT_NO_FATAL_FAILURE(StartController({second_}));
  const std::string there = CreateOn(1);
  EXPECT_THAT(StageIt(*node, there),
              IsError(absl::StatusCode::kUnavailable, "device 1"));
  EXPECT_EQ(node->StopPlugin(), 0);
  node->Configure({{"fast", first_, {second_}}});
  node->Start();
  const std::string added = PublishIt(*node, there);
  Put(*node, added, 0, "added");
  EXPECT_EQ(Get(*node, added, 0, 5), "added");
  EXPECT_EQ(Get(*node, path, 0, 6), "before");
  EXPECT_EQ(node->FusedPid(fs_uuid), server);
}

TEST_F(DevicesTest, ADeviceThatIsNotBlankIsRefusedAndThePoolGoesOn) {
  {
    const auto device = OpenDevice(second_, Access::kReadWrite);
    const auto mapping = (*device)->Map(kMiB, kMiB, Access::kReadWrite);
    ASSERT_THAT(mapping.status(), IsOk());
    (*mapping)->mutable_data()[17] = std::byte{1};
  }
  ASSERT_NO_FATAL_FAILURE(StartController({second_}));
  EXPECT_THAT(controller_->output(),
              HasSubstr("the configured device " + second_ + " is not used"));
  EXPECT_THAT(controller_->output(), HasSubstr("is not blank"));
  EXPECT_THAT(Create("small", kSmall).status(), IsOk());
  EXPECT_LT(Capacity(), kDevice);
  EXPECT_EQ(DevicesOf(*Create("another", kSmall)), std::set<std::uint64_t>{0});
  // Made blank by a person, it is taken in the next round.
  fs::remove(memory_ / "second");
  ASSERT_TRUE(CreateImage(memory_ / "second", kDevice).ok());
  ASSERT_THAT(controller_->WaitForOutput("is now device 1"), IsOk());
  EXPECT_GT(Capacity(), kDevice);
}

TEST_F(DevicesTest, AnotherPoolsDeviceIsNotTaken) {
  ASSERT_NO_FATAL_FAILURE(StartController({second_}));
  const std::string there = CreateOn(1);
  StopController();
  // The same second device, configured for a pool on another primary.
  ASSERT_TRUE(CreateImage(memory_ / "third", kDevice).ok());
  rig::WriteFile(dir_ / "config.yaml",
                 fmt::format("pools:\n  - name: fast\n    device: image:{}\n"
                             "    devices: [{}]\n    format: if-blank\n"
                             "    systemUuid: {}\n",
                             memory_ / "third", second_, owner_.ToString()));
  auto other = rig::Process::Start(
      {.argv = {rig::Binary("famfs-csi-controller"), "--config",
                dir_ / "config.yaml", "--endpoint",
                "unix://" + dir_ / "other.sock"},
       .environment = {}});
  ASSERT_THAT(other.status(), IsOk());
  ASSERT_THAT((*other)->WaitForOutput("is a secondary device of"), IsOk());
  EXPECT_EQ((*other)->Stop().value_or(-1), 0);
  const auto node = MakeNode({second_});
  EXPECT_THAT(StageIt(*node, there), IsOk());
}

}  // namespace
}  // namespace famfs::node
