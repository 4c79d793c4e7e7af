// A device is thrown away only when nobody uses it, whatever stands on it: the
// head of a further device, a damaged superblock, extents alone.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>

#include "base/units.h"
#include "dax/emulated.h"
#include "dax/image.h"
#include "instance/check/mkfs.h"
#include "instance/writer/writer.h"
#include "tests/integration/deletion/host.h"
#include "tests/integration/tools/famfs_command.h"
#include "tests/unit/dax/device_specs.h"

namespace famfs::itest {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr std::uint64_t kVolume = 16 * kMiB;

class InUseTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (::access("/dev/fuse", R_OK | W_OK) != 0) {
      GTEST_SKIP() << "this machine has no /dev/fuse that this user may open";
    }
    first_ = MakeDevice("first");
    second_ = MakeDevice("second");
    third_ = MakeDevice("third");
    for (const std::string& spec : {first_, third_}) {
      MkfsOptions mkfs;
      mkfs.system_uuid = owner_;
      mkfs.lock_directory = dir_ / "locks";
      ASSERT_TRUE(Mkfs(**OpenDevice(spec, Access::kReadWrite), mkfs).ok());
    }
    auto writer = Writer::Open(
        *DeviceSet::Open(testing::Spec(first_), {testing::Spec(second_)},
                         Access::kReadWrite),
        {.system_uuid = owner_, .lock_directory = dir_ / "locks"});
    ASSERT_TRUE(writer.ok()) << writer.status();
    const absl::Status added =
        (*writer)->AddDevice(*OpenDevice(second_, Access::kReadWrite), {});
    ASSERT_TRUE(added.ok()) << added;
    VolumeAttributes attributes;
    attributes.name = "pvc";
    attributes.capacity = kVolume;
    const absl::Status made =
        (*writer)->CreateVolume("v", attributes, {.mode = 0777});
    ASSERT_TRUE(made.ok()) << made;
    // The further device has more room.
    ASSERT_EQ((*writer)->Tree()->FindPath("v/data")->extents[0].device_index,
              1U);
    host_ = std::make_unique<Host>(dir_, "a", first_);
    ASSERT_NO_FATAL_FAILURE(host_->Serve({"--device=" + second_}));
  }
  void TearDown() override { host_.reset(); }

  [[nodiscard]] bool IsImage() const {
    return std::string_view(GetParam()) == "image";
  }
  [[nodiscard]] std::string MakeDevice(const std::string& name) const {
    const std::string path = memory_ / name;
    EXPECT_TRUE(IsImage() ? CreateImage(path, 4 * kGiB).ok()
                          : CreateEmulatedDevice(path, {.size = 4 * kGiB,
                                                        .tag = Uuid::Random(),
                                                        .hosts = {},
                                                        .sparse = true})
                                .ok());
    return fmt::format("{}:{}", GetParam(), path);
  }
  /// A command of the owner, whose lock excludes nobody else's.
  [[nodiscard]] Outcome Run(std::vector<std::string> words) const {
    words.insert(words.end(), {"--lock-directory", dir_ / "others",
                               "--system-uuid", owner_.ToString()});
    return Famfs(words);
  }
  [[nodiscard]] std::string Server() const {
    return fmt::format("process {} (famfs-fused) has it open",
                       host_->server().pid());
  }
  void Overwrite(const std::string& spec, std::uint64_t at,
                 std::string_view bytes) const {
    std::string path = spec.substr(spec.find(':') + 1);
    if (!IsImage()) path += "/extents/0";
    const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    ASSERT_TRUE(fd.valid()) << path;
    ASSERT_EQ(
        ::pwrite(fd.get(), bytes.data(), bytes.size(), static_cast<off_t>(at)),
        static_cast<ssize_t>(bytes.size()));
  }

  rig::TempDir dir_{"famfs-in-use"};
  rig::Tmpfs memory_{"1G"};
  std::string first_;
  std::string second_;
  std::string third_;
  Uuid owner_ = Uuid::Random();
  std::unique_ptr<Host> host_;
};

TEST_P(InUseTest, MkfsAsksForAFurtherDevice) {
  const Outcome refused = Run({"mkfs", second_, "--force"});
  EXPECT_EQ(refused.exit, kProblems);
  EXPECT_THAT(refused.err,
              AllOf(HasSubstr(Server()), HasSubstr("--force-in-use")));
  EXPECT_EQ(host_->TryOpen("v/data"), 0);
  UniqueFd open_file;
  host_->Run([&] {
    open_file.reset(::open((host_->path() + "/v/data").c_str(), O_RDWR));
  });
  ASSERT_TRUE(open_file.valid());
  // Forced, it is the next one's at once: none of its bytes are shown, and none
  // are stored (an emulated extent's file is the old one's for ever).
  ASSERT_EQ(Run({"mkfs", second_, "--force", "--force-in-use"}).exit, kOk);
  if (IsImage()) {
    EXPECT_EQ(::pwrite(open_file.get(), "old writer", 10, 0), -1);
    EXPECT_EQ(errno, EIO);
  }
  EXPECT_EQ(host_->TryOpen("v/data"), ENXIO);
}

