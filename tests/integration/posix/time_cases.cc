// Times of modification and of change: what moves those of a file and of its
// directory, and which values can be set.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <ctime>
#include <map>

#include "base/unique_fd.h"
#include "tests/integration/posix/room.h"
#include "tests/integration/support/rig.h"

namespace famfs::posix {
namespace {

bool Same(const timespec& a, const timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/// Until a file system that takes coarse times gives another one.
void Tick() {
  timespec start = {};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &start);
  rig::Eventually([&start] {
    timespec now = {};
    ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return !Same(now, start);
  });
}

UniqueFd Open(const std::string& path, int flags = O_RDWR) {
  return UniqueFd(::open(path.c_str(), flags | O_CLOEXEC, 0644));
}

/// Nodes whose times are looked at, by whatever names they have.
class Watch {
 public:
  Watch(const Room& room, std::initializer_list<const char*> names) {
    for (const char* const name : names) {
      fds_.emplace(name, Open(room / name, O_PATH | O_NOFOLLOW));
      before_[name] = Look(fds_.at(name));
    }
    Tick();
  }
  void Tell(Room& room) const {
    for (const auto& [name, fd] : fds_) {
      const struct stat now = Look(fd);
      const struct stat& then = before_.at(name);
      room.Saw(name + " mtime",
               Same(now.st_mtim, then.st_mtim) ? "stays" : "moves");
      room.Saw(name + " ctime",
               Same(now.st_ctim, then.st_ctim) ? "stays" : "moves");
    }
  }

