// Marks are seen by everybody, set by who may write, and gone with their
// holder.
#include "dax/use_mark.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/units.h"
#include "dax/emulated.h"
#include "dax/image.h"
#include "tests/unit/base/temporary_directory.h"

namespace famfs {
namespace {

class UseMarkTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    path_ = directory_.File("device");
    if (GetParam()) {
      ASSERT_TRUE(CreateEmulatedDevice(path_, {.size = 4 * kGiB,
                                               .tag = Uuid::Random(),
                                               .hosts = {},
                                               .sparse = true})
                      .ok());
    } else {
      ASSERT_TRUE(CreateImage(path_, 4 * kGiB).ok());
    }
    device_ = Open();
    if (GetParam()) {
      ASSERT_TRUE(device_->CreateExtent({0, 2 * kMiB}).ok());
    }
  }
  [[nodiscard]] std::shared_ptr<DaxDevice> Open(
      Access access = Access::kReadWrite) const {
    auto device =
        OpenDevice((GetParam() ? "emulated:" : "image:") + path_, access);
    EXPECT_TRUE(device.ok()) << device.status();
    return *std::move(device);
  }

  const testing::TemporaryDirectory directory_;
  std::string path_;
  std::shared_ptr<DaxDevice> device_;
};

TEST_P(UseMarkTest, IsSeenByUseAndNumber) {
  for (const Use use : {Use::kMaking, Use::kServing, Use::kWriting}) {
    EXPECT_EQ(IsMarked(*device_, use), false);
    auto mark = UseMark::Set(*device_, use, 7);
    ASSERT_TRUE(mark.ok()) << mark.status();
    EXPECT_TRUE(mark->held());
    const auto other = Open(Access::kRead);
    EXPECT_EQ(IsMarked(*other, use), true);
    EXPECT_EQ(IsMarked(*other, use, 7), true);
    EXPECT_EQ(IsMarked(*other, use, 8), false);
    EXPECT_TRUE(absl::IsUnavailable(UseMark::Set(*Open(), use, 7).status()));
    EXPECT_TRUE(UseMark::Set(*Open(), use, 8).ok());
    *mark = UseMark();
    EXPECT_EQ(IsMarked(*other, use), false);
  }
}

TEST_P(UseMarkTest, OfAProcessThatWasKilledIsGone) {
  const pid_t child = ::fork();
  if (child == 0) {
    const auto mark = UseMark::Set(*Open(), Use::kWriting, 1);
    ::_exit(mark.ok() && mark->held() ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(IsMarked(*device_, Use::kWriting, 1), false);
}

/// A lock that everybody can take who may read the file.
TEST_P(UseMarkTest, AReadersLockMeansNothing) {
  const auto file = device_->OpenKnownFile(Access::kRead);
  ASSERT_TRUE(file.ok()) << file.status();
  struct flock lock {};
  lock.l_type = F_RDLCK;
  lock.l_whence = SEEK_SET;
  ASSERT_EQ(::fcntl(file->get(), F_OFD_SETLK, &lock), 0);
  EXPECT_EQ(IsMarked(*device_, Use::kMaking), false);
  EXPECT_TRUE(UseMark::Set(*device_, Use::kMaking, 0).ok());
}

TEST_P(UseMarkTest, WhoMayOnlyReadSetsNone) {
  const auto reader = Open(Access::kRead);
  const auto mark = UseMark::Set(*reader, Use::kServing, 1);
  ASSERT_TRUE(mark.ok()) << mark.status();
  if (GetParam()) {
    EXPECT_FALSE(mark->held());
  }
}

/// An image has no list of hosts.
using HostsMarkTest = UseMarkTest;

TEST_P(HostsMarkTest, TheHostsOfADeviceThatIsBeingMadeStay) {
  {
    const auto mark = UseMark::Set(*device_, Use::kMaking, 0);
    ASSERT_TRUE(mark.ok()) << mark.status();
    EXPECT_TRUE(absl::IsUnavailable(SetEmulatedHosts(path_, {"a"})));
  }
  EXPECT_TRUE(SetEmulatedHosts(path_, {"a"}).ok());
}

std::string NameOf(const ::testing::TestParamInfo<bool>& kind) {
  return kind.param ? "emulated" : "image";
}

INSTANTIATE_TEST_SUITE_P(Kinds, UseMarkTest, ::testing::Bool(), NameOf);
INSTANTIATE_TEST_SUITE_P(Kinds, HostsMarkTest, ::testing::Values(true), NameOf);

}  // namespace
}  // namespace famfs
