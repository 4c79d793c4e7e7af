// A new volume is zero whatever its memory held: after a scrub that was killed
// at any of its steps, on a device full of garbage, after a copy that was
// killed midway. Looked at on the device, and through famfs-fused.
#include <gmock/gmock.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <set>

#include "base/units.h"
#include "dax/image.h"
#include "instance/check/mkfs.h"
#include "instance/writer/writer.h"
#include "tests/integration/deletion/host.h"
#include "tests/integration/deletion/stopping_device.h"
#include "tests/integration/tools/famfs_command.h"

namespace famfs::itest {
namespace {

using ::testing::Contains;

constexpr std::uint64_t kVolume = 8 * kMiB;
constexpr std::uint64_t kImage = 4 * kGiB;

VolumeAttributes Attributes(const std::string& name, std::uint64_t size) {
  VolumeAttributes attributes;
  attributes.name = name;
  attributes.capacity = size;
  return attributes;
}

/// Of what a sparse image has pages for: the rest is zero anyway.
bool IsZero(DaxDevice& device, Range range) {
  const auto data = device.DataIn(range);
  EXPECT_TRUE(data.ok()) << data.status();
  for (const Range& piece : *data) {
    const auto mapping = device.Map(piece.offset, piece.length, Access::kRead);
    EXPECT_TRUE(mapping.ok()) << mapping.status();
    const auto bytes = (*mapping)->bytes();
    if (!std::all_of(bytes.begin(), bytes.end(),
                     [](std::byte byte) { return byte == std::byte{0}; })) {
      return false;
    }
  }
  return true;
}

void FillWith(DaxDevice& device, Range range, int byte) {
  const auto mapping =
      device.Map(range.offset, range.length, Access::kReadWrite);
  ASSERT_TRUE(mapping.ok()) << mapping.status();
  std::memset((*mapping)->mutable_data(), byte, range.length);
}

std::string BesideThisProgram(const std::string& name) {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / name;
}

class ZerosTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::access("/dev/fuse", R_OK | W_OK) != 0) {
      GTEST_SKIP() << "this machine has no /dev/fuse that this user may open";
    }
  }
  std::unique_ptr<DaxDevice> OpenPool() const {
    return *OpenImage(path_, Access::kReadWrite);
  }
  void MakeImage() {
    ::unlink(path_.c_str());
    ASSERT_TRUE(CreateImage(path_, kImage).ok());
  }
  void MakePool() {
    ASSERT_NO_FATAL_FAILURE(MakeImage());
    MkfsOptions mkfs;
    mkfs.system_uuid = owner_;
    mkfs.lock_directory = dir_ / "locks";
    const auto device = OpenPool();
    ASSERT_TRUE(Mkfs(*device, mkfs).ok());
  }
  std::unique_ptr<Writer> OpenWriter(std::shared_ptr<DaxDevice> device) const {
    auto writer =
        Writer::Open(std::move(device),
                     {.system_uuid = owner_, .lock_directory = dir_ / "locks"});
    EXPECT_TRUE(writer.ok()) << writer.status();
    return writer.ok() ? *std::move(writer) : nullptr;
  }
  /// Three volumes full of garbage, of which the second and third are deleted.
  void MakeDeleted() {
    ASSERT_NO_FATAL_FAILURE(MakePool());
    const auto writer = OpenWriter(OpenPool());
    ASSERT_NE(writer, nullptr);
    for (const char* name : {"v1", "v2", "v3"}) {
      ASSERT_TRUE(
          writer->CreateVolume(name, Attributes(name, kVolume), {}).ok());
      for (const MediaExtent& extent : ExtentsOf(*writer, name)) {
        FillWith(*writer->device(), {extent.offset, extent.length}, 0xa5);
      }
    }
    ASSERT_TRUE(writer->DeleteVolume("v2").ok());
    ASSERT_TRUE(writer->DeleteVolume("v3").ok());
  }
  static std::vector<MediaExtent> ExtentsOf(const Writer& writer,
                                            const std::string& volume) {
    const Reader::View tree = writer.Tree();
    const auto& extents = tree->FindPath(volume + "/data")->extents;
    return {extents.begin(), extents.end()};
  }
  /// A volume of all that is free is zero, on the device.
  void ExpectAllFreeIsZero(Writer& writer) {
    const auto capacity = writer.GetAvailableSpace();
    ASSERT_TRUE(capacity.ok()) << capacity.status();
    int made = 0;
    for (std::uint64_t left = capacity->free; left > 0; ++made) {
      const auto now = writer.GetAvailableSpace();
      ASSERT_TRUE(now.ok() && now->largest > 0) << now.status();
      const std::string name = fmt::format("all-{}", made);
      const absl::Status status = writer.CreateVolume(
          name, Attributes(name, now->largest), {.mode = 0777});
      ASSERT_TRUE(status.ok()) << status;
      left -= now->largest;
      for (const MediaExtent& extent : ExtentsOf(writer, name)) {
        EXPECT_TRUE(IsZero(*writer.device(), {extent.offset, extent.length}))
            << name << " at " << extent.offset;
      }
    }
  }

  /// A child that reclaims and then makes a volume, and stops before change
  /// `step`. Its pid; 0 when there are fewer changes.
  pid_t StartStopping(int step) const {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(ReclaimAndReuse(step) ? 0 : 1);
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, WUNTRACED), child);
    if (WIFSTOPPED(status)) return child;
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return 0;
  }
  [[nodiscard]] bool ReclaimAndReuse(int step) const {
    Stopper stopper{.armed = false, .left = step};
    const auto writer =
        OpenWriter(std::make_shared<StoppingDevice>(OpenPool(), stopper));
    if (writer == nullptr) return false;
    stopper.armed = true;
    const bool done =
        writer->Reclaim().ok() &&
        writer->CreateVolume("n", Attributes("n", 3 * kVolume), {}).ok();
    stopper.armed = false;
    return done;
  }
  static void Kill(pid_t child) {
    ::kill(child, SIGKILL);
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
  }

  rig::TempDir dir_;
  rig::Tmpfs memory_{"2G"};
  const std::string path_ = memory_ / "pool.img";
  const std::string spec_ = "image:" + path_;
  const Uuid owner_ = Uuid::Random();
};