 private:
  static struct stat Look(const UniqueFd& fd) {
    struct stat info = {};
    ::fstat(fd.get(), &info);
    return info;
  }
  std::map<std::string, UniqueFd> fds_;
  std::map<std::string, struct stat> before_;
};

struct Change {
  const char* name;
  long (*make)(const Room& room);
};

/// Of the file d/f, which has four bytes, beside an empty directory d/d and a
/// link d/l, and the directory e with a file e/g.
constexpr std::array kChanges = {
    Change{"create",
           [](const Room& room) -> long {
             return Open(room / "d/n", O_RDWR | O_CREAT).valid() ? 0 : -1;
           }},
    Change{"open O_CREAT of what is there",
           [](const Room& room) -> long {
             return Open(room / "d/f", O_RDWR | O_CREAT).valid() ? 0 : -1;
           }},
    Change{"mkdir",
           [](const Room& room) -> long {
             return ::mkdir((room / "d/n").c_str(), 0755);
           }},
    Change{"symlink",
           [](const Room& room) -> long {
             return ::symlink("t", (room / "d/n").c_str());
           }},
    Change{"unlink",
           [](const Room& room) -> long {
             return ::unlink((room / "d/f").c_str());
           }},
    Change{"rmdir",
           [](const Room& room) -> long {
             return ::rmdir((room / "d/d").c_str());
           }},
    Change{"rename",
           [](const Room& room) -> long {
             return ::rename((room / "d/f").c_str(), (room / "d/n").c_str());
           }},
    Change{"rename elsewhere",
           [](const Room& room) -> long {
             return ::rename((room / "d/f").c_str(), (room / "e/n").c_str());
           }},
    Change{"rename over",
           [](const Room& room) -> long {
             return ::rename((room / "d/f").c_str(), (room / "e/g").c_str());
           }},
    Change{"rename of a directory",
           [](const Room& room) -> long {
             return ::rename((room / "d/d").c_str(), (room / "e/n").c_str());
           }},
    Change{"exchange",
           [](const Room& room) -> long {
             return ::renameat2(AT_FDCWD, (room / "d/f").c_str(), AT_FDCWD,
                                (room / "e/g").c_str(), RENAME_EXCHANGE);
           }},
    Change{"a rename that fails",
           [](const Room& room) -> long {
             return ::rename((room / "d/f").c_str(), (room / "d/d").c_str());
           }},
    Change{"write",
           [](const Room& room) -> long {
             return ::pwrite(Open(room / "d/f").get(), "x", 1, 0);
           }},
    Change{"write of nothing",
           [](const Room& room) -> long {
             return ::pwrite(Open(room / "d/f").get(), "x", 0, 0);
           }},
    Change{"write while it stays open",
           [](const Room& room) -> long {
             static UniqueFd fd;
             fd = Open(room / "d/f");
             return ::pwrite(fd.get(), "x", 1, 4);
           }},
    Change{"read",
           [](const Room& room) -> long {
             std::array<char, 4> bytes{};
             return ::pread(Open(room / "d/f").get(), bytes.data(), 4, 0);
           }},
    Change{"truncate",
           [](const Room& room) -> long {
             return ::truncate((room / "d/f").c_str(), 1);
           }},
    Change{"truncate to its size",
           [](const Room& room) -> long {
             return ::truncate((room / "d/f").c_str(), 4);
           }},
    Change{"ftruncate to its size",
           [](const Room& room) -> long {
             return ::ftruncate(Open(room / "d/f").get(), 4);
           }},
    Change{"open O_TRUNC",
           [](const Room& room) -> long {
             return Open(room / "d/f", O_RDWR | O_TRUNC).valid() ? 0 : -1;
           }},
    Change{"open O_TRUNC of an empty file",
           [](const Room& room) -> long {
             return Open(room / "e/g", O_RDWR | O_TRUNC).valid() ? 0 : -1;
           }},
    Change{"chmod",
           [](const Room& room) -> long {
             return ::chmod((room / "d/f").c_str(), 0600);
           }},
    Change{"chmod to what it has",
           [](const Room& room) -> long {
             return ::chmod((room / "d/f").c_str(), 0644);
           }},
    Change{"chmod of a directory",
           [](const Room& room) -> long {
             return ::chmod((room / "d").c_str(), 0700);
           }},
    Change{"chown to who has it",
           [](const Room& room) -> long {
             return ::chown((room / "d/f").c_str(), ::geteuid(), ::getegid());
           }},
    Change{"chown of nothing",
           [](const Room& room) -> long {
             return ::chown((room / "d/f").c_str(), -1, -1);
           }},
    Change{"utimensat",
           [](const Room& room) -> long {
             return ::utimensat(AT_FDCWD, (room / "d/f").c_str(), nullptr, 0);
           }},
    Change{"utimensat of the access time",
           [](const Room& room) -> long {
             const timespec times[2] = {{0, UTIME_NOW}, {0, UTIME_OMIT}};
             return ::utimensat(AT_FDCWD, (room / "d/f").c_str(), times, 0);
           }},
    Change{"utimensat of a link",
           [](const Room& room) -> long {
             return ::utimensat(AT_FDCWD, (room / "d/l").c_str(), nullptr,
                                AT_SYMLINK_NOFOLLOW);
           }},
    Change{"fallocate that grows",
           [](const Room& room) -> long {
             return ::fallocate(Open(room / "d/f").get(), 0, 0, 100);
           }},
    Change{"punch hole",
           [](const Room& room) -> long {
             return ::fallocate(Open(room / "d/f").get(),
                                FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                                2);
           }},
    Change{"store through a mapping",
           [](const Room& room) -> long {
             const UniqueFd fd = Open(room / "d/f");
             void* const at = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE,
                                     MAP_SHARED, fd.get(), 0);
             if (at == MAP_FAILED) return -1;
             static_cast<char*>(at)[0] = 'm';
             ::msync(at, 4096, MS_SYNC);
             return ::munmap(at, 4096);
           }},
    Change{"fsync",
           [](const Room& room) -> long {
             return ::fsync(Open(room / "d/f").get());
           }},
};

void AddChanges(Cases& cases) {
  for (const Change& change : kChanges) {
    cases.push_back(
        {fmt::format("times at {}", change.name), [change](Room& room) {
           room.Directory("d");
           room.Directory("d/d");
           room.File("d/f", "text");
           room.Link("f", "d/l");
           room.Directory("e");
           room.File("e/g");
           const Watch watch(room, {".", "d", "d/d", "d/f", "d/l", "e", "e/g"});
           room.Number("is", change.make(room));
           watch.Tell(room);
         }});
  }
}

/// Values that are set and read again.
void SetValues(Room& room) {
  room.File("f", "text");
  room.Directory("d");
  room.Link("f", "l");
  for (const timespec& value :
       {timespec{0, 0}, timespec{1, 999'999'999}, timespec{-1, 1},
        timespec{-2'000'000'000, 5}, timespec{2'147'483'648, 0},
        timespec{4'294'967'296, 7}, timespec{9'000'000'000, 0},
        timespec{12'000'000'000, 3}, timespec{1'000'000'000'000, 0}}) {
    for (const char* const name : {"f", "d", "l"}) {
      const timespec times[2] = {{0, UTIME_OMIT}, value};
      const std::string what =
          fmt::format("{} {}.{}", name, value.tv_sec, value.tv_nsec);
      room.Call(what, ::utimensat(AT_FDCWD, (room / name).c_str(), times,
                                  AT_SYMLINK_NOFOLLOW));
      struct stat info = {};
      ::lstat((room / name).c_str(), &info);
      room.Saw(what + " then",
               fmt::format("{}.{}", info.st_mtim.tv_sec, info.st_mtim.tv_nsec));
    }
  }
}

/// What happens then moves a time that was set in the future back to now.
void LeaveTheFuture(Room& room) {
  room.File("f", "text");
  room.Directory("d");
  const auto set = [&room](const char* name) {
    const timespec times[2] = {{0, UTIME_OMIT}, {4'000'000'000, 0}};
    room.Call(fmt::format("{} set", name),
              ::utimensat(AT_FDCWD, (room / name).c_str(), times, 0));
  };
  const auto look = [&room](const char* name, const char* what) {
    struct stat info = {};
    ::stat((room / name).c_str(), &info);
    room.Saw(fmt::format("{} after {}", name, what),
             info.st_mtim.tv_sec == 4'000'000'000 ? "in the future" : "now");
  };
  set("f");
  Tick();
  {
    const UniqueFd fd = Open(room / "f");
    look("f", "open");
    room.Number("write", ::pwrite(fd.get(), "longer", 6, 2));
    look("f", "write");
  }
  look("f", "close");
  set("f");
  Tick();
  room.Call("chmod", ::chmod((room / "f").c_str(), 0600));
  look("f", "chmod");
  room.Call("truncate", ::truncate((room / "f").c_str(), 1));
  look("f", "truncate");
  set("d");
  Tick();
  room.File("d/f");
  look("d", "creation");
  set("d");
  Tick();
  room.Call("write below", ::truncate((room / "d/f").c_str(), 1));
  look("d", "a write below");
  room.Call("unlink", ::unlink((room / "d/f").c_str()));
  look("d", "unlink");
}

void SetBadValues(Room& room) {
  room.File("f", "text");
  for (const long ns : {-1L, 1'000'000'000L, 2'000'000'000L}) {
    const timespec times[2] = {{0, 0}, {0, ns}};
    room.Call(fmt::format("{} ns", ns),
              ::utimensat(AT_FDCWD, (room / "f").c_str(), times, 0));
  }
  const timespec access[2] = {{5000, 6}, {0, UTIME_OMIT}};
  room.Call("access time",
            ::utimensat(AT_FDCWD, (room / "f").c_str(), access, 0));
  struct stat info = {};
  ::stat((room / "f").c_str(), &info);
  room.Number("access time then", info.st_atim.tv_sec);
}

}  // namespace

void AddTimeCases(Cases& cases) {
  AddChanges(cases);
  cases.push_back({"values of times", SetValues});
  cases.push_back({"times of the future", LeaveTheFuture});
  cases.push_back({"bad values of times", SetBadValues});
}

}  // namespace famfs::posix
