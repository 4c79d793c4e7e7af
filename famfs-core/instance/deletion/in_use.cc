#include "instance/deletion/in_use.h"

#include <absl/container/flat_hash_set.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "base/text.h"
#include "base/unique_fd.h"
#include "dax/use_mark.h"
#include "media/checksum.h"
#include "media/format.h"
#include "media/region.h"

namespace famfs {
namespace {

namespace fs = std::filesystem;

/// What is looked for: files, and character devices by whichever node.
struct Media {
  absl::flat_hash_set<std::pair<std::uint64_t, std::uint64_t>> files{};
  absl::flat_hash_set<std::uint64_t> numbers{};

  [[nodiscard]] bool Has(const struct stat& info) const {
    return files.contains({info.st_dev, info.st_ino}) ||
           (S_ISCHR(info.st_mode) && numbers.contains(info.st_rdev));
  }
};

bool HasOpen(const fs::path& process, const Media& media) {
  std::error_code gone;
  for (const auto& entry : fs::directory_iterator(process / "fd", gone)) {
    struct stat info = {};
    if (::stat(entry.path().c_str(), &info) == 0 && media.Has(info)) {
      return true;
    }
  }
  return false;
}

/// Of a mapping whose file is another node of the device: a container's own.
bool MapsNumber(const fs::path& process, const std::string& line,
                const Media& media) {
  if (media.numbers.empty() || line.find(" /dev/") == std::string::npos) {
    return false;
  }
  struct stat info = {};
  const fs::path file = process / "map_files" / line.substr(0, line.find(' '));
  return ::stat(file.c_str(), &info) == 0 && media.Has(info);
}

bool HasMapped(const fs::path& process, const Media& media) {
  std::ifstream maps(process / "maps");
  for (std::string line; std::getline(maps, line);) {
    unsigned major = 0;
    unsigned minor = 0;
    std::uint64_t inode = 0;
    // "start-end perms offset major:minor inode path", numbers of the device in
    // hexadecimal.
    if (std::sscanf(line.c_str(), "%*s %*s %*s %x:%x %" SCNu64, &major, &minor,
                    &inode) == 3 &&
        media.files.contains({makedev(major, minor), inode})) {
      return true;
    }
    if (MapsNumber(process, line, media)) return true;
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

Media ToLookFor(const std::vector<DaxDevice::Medium>& all) {
  Media media;
  for (const DaxDevice::Medium& medium : all) {
    media.files.emplace(medium.device, medium.inode);
    if (medium.number != 0) media.numbers.insert(medium.number);
  }
  return media;
}

/// Whether /proc shows processes: whoever cannot see itself sees nobody.
bool FindProcesses(const Media& media, std::vector<std::string>& found) {
  const std::string self = std::to_string(::getpid());
  bool is_told = false;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const std::string pid = entry.path().filename();
    if (pid == self) is_told = true;
    if (!IsPid(pid) || pid == self) continue;
    if (HasMapped(entry.path(), media) || HasOpen(entry.path(), media)) {
      found.push_back(fmt::format("{} ({})", pid, NameOf(entry.path())));
    }
  }
  return is_told;
}

absl::Status AddProcesses(const DaxDevice& device, const Media& media,
                          std::vector<std::string>& users) {
  std::vector<std::string> found;
  if (!FindProcesses(media, found)) {
    return FailedPrecondition(
        "{}: who uses it cannot be told: /proc shows no processes; mount it "
        "(mount -t proc proc /proc), or add --force-in-use if you know that "
        "nobody does",
        device.spec());
  }
  for (const std::string& one : found) {
    users.push_back(fmt::format("process {} has it open", one));
  }
  return absl::OkStatus();
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

/// Of a row where nothing else tells whose it is: a uuid that begins as that of
/// its file system does, which is all that a row bears of it.
Uuid TagBearer(const Mapping& head, std::size_t row, std::size_t copy) {
  constexpr std::size_t kTagAt = 8;  // media/region_lines.h
  Uuid uuid;
  std::memcpy(
      uuid.bytes.data(),
      head.data() + kRegionOffset + HostAt(row) + copy * kLineSize + kTagAt,
      sizeof(std::uint64_t));
  return uuid;
}

/// The rows of the famfs whose superblock stands there; where none does, or a
/// damaged one, each row that can be read.
std::vector<HostRow> RowsOn(const Mapping& head) {
  MediaSuperblock super;
  head.Invalidate(0, head.size());
  std::memcpy(static_cast<void*>(&super), head.data(), sizeof(super));
  if (super.magic == kSuperblockMagic && ChecksumOf(super) == super.crc) {
    return LoadHosts(head, super.fs_uuid);
  }
  std::vector<HostRow> rows;
  for (std::size_t row = 0; row < kHostRows; ++row) {
    for (const std::size_t copy : {std::size_t{0}, std::size_t{1}}) {
      const auto found = LoadHost(head, row, TagBearer(head, row, copy));
      if (!found || found->damaged) continue;
      rows.push_back(*found);
      break;
    }
  }
  return rows;
}

void AddHosts(DaxDevice& device, const ThisHost& self,
              std::vector<std::string>& users) {
  const auto head =
      device.Map(kSuperblockOffset, kSuperblockRegion, Access::kRead);
  if (!head.ok()) return;
  for (const HostRow& row : RowsOn(**head)) {
    if (row.damaged || !IsWaitedFor(row, self)) continue;
    users.push_back(fmt::format("a server of the host {} is registered",
                                row.record.host.ToString()));
  }
}

}  // namespace

absl::StatusOr<std::vector<std::string>> WhoUses(DaxDevice& device,
                                                 const ThisHost& self) {
  FAMFS_ASSIGN_OR_RETURN(const auto all, device.ListMedia());
  const Media media = ToLookFor(all);
  std::vector<std::string> users;
  if (!media.files.empty()) {
    FAMFS_RETURN_IF_ERROR(AddProcesses(device, media, users));
  }
  AddMarks(device, users);
  if (!device.capabilities().removed_extents_live_on) {
    AddHosts(device, self, users);
  }
  return users;
}

std::vector<std::string> ProcessesThatHave(
    const std::vector<DaxDevice::Medium>& media) {
  std::vector<std::string> found;
  FindProcesses(ToLookFor(media), found);
  return found;
}

absl::Status CheckUnused(DaxDevice& device, const ThisHost& self) {
  constexpr std::size_t kMostNamed = 10;
  FAMFS_ASSIGN_OR_RETURN(std::vector<std::string> users, WhoUses(device, self));
  if (users.empty()) return absl::OkStatus();
  if (users.size() > kMostNamed) {
    const std::size_t more = users.size() - kMostNamed;
    users.resize(kMostNamed);
    users.push_back(fmt::format("and {} more", more));
  }
  return FailedPrecondition(
      "{}: is in use: {}; end that (unmount it, stop the controller; famfs "
      "evict for a host that is dead), or add --force-in-use to take it all "
      "the same: whoever uses what is on it loses that for good",
      device.spec(), fmt::join(users, ", "));
}

}  // namespace famfs
