// What listings bring along: so much that whoever lists many names and looks at
// each of them does not ask the server about each of them.
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/fuse/fixture.h"

namespace famfs::itest {
namespace {

constexpr int kEntries = 5000;  // many replies' worth

/// The names in a directory, all read before anything is done with them.
std::vector<std::string> NamesIn(const std::string& path) {
  std::vector<std::string> names;
  DIR* const directory = ::opendir(path.c_str());
  EXPECT_NE(directory, nullptr) << path;
  if (directory == nullptr) return names;
  while (const dirent* entry = ::readdir(directory)) {
    names.emplace_back(entry->d_name);
  }
  ::closedir(directory);
  return names;
}

TEST_P(EachPathTest, AListingBringsTheAttributesOfAllItsNames) {
  ASSERT_TRUE(writer().Mkdir("many", {0, 0, 0755}).ok());
  for (int i = 0; i < kEntries; ++i) {
    const absl::Status made =
        writer().Mkdir(fmt::format("many/directory-{}", i), {0, 0, 0751});
    ASSERT_TRUE(made.ok()) << made;
  }
  const auto mount = MountIt();
  ASSERT_TRUE(mount);
  const std::string path = mount->path() + "/many";
  const UniqueFd directory = OpenOrFail(path, O_RDONLY | O_DIRECTORY);
  const std::vector<std::string> names = NamesIn(path);
  ASSERT_EQ(names.size(), kEntries + 2U);
  // Nobody answers now: who has to ask waits.
  ASSERT_EQ(::kill(mount->server().pid(), SIGSTOP), 0);
  ASSERT_TRUE(rig::StandStill(mount->server().pid()));
  std::atomic<int> right = 0;
  std::thread looking([&] {
    for (const std::string& name : names) {
      if (name == "." || name == "..") continue;
      struct stat info = {};
      if (::fstatat(directory.get(), name.c_str(), &info,
                    AT_SYMLINK_NOFOLLOW) == 0 &&
          info.st_mode == (S_IFDIR | 0751)) {
        ++right;
      }
    }
  });
  EXPECT_TRUE(rig::Eventually([&] { return right == kEntries; }))
      << "asked after " << right << " names";
  EXPECT_EQ(::kill(mount->server().pid(), SIGCONT), 0);
  looking.join();
}

TEST_P(EachPathTest, ARewoundDirectoryIsListedAnew) {
  AddVolume("v", "pvc-1");
  const auto mount = MountIt();
  ASSERT_TRUE(mount);
  DIR* const directory = ::opendir(mount->path().c_str());
  ASSERT_NE(directory, nullptr);
  const auto count = [&] {
    int names = 0;
    while (::readdir(directory) != nullptr) ++names;
    return names;
  };
  EXPECT_EQ(count(), 4);  // ".", "..", ".meta", "v"
  AddVolume("w", "pvc-2");
  ::rewinddir(directory);
  struct stat info = {};
  EXPECT_EQ(::stat((mount->path() + "/w").c_str(), &info), 0);
  EXPECT_EQ(count(), 5);
  ::closedir(directory);
}

TEST_P(EachPathTest, WhatIsKeptForNoFileAtAllIsNotSupported) {
  AddVolume("v", "pvc-1");
  const auto mount = MountIt();
  ASSERT_TRUE(mount);
  const std::string file = mount->path() + "/v/data";
  std::array<char, 64> value = {};
  for (const char* name : {"system.posix_acl_access", "security.selinux",
                           "security.capability", "trusted.overlay.opaque"}) {
    EXPECT_EQ(
        ErrnoOf(::getxattr(file.c_str(), name, value.data(), value.size())),
        EOPNOTSUPP)
        << name;
  }
  EXPECT_EQ(ErrnoOf(::getxattr(file.c_str(), "user.note", value.data(),
                               value.size())),
            ENODATA);
  EXPECT_EQ(DataPathOf(file), GetParam());
}

}  // namespace
}  // namespace famfs::itest
