// Who may do what: every call in directories of every mode, files of every
// mode, sticky directories, and the rights to change owner and mode.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "base/unique_fd.h"
#include "tests/integration/posix/calls.h"

namespace famfs::posix {
namespace {

struct Thing {
  const char* name;
  bool is_directory;
  uid_t owner;
};

constexpr std::array kThings = {
    Thing{"a file of its own", false, kUser},
    Thing{"another's file", false, kOther},
    Thing{"an empty directory of its own", true, kUser},
    Thing{"another's empty directory", true, kOther}};

void Place(const Room& room, const Thing& thing) {
  if (thing.is_directory) {
    room.Directory("p/x");
  } else {
    room.File("p/x", "text");
  }
  room.Own("p/x", thing.owner, thing.owner);
}

/// A user in a directory of another one.
void AddDirectories(Cases& cases) {
  for (const mode_t mode : {0777U, 0755U, 0733U, 01777U, 0766U, 0700U}) {
    for (const PathCall& call : PathCalls()) {
      const std::string where =
          fmt::format("{} in another's directory {:o}", call.name, mode);
      const auto run = [call, mode](Room& room, const Thing* thing) {
        room.Mode(".", 0777);
        room.Directory("p");
        if (call.prepare != nullptr) {
          call.prepare(room);
          room.Own("second", kUser, kUser);
        }
        if (thing != nullptr) Place(room, *thing);
        room.Own("p", kOther, kOther);
        room.Mode("p", mode);
        {
          const As as(kUser, kUser);
          room.Call("is", call.run(room, (room / "p/x").c_str()));
        }
        room.After();
      };
      cases.push_back({where + " on nothing",
                       [run](Room& room) { run(room, nullptr); },
                       /*needs_root=*/true});
      for (const Thing& thing : kThings) {
        cases.push_back({where + " on " + thing.name,
                         [run, thing](Room& room) { run(room, &thing); },
                         /*needs_root=*/true});
      }
    }
  }
}

/// A sticky directory of the user's own, where everybody writes.
void AddSticky(Cases& cases) {
  for (const uid_t directory : {kUser, kOther, uid_t{0}}) {
    for (const uid_t owner : {kUser, kOther}) {
      cases.push_back(
          {fmt::format("a sticky directory of {}, names of {}", directory,
                       owner),
           [directory, owner](Room& room) {
             room.Mode(".", 0777);
             room.Directory("p");
             for (const char* const name : {"p/a", "p/b", "p/c"}) {
               room.File(name);
               room.Own(name, owner, owner);
             }
             room.Directory("p/d");
             room.Own("p/d", owner, owner);
             room.Own("p", directory, directory);
             room.Mode("p", 01777);
             {
               const As as(kUser, kUser);
               const std::string a = room / "p/a";
               const std::string b = room / "p/b";
               room.Call("rename", ::rename(a.c_str(), (room / "p/n").c_str()));
               room.Call("rename over",
                         ::rename(b.c_str(), (room / "p/c").c_str()));
               room.Call("exchange",
                         ::renameat2(AT_FDCWD, (room / "p/c").c_str(), AT_FDCWD,
                                     (room / "p/d").c_str(), RENAME_EXCHANGE));
               room.Call("unlink", ::unlink((room / "p/c").c_str()));
               room.Call("rmdir", ::rmdir((room / "p/d").c_str()));
               room.Call("open O_CREAT",
                         ::close(::open(a.c_str(), O_CREAT | O_WRONLY, 0600)));
             }
             room.After();
           },
           /*needs_root=*/true});
    }
  }
}

struct Who {
  const char* name;
  uid_t user;
  gid_t group;
};
constexpr std::array kWho = {Who{"its owner", kUser, kUser},
                             Who{"one of its group", 3000, kOther},
                             Who{"another user", 3000, 3000}};

void UseFile(Room& room) {
  const std::string path = room / "f";
  for (const int flags : {O_RDONLY, O_WRONLY, O_RDWR, O_WRONLY | O_TRUNC,
                          O_RDONLY | O_TRUNC, O_RDWR | O_CREAT}) {
    const UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC, 0600));
    room.Call(fmt::format("open {:o}", flags), fd.get());
  }
  for (const int right : {R_OK, W_OK, X_OK}) {
    room.Call(fmt::format("access {}", right),
              ::faccessat(AT_FDCWD, path.c_str(), right, AT_EACCESS));
  }
  room.Call("truncate", ::truncate(path.c_str(), 1));
  const timespec now[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
  const timespec then[2] = {{1000, 0}, {1000, 0}};
  const timespec omit[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};
  const timespec one[2] = {{0, UTIME_OMIT}, {0, UTIME_NOW}};
  room.Call("utimensat now", ::utimensat(AT_FDCWD, path.c_str(), now, 0));
  room.Call("utimensat then", ::utimensat(AT_FDCWD, path.c_str(), then, 0));
  room.Call("utimensat omit", ::utimensat(AT_FDCWD, path.c_str(), omit, 0));
  room.Call("utimensat one now", ::utimensat(AT_FDCWD, path.c_str(), one, 0));
  room.Call("chown to oneself", ::chown(path.c_str(), ::geteuid(), -1));
  room.Call("chown of nothing", ::chown(path.c_str(), -1, -1));
  room.Call("chgrp to one's group", ::chown(path.c_str(), -1, ::getegid()));
  room.Call("chgrp to another", ::chown(path.c_str(), -1, 4000));
  room.Call("chown away", ::chown(path.c_str(), 4000, -1));
  room.Call("chmod", ::chmod(path.c_str(), 0606));
}

void AddFiles(Cases& cases) {
  for (const mode_t mode : {0U, 0400U, 0200U, 0600U, 0040U, 0020U, 0060U, 0004U,
                            0002U, 0006U, 0666U, 0077U, 0111U, 0777U}) {
    for (const Who& who : kWho) {
      cases.push_back({fmt::format("a file {:04o} and {}", mode, who.name),
                       [mode, who](Room& room) {
                         room.Mode(".", 0777);
                         room.File("f", "text");
                         room.Own("f", kUser, kOther);
                         room.Mode("f", mode);
                         {
                           const As as(who.user, who.group);
                           UseFile(room);
                         }
                         room.After();
                       },
                       /*needs_root=*/true});
    }
  }
}

/// Directories of every mode for those who may only search, list or change.
void AddSearches(Cases& cases) {
  for (const mode_t mode : {0U, 0100U, 0200U, 0300U, 0400U, 0500U, 0600U, 0700U,
                            0070U, 0007U, 0077U}) {
    for (const Who& who : kWho) {
      cases.push_back(
          {fmt::format("a directory {:04o} and {}", mode, who.name),
           [mode, who](Room& room) {
             room.Mode(".", 0777);
             room.Directory("d");
             room.File("d/f", "text", 0666);
             room.Own("d", kUser, kOther);
             room.Mode("d", mode);
             {
               const As as(who.user, who.group);
               const UniqueFd list(::open((room / "d").c_str(),
                                          O_RDONLY | O_DIRECTORY | O_CLOEXEC));
               room.Call("list", list.get());
               room.Call("search", ::access((room / "d/f").c_str(), F_OK));
               const UniqueFd made(::open((room / "d/n").c_str(),
                                          O_RDWR | O_CREAT | O_CLOEXEC, 0600));
               room.Call("make", made.get());
               room.Call("remove", ::unlink((room / "d/f").c_str()));
               room.Call("chdir", ::chdir((room / "d").c_str()));
               room.Call("back", ::chdir("/"));
             }
             room.After();
           },
           /*needs_root=*/true});
    }
  }
}

}  // namespace

void AddPermissionCases(Cases& cases) {
  const std::size_t first = cases.size();
  AddDirectories(cases);
  AddFiles(cases);
  MarkMany(cases, first);
  AddSticky(cases);
  AddSearches(cases);
}

}  // namespace famfs::posix