TEST_F(ZerosTest, AfterAKillAtEachStepOfAScrubACompactionAndTheReuse) {
  std::set<std::string> states;
  for (int step = 0;; ++step) {
    SCOPED_TRACE(fmt::format("step {}", step));
    ASSERT_NO_FATAL_FAILURE(MakeDeleted());
    const pid_t child = StartStopping(step);
    if (child == 0) {
      EXPECT_GT(step, 20);
      std::cout << "killed at " << step << " steps\n";
      break;
    }
    // What the tool says of the deleted ones while the writer stands still.
    const nlohmann::json df = JsonOf(Famfs({"df", spec_, "--json"}));
    for (const auto& volume : df["pending_volumes"]) {
      states.insert(volume["state"].get<std::string>());
    }
    if (df["pending_volumes"].empty()) states.insert("gone");
    Kill(child);
    const auto writer = OpenWriter(OpenPool());
    ASSERT_NE(writer, nullptr);
    const absl::Status reclaimed = writer->Reclaim();
    ASSERT_TRUE(reclaimed.ok()) << reclaimed;
    EXPECT_EQ(writer->Figures().pending, 0U);
    const Reader::View tree = writer->Tree();
    if (const Node* file = tree->FindPath("n/data"); file != nullptr) {
      for (const MediaExtent& extent : file->extents) {
        EXPECT_TRUE(IsZero(*writer->device(), {extent.offset, extent.length}));
      }
    }
  }
  EXPECT_EQ(states,
            (std::set<std::string>{"to be scrubbed", "releasable", "gone"}));
}

TEST_F(ZerosTest, EveryFreeByteAfterAKillInTheMiddle) {
  // The steps of the other test that leave most behind: within the scrub,
  // within the compaction, within the reuse. All of them, every third.
  for (int step = 1;; step += 3) {
    SCOPED_TRACE(fmt::format("step {}", step));
    ASSERT_NO_FATAL_FAILURE(MakeDeleted());
    const pid_t child = StartStopping(step);
    if (child == 0) break;
    Kill(child);
    const auto writer = OpenWriter(OpenPool());
    ASSERT_NE(writer, nullptr);
    ASSERT_TRUE(writer->Reclaim().ok());
    ASSERT_NO_FATAL_FAILURE(ExpectAllFreeIsZero(*writer));
  }
}

TEST_F(ZerosTest, ThroughAMountAfterAKilledScrub) {
  ASSERT_NO_FATAL_FAILURE(MakeDeleted());
  // The third change lies in the first of two zeroings, after the promise.
  const pid_t child = StartStopping(4);
  ASSERT_NE(child, 0);
  Kill(child);
  Host host(dir_, "host", spec_);
  ASSERT_NO_FATAL_FAILURE(host.Serve());
  const auto writer = OpenWriter(OpenPool());
  ASSERT_NE(writer, nullptr);
  EXPECT_TRUE(rig::Eventually([&] {
    return writer->Reclaim().ok() && writer->Figures().pending == 0;
  }));
  ASSERT_TRUE(
      writer->CreateVolume("n", Attributes("n", 4 * kVolume), {.mode = 0777})
          .ok());
  EXPECT_TRUE(host.ReadsAsZeros("n/data"));
}

