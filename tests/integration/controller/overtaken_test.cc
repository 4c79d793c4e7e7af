// A controller whose pool another writer takes over: it says so, and takes up
// its work again where it may.
#include <gmock/gmock.h>

#include "instance/writer/writer.h"
#include "tests/integration/controller/fixture.h"
#include "tests/integration/support/http.h"
#include "tests/integration/support/metrics.h"

namespace famfs {
namespace {

using ::testing::HasSubstr;

class Overtaken : public ControllerTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(MakeDevice());
    ASSERT_NO_FATAL_FAILURE(
        StartController({"--http-endpoint", "tcp://127.0.0.1:0"}));
    port_ = rig::HttpPort(controller());
  }

  /// A `famfs` command that writes the pool without the controller's lock.
  void Famfs(const std::vector<std::string>& words, const Uuid& host) {
    std::vector<std::string> argv = {rig::Binary("famfs")};
    argv.insert(argv.end(), words.begin(), words.end());
    argv.insert(argv.end(), {"--lock-directory", dir() / "other-locks",
                             "--system-uuid", host.ToString()});
    auto process = rig::Process::Start({.argv = argv});
    ASSERT_TRUE(process.ok()) << process.status();
    ASSERT_EQ((*process)->Wait().value_or(-1), 0) << (*process)->output();
  }
  void TakeOver(const Uuid& host, const std::string& directory) {
    Famfs({"mkdir", "--take-over", device().spec(), ":" + directory}, host);
  }
  /// A writer of this host in another place than the controller's, such as a
  /// container that does not share /run/famfs.
  std::unique_ptr<Writer> OtherWriter() {
    auto writer = Writer::Open(*device().Open(Access::kReadWrite),
                               {.system_uuid = device().system_uuid(),
                                .lock_directory = dir() / "other-locks"});
    EXPECT_TRUE(writer.ok()) << writer.status();
    return writer.ok() ? *std::move(writer) : nullptr;
  }
  std::vector<std::string> Names() {
    std::vector<std::string> directories;
    for (const pb::Volume& volume : List()) {
      directories.push_back(volume.volume_id());
    }
    return directories;
  }
  double Value(const std::string& name, const std::string& more = "") {
    return rig::Scrape(port_).Value(
        fmt::format(R"(famfs_csi_pool_{}{{pool="fast"{}}})", name, more));
  }
  double Losses() { return Value("losses_total", R"(,reason="overtaken")"); }
  int Ready() { return rig::Http(port_, "/readyz").code; }

  std::uint16_t port_ = 0;
};

TEST_F(Overtaken, ByACommandOfThisHostAControllerGoesOn) {
  ASSERT_TRUE(Create("before", 4 * kMiB).ok());
  EXPECT_EQ(Losses(), 0);
  ASSERT_NO_FATAL_FAILURE(
      Famfs({"mkdir", device().spec(), ":other"}, device().system_uuid()));
  // Without a call: an idle controller notices, too.
  EXPECT_TRUE(rig::Eventually([&] { return Losses() == 1; }));
  EXPECT_TRUE(rig::Eventually([&] { return Ready() == 200; }));
  EXPECT_EQ(Value("available"), 1);
  const auto after = Create("after", 4 * kMiB);
  EXPECT_TRUE(after.ok()) << after.status();
  EXPECT_EQ(List().size(), 2U);
  EXPECT_THAT(controller().output(),
              HasSubstr("pool fast was lost: another writer took the file "
                        "system over"));
}

TEST_F(Overtaken, ItsFirstCallIsToTryAgainAndLaterOnesSeeWhatTheOtherMade) {
  const std::unique_ptr<Writer> other = OtherWriter();
  ASSERT_NE(other, nullptr);
  VolumeAttributes attributes;
  attributes.name = "foreign";
  attributes.capacity = 4 * kMiB;
  ASSERT_TRUE(other->CreateVolume("foreign-1", attributes, {}).ok());
  absl::Status last = absl::UnknownError("");
  EXPECT_TRUE(rig::Eventually([&] {
    last = Create("mine", 4 * kMiB).status();
    // Whatever it says meanwhile, a provisioner tries again.
    if (!last.ok()) {
      EXPECT_TRUE(absl::IsUnavailable(last)) << last;
    }
    return last.ok();
  })) << last;
  EXPECT_THAT(Names(), ::testing::Contains(HasSubstr("foreign-1")));
  EXPECT_EQ(List().size(), 2U);
  EXPECT_TRUE(absl::IsAborted(other->CheckStanding()));
}

TEST_F(Overtaken, ByAnotherHostItIsNotReadyUntilItIsTheOwnerAgain) {
  ASSERT_TRUE(Create("one", 4 * kMiB).ok());
  const Uuid other = Uuid::Random();
  ASSERT_NO_FATAL_FAILURE(TakeOver(other, "d1"));
  EXPECT_TRUE(rig::Eventually([&] { return Ready() == 503; }));
  // For longer than the pause: it is not the owner.
  ASSERT_TRUE(controller()
                  .WaitForOutput("is owned by the host " + other.ToString())
                  .ok());
  EXPECT_EQ(Ready(), 503);
  EXPECT_EQ(rig::Http(port_, "/healthz").code, 200);
  EXPECT_EQ(Value("available"), 0);
  EXPECT_EQ(Value("volumes"), -1);
  const auto refused = Create("two", 4 * kMiB);
  EXPECT_TRUE(absl::IsUnavailable(refused.status())) << refused.status();
  EXPECT_THAT(std::string(refused.status().message()),
              HasSubstr(other.ToString()));
  const auto listed = rig::Call(stub(), &pb::Controller::Stub::ListVolumes,
                                pb::ListVolumesRequest());
  EXPECT_TRUE(absl::IsUnavailable(listed.status())) << listed.status();

  ASSERT_NO_FATAL_FAILURE(TakeOver(device().system_uuid(), "d2"));
  EXPECT_TRUE(rig::Eventually([&] { return Ready() == 200; }));
  EXPECT_TRUE(Create("two", 4 * kMiB).ok());
  EXPECT_EQ(List().size(), 2U);
}

}  // namespace
}  // namespace famfs
