#include "tests/integration/deletion/host.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/unique_fd.h"
#include "base/units.h"

namespace famfs::itest {
namespace {

UniqueFd Open(const std::string& path, int flags) {
  return UniqueFd(::open(path.c_str(), flags | O_CLOEXEC));
}

}  // namespace

Host::Host(const rig::TempDir& dir, const std::string& name, std::string device)
    : namespace_(*rig::MountNamespace::Create()),
      device_(std::move(device)),
      uuid_file_(dir / (name + ".uuid")),
      boot_file_(dir / (name + ".boot")) {
  rig::WriteFile(uuid_file_, uuid_.ToString());
  Reboot();
}

Host::Host(const Host& machine)
    : namespace_(*rig::MountNamespace::Create()),
      device_(machine.device_),
      uuid_file_(machine.uuid_file_),
      boot_file_(machine.boot_file_),
      uuid_(machine.uuid_) {}

Host::~Host() {
  Kill();
  Unmount();
}

void Host::Reboot() const {
  rig::WriteFile(boot_file_, Uuid::Random().ToString() + "\n");
}

void Host::Serve(const std::vector<std::string>& arguments) {
  std::vector<std::string> words = {
      rig::Binary("famfs-fused"), device_, mount_.path(), "--poll-ms", "20",
      "--allow-existing-mount"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  auto server = rig::Process::Start(
      {.argv = words,
       .environment = {"FAMFS_SYSTEM_UUID_FILE=" + uuid_file_,
                       "FAMFS_BOOT_ID_FILE=" + boot_file_},
       .mount_namespace = namespace_.fd()});
  ASSERT_TRUE(server.ok()) << server.status();
  server_ = *std::move(server);
  const absl::Status ready = server_->WaitForOutput(" is mounted on ");
  ASSERT_TRUE(ready.ok()) << ready;
}

void Host::Kill() {
  if (server_ != nullptr) server_->Kill();
}

void Host::Unmount() const {
  namespace_.Run([&] {
    while (::umount2(mount_.path().c_str(), MNT_DETACH) == 0) {
    }
  });
}

void Host::Leave() {
  Unmount();
  const auto exit = server_->Wait();
  EXPECT_TRUE(exit.ok() && *exit == 0) << server_->output();
}

int Host::TryOpen(const std::string& file) const {
  int error = 0;
  namespace_.Run([&] {
    const UniqueFd fd = Open(mount_.path() + "/" + file, O_RDWR);
    error = fd.valid() ? 0 : errno;
  });
  return error;
}

char* Host::Map(const std::string& file, std::size_t size) const {
  void* at = MAP_FAILED;
  namespace_.Run([&] {
    const UniqueFd fd = Open(mount_.path() + "/" + file, O_RDWR);
    EXPECT_TRUE(fd.valid()) << file << ": " << std::strerror(errno);
    at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  });
  EXPECT_NE(at, MAP_FAILED);
  return static_cast<char*>(at);
}

bool Host::ReadsAsZeros(const std::string& file) const {
  bool zeros = false;
  namespace_.Run([&] {
    const UniqueFd fd = Open(mount_.path() + "/" + file, O_RDONLY);
    EXPECT_TRUE(fd.valid()) << file << ": " << std::strerror(errno);
    std::vector<char> bytes(kMiB);
    ssize_t got = 0;
    bool all = fd.valid();
    while (all && (got = ::read(fd.get(), bytes.data(), bytes.size())) > 0) {
      all = std::all_of(bytes.begin(), bytes.begin() + got,
                        [](char byte) { return byte == '\0'; });
    }
    EXPECT_GE(got, 0) << file << ": " << std::strerror(errno);
    zeros = all && got == 0;
  });
  return zeros;
}

}  // namespace famfs::itest
