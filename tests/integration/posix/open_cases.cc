// open(2): every set of flags on every kind of name, and what a new file is.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <string_view>

#include "base/unique_fd.h"
#include "tests/integration/posix/room.h"

namespace famfs::posix {
namespace {

struct Flags {
  const char* name;
  int flags;
};

constexpr std::array kAccess = {Flags{"O_RDONLY", O_RDONLY},
                                Flags{"O_WRONLY", O_WRONLY},
                                Flags{"O_RDWR", O_RDWR}};
constexpr std::array kMore = {
    Flags{"alone", 0},
    Flags{"O_CREAT", O_CREAT},
    Flags{"O_CREAT O_EXCL", O_CREAT | O_EXCL},
    Flags{"O_CREAT O_TRUNC", O_CREAT | O_TRUNC},
    Flags{"O_CREAT O_EXCL O_TRUNC", O_CREAT | O_EXCL | O_TRUNC},
    Flags{"O_CREAT O_NOFOLLOW", O_CREAT | O_NOFOLLOW},
    Flags{"O_CREAT O_DIRECTORY", O_CREAT | O_DIRECTORY},
    Flags{"O_EXCL", O_EXCL},
    Flags{"O_TRUNC", O_TRUNC},
    Flags{"O_APPEND", O_APPEND},
    Flags{"O_NOFOLLOW", O_NOFOLLOW},
    Flags{"O_DIRECTORY", O_DIRECTORY},
    Flags{"O_DIRECTORY O_NOFOLLOW", O_DIRECTORY | O_NOFOLLOW},
    Flags{"O_PATH", O_PATH},
    Flags{"O_PATH O_NOFOLLOW", O_PATH | O_NOFOLLOW},
    Flags{"O_SYNC", O_SYNC},
    Flags{"O_NONBLOCK", O_NONBLOCK},
    Flags{"O_DIRECT", O_DIRECT},
    Flags{"O_NOATIME", O_NOATIME},
};

constexpr std::array kKinds = {"missing", "file",     "directory", "link",
                               "dirlink", "dangling", "loop"};

/// What has that name, and what it needs.
void Make(const Room& room, std::string_view kind) {
  if (kind == "file" || kind == "link") room.File("file", "text");
  if (kind == "directory" || kind == "dirlink") room.Directory("directory");
  if (kind == "link") room.Link("file", "link");
  if (kind == "dirlink") room.Link("directory", "dirlink");
  if (kind == "dangling") room.Link("nowhere", "dangling");
  if (kind == "loop") room.Link("loop", "loop");
}

/// What the descriptor is good for.
void Use(Room& room, const std::string& what, int fd) {
  std::array<char, 4> bytes{};
  room.Number(what + " reads", ::read(fd, bytes.data(), bytes.size()));
  room.Number(what + " writes", ::write(fd, "xy", 2));
  room.Number(what + " stands at", ::lseek(fd, 0, SEEK_CUR));
  struct stat info = {};
  room.Number(
      what + " has a size",
      ::fstat(fd, &info) != 0 || S_ISDIR(info.st_mode) ? -1 : info.st_size);
}

void AddMatrix(Cases& cases) {
  for (const char* const kind : kKinds) {
    for (const Flags& more : kMore) {
      for (const Flags& access : kAccess) {
        cases.push_back(
            {fmt::format("open {} {} {}", kind, access.name, more.name),
             [kind, flags = access.flags | more.flags](Room& room) {
               Make(room, kind);
               const std::string path = room / kind;
               const UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC, 0640));
               room.Call("is", fd.get());
               // Its alignment is another matter.
               if (fd.valid() && (flags & O_DIRECT) == 0) {
                 errno = 0;
                 Use(room, "it", fd.get());
               }
               room.After();
             }});
      }
    }
  }
}

