#include "tests/integration/posix/calls.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>

namespace famfs::posix {
namespace {

template <int kFlags>
long Open(const Room&, const char* path) {
  const int fd = ::open(path, kFlags | O_CLOEXEC, 0640);
  if (fd >= 0) ::close(fd);
  return fd < 0 ? -1 : 0;
}

/// Made, and removed again.
long Undo(long made, const char* path) {
  if (made == 0) ::unlink(path);
  return made;
}

template <int kFlags>
long SetTimes(const Room&, const char* path) {
  const timespec times[2] = {{1000, 0}, {2000, 0}};
  return ::utimensat(AT_FDCWD, path, times, kFlags);
}

long ReadLink(const Room&, const char* path) {
  std::array<char, 100> target{};
  return ::readlink(path, target.data(), target.size());
}

long OpenDirectory(const Room&, const char* path) {
  DIR* const directory = ::opendir(path);
  return directory == nullptr ? -1 : ::closedir(directory);
}

long Stat(const Room&, const char* path) {
  struct stat info = {};
  return ::stat(path, &info);
}

long LookAtLink(const Room&, const char* path) {
  struct stat info = {};
  return ::lstat(path, &info);
}

long Figures(const Room&, const char* path) {
  struct statvfs figures = {};
  return ::statvfs(path, &figures);
}

void NeedFile(const Room& room) { room.File("second", "2"); }
void NeedDirectory(const Room& room) { room.Directory("second"); }

std::vector<PathCall> Opens() {
  return {
      {"open to read", Open<O_RDONLY>},
      {"open to write", Open<O_WRONLY>},
      {"open O_CREAT", Open<O_RDWR | O_CREAT>},
      {"open O_CREAT O_EXCL", Open<O_RDWR | O_CREAT | O_EXCL>},
      {"open O_TRUNC", Open<O_RDWR | O_TRUNC>},
      {"open O_NOFOLLOW", Open<O_RDONLY | O_NOFOLLOW>},
      {"open O_DIRECTORY", Open<O_RDONLY | O_DIRECTORY>},
      {"opendir", OpenDirectory},
      {"stat", Stat},
      {"lstat", LookAtLink},
      {"statvfs", Figures},
      {"readlink", ReadLink},
      {"access F_OK",
       [](const Room&, const char* path) -> long {
         return ::faccessat(AT_FDCWD, path, F_OK, AT_EACCESS);
       }},
      {"access W_OK",
       [](const Room&, const char* path) -> long {
         return ::faccessat(AT_FDCWD, path, W_OK, AT_EACCESS);
       }},
  };
}

std::vector<PathCall> Changes() {
  return {
      {"truncate",
       [](const Room&, const char* path) -> long {
         return ::truncate(path, 0);
       }},
      {"chmod",
       [](const Room&, const char* path) -> long {
         return ::chmod(path, 0701);
       }},
      {"chown",
       [](const Room&, const char* path) -> long {
         return ::chown(path, ::geteuid(), ::getegid());
       }},
      {"lchown",
       [](const Room&, const char* path) -> long {
         return ::lchown(path, ::geteuid(), ::getegid());
       }},
      {"utimensat", SetTimes<0>},
      {"utimensat of the link", SetTimes<AT_SYMLINK_NOFOLLOW>},
      {"mkdir",
       [](const Room&, const char* path) -> long {
         return ::mkdir(path, 0750);
       }},
      {"rmdir",
       [](const Room&, const char* path) -> long { return ::rmdir(path); }},
      {"unlink",
       [](const Room&, const char* path) -> long { return ::unlink(path); }},
      {"symlink",
       [](const Room&, const char* path) -> long {
         return ::symlink("target", path);
       }},
      {"mkfifo",
       [](const Room&, const char* path) -> long {
         return Undo(::mkfifo(path, 0600), path);
       }},
      {"mknod of a file",
       [](const Room&, const char* path) -> long {
         return ::mknod(path, S_IFREG | 0640, 0);
       }},
  };
}

std::vector<PathCall> TwoNames() {
  return {
      {"link of it",
       [](const Room& room, const char* path) -> long {
         const std::string to = room / "linked";
         return Undo(::link(path, to.c_str()), to.c_str());
       }},
      {"link to it",
       [](const Room& room, const char* path) -> long {
         return Undo(::link((room / "second").c_str(), path), path);
       },
       NeedFile},
      {"rename of it",
       [](const Room& room, const char* path) -> long {
         return ::rename(path, (room / "renamed").c_str());
       }},
      {"rename of a file to it",
       [](const Room& room, const char* path) -> long {
         return ::rename((room / "second").c_str(), path);
       },
       NeedFile},
      {"rename of a directory to it",
       [](const Room& room, const char* path) -> long {
         return ::rename((room / "second").c_str(), path);
       },
       NeedDirectory},
  };
}

}  // namespace

const std::vector<PathCall>& PathCalls() {
  static const std::vector<PathCall> all = [] {
    std::vector<PathCall> calls = Opens();
    for (const auto& more : {Changes(), TwoNames()}) {
      calls.insert(calls.end(), more.begin(), more.end());
    }
    return calls;
  }();
  return all;
}

}  // namespace famfs::posix
