// What cannot be done is said with what to do: one test for each case that an
// administrator meets.
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/integration/controller/fixture.h"
#include "tests/unit/base/status_matchers.h"

namespace famfs {
namespace {

using ::famfs::testing::HasError;
using ::testing::AllOf;
using ::testing::HasSubstr;

class ControllerRefusalTest : public ControllerTest {
 protected:
  // Launches with a configuration that must end the program; its output.
  std::string Refusal(const std::string& config) {
    const auto process = Launch(config);
    const auto status = process->Wait();
    EXPECT_TRUE(status.ok()) << status.status();
    EXPECT_NE(status.value_or(0), 0) << process->output();
    return process->output();
  }
};

TEST_F(ControllerRefusalTest, AConfigurationErrorHasFileLineAndRemedy) {
  EXPECT_THAT(Refusal("pools:\n  - name: fast\n    devise: image:/x\n"),
              AllOf(HasSubstr(config_path() + ":3:"), HasSubstr("devise"),
                    HasSubstr("device")));
  EXPECT_THAT(Refusal("pools: []\n"), HasSubstr(config_path()));
}

TEST_F(ControllerRefusalTest, AMissingDeviceIsToldByEachCallUntilItIsThere) {
  MakeDevice();
  const std::string hidden = device().directory() + ".away";
  ASSERT_EQ(::rename(device().directory().c_str(), hidden.c_str()), 0);
  ASSERT_NO_FATAL_FAILURE(StartController());
  EXPECT_THAT(Create("pvc", 2 * kMiB),
              HasError(absl::StatusCode::kUnavailable, device().directory()));
  EXPECT_THAT(controller().output(), HasSubstr("famfs mkfs"));
  ASSERT_EQ(::rename(hidden.c_str(), device().directory().c_str()), 0);
  EXPECT_THAT(Create("pvc", 2 * kMiB), ::famfs::testing::IsOk());
}

TEST_F(ControllerRefusalTest, ABlankDeviceIsNotFormattedUnasked) {
  MakeDevice();
  ASSERT_EQ(::unlink((device().directory() + "/extents/0").c_str()), 0);
  ASSERT_NO_FATAL_FAILURE(StartController());
  EXPECT_THAT(Create("pvc", 2 * kMiB),
              HasError(absl::StatusCode::kUnavailable, "if-blank"));
}

TEST_F(ControllerRefusalTest, AFullPoolTellsAskedFreeLargestAndPool) {
  ASSERT_NO_FATAL_FAILURE(MakeDevice(4 * kGiB));
  ASSERT_NO_FATAL_FAILURE(StartController());
  const auto largest =
      static_cast<std::uint64_t>(Capacity().maximum_volume_size().value());
  ASSERT_TRUE(Create("most", largest - 2 * kMiB).ok());
  const auto refused = Create("more", 4 * kMiB);
  EXPECT_THAT(refused, HasError(absl::StatusCode::kResourceExhausted,
                                "asked 4.00 MiB, free 2.00 MiB, largest 2.00 "
                                "MiB"));
  EXPECT_THAT(refused,
              HasError(absl::StatusCode::kResourceExhausted, "pool fast"));
  EXPECT_TRUE(Create("last", 2 * kMiB).ok());
  EXPECT_EQ(Capacity().available_capacity(), 0);
}

TEST_F(ControllerRefusalTest, AClaimLargerThanThePoolIsOutOfRange) {
  ASSERT_NO_FATAL_FAILURE(MakeDevice(4 * kGiB));
  ASSERT_NO_FATAL_FAILURE(StartController());
  EXPECT_THAT(
      Create("huge", 1 * kTiB),
      HasError(absl::StatusCode::kOutOfRange, "pool fast has 4.00 GiB in all"));
}

TEST_F(ControllerRefusalTest, AStaleSocketFileIsReplaced) {
  ASSERT_NO_FATAL_FAILURE(MakeDevice());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socket().copy(static_cast<char*>(address.sun_path),
                sizeof(address.sun_path) - 1);
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)),
            0);
  ::close(fd);  // the file stays, nobody listens
  ASSERT_NO_FATAL_FAILURE(StartController());
  EXPECT_TRUE(Create("pvc", 2 * kMiB).ok());
}

TEST_F(ControllerRefusalTest, ALivingSocketIsNotTaken) {
  ASSERT_NO_FATAL_FAILURE(MakeDevice());
  ASSERT_NO_FATAL_FAILURE(StartController());
  EXPECT_THAT(Refusal(PoolConfig()), HasSubstr("listening"));
  EXPECT_TRUE(Create("pvc", 2 * kMiB).ok()) << "the first one goes on";
}

TEST_F(ControllerRefusalTest, AFileThatIsNoSocketIsLeftAlone) {
  ASSERT_NO_FATAL_FAILURE(MakeDevice());
  rig::WriteFile(socket(), "precious");
  EXPECT_THAT(Refusal(PoolConfig()), HasSubstr("not a socket"));
  EXPECT_EQ(rig::ReadWholeFile(socket()), "precious");
}

}  // namespace
}  // namespace famfs