void AddModes(Cases& cases) {
  for (const mode_t mask : {0U, 022U, 027U, 077U, 0777U}) {
    for (const mode_t mode :
         {0777U, 0666U, 0640U, 0U, 01777U, 02777U, 04777U, 06755U, 07777U}) {
      cases.push_back(
          {fmt::format("mode {:o} under {:o}", mode, mask),
           [mask, mode](Room& room) {
             const Umask set(mask);
             const UniqueFd fd(::open((room / "f").c_str(),
                                      O_RDWR | O_CREAT | O_CLOEXEC, mode));
             room.Call("open", fd.get());
             room.Number("a new file is written whatever its mode",
                         ::write(fd.get(), "x", 1));
             room.Call("mkdir", ::mkdir((room / "d").c_str(), mode));
             room.Call("mknod",
                       ::mknod((room / "n").c_str(), S_IFREG | mode, 0));
             room.After();
           }});
    }
  }
}

/// Groups of what is made in directories with and without set-group-id.
void AddGroups(Cases& cases) {
  for (const mode_t mode : {0777U, 02777U, 02755U, 03777U}) {
    for (const uid_t user : {uid_t{0}, kUser}) {
      cases.push_back(
          {fmt::format("made in a directory {:o} by {}", mode, user),
           [mode, user](Room& room) {
             room.Directory("d");
             room.Own("d", 0, kOther);
             room.Mode("d", mode);
             {
               const As as(user, user);
               const UniqueFd fd(::open((room / "d/f").c_str(),
                                        O_RDWR | O_CREAT | O_CLOEXEC, 02775));
               room.Call("open", fd.get());
               room.Call("mkdir", ::mkdir((room / "d/d").c_str(), 0775));
               room.Call("mkdir below",
                         ::mkdir((room / "d/d/d").c_str(), 0775));
               room.Call("symlink", ::symlink("f", (room / "d/l").c_str()));
             }
             room.After();
           },
           /*needs_root=*/true});
    }
  }
}

void CopyProgram(const Room& room, const char* from, const char* to) {
  const std::string command = std::string("cp ") + from + " " + (room / to);
  if (std::system(command.c_str()) != 0) std::abort();
}

/// A program of the room, which waits on its input; and what may be done
/// meanwhile.
void Execute(Room& room) {
  CopyProgram(room, "/bin/cat", "program");
  const std::string path = room / "program";
  std::array<int, 2> pipe{};
  std::array<int, 2> started{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0 ||
      ::pipe2(started.data(), O_CLOEXEC) != 0) {
    std::abort();
  }
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(pipe[0], 0);
    ::execl(path.c_str(), "cat", nullptr);
    ::_exit(errno);
  }
  ::close(started[1]);
  char end = 0;
  [[maybe_unused]] const ssize_t none = ::read(started[0], &end, 1);
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  room.Call("open to write while it runs", fd);
  if (fd >= 0) ::close(fd);
  room.Call("truncate while it runs", ::truncate(path.c_str(), 0));
  room.Call("unlink while it runs", ::unlink(path.c_str()));
  ::close(pipe[1]);
  int status = 0;
  ::waitpid(child, &status, 0);
  room.Number("it ends with", WEXITSTATUS(status));
  ::close(pipe[0]);
  ::close(started[0]);
}

void ExecuteWhatIsWritten(Room& room) {
  CopyProgram(room, "/bin/true", "program");
  const std::string path = room / "program";
  const auto run = [&] {
    const pid_t child = ::fork();
    if (child == 0) {
      ::execl(path.c_str(), "true", nullptr);
      ::_exit(errno);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WEXITSTATUS(status);
  };
  room.Number("runs", run());
  {
    const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    room.Saw("while it is open for writing", NameOf(run()));
  }
  ::chmod(path.c_str(), 0644);
  room.Saw("without the right", NameOf(run()));
}

}  // namespace

void AddOpenCases(Cases& cases) {
  const std::size_t first = cases.size();
  AddMatrix(cases);
  AddModes(cases);
  MarkMany(cases, first);
  AddGroups(cases);
  cases.push_back({"a program that runs", Execute});
  cases.push_back({"a program that is written", ExecuteWhatIsWritten});
  cases.push_back({"open O_TMPFILE", [](Room& room) {
                     const UniqueFd fd(::open(room.path().c_str(),
                                              O_TMPFILE | O_RDWR | O_CLOEXEC,
                                              0600));
                     room.Call("is", fd.get());
                   }});
}

}  // namespace famfs::posix
