#include "tests/integration/fuse/fixture.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

namespace famfs::itest {
namespace {

const auto* const kIsolation =
    ::testing::AddGlobalTestEnvironment(new rig::Isolation);

}  // namespace

absl::StatusOr<std::unique_ptr<Mount>> Mount::Start(const std::string& device,
                                                    const Options& options) {
  std::unique_ptr<Mount> mount(new Mount());
  mount->host_ = options.host;
  rig::Process::Options start;
  start.argv = {
      rig::Binary("famfs-fused"), device,      mount->path(), "--data-path",
      options.data_path,          "--poll-ms", "50"};
  start.argv.insert(start.argv.end(), options.arguments.begin(),
                    options.arguments.end());
  start.environment = options.environment;
  if (options.host != nullptr) start.mount_namespace = options.host->fd();
  FAMFS_ASSIGN_OR_RETURN(mount->server_, rig::Process::Start(start));
  FAMFS_RETURN_IF_ERROR(mount->server_->WaitForOutput(" is mounted on "));
  return mount;
}

Mount::~Mount() {
  if (server_ != nullptr) server_->Kill();
  const auto detach = [this] { ::umount2(path().c_str(), MNT_DETACH); };
  if (host_ != nullptr) {
    host_->Run(detach);
  } else {
    detach();
  }
}

std::string FuseMissing() {
  if (::access("/dev/fuse", R_OK | W_OK) == 0) return "";
  return "this machine has no /dev/fuse that this user may open";
}

const std::string& PassthroughMissing() {
  static const std::string why = []() -> std::string {
    if (std::string missing = FuseMissing(); !missing.empty()) return missing;
    const rig::Tmpfs memory("64M");
    auto device = rig::Device::Create(memory / "device");
    if (!device.ok()) return std::string(Message(device.status()));
    auto mount = Mount::Start(device->spec(), {});
    if (!mount.ok()) return std::string(Message(mount.status()));
    if (DataPathOf((*mount)->path()) == "passthrough") return "";
    return "the kernel has no FUSE passthrough: " + (*mount)->server().output();
  }();
  return why;
}

void FuseTest::SetUp() {
  if (const std::string why = FuseMissing(); !why.empty()) GTEST_SKIP() << why;
  auto device = rig::Device::Create(memory_ / "device");
  ASSERT_TRUE(device.ok()) << device.status();
  device_ = std::make_unique<rig::Device>(*std::move(device));
  auto opened = device_->Open(Access::kReadWrite);
  ASSERT_TRUE(opened.ok()) << opened.status();
  auto writer = Writer::Open(
      *std::move(opened), {device_->system_uuid(), device_->lock_directory()});
  ASSERT_TRUE(writer.ok()) << writer.status();
  writer_ = *std::move(writer);
}

void FuseTest::AddVolume(const std::string& directory, const std::string& name,
                         Ownership owner) {
  VolumeAttributes attributes;
  attributes.name = name;
  attributes.capacity = kVolumeSize;
  const absl::Status made = writer_->CreateVolume(directory, attributes, owner);
  ASSERT_TRUE(made.ok()) << made;
}

std::unique_ptr<Mount> FuseTest::MountIt(const Mount::Options& options) {
  auto mount = Mount::Start(device_->spec(), options);
  EXPECT_TRUE(mount.ok()) << mount.status();
  return mount.ok() ? *std::move(mount) : nullptr;
}

std::string FuseTest::ExtentFile(const std::string& directory) const {
  const Reader::View tree = writer_->Tree();
  const Node* node = tree->FindPath(directory + "/data");
  if (node == nullptr) return "";
  return fmt::format("{}/extents/{:x}", device_->directory(),
                     node->extents[0].offset);
}

void PassthroughTest::SetUp() {
  if (const std::string& why = PassthroughMissing(); !why.empty()) {
    GTEST_SKIP() << why;
  }
  FuseTest::SetUp();
}

void EachPathTest::SetUp() {
  if (std::string_view(GetParam()) == "passthrough" &&
      !PassthroughMissing().empty()) {
    GTEST_SKIP() << PassthroughMissing();
  }
  FuseTest::SetUp();
}

Mapped::Mapped(const std::string& path, int flags, std::size_t size)
    : fd_(::open(path.c_str(), flags | O_CLOEXEC)), size_(size) {
  EXPECT_TRUE(fd_.valid()) << path << ": " << std::strerror(errno);
  if (!fd_.valid()) return;
  constexpr std::size_t kAlign = 2 * kMiB;
  void* const room = ::mmap(nullptr, size + kAlign, PROT_NONE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room == MAP_FAILED) return;
  const std::uint64_t start =
      RoundUp(reinterpret_cast<std::uint64_t>(room), kAlign);
  ::munmap(room, size + kAlign);
  const bool writable = (flags & O_ACCMODE) == O_RDWR;
  void* const at = ::mmap(reinterpret_cast<void*>(start), size,
                          writable ? PROT_READ | PROT_WRITE : PROT_READ,
                          MAP_SHARED | MAP_FIXED_NOREPLACE, fd_.get(), 0);
  EXPECT_NE(at, MAP_FAILED) << path << ": " << std::strerror(errno);
  if (at != MAP_FAILED) data_ = static_cast<char*>(at);
}

Mapped::~Mapped() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

void Mapped::Store(std::size_t at, std::string_view text) const {
  std::memcpy(data_ + at, text.data(), text.size());
}

std::uint64_t Mapped::PmdMapped() const {
  std::ifstream smaps("/proc/thread-self/smaps");
  const std::string start =
      fmt::format("{:x}-", reinterpret_cast<std::uint64_t>(data_));
  std::string line;
  while (std::getline(smaps, line) && !line.starts_with(start)) {
  }
  std::uint64_t total = 0;
  while (std::getline(smaps, line) && line.find("VmFlags") != 0) {
    std::istringstream words(line);
    std::string key;
    std::uint64_t kib = 0;
    words >> key >> kib;
    if (key == "ShmemPmdMapped:" || key == "FilePmdMapped:") total += kib;
  }
  return total * kKiB;
}

int ErrnoOf(std::int64_t result) { return result == -1 ? errno : 0; }

int OpenErrno(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0644);
  const int error = ErrnoOf(fd);
  if (fd >= 0) ::close(fd);
  return error;
}

UniqueFd OpenOrFail(const std::string& path, int flags) {
  UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC));
  EXPECT_TRUE(fd.valid()) << path << ": " << std::strerror(errno);
  return fd;
}

std::int64_t FileSize(const std::string& path) {
  struct stat info = {};
  return ::stat(path.c_str(), &info) == 0 ? info.st_size : -1;
}

std::string DataPathOf(const std::string& path) {
  std::array<char, 64> value{};
  const ssize_t got = ::getxattr(path.c_str(), "user.famfs.datapath",
                                 value.data(), value.size());
  return got < 0 ? std::strerror(errno)
                 : std::string(value.data(), static_cast<std::size_t>(got));
}

int RunAs(uid_t uid, const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setgroups(0, nullptr) != 0 || ::setgid(uid) != 0 ||
        ::setuid(uid) != 0) {
      ::_exit(120);
    }
    ::_exit(body());
  }
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child) return 121;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace famfs::itest
