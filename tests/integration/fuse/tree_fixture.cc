#include "tests/integration/fuse/tree_fixture.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "instance/check/mkfs.h"
#include "tests/integration/support/mailbox.h"

namespace famfs::itest {
namespace {

constexpr std::uint64_t kImageSize = 4 * kGiB;

}  // namespace

void TreeFuseTest::SetUp() {
  const std::string why =
      PathOfData() == "passthrough" ? PassthroughMissing() : FuseMissing();
  if (!why.empty()) GTEST_SKIP() << why;
  WriterOptions options{Uuid::Random(), memory_ / "locks"};
  ASSERT_EQ(::mkdir(options.lock_directory.c_str(), 0755), 0);
  if (IsEmulated()) {
    auto made = rig::Device::Create(memory_ / "device");
    ASSERT_TRUE(made.ok()) << made.status();
    options = {made->system_uuid(), made->lock_directory()};
    spec_ = made->spec();
  } else {
    const std::string path = memory_ / "image";
    rig::WriteFile(path, "");
    ASSERT_EQ(::truncate(path.c_str(), kImageSize), 0);
    spec_ = "image:" + path;
    auto device = OpenDevice(spec_, Access::kReadWrite);
    ASSERT_TRUE(device.ok()) << device.status();
    MkfsOptions mkfs;
    mkfs.fs_uuid = Uuid::Random();
    mkfs.system_uuid = options.system_uuid;
    mkfs.lock_directory = options.lock_directory;
    const absl::Status made = Mkfs(**device, mkfs);
    ASSERT_TRUE(made.ok()) << made;
  }
  options_ = options;
  ASSERT_NO_FATAL_FAILURE(OpenWriter());
  AddTree("v");
  StartOwner();
  mount_ = MountIt();
  ASSERT_NE(mount_, nullptr);
  root_ = mount_->path() + "/v/";
}

void TreeFuseTest::OpenWriter() {
  auto opened = OpenDevice(spec_, Access::kReadWrite);
  ASSERT_TRUE(opened.ok()) << opened.status();
  auto writer = Writer::Open(*std::move(opened), options_);
  ASSERT_TRUE(writer.ok()) << writer.status();
  writer_ = *std::move(writer);
}

void TreeFuseTest::ReplaceOwner() {
  StopOwner();
  writer_ = nullptr;
  ASSERT_NO_FATAL_FAILURE(OpenWriter());
  StartOwner();
}

void TreeFuseTest::AddTree(const std::string& directory,
                           std::uint64_t capacity) {
  VolumeAttributes attributes;
  attributes.name = "pvc-" + directory;
  attributes.capacity = capacity;
  attributes.layout = VolumeLayout::kTree;
  const absl::Status made =
      writer_->CreateVolume(directory, attributes, {.mode = 0777});
  ASSERT_TRUE(made.ok()) << made;
}

std::unique_ptr<Mount> TreeFuseTest::MountIt(
    std::vector<std::string> arguments) {
  auto mount = Mount::Start(
      spec_, {.data_path = PathOfData(), .arguments = std::move(arguments)});
  EXPECT_TRUE(mount.ok()) << mount.status();
  return mount.ok() ? *std::move(mount) : nullptr;
}

std::unique_ptr<Mount> TreeFuseTest::MountAs(const Uuid& host) {
  const std::string file = memory_ / host.ToString();
  rig::WriteFile(file, host.ToString() + "\n");
  auto mount =
      Mount::Start(spec_, {.data_path = PathOfData(),
                           .environment = {"FAMFS_SYSTEM_UUID_FILE=" + file}});
  EXPECT_TRUE(mount.ok()) << mount.status();
  return mount.ok() ? *std::move(mount) : nullptr;
}

void TreeFuseTest::StartOwner() {
  auto answerer = Answerer::Start(*writer_);
  ASSERT_TRUE(answerer.ok()) << answerer.status();
  answerer_ = *std::move(answerer);
}

std::uint64_t TreeFuseTest::answered() const { return answerer_->answered(); }

bool TreeFuseTest::IsAsked(std::string_view name) {
  const auto requests = rig::StandingRequests(*writer_->device());
  return std::any_of(
      requests.begin(), requests.end(),
      [&](const TreeRequest& request) { return request.name == name; });
}

int Write(const std::string& path, std::string_view text, int flags) {
  const UniqueFd fd(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644));
  if (!fd.valid()) return errno;
  const ssize_t stored = ::write(fd.get(), text.data(), text.size());
  if (stored < 0) return errno;
  return static_cast<std::size_t>(stored) == text.size() ? 0 : EIO;
}

std::string NameOfPath(const ::testing::TestParamInfo<const char*>& path) {
  return path.param;
}

}  // namespace famfs::itest
