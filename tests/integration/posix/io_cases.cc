// What descriptors do: reading, writing, seeking, cutting, allocating, mapping,
// copying, at and beyond every edge.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/falloc.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <limits>
#include <vector>

#include "base/unique_fd.h"
#include "tests/integration/posix/room.h"

namespace famfs::posix {
namespace {

constexpr off_t kMost = std::numeric_limits<off_t>::max();

UniqueFd Open(const Room& room, const char* name, int flags) {
  return UniqueFd(::open((room / name).c_str(), flags | O_CLOEXEC, 0644));
}

std::string Content(const Room& room, const char* name) {
  const UniqueFd fd = Open(room, name, O_RDONLY);
  std::string bytes(200, '\0');
  const ssize_t got = ::pread(fd.get(), bytes.data(), bytes.size(), 0);
  if (got < 0) return NameOf(errno);
  bytes.resize(static_cast<std::size_t>(got));
  for (char& byte : bytes) byte = byte == '\0' ? '0' : byte;
  return bytes;
}

void Offsets(Room& room) {
  room.File("f", "0123456789");
  const UniqueFd fd = Open(room, "f", O_RDWR);
  std::array<char, 8> bytes{};
  for (const off_t at : {off_t{-1}, off_t{5}, off_t{10}, off_t{1} << 40, kMost,
                         std::numeric_limits<off_t>::min()}) {
    room.Number(fmt::format("pread at {}", at),
                ::pread(fd.get(), bytes.data(), 8, at));
    room.Number(fmt::format("lseek to {}", at),
                ::lseek(fd.get(), at, SEEK_SET));
  }
  for (const off_t at :
       {off_t{-1}, kMost, kMost - 1, std::numeric_limits<off_t>::min()}) {
    room.Number(fmt::format("pwrite at {}", at),
                ::pwrite(fd.get(), "x", 1, at));
  }
  ::lseek(fd.get(), 0, SEEK_SET);
  room.Number("lseek before the start", ::lseek(fd.get(), -1, SEEK_CUR));
  room.Number("lseek from the end", ::lseek(fd.get(), -3, SEEK_END));
  room.Number("lseek before the start from the end",
              ::lseek(fd.get(), -11, SEEK_END));
  room.Number("lseek too far", ::lseek(fd.get(), kMost, SEEK_END));
  room.Number("lseek of another kind", ::lseek(fd.get(), 0, 99));
  room.Number("pwrite of nothing at the end",
              ::pwrite(fd.get(), "x", 0, 1 << 20));
  room.Saw("holds", Content(room, "f"));
  room.After();
}

void Holes(Room& room) {
  room.File("f", "0123456789");
  const UniqueFd fd = Open(room, "f", O_RDWR);
  room.Number("a write behind a hole", ::pwrite(fd.get(), "x", 1, 100));
  room.Saw("holds", Content(room, "f"));
  for (const off_t at : {off_t{-1}, off_t{0}, off_t{5}, off_t{100}, off_t{101},
                         off_t{102}, kMost}) {
    room.Number(fmt::format("SEEK_DATA {}", at),
                ::lseek(fd.get(), at, SEEK_DATA));
    room.Number(fmt::format("SEEK_HOLE {}", at),
                ::lseek(fd.get(), at, SEEK_HOLE));
  }
  const UniqueFd empty = Open(room, "e", O_RDWR | O_CREAT);
  room.Number("SEEK_DATA of nothing", ::lseek(empty.get(), 0, SEEK_DATA));
  room.Number("SEEK_HOLE of nothing", ::lseek(empty.get(), 0, SEEK_HOLE));
  room.Call("longer", ::ftruncate(empty.get(), 1 << 20));
  room.Number("SEEK_DATA of a hole", ::lseek(empty.get(), 0, SEEK_DATA));
  room.Number("SEEK_HOLE of a hole", ::lseek(empty.get(), 0, SEEK_HOLE));
}

void Cut(Room& room) {
  room.File("f", "0123456789");
  room.Directory("d");
  const std::string f = room / "f";
  for (const off_t size :
       {off_t{10}, off_t{0}, off_t{5}, off_t{4097}, off_t{1}, off_t{-1},
        std::numeric_limits<off_t>::min(), off_t{1} << 50, kMost}) {
    room.Call(fmt::format("truncate to {}", size), ::truncate(f.c_str(), size));
    room.Call("and back", ::truncate(f.c_str(), 3));
    room.Saw("holds", Content(room, "f"));
  }
  for (const int flags :
       {O_RDONLY, O_WRONLY, O_RDWR, O_PATH, O_WRONLY | O_APPEND}) {
    const UniqueFd fd = Open(room, "f", flags);
    room.Call(fmt::format("ftruncate of {:o}", flags),
              ::ftruncate(fd.get(), 2));
    room.Call(fmt::format("ftruncate of {:o} to -1", flags),
              ::ftruncate(fd.get(), -1));
  }
  room.Call("of a directory",
            ::ftruncate(Open(room, "d", O_RDONLY | O_DIRECTORY).get(), 0));
  room.Call("of nothing", ::ftruncate(-1, 0));
  room.After();
}

void Allocate(Room& room) {
  room.File("f", "0123456789");
  struct Mode {
    const char* name;
    int mode;
  };
  for (const Mode& mode :
       {Mode{"plainly", 0}, Mode{"KEEP_SIZE", FALLOC_FL_KEEP_SIZE},
        Mode{"PUNCH_HOLE", FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE},
        Mode{"PUNCH_HOLE alone", FALLOC_FL_PUNCH_HOLE},
        Mode{"ZERO_RANGE", FALLOC_FL_ZERO_RANGE},
        Mode{"COLLAPSE_RANGE", FALLOC_FL_COLLAPSE_RANGE},
        Mode{"INSERT_RANGE", FALLOC_FL_INSERT_RANGE},
        Mode{"unknown", 1 << 20}}) {
    const auto say = [&](int flags, off_t at, off_t length) {
      const UniqueFd fd = Open(room, "f", flags);
      room.Call(fmt::format("{} of {:o} {} {}", mode.name, flags, at, length),
                ::fallocate(fd.get(), mode.mode, at, length));
    };
    say(O_RDWR, 0, 0);
    say(O_RDWR, -1, 5);
    say(O_RDWR, 0, -1);
    say(O_RDWR, kMost, 1);
    say(O_RDWR, 1, kMost);
    say(O_RDONLY, 0, 5);
    say(O_RDWR, 2, 3);
    room.Saw(std::string(mode.name) + ": holds", Content(room, "f"));
    say(O_RDWR, 8, 12);
    room.Saw(std::string(mode.name) + ": then", Content(room, "f"));
  }
  const UniqueFd fd = Open(room, "f", O_RDWR);
  const auto posix = [&](const char* what, int result) {
    room.Saw(what, NameOf(result));
  };
  posix("posix_fallocate", ::posix_fallocate(fd.get(), 0, 50));
  posix("posix_fallocate of nothing", ::posix_fallocate(fd.get(), 0, 0));
  posix("posix_fallocate before the start", ::posix_fallocate(fd.get(), -5, 9));
  posix("posix_fallocate to read",
        ::posix_fallocate(Open(room, "f", O_RDONLY).get(), 0, 5));
  room.After();
}

void WrongDescriptors(Room& room) {
  room.File("f", "0123456789");
  room.Directory("d");
  std::array<char, 4> bytes{};
  room.Number("read of what is to write",
              ::read(Open(room, "f", O_WRONLY).get(), bytes.data(), 4));
  room.Number("write of what is to read",
              ::write(Open(room, "f", O_RDONLY).get(), "x", 1));
  const UniqueFd directory = Open(room, "d", O_RDONLY | O_DIRECTORY);
  room.Number("read of a directory", ::read(directory.get(), bytes.data(), 4));
  room.Number("write of a directory", ::write(directory.get(), "x", 1));
  room.Call("fsync of a directory", ::fsync(directory.get()));
  room.Call("fdatasync of a directory", ::fdatasync(directory.get()));
  room.Call("fsync of what is to read",
            ::fsync(Open(room, "f", O_RDONLY).get()));
  room.Call("fallocate of a directory", ::fallocate(directory.get(), 0, 0, 1));
  char* volatile nowhere = nullptr;  // which the compiler must not know
  room.Call("a bad buffer",
            ::pread(Open(room, "f", O_RDONLY).get(), nowhere, 4, 0));
  room.Call("a bad buffer to write",
            ::pwrite(Open(room, "f", O_RDWR).get(), nowhere, 4, 0));
  room.Call("flock", ::flock(Open(room, "f", O_RDONLY).get(), LOCK_EX));
  const UniqueFd path = Open(room, "f", O_PATH);
  room.Call("fchmod of O_PATH", ::fchmod(path.get(), 0600));
  room.Call("fchown of O_PATH", ::fchown(path.get(), -1, -1));
  room.Call("openat below a file", ::openat(path.get(), "x", O_RDONLY));
}

void Vectors(Room& room) {
  room.File("f");
  const UniqueFd fd = Open(room, "f", O_RDWR);
  std::array<char, 3> a = {'a', 'b', 'c'};
  std::array<char, 2> b = {'d', 'e'};
  const std::array<iovec, 2> parts = {iovec{a.data(), a.size()},
                                      iovec{b.data(), b.size()}};
  room.Number("writev", ::writev(fd.get(), parts.data(), 2));
  room.Number("writev of none", ::writev(fd.get(), parts.data(), 0));
  const volatile int minus = -1;  // which the compiler must not know
  room.Number("writev of -1", ::writev(fd.get(), parts.data(), minus));
  const std::vector<iovec> many(IOV_MAX + 1, parts[0]);
  room.Number("writev of too many",
              ::writev(fd.get(), many.data(), IOV_MAX + 1));
  room.Number("writev of the most", ::writev(fd.get(), many.data(), IOV_MAX));
  room.Number("preadv", ::preadv(fd.get(), parts.data(), 2, 1));
  room.Number("pwritev2 at the end",
              ::pwritev2(fd.get(), parts.data(), 2, -1, RWF_APPEND));
  room.Number("pwritev2 for good",
              ::pwritev2(fd.get(), parts.data(), 2, 0, RWF_DSYNC));
  room.Number("preadv2 without a wait",
              ::preadv2(fd.get(), parts.data(), 2, 0, 1 << 30));
  room.After();
}

void Append(Room& room) {
  room.File("f", "0123");
  const UniqueFd fd = Open(room, "f", O_RDWR | O_APPEND);
  room.Number("write", ::write(fd.get(), "a", 1));
  room.Number("pwrite elsewhere", ::pwrite(fd.get(), "b", 1, 0));
  room.Number("stands at", ::lseek(fd.get(), 0, SEEK_CUR));
  room.Call("cut", ::ftruncate(fd.get(), 2));
  room.Number("write then", ::write(fd.get(), "c", 1));
  room.Call("no O_APPEND", ::fcntl(fd.get(), F_SETFL, 0));
  room.Number("pwrite", ::pwrite(fd.get(), "d", 1, 0));
  room.Call("O_APPEND again", ::fcntl(fd.get(), F_SETFL, O_APPEND));
  room.Number("write again", ::write(fd.get(), "e", 1));
  room.Saw("holds", Content(room, "f"));
}

/// A limit of the process, which signals.
void Limited(Room& room) {
  room.File("f", "0123");
  const UniqueFd fd = Open(room, "f", O_RDWR);
  rlimit before = {};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit limit = {10, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &limit);
  ::signal(SIGXFSZ, SIG_IGN);
  room.Number("a write across it", ::pwrite(fd.get(), "abcdefgh", 8, 6));
  room.Number("a write at it", ::pwrite(fd.get(), "x", 1, 10));
  room.Number("a write behind it", ::pwrite(fd.get(), "x", 1, 20));
  room.Call("ftruncate", ::ftruncate(fd.get(), 11));
  room.Call("ftruncate to it", ::ftruncate(fd.get(), 10));
  room.Call("fallocate", ::fallocate(fd.get(), 0, 0, 11));
  ::setrlimit(RLIMIT_FSIZE, &before);
  ::signal(SIGXFSZ, SIG_DFL);
  room.Saw("holds", Content(room, "f"));
}

void Map(Room& room) {
  room.File("f", "0123456789");
  room.Directory("d");
  const auto map = [&room](const char* what, int fd, int protection, int flags,
                           std::size_t length, off_t at) {
    void* const address = ::mmap(nullptr, length, protection, flags, fd, at);
    room.Call(what, address == MAP_FAILED ? -1 : 0);
    if (address != MAP_FAILED) ::munmap(address, length);
  };
  const UniqueFd both = Open(room, "f", O_RDWR);
  const UniqueFd reads = Open(room, "f", O_RDONLY);
  const UniqueFd writes = Open(room, "f", O_WRONLY);
  const UniqueFd directory = Open(room, "d", O_RDONLY | O_DIRECTORY);
  constexpr int kBoth = PROT_READ | PROT_WRITE;
  map("shared", both.get(), kBoth, MAP_SHARED, 10, 0);
  map("private", both.get(), kBoth, MAP_PRIVATE, 10, 0);
  map("private of what is to read", reads.get(), kBoth, MAP_PRIVATE, 10, 0);
  map("shared of what is to read", reads.get(), kBoth, MAP_SHARED, 10, 0);
  map("of what is to write", writes.get(), PROT_WRITE, MAP_SHARED, 10, 0);
  map("of a directory", directory.get(), PROT_READ, MAP_SHARED, 10, 0);
  map("of nothing", both.get(), PROT_READ, MAP_SHARED, 0, 0);
  map("at an odd place", both.get(), PROT_READ, MAP_SHARED, 10, 5);
  map("behind the end", both.get(), kBoth, MAP_SHARED, 4096, 1 << 20);
  map("to execute", both.get(), PROT_READ | PROT_EXEC, MAP_SHARED, 10, 0);
}

void Copy(Room& room) {
  room.File("f", "0123456789");
  room.File("g", "abc");
  room.Directory("d");
  const auto copy = [&room](const char* what, int from, off_t from_at, int to,
                            off_t to_at, std::size_t length, unsigned flags) {
    room.Number(what,
                ::copy_file_range(from, &from_at, to, &to_at, length, flags));
  };
  const UniqueFd f = Open(room, "f", O_RDWR);
  const UniqueFd g = Open(room, "g", O_RDWR);
  const UniqueFd reads = Open(room, "g", O_RDONLY);
  const UniqueFd appends = Open(room, "g", O_WRONLY | O_APPEND);
  const UniqueFd directory = Open(room, "d", O_RDONLY | O_DIRECTORY);
  copy("a part", f.get(), 2, g.get(), 1, 4, 0);
  copy("from behind the end", f.get(), 50, g.get(), 0, 4, 0);
  copy("across the end", f.get(), 8, g.get(), 0, 50, 0);
  copy("behind the end", f.get(), 0, g.get(), 20, 4, 0);
  copy("within itself", f.get(), 0, f.get(), 5, 5, 0);
  copy("over itself", f.get(), 0, f.get(), 2, 5, 0);
  copy("nothing", f.get(), 0, g.get(), 0, 0, 0);
  copy("to what is to read", f.get(), 0, reads.get(), 0, 4, 0);
  copy("to what appends", f.get(), 0, appends.get(), 0, 4, 0);
  copy("of a directory", directory.get(), 0, g.get(), 0, 4, 0);
  copy("from before the start", f.get(), -1, g.get(), 0, 4, 0);
  copy("to too far", f.get(), 0, g.get(), kMost, 4, 0);
  copy("with a flag", f.get(), 0, g.get(), 0, 4, 1);
  room.Saw("f holds", Content(room, "f"));
  room.Saw("g holds", Content(room, "g"));
  const UniqueFd to = Open(room, "h", O_RDWR | O_CREAT);
  room.Number("sendfile", ::sendfile(to.get(), reads.get(), nullptr, 4));
  room.Saw("h holds", Content(room, "h"));
}

void ExtendedAttributes(Room& room) {
  room.File("f");
  const std::string f = room / "f";
  std::array<char, 100> value{};
  room.Number("getxattr of none",
              ::getxattr(f.c_str(), "user.none", value.data(), value.size()));
  room.Call("setxattr", ::setxattr(f.c_str(), "user.x", "y", 1, 0));
  room.Number("getxattr",
              ::getxattr(f.c_str(), "user.x", value.data(), value.size()));
  room.Call("removexattr", ::removexattr(f.c_str(), "user.x"));
  room.Call("removexattr of none", ::removexattr(f.c_str(), "user.none"));
}

}  // namespace

void AddIoCases(Cases& cases) {
  cases.push_back({"offsets", Offsets});
  cases.push_back({"holes", Holes});
  cases.push_back({"cuts", Cut});
  cases.push_back({"allocations", Allocate});
  cases.push_back({"wrong descriptors", WrongDescriptors});
  cases.push_back({"vectors", Vectors});
  cases.push_back({"appends", Append});
  cases.push_back({"a limit of the process", Limited});
  cases.push_back({"mappings", Map});
  cases.push_back({"copies", Copy});
  cases.push_back({"extended attributes", ExtendedAttributes});
}

}  // namespace famfs::posix
