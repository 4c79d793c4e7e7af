#include "node/pools/sweeper.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <set>
#include <utility>

#include "base/file_lock.h"
#include "base/thread.h"
#include "node/fused/fused.h"

namespace famfs::node {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kInterval{2};

absl::Status RemoveIfThere(const std::string& path) {
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
  return ErrnoError(errno, path);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Sweeper>> Sweeper::Start(
    const Pools& pools, std::string pools_directory) {
  std::unique_ptr<Sweeper> sweeper(
      new Sweeper(pools, std::move(pools_directory)));
  auto thread = StartThread([self = sweeper.get()] { self->Run(); });
  if (!thread.ok()) {
    return Annotate(thread.status(), "what replaced pools have left");
  }
  sweeper->thread_ = *std::move(thread);
  return sweeper;
}

Sweeper::Sweeper(const Pools& pools, std::string pools_directory)
    : pools_(pools),
      pools_directory_(std::move(pools_directory)),
      questions_("its famfs-fused", "end it (SIGKILL) if it hangs") {}

Sweeper::~Sweeper() { Stop(); }

void Sweeper::Stop() {
  questions_.Stop();
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

void Sweeper::Run() {
  MutexLock lock(mutex_);
  for (;;) {
    const auto end = std::chrono::steady_clock::now() + kInterval;
    while (!stopping_ && changed_.WaitUntil(mutex_, end)) {
    }
    if (stopping_) return;
    lock.Unlock();
    Sweep();
    lock.Lock();
  }
}

std::vector<Uuid> Sweeper::Leftovers() const {
  std::set<Uuid> found;
  std::error_code error;
  for (auto it = fs::directory_iterator(pools_directory_, error);
       !error && it != fs::directory_iterator(); it.increment(error)) {
    // UUID, UUID.lock and others.
    const std::string name = it->path().filename();
    const auto fs_uuid = Uuid::Parse(name.substr(0, name.find('.')));
    if (fs_uuid.ok() && !pools_.MayHold(*fs_uuid)) found.insert(*fs_uuid);
  }
  return {found.begin(), found.end()};
}

void Sweeper::Sweep() {
  const std::vector<Uuid> leftovers = Leftovers();
  if (leftovers.empty()) return;
  const auto mounts = VolumeMounts::Read(pools_directory_);
  absl::Status status = mounts.status();
  for (const Uuid& fs_uuid : leftovers) {
    if (!status.ok()) break;
    status = Remove(fs_uuid, *mounts);
  }
  if (std::exchange(logged_, Message(status)) == Message(status)) return;
  if (!status.ok()) {
    spdlog::warn("left of a pool that is served no more: {}", Message(status));
  }
}

absl::Status Sweeper::Remove(const Uuid& fs_uuid, const VolumeMounts& mounts) {
  const std::string mount_point =
      fmt::format("{}/{}", pools_directory_, fs_uuid.ToString());
  const std::vector<const MountEntry*> stack = mounts.table().At(mount_point);
  for (const MountEntry* entry : stack) {
    if (mounts.IsUsed(*entry)) return absl::OkStatus();
  }
  if (!stack.empty()) {
    // What is not written back yet is asked of the server.
    FAMFS_RETURN_IF_ERROR(
        questions_
            .Ask("unmounting " + mount_point, kServerPatience,
                 [mount_point,
                  count = stack.size()]() -> absl::StatusOr<Questions::Answer> {
                   for (std::size_t i = 0; i < count; ++i) {
                     if (::umount2(mount_point.c_str(),
                                   MNT_DETACH | UMOUNT_NOFOLLOW) != 0) {
                       return ErrnoError(errno, mount_point);
                     }
                   }
                   return Questions::Answer{};
                 })
            .status());
    spdlog::info("unmounted {}: its volumes were used no more", mount_point);
  }
  return RemoveFiles(mount_point);
}

absl::Status Sweeper::RemoveFiles(const std::string& mount_point) const {
  if (::rmdir(mount_point.c_str()) != 0 && errno != ENOENT) {
    return ErrnoError(errno, mount_point);
  }
  const std::string lock_file = mount_point + ".lock";
  const UniqueFd lock(
      ::open(lock_file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!lock.valid() && errno != ENOENT) return ErrnoError(errno, lock_file);
  if (lock.valid()) {
    const auto locked = TryLockFile(lock.get(), FileLock::kExclusive);
    if (!locked.ok()) return Annotate(locked.status(), lock_file);
    if (!*locked) return absl::OkStatus();  // its server has mappings to serve
  }
  for (const std::string& path :
       {mount_point + ".devices", mount_point + ".devices.new",
        MemoryReportOf(mount_point), MemoryReportOf(mount_point) + ".new",
        lock_file}) {
    FAMFS_RETURN_IF_ERROR(RemoveIfThere(path));
  }
  spdlog::info("removed what was left of {}", mount_point);
  return absl::OkStatus();
}

}  // namespace famfs::node