TEST_F(ZerosTest, OnAnImageFullOfGarbage) {
  ASSERT_NO_FATAL_FAILURE(MakeImage());
  const std::vector<Range> garbage = {{0, 192 * kMiB},
                                      {kGiB - 4 * kMiB, 8 * kMiB},
                                      {kImage - 64 * kMiB, 64 * kMiB}};
  {
    const auto device = OpenPool();
    for (const Range& range : garbage) {
      ASSERT_NO_FATAL_FAILURE(FillWith(*device, range, 0xff));
    }
  }
  const std::vector<std::string> identity = {
      "--system-uuid", owner_.ToString(), "--lock-directory", dir_ / "locks"};
  std::vector<std::string> mkfs = {"mkfs", spec_, "--force"};
  mkfs.insert(mkfs.end(), identity.begin(), identity.end());
  ASSERT_THAT(Famfs(mkfs), Exits(kOk));
  Host host(dir_, "host", spec_);
  ASSERT_NO_FATAL_FAILURE(host.Serve());
  const auto writer = OpenWriter(OpenPool());
  ASSERT_NE(writer, nullptr);
  ASSERT_TRUE(
      writer->CreateVolume("n", Attributes("n", 160 * kMiB), {.mode = 0777})
          .ok());
  EXPECT_TRUE(host.ReadsAsZeros("n/data"));
  ASSERT_NO_FATAL_FAILURE(ExpectAllFreeIsZero(*writer));
  // Nothing of another life is taken for a host, a promise or a clean range.
  EXPECT_EQ(writer->Hosts().size(), 1U);
  EXPECT_EQ(writer->Figures().quarantined, 0U);
}

TEST_F(ZerosTest, OnAnOldPoolThatIsMadeAnewByForce) {
  const Workplace place;
  const std::string old = Pattern(kVolume);
  rig::WriteFile(place.File("source"), old);
  for (const std::string& spec :
       {place.Emulated("emulated"), place.Image("image")}) {
    ASSERT_THAT(place.Write("cp", spec, {place.File("source"), ":old"}),
                Exits(kOk));
    ASSERT_THAT(place.Write("mkfs", spec, {"--force"}), Exits(kOk));
    ASSERT_THAT(place.Write("creat", spec, {"new", "--size", "32M"}),
                Exits(kOk));
    Host host(dir_, spec.substr(0, spec.find(':')), spec);
    ASSERT_NO_FATAL_FAILURE(host.Serve());
    EXPECT_TRUE(host.ReadsAsZeros("new")) << spec;
  }
}

/// Files that `famfs cp` reads by pread(2), not through a mapping as on tmpfs.
class Ramfs {
 public:
  Ramfs() {
    EXPECT_EQ(::mount("famfs-test", path().c_str(), "ramfs", 0, nullptr), 0);
  }
  ~Ramfs() { ::umount2(path().c_str(), MNT_DETACH); }
  Ramfs(const Ramfs&) = delete;
  Ramfs& operator=(const Ramfs&) = delete;
  [[nodiscard]] const std::string& path() const { return directory_.path(); }

 private:
  rig::TempDir directory_;
};

TEST_F(ZerosTest, AfterACopyThatWasKilledMidway) {
  const Workplace place;
  const Ramfs ramfs;
  const std::string source = ramfs.path() + "/source";
  constexpr std::uint64_t kSource = 64 * kMiB;
  rig::WriteFile(source, Pattern(kSource));
  for (const std::string& spec :
       {place.Emulated("emulated"), place.Image("image")}) {
    std::vector<std::string> argv = {rig::Binary("famfs"), "cp", spec, source,
                                     ":f"};
    for (const std::string& word : place.Identity()) argv.push_back(word);
    auto copy = rig::Process::Start(
        {.argv = argv,
         .environment = {"LD_PRELOAD=" + BesideThisProgram("stop_at_read.so"),
                         "ASAN_OPTIONS=verify_asan_link_order=0",
                         fmt::format("STOP_AT_READ={}", kSource / 2)}});
    ASSERT_TRUE(copy.ok()) << copy.status();
    const std::string stat = fmt::format("/proc/{}/stat", (*copy)->pid());
    ASSERT_TRUE(rig::Eventually([&] {
      return rig::ReadWholeFile(stat).find(") T ") != std::string::npos;
    })) << (*copy)->output();
    const nlohmann::json df = JsonOf(Famfs({"df", spec, "--json"}));
    EXPECT_EQ(df["files"], 0) << "never there before its bytes are";
    if (spec.starts_with("image:")) {
      EXPECT_EQ(df["reserved"], kSource);
      // Half of it is stored, or the rest of this test would show nothing.
      const auto device = *OpenDevice(spec, Access::kRead);
      EXPECT_FALSE(IsZero(*device, {kLogOffset + kMinLogLength, kSource}));
    }
    (*copy)->Kill();
    ASSERT_THAT(place.Write("creat", spec, {"new", "--size", "128M"}),
                Exits(kOk));
    Host host(dir_, "copy-" + spec.substr(0, spec.find(':')), spec);
    ASSERT_NO_FATAL_FAILURE(host.Serve());
    EXPECT_TRUE(host.ReadsAsZeros("new")) << spec;
    EXPECT_EQ(JsonOf(Famfs({"df", spec, "--json"}))["reserved"], 0);
    EXPECT_THAT(Famfs({"fsck", spec}), Exits(kOk));
  }
}

}  // namespace
}  // namespace famfs::itest
