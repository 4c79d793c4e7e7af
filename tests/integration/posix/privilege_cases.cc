// Set-user-id and set-group-id: what takes them away, for whom.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "base/unique_fd.h"
#include "tests/integration/posix/room.h"

namespace famfs::posix {
namespace {

constexpr std::size_t kPage = 4096;  // bytes

struct Change {
  const char* name;
  long (*make)(const char* path);
};

UniqueFd Open(const char* path, int flags = O_RDWR) {
  return UniqueFd(::open(path, flags | O_CLOEXEC));
}

long StoreMapped(const char* path) {
  const UniqueFd fd = Open(path);
  if (!fd.valid()) return -1;
  void* const at =
      ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (at == MAP_FAILED) return -1;
  static_cast<char*>(at)[1] = 'm';
  ::msync(at, kPage, MS_SYNC);
  return ::munmap(at, kPage);
}

constexpr std::array kChanges = {
    Change{"write",
           [](const char* path) -> long {
             return ::pwrite(Open(path).get(), "x", 1, 0);
           }},
    Change{"write of nothing",
           [](const char* path) -> long {
             return ::pwrite(Open(path).get(), "x", 0, 0);
           }},
    Change{"append",
           [](const char* path) -> long {
             return ::write(Open(path, O_WRONLY | O_APPEND).get(), "x", 1);
           }},
    Change{"write beyond the end",
           [](const char* path) -> long {
             return ::pwrite(Open(path).get(), "x", 1, 10'000);
           }},
    Change{"truncate",
           [](const char* path) -> long { return ::truncate(path, 2); }},
    Change{"truncate to its size",
           [](const char* path) -> long { return ::truncate(path, 4); }},
    Change{"ftruncate",
           [](const char* path) -> long {
             return ::ftruncate(Open(path).get(), 9);
           }},
    Change{"open O_TRUNC",
           [](const char* path) -> long {
             return Open(path, O_RDWR | O_TRUNC).valid() ? 0 : -1;
           }},
    Change{"fallocate",
           [](const char* path) -> long {
             return ::fallocate(Open(path).get(), 0, 0, 100);
           }},
    Change{"punch hole",
           [](const char* path) -> long {
             return ::fallocate(Open(path).get(),
                                FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                                2);
           }},
    Change{"chown to who has it",
           [](const char* path) -> long {
             struct stat info = {};
             ::stat(path, &info);
             return ::chown(path, info.st_uid, info.st_gid);
           }},
    Change{"chown of nothing",
           [](const char* path) -> long { return ::chown(path, -1, -1); }},
    Change{"chgrp",
           [](const char* path) -> long {
             return ::chown(path, -1, ::getegid());
           }},
    Change{"chown to root",
           [](const char* path) -> long { return ::chown(path, 0, 0); }},
    Change{"utimensat",
           [](const char* path) -> long {
             return ::utimensat(AT_FDCWD, path, nullptr, 0);
           }},
    Change{"rename",
           [](const char* path) -> long {
             const std::string to = std::string(path) + "2";
             return ::rename(path, to.c_str()) == 0 ? ::rename(to.c_str(), path)
                                                    : -1;
           }},
    Change{"store through a mapping", StoreMapped},
    Change{
        "open to write",
        [](const char* path) -> long { return Open(path).valid() ? 0 : -1; }},
};

struct Who {
  const char* name;
  uid_t user;
};
constexpr std::array kWho = {Who{"root", 0}, Who{"its owner", kUser},
                             Who{"another", kOther}};

void AddFiles(Cases& cases) {
  for (const Change& change : kChanges) {
    for (const mode_t mode : {04777U, 02777U, 06777U, 06766U, 02766U, 07777U}) {
      for (const Who& who : kWho) {
        cases.push_back({fmt::format("{} of a file {:o} by {}", change.name,
                                     mode, who.name),
                         [change, mode, who](Room& room) {
                           room.Mode(".", 0777);
                           room.File("f", "text");
                           room.Own("f", kUser, kUser);
                           room.Mode("f", mode);
                           {
                             const As as(who.user, who.user);
                             room.Number("is",
                                         change.make((room / "f").c_str()));
                           }
                           room.After();
                         },
                         /*needs_root=*/true});
      }
    }
  }
}

/// Modes that their owner may set, in and outside of the file's group.
void AddModes(Cases& cases) {
  for (const bool is_directory : {false, true}) {
    for (const mode_t mode : {04755U, 02755U, 01755U, 07777U, 06711U, 0U}) {
      for (const gid_t group : {gid_t{kUser}, gid_t{kOther}}) {
        cases.push_back(
            {fmt::format("chmod {:o} of a {} of the group {}", mode,
                         is_directory ? "directory" : "file", group),
             [=](Room& room) {
               room.Mode(".", 0777);
               is_directory ? room.Directory("x") : room.File("x");
               room.Own("x", kUser, group);
               {
                 const As as(kUser, kUser);
                 room.Call("is", ::chmod((room / "x").c_str(), mode));
               }
               room.After();
             },
             /*needs_root=*/true});
      }
    }
  }
}

/// Owners of directories and links.
void AddOwners(Cases& cases) {
  for (const Who& who : kWho) {
    cases.push_back(
        {fmt::format("chown of other kinds by {}", who.name),
         [who](Room& room) {
           room.Mode(".", 0777);
           room.Directory("d");
           room.Own("d", kUser, kUser);
           room.Mode("d", 06755);
           room.Link("d", "l");
           room.Own("l", kUser, kUser);
           {
             const As as(who.user, who.user);
             room.Call("chown of the directory",
                       ::chown((room / "d").c_str(), -1, ::getegid()));
             room.Call("lchown of the link",
                       ::lchown((room / "l").c_str(), -1, ::getegid()));
             room.Call("chown away", ::chown((room / "d").c_str(), 4000, 4000));
           }
           room.After();
         },
         /*needs_root=*/true});
  }
}

}  // namespace

void AddPrivilegeCases(Cases& cases) {
  const std::size_t first = cases.size();
  AddFiles(cases);
  MarkMany(cases, first);
  AddModes(cases);
  AddOwners(cases);
}

}  // namespace famfs::posix
