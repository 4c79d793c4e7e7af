#include "base/lock_holder.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <fstream>
#include <sstream>

namespace famfs {
namespace {

/// The program of a process, without what it could forge a line with.
std::string ProgramOf(const std::string& pid) {
  std::ifstream comm("/proc/" + pid + "/comm");
  std::string name;
  if (!std::getline(comm, name)) return "which has ended; a child has its lock";
  for (char& c : name) {
    if (c < ' ' || c > '~') c = '?';
  }
  return name;
}

}  // namespace

std::string LockHolder(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return {};
  // "3: FLOCK  ADVISORY  WRITE 1234 00:17:5678 0 EOF"; waiters have "->" after
  // the number.
  const std::string file = fmt::format("{:02x}:{:02x}:{}", ::major(info.st_dev),
                                       ::minor(info.st_dev), info.st_ino);
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);) {
    std::istringstream words(line);
    std::string number, kind, strictness, access, pid, place;
    words >> number >> kind >> strictness >> access >> pid >> place;
    if (kind != "FLOCK" || place != file) continue;
    return fmt::format("pid {} ({})", pid, ProgramOf(pid));
  }
  return {};
}

}  // namespace famfs
