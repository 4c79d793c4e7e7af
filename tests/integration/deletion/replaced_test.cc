// An instance that is made anew under its servers: their mounts show nothing of
// the new one, ever, and take nothing from it.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/units.h"
#include "dax/emulated.h"
#include "dax/image.h"
#include "instance/check/mkfs.h"
#include "instance/writer/writer.h"
#include "tests/integration/deletion/host.h"
#include "tests/integration/tools/famfs_command.h"

namespace famfs::itest {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr std::uint64_t kVolume = 16 * kMiB;

class ReplacedTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (::access("/dev/fuse", R_OK | W_OK) != 0) {
      GTEST_SKIP() << "this machine has no /dev/fuse that this user may open";
    }
    const std::string path = memory_ / "pool";
    spec_ = fmt::format("{}:{}", GetParam(), path);
    ASSERT_TRUE(std::string_view(GetParam()) == "image"
                    ? CreateImage(path, 4 * kGiB).ok()
                    : CreateEmulatedDevice(path, {.size = 4 * kGiB,
                                                  .tag = Uuid::Random(),
                                                  .hosts = {},
                                                  .sparse = true})
                          .ok());
    const std::shared_ptr<DaxDevice> device =
        *OpenDevice(spec_, Access::kReadWrite);
    MkfsOptions mkfs;
    mkfs.system_uuid = owner_;
    mkfs.lock_directory = dir_ / "locks";
    ASSERT_TRUE(Mkfs(*device, mkfs).ok());
    ASSERT_NO_FATAL_FAILURE(Make("old", "locks"));
    host_ = std::make_unique<Host>(dir_, "a", spec_);
    ASSERT_NO_FATAL_FAILURE(host_->Serve());
  }
  void TearDown() override { host_.reset(); }

  void Make(const std::string& directory, const std::string& locks) {
    auto writer =
        Writer::Open(*OpenDevice(spec_, Access::kReadWrite),
                     {.system_uuid = owner_, .lock_directory = dir_ / locks});
    ASSERT_TRUE(writer.ok()) << writer.status();
    VolumeAttributes attributes;
    attributes.name = "pvc-" + directory;
    attributes.capacity = kVolume;
    ASSERT_TRUE(
        (*writer)->CreateVolume(directory, attributes, {.mode = 0777}).ok());
  }
  Outcome MakeAnew(std::vector<std::string> further) {
    std::vector<std::string> words = {
        "mkfs",          spec_,           "--force",        "--lock-directory",
        dir_ / "others", "--system-uuid", owner_.ToString()};
    words.insert(words.end(), further.begin(), further.end());
    return Famfs(words);
  }

  rig::TempDir dir_{"famfs-replaced"};
  rig::Tmpfs memory_{"1G"};
  std::string spec_;
  Uuid owner_ = Uuid::Random();
  std::unique_ptr<Host> host_;
};

TEST_P(ReplacedTest, MkfsNamesTheServerAndLeavesItAlone) {
  const Outcome refused = MakeAnew({});
  EXPECT_NE(refused.exit, 0);
  EXPECT_THAT(refused.err, HasSubstr("--force-in-use"));
  EXPECT_THAT(refused.err, HasSubstr(fmt::format("process {} (famfs-fused)",
                                                 host_->server().pid())));
  EXPECT_EQ(host_->TryOpen("old/data"), 0);
}

/// As a mkfs in another container: no process of the server's is shown to it.
TEST_P(ReplacedTest, MkfsInAnotherPidNamespaceSeesTheServer) {
  const std::vector<std::string> words = {"/usr/bin/unshare",
                                          "--pid",
                                          "--fork",
                                          "--mount-proc",
                                          rig::Binary("famfs"),
                                          "mkfs",
                                          spec_,
                                          "--force",
                                          "--lock-directory",
                                          dir_ / "others",
                                          "--system-uuid",
                                          Uuid::Random().ToString()};
  const Outcome refused = RunProgram(words);
  EXPECT_EQ(refused.exit, 1) << refused.err;
  EXPECT_THAT(refused.err,
              AllOf(HasSubstr("--force-in-use"),
                    HasSubstr("a server that cannot be seen from here")));
  EXPECT_EQ(host_->TryOpen("old/data"), 0);
  host_->server().Kill();
  if (std::string_view(GetParam()) == "emulated") {
    EXPECT_EQ(RunProgram(words).exit, 0) << "nobody is left";
  }
}

TEST_P(ReplacedTest, AServerNeverShowsTheNewInstance) {
  char* const mapped = host_->Map("old/data", kVolume);
  std::memcpy(mapped, "old bytes", 9);
  UniqueFd open_file;
  host_->Run([&] {
    open_file.reset(::open((host_->path() + "/old/data").c_str(), O_RDWR));
  });
  ASSERT_TRUE(open_file.valid());

  ASSERT_EQ(MakeAnew({"--force-in-use"}).exit, 0);
  // Nothing lands in the new instance, also before the next poll (an emulated
  // extent's file is the old one's for ever).
  const ssize_t written = ::pwrite(open_file.get(), "old writer", 10, 0);
  if (std::string_view(GetParam()) == "image") {
    EXPECT_EQ(written, -1);
    EXPECT_EQ(errno, ESTALE);
  }
  ASSERT_TRUE(host_->server().WaitForOutput("answered ESTALE").ok());
  // As long as the old log, and longer.
  for (const char* name : {"new1", "new2", "new3"}) {
    ASSERT_NO_FATAL_FAILURE(Make(name, "others"));
    EXPECT_EQ(host_->TryOpen("old/data"), ESTALE);
    EXPECT_EQ(host_->TryOpen(std::string(name) + "/data"), ESTALE);
  }
  std::array<char, 9> read = {};
  EXPECT_EQ(::pread(open_file.get(), read.data(), read.size(), 0), -1);
  EXPECT_EQ(errno, ESTALE);
  EXPECT_EQ(::pwrite(open_file.get(), "x", 1, 0), -1);
  EXPECT_EQ(errno, ESTALE);
  struct stat info = {};
  EXPECT_EQ(::fstat(open_file.get(), &info), -1);
  EXPECT_EQ(errno, ESTALE);
  ::munmap(mapped, kVolume);
  open_file.reset();
  // Its bytes are the new volumes' alone, and its server goes in peace.
  for (const char* name : {"new1", "new2", "new3"}) {
    const Outcome out =
        Famfs({"cp", spec_, std::string(":") + name + "/data", dir_ / name});
    ASSERT_EQ(out.exit, 0) << out.err;
    EXPECT_TRUE(rig::ReadWholeFile(dir_ / name) == std::string(kVolume, '\0'))
        << name;
  }
  host_->Leave();
  EXPECT_EQ(Famfs({"fsck", spec_}).exit, 0);
}

INSTANTIATE_TEST_SUITE_P(Kinds, ReplacedTest,
                         ::testing::Values("emulated", "image"),
                         [](const auto& kind) {
                           return std::string(kind.param);
                         });

}  // namespace
}  // namespace famfs::itest
