// Every call with a path, on every kind of path.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>
#include <utility>

#include "tests/integration/posix/calls.h"

namespace famfs::posix {
namespace {

struct PathKind {
  std::string name;
  void (*make)(const Room& room);
  std::function<std::string(const Room& room)> path;
};

void Nothing(const Room&) {}
void AFile(const Room& room) { room.File("f"); }
void ADirectory(const Room& room) { room.Directory("d"); }
void AFullDirectory(const Room& room) {
  room.Directory("d");
  room.File("d/x");
}
void ALinkToAFile(const Room& room) {
  room.File("f");
  room.Link("f", "l");
}
void ALinkToADirectory(const Room& room) {
  AFullDirectory(room);
  room.Link("d", "l");
}
void ADanglingLink(const Room& room) { room.Link("nowhere", "l"); }
void ALoop(const Room& room) {
  room.Link("l", "m");
  room.Link("m", "l");
}

std::function<std::string(const Room&)> At(std::string name) {
  return [name = std::move(name)](const Room& room) { return room / name; };
}

/// Of that many bytes, of the name f.
std::string LongPath(const Room& room, std::size_t length) {
  std::string path = room.path();
  while (path.size() + 4 <= length) path += "/.";
  path += path.size() + 3 == length ? "//f" : "/f";
  return path;
}

std::vector<PathKind> Simple() {
  return {
      {"a name that is missing", Nothing, At("n")},
      {"a missing name with a slash", Nothing, At("n/")},
      {"a name below a missing one", Nothing, At("n/x")},
      {"a file", AFile, At("f")},
      {"a file with a slash", AFile, At("f/")},
      {"a name below a file", AFile, At("f/x")},
      {"the parent of a file", AFile, At("f/..")},
      {"an empty directory", ADirectory, At("d")},
      {"an empty directory with a slash", ADirectory, At("d/")},
      {"a directory and a dot", ADirectory, At("d/.")},
      {"a directory and two dots", ADirectory, At("d/..")},
      {"a full directory", AFullDirectory, At("d")},
      {"no name at all", Nothing, [](const Room&) { return std::string(); }},
  };
}

std::vector<PathKind> Links() {
  return {
      {"a link to a file", ALinkToAFile, At("l")},
      {"a link to a file with a slash", ALinkToAFile, At("l/")},
      {"a link to a directory", ALinkToADirectory, At("l")},
      {"a link to a directory with a slash", ALinkToADirectory, At("l/")},
      {"a name below a link to a directory", ALinkToADirectory, At("l/x")},
      {"a dangling link", ADanglingLink, At("l")},
      {"a dangling link with a slash", ADanglingLink, At("l/")},
      {"a name below a dangling link", ADanglingLink, At("l/x")},
      {"a link in a loop", ALoop, At("l")},
      {"a name below a loop", ALoop, At("l/x")},
  };
}

std::vector<PathKind> LongOnes() {
  return {
      {"a name of 255 bytes", Nothing, At(std::string(255, 'n'))},
      {"a name of 256 bytes", Nothing, At(std::string(256, 'n'))},
      {"a name below one of 256 bytes", Nothing,
       At(std::string(256, 'n') + "/x")},
      {"a path of 4095 bytes", AFile,
       [](const Room& room) { return LongPath(room, 4095); }},
      {"a path of 4096 bytes", AFile,
       [](const Room& room) { return LongPath(room, 4096); }},
  };
}

void AddChain(Cases& cases, int length) {
  cases.push_back(
      {fmt::format("a chain of {} links", length), [length](Room& room) {
         room.File("0", "text");
         for (int i = 1; i <= length; ++i) {
           room.Link(std::to_string(i - 1), std::to_string(i));
         }
         const std::string last = room / std::to_string(length);
         room.Call("access", ::access(last.c_str(), R_OK));
         room.Call("truncate", ::truncate(last.c_str(), 1));
         room.Call("chmod", ::chmod(last.c_str(), 0600));
       }});
}

}  // namespace

void AddPathCases(Cases& cases) {
  const std::size_t first = cases.size();
  for (const auto& kinds : {Simple(), Links(), LongOnes()}) {
    for (const PathKind& kind : kinds) {
      for (const PathCall& call : PathCalls()) {
        cases.push_back(
            {call.name + " on " + kind.name, [call, kind](Room& room) {
               if (call.prepare != nullptr) call.prepare(room);
               kind.make(room);
               const std::string path = kind.path(room);
               room.Call("is", call.run(room, path.c_str()));
               room.After();
             }});
      }
    }
  }
  MarkMany(cases, first);
  AddChain(cases, 40);
  AddChain(cases, 41);
}

}  // namespace famfs::posix
