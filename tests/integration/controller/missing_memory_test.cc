// Memory that is missing behind one pool's log: calls for that pool are refused
// with the reason, the controller lives and serves the others.
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <vector>

#include "base/units.h"
#include "dax/image.h"
#include "tests/integration/controller/fixture.h"

namespace famfs {
namespace {

class MissingMemoryTest : public ControllerTest {
 protected:
  /// A sparse emulated device and a sparse image on 40 MiB, and a pool beside
  /// them that lacks nothing.
  void SetUp() override {
    ASSERT_TRUE(CreateImage(memory_ / "image", 4 * kGiB).ok());
    const auto emulated = [this](const std::string& where) {
      return "    device: emulated:" + where +
             "\n    emulated: {size: 4G, sparse: true}\n";
    };
    process_ = Launch("pools:\n  - name: emulated\n    format: if-blank\n" +
                      emulated(memory_ / "dcd") +
                      "  - name: image\n    format: if-blank\n"
                      "    device: image:" +
                      memory_ / "image" +
                      "\n  - name: beside\n    format: if-blank\n" +
                      emulated(beside_ / "dcd"));
    ASSERT_NE(process_, nullptr);
    const absl::Status up = rig::WaitForSocket(socket(), process_.get());
    ASSERT_TRUE(up.ok()) << up;
    stub_ = pb::Controller::NewStub(rig::Connect(socket()));
  }
  void TearDown() override {
    ASSERT_NE(process_, nullptr);
    EXPECT_TRUE(process_->Running()) << process_->output();
  }

  absl::Status CreateIn(const std::string& pool, const std::string& name) {
    pb::CreateVolumeRequest request;
    request.set_name(name);
    (*request.mutable_parameters())["pool"] = pool;
    request.mutable_capacity_range()->set_required_bytes(
        static_cast<std::int64_t>(2 * kMiB));
    auto& capability = *request.add_volume_capabilities();
    capability.mutable_mount();
    capability.mutable_access_mode()->set_mode(
        pb::VolumeCapability::AccessMode::SINGLE_NODE_MULTI_WRITER);
    return rig::Call(*stub_, &pb::Controller::Stub::CreateVolume, request)
        .status();
  }
  void FillUp() const {
    const UniqueFd fd(::open((memory_ / "filling").c_str(),
                             O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    const std::vector<char> bytes(64 << 10, 'f');
    while (::write(fd.get(), bytes.data(), bytes.size()) > 0) {
    }
  }

  const rig::Tmpfs memory_{"40M"};
  const rig::Tmpfs beside_{"40M"};
  std::unique_ptr<rig::Process> process_;
  std::unique_ptr<pb::Controller::Stub> stub_;
};

TEST_F(MissingMemoryTest, ALogThatIsMadeShorterIsThatPoolsError) {
  for (const char* pool : {"emulated", "image", "beside"}) {
    ASSERT_TRUE(CreateIn(pool, std::string("before-") + pool).ok()) << pool;
  }
  ASSERT_EQ(::truncate((memory_ / "dcd/extents/200000").c_str(), 0), 0);
  ASSERT_EQ(::truncate((memory_ / "image").c_str(), 2 << 20), 0);
  for (const char* pool : {"emulated", "image"}) {
    const absl::Status refused = CreateIn(pool, std::string("after-") + pool);
    EXPECT_TRUE(absl::IsAborted(refused) || absl::IsUnavailable(refused))
        << refused;
    EXPECT_NE(Message(refused).find("made shorter"), std::string_view::npos)
        << refused;
  }
  EXPECT_TRUE(CreateIn("beside", "after-beside").ok());
}

TEST_F(MissingMemoryTest, AFullFileSystemEndsNothing) {
  ASSERT_TRUE(CreateIn("image", "before").ok());
  FillUp();
  // Entries run into pages of the log that have no memory, sooner or later.
  absl::Status status;
  for (int i = 0; i < 200 && status.ok(); ++i) {
    status = CreateIn("image", fmt::format("pvc-{}", i));
  }
  EXPECT_FALSE(status.ok());
  EXPECT_TRUE(CreateIn("beside", "after").ok());
}

}  // namespace
}  // namespace famfs
