// The calls that take a path, as the tables of paths and permissions make them.
#pragma once

#include <string>
#include <vector>

#include "tests/integration/posix/room.h"

namespace famfs::posix {

struct PathCall {
  std::string name;
  /// -1 with errno, as the call itself. What tmpfs can make and a tree volume
  /// cannot (hard links, fifos) is removed again, so that the rest is alike.
  long (*run)(const Room& room, const char* path);
  /// Of a second name that it needs in the room.
  void (*prepare)(const Room& room) = nullptr;
};

const std::vector<PathCall>& PathCalls();

}  // namespace famfs::posix
