#include "instance/in_use.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "base/text.h"
#include "base/unique_fd.h"
#include "dax/use_mark.h"
#include "media/format.h"

namespace famfs {
namespace {

namespace fs = std::filesystem;

bool HasOpen(const fs::path& process, const DaxDevice::Medium& medium) {
  std::error_code gone;
  for (const auto& entry : fs::directory_iterator(process / "fd", gone)) {
    struct stat info = {};
    if (::stat(entry.path().c_str(), &info) == 0 &&
        info.st_dev == medium.device && info.st_ino == medium.inode) {
      return true;
    }
  }
  return false;
}

bool HasMapped(const fs::path& process, const DaxDevice::Medium& medium) {
  // "start-end perms offset major:minor inode path", numbers of the device in
  // hexadecimal.
  const std::string wanted =
      fmt::format(" {:02x}:{:02x} {} ", ::major(medium.device),
                  ::minor(medium.device), medium.inode);
  std::ifstream maps(process / "maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find(wanted) != std::string::npos) return true;
  }
  return false;
}

bool IsPid(const std::string& name) {
  return !name.empty() &&
         std::all_of(name.begin(), name.end(),
                     [](unsigned char c) { return std::isdigit(c) != 0; });
}

std::string NameOf(const fs::path& process) {
  std::string name;
  std::ifstream comm(process / "comm");
  std::getline(comm, name);
  return Printable(name);
}

void AddProcesses(const DaxDevice::Medium& medium,
                  std::vector<std::string>& users) {
  const std::string self = std::to_string(::getpid());
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const std::string pid = entry.path().filename();
    if (!IsPid(pid) || pid == self) continue;
    if (HasMapped(entry.path(), medium) || HasOpen(entry.path(), medium)) {
      users.push_back(fmt::format("process {} ({}) has it open", pid,
                                  NameOf(entry.path())));
    }
  }
}

/// What holds the marks, but is not among the processes that can be seen from
/// here.
void AddMarks(DaxDevice& device, std::vector<std::string>& users) {
  if (!users.empty()) return;  // most probably theirs
  if (IsMarked(device, Use::kServing).value_or(false)) {
    users.emplace_back(
        "a server that cannot be seen from here, such as one in another "
        "container, shows it");
  }
  if (IsMarked(device, Use::kWriting).value_or(false)) {
    users.emplace_back(
        "a writer that cannot be seen from here, such as a controller in "
        "another container, has it open");
  }
}

void AddHosts(DaxDevice& device, const Uuid& fs_uuid, const ThisHost& self,
              std::vector<std::string>& users) {
  const auto head =
      device.Map(kSuperblockOffset, kSuperblockRegion, Access::kRead);
  if (!head.ok()) return;
  for (const HostRow& row : LoadHosts(**head, fs_uuid)) {
    if (row.damaged || !IsWaitedFor(row, self)) continue;
    users.push_back(fmt::format("a server of the host {} is registered",
                                row.record.host.ToString()));
  }
}

}  // namespace

std::vector<std::string> WhoUses(DaxDevice& device, const Uuid& fs_uuid,
                                 const ThisHost& self) {
  std::vector<std::string> users;
  const auto medium = device.ProbeMedium()();
  if (medium.ok() && *medium != DaxDevice::Medium{}) {
    AddProcesses(*medium, users);
  }
  AddMarks(device, users);
  if (!device.has_extent_files()) AddHosts(device, fs_uuid, self, users);
  return users;
}

}  // namespace famfs