TEST_P(InUseTest, DevaddAsksForAFurtherDevice) {
  const Outcome refused = Run({"devadd", third_, second_, "--force"});
  EXPECT_EQ(refused.exit, kProblems);
  EXPECT_THAT(refused.err,
              AllOf(HasSubstr(Server()), HasSubstr("--force-in-use")));
  EXPECT_EQ(host_->TryOpen("v/data"), 0);
  EXPECT_EQ(Run({"devadd", third_, second_, "--force-in-use"}).exit, kUsage);
  ASSERT_EQ(Run({"devadd", third_, second_, "--force", "--force-in-use"}).exit,
            kOk);
  EXPECT_EQ(host_->TryOpen("v/data"), ENXIO);
}

TEST_P(InUseTest, DevaddAsksForAPrimary) {
  const Outcome refused = Run({"devadd", third_, first_, "--force"});
  EXPECT_EQ(refused.exit, kProblems);
  EXPECT_THAT(refused.err, HasSubstr(Server()));
  EXPECT_EQ(host_->TryOpen("v/data"), 0);
}

TEST_P(InUseTest, ADamagedSuperblockHidesNobody) {
  ASSERT_NO_FATAL_FAILURE(Overwrite(first_, 50, "junk"));  // in its uuid
  const Outcome refused = Run({"mkfs", first_, "--force"});
  EXPECT_EQ(refused.exit, kProblems);
  EXPECT_THAT(refused.err, HasSubstr(Server()));
  const Outcome added = Run({"devadd", third_, first_, "--force"});
  EXPECT_EQ(added.exit, kProblems);
  EXPECT_THAT(added.err, HasSubstr(Server()));
}

/// Where hosts are waited for.
using RowsInUseTest = InUseTest;

TEST_P(RowsInUseTest, RowsOfAnotherHostCountWithoutASuperblock) {
  // As a server of another machine: no process of it is seen here.
  host_->Kill();
  host_->Unmount();
  ASSERT_NO_FATAL_FAILURE(Overwrite(first_, 0, std::string(200, '\0')));
  const Outcome refused = Run({"mkfs", first_, "--force"});
  EXPECT_EQ(refused.exit, kProblems);
  EXPECT_THAT(refused.err,
              HasSubstr("a server of the host " + host_->uuid().ToString()));
}

TEST_P(InUseTest, NobodyCanBeAskedWithoutProc) {
  host_->Leave();
  const auto hidden = rig::MountNamespace::Create();
  ASSERT_TRUE(hidden.ok()) << hidden.status();
  Outcome refused;
  Outcome forced;
  hidden->Run([&] {
    ASSERT_EQ(::mount("none", "/proc", "tmpfs", 0, nullptr), 0);
    refused = Run({"mkfs", second_, "--force"});
    forced = Run({"mkfs", second_, "--force", "--force-in-use"});
  });
  EXPECT_EQ(refused.exit, kProblems);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("/proc shows no processes"),
                                 HasSubstr("--force-in-use")));
  EXPECT_EQ(forced.exit, kOk) << forced.err;
}

/// Where each extent is a file.
using ExtentsInUseTest = InUseTest;

TEST_P(ExtentsInUseTest, AProgramThatHasOneExtentAloneIsAsked) {
  host_->Leave();
  std::string extent;
  const std::string path = second_.substr(second_.find(':') + 1) + "/extents";
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    if (entry.file_size() == kVolume) extent = entry.path();
  }
  ASSERT_NE(extent, "");
  auto holder = rig::Process::Start(
      {.argv = {"/bin/sh", "-c",
                "exec 5<" + extent + "; echo holds; exec tail -f /dev/null"}});
  ASSERT_TRUE(holder.ok()) << holder.status();
  ASSERT_TRUE((*holder)->WaitForOutput("holds").ok());
  const Outcome refused = Run({"mkfs", second_, "--force"});
  EXPECT_EQ(refused.exit, kProblems);
  EXPECT_THAT(refused.err,
              HasSubstr(fmt::format("process {} (", (*holder)->pid())));
  (*holder)->Kill();
  EXPECT_EQ(Run({"mkfs", second_, "--force"}).exit, kOk);
}

std::string NameOf(const ::testing::TestParamInfo<const char*>& kind) {
  return kind.param;
}

INSTANTIATE_TEST_SUITE_P(Kinds, InUseTest,
                         ::testing::Values("emulated", "image"), NameOf);
INSTANTIATE_TEST_SUITE_P(Kinds, RowsInUseTest, ::testing::Values("image"),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(Kinds, ExtentsInUseTest, ::testing::Values("emulated"),
                         NameOf);

}  // namespace
}  // namespace famfs::itest
