// rename(2) of everything over everything, and what else names do.
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <set>
#include <string_view>

#include "base/unique_fd.h"
#include "tests/integration/posix/room.h"

namespace famfs::posix {
namespace {

constexpr std::array kSources = {"missing", "file",    "empty",   "full",
                                 "link",    "dirlink", "dangling"};
constexpr std::array kTargets = {
    "nothing", "file",     "file2",      "empty",     "empty2",
    "full",    "full2",    "full/below", "full/new",  "link",
    "dirlink", "dangling", ".",          "nowhere/x", "file/x"};
struct RenameFlags {
  const char* name;
  unsigned flags;
};
constexpr std::array kFlags = {
    RenameFlags{"plainly", 0},
    RenameFlags{"RENAME_NOREPLACE", RENAME_NOREPLACE},
    RenameFlags{"RENAME_EXCHANGE", RENAME_EXCHANGE},
    RenameFlags{"both flags", RENAME_NOREPLACE | RENAME_EXCHANGE},
    RenameFlags{"an unknown flag", 1U << 20}};

/// What has that name, and what it needs; if it is not there yet.
void Make(const Room& room, std::string_view name) {
  const std::string path = room / name;
  if (::faccessat(AT_FDCWD, path.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
    return;
  }
  if (name == "file") room.File(name, "1");
  if (name == "file2") room.File(name, "22");
  if (name == "empty") room.Directory(name, 0750);
  if (name == "empty2") room.Directory(name);
  if (name == "dangling") room.Link("nowhere", name);
  if (name == "file/x") Make(room, "file");
  if (name == "full/below" || name == "full/new") Make(room, "full");
  if (name == "link") {
    Make(room, "file");
    room.Link("file", name);
  } else if (name == "dirlink") {
    Make(room, "full");
    room.Link("full", name);
  } else if (name == "full") {
    room.Directory(name, 0700);
    room.File("full/below", "333");
  } else if (name == "full2") {
    room.Directory(name);
    room.Directory("full2/below");
  }
}

void Furnish(const Room& room) {
  for (const char* const name : {"file", "file2", "empty", "empty2", "full",
                                 "full2", "link", "dirlink", "dangling"}) {
    Make(room, name);
  }
}

void AddRenames(Cases& cases) {
  for (const RenameFlags& flags : kFlags) {
    for (const char* const from : kSources) {
      for (const char* const to : kTargets) {
        cases.push_back(
            {fmt::format("rename {} to {} {}", from, to, flags.name),
             [from, to, flags](Room& room) {
               Furnish(room);
               room.Call("is",
                         ::renameat2(AT_FDCWD, (room / from).c_str(), AT_FDCWD,
                                     (room / to).c_str(), flags.flags));
               room.After();
             }});
      }
    }
  }
}

void RenameAndSlashes(Room& room) {
  Furnish(room);
  const auto rename = [&room](const char* from, const char* to) {
    room.Call(fmt::format("{} to {}", from, to),
              ::rename((room / from).c_str(), (room / to).c_str()));
  };
  rename("file/", "new");
  rename("file", "new/");
  rename("empty/", "new/");
  rename("new", "newer/");
  rename("newer/", "new");
  rename("dirlink/", "new2");
  rename("file", "dirlink/new");
  rename("full/below", "full/..");
  rename("full/.", "new3");
  rename("full", "full/sub/sub");
  room.After();
}

std::set<std::string> Listing(const std::string& path) {
  std::set<std::string> names;
  DIR* const directory = ::opendir(path.c_str());
  if (directory == nullptr) return {NameOf(errno)};
  while (const dirent* const entry = ::readdir(directory)) {
    names.insert(fmt::format("{} {}", entry->d_name, entry->d_type));
  }
  ::closedir(directory);
  return names;
}

void SawListing(Room& room, const std::string& what, const char* name) {
  std::string all;
  for (const std::string& line : Listing(room / name)) all += line + "; ";
  room.Saw(what, all);
}

void ListWhatChanges(Room& room) {
  Furnish(room);
  SawListing(room, "all", ".");
  DIR* const directory = ::opendir(room.path().c_str());
  room.File("later");
  ::rewinddir(directory);
  int count = 0;
  while (::readdir(directory) != nullptr) ++count;
  room.Number("rewinddir sees what is new", count);
  ::closedir(directory);
  SawListing(room, "a directory", "full");
}

void StandInARemovedDirectory(Room& room) {
  room.Directory("d");
  const UniqueFd fd(
      ::open((room / "d").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  room.Call("rmdir", ::rmdir((room / "d").c_str()));
  room.Call("a file there", ::openat(fd.get(), "f", O_CREAT | O_RDWR, 0644));
  room.Call("a directory there", ::mkdirat(fd.get(), "d", 0755));
  room.Call("a link there", ::symlinkat("t", fd.get(), "l"));
  room.Call("a look there", ::faccessat(fd.get(), "f", F_OK, 0));
  room.Call("a removal there", ::unlinkat(fd.get(), "f", 0));
  room.File("f");
  room.Call("a rename to there",
            ::renameat(AT_FDCWD, (room / "f").c_str(), fd.get(), "f"));
  room.After();
}

void LongTargets(Room& room) {
  for (const std::size_t length : {1U, 255U, 256U, 339U, 340U, 1000U, 4095U}) {
    const std::string target(length, 't');
    room.Call(fmt::format("a target of {} bytes", length),
              ::symlink(target.c_str(), (room / "l").c_str()));
    ::unlink((room / "l").c_str());
  }
  room.Call("a target of 4096 bytes",
            ::symlink(std::string(4096, 't').c_str(), (room / "l").c_str()));
  room.Call("no target", ::symlink("", (room / "l").c_str()));
}

void OddNames(Room& room) {
  using namespace std::string_literals;
  for (const std::string& name :
       {" "s, "\n"s, "\\"s, "*"s, "..."s, ".hidden"s, "-"s, "\x01\x7f"s,
        "\xff\xfe"s, "ü"s, std::string(254, '.'), "a:b"s}) {
    room.File(name, name);
    room.Look(name);
  }
  room.After();
}

/// How many links a file has, and what unlink leaves to who has it open.
void CountLinks(Room& room) {
  room.File("f", "text");
  room.Look("f");
  room.Link("f", "l");
  room.Look("l");
  const UniqueFd fd(::open((room / "f").c_str(), O_RDWR | O_CLOEXEC));
  room.Call("unlink", ::unlink((room / "f").c_str()));
  struct stat info = {};
  room.Call("fstat", ::fstat(fd.get(), &info));
  room.Number("links", static_cast<long>(info.st_nlink));
  room.Number("size", info.st_size);
  room.Call("fchmod", ::fchmod(fd.get(), 0600));
  room.Call("ftruncate", ::ftruncate(fd.get(), 2));
  room.Number("write", ::pwrite(fd.get(), "xyz", 3, 2));
  ::fstat(fd.get(), &info);
  room.Number("size then", info.st_size);
  room.Number("mode then", info.st_mode & 07777);
  room.Call(
      "link of what has no name",
      ::linkat(AT_FDCWD, fmt::format("/proc/self/fd/{}", fd.get()).c_str(),
               AT_FDCWD, (room / "back").c_str(), AT_SYMLINK_FOLLOW));
}

/// A replaced file stays for who has it open.
void ReplaceWhatIsOpen(Room& room) {
  room.File("f", "old");
  room.File("g", "newer");
  const UniqueFd fd(::open((room / "f").c_str(), O_RDWR | O_CLOEXEC));
  room.Call("rename", ::rename((room / "g").c_str(), (room / "f").c_str()));
  struct stat info = {};
  ::fstat(fd.get(), &info);
  room.Number("links", static_cast<long>(info.st_nlink));
  room.Number("size", info.st_size);
  room.Number("write", ::pwrite(fd.get(), "xy", 2, 0));
  room.Call("fsync", ::fsync(fd.get()));
  room.Look("f");
}

void RemoveOddly(Room& room) {
  Furnish(room);
  const auto at = [&room](const char* name, int flags) {
    return ::unlinkat(AT_FDCWD, (room / name).c_str(), flags);
  };
  room.Call("rmdir of .", at("empty/.", AT_REMOVEDIR));
  room.Call("rmdir of ..", at("full2/below/..", AT_REMOVEDIR));
  room.Call("rmdir of a link", at("dirlink", AT_REMOVEDIR));
  room.Call("rmdir of a link and a slash", at("dirlink/", AT_REMOVEDIR));
  room.Call("unlink of a directory", at("empty", 0));
  room.Call("unlink of .", at("empty/.", 0));
  room.Call("an unknown flag", at("file", 0x4));
  room.After();
}

}  // namespace

void AddNameCases(Cases& cases) {
  const std::size_t first = cases.size();
  AddRenames(cases);
  MarkMany(cases, first);
  cases.push_back({"renames and slashes", RenameAndSlashes});
  cases.push_back({"listings", ListWhatChanges});
  cases.push_back({"a removed directory", StandInARemovedDirectory});
  cases.push_back({"targets of links", LongTargets});
  cases.push_back({"odd names", OddNames});
  cases.push_back({"links are counted", CountLinks});
  cases.push_back({"an open file is replaced", ReplaceWhatIsOpen});
  cases.push_back({"odd removals", RemoveOddly});
}

}  // namespace famfs::posix
