// A pod's fsGroup, as kubelet applies it with fsGroupPolicy File: to what lies
// in the volume first and to its directory last, once; afterwards the directory
// alone is looked at (OnRootMismatch).
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <string>

#include "tests/integration/semantics/fixture.h"

namespace famfs::semantics {
namespace {

namespace fs = std::filesystem;

constexpr gid_t kGroup = 2000;

/// What kubelet adds to the modes of files, and of directories.
constexpr mode_t kFileMask = 0660;
constexpr mode_t kDirectoryMask = 0660 | 0110 | S_ISGID;

struct stat Look(const std::string& path) {
  struct stat info = {};
  EXPECT_EQ(::lstat(path.c_str(), &info), 0) << path;
  return info;
}

int GiveTo(gid_t group, const std::string& path) {
  const struct stat info = Look(path);
  if (::lchown(path.c_str(), info.st_uid, group) != 0) return errno;
  // kubelet leaves links as they are, after their owner.
  if (S_ISLNK(info.st_mode)) return 0;
  const mode_t mask = S_ISDIR(info.st_mode) ? kDirectoryMask : kFileMask;
  return ErrnoOf(::chmod(path.c_str(), (info.st_mode & 07777) | mask));
}

/// 0, or the first errno; `entries`: how many were changed.
int ApplyFsGroup(gid_t group, const std::string& volume, int& entries) {
  entries = 0;
  for (const fs::directory_entry& entry :
       fs::recursive_directory_iterator(volume)) {
    if (const int error = GiveTo(group, entry.path()); error != 0) return error;
    ++entries;
  }
  return GiveTo(group, volume);
}

/// What makes kubelet do all of it again at every start of a pod.
bool IsMismatch(gid_t group, const std::string& volume) {
  const struct stat root = Look(volume);
  return root.st_gid != group ||
         (root.st_mode & kDirectoryMask) != kDirectoryMask;
}

/// The calling thread becomes a user who is in the group by fsGroup.
void BecomeMember(uid_t uid, gid_t group) {
  const std::array<gid_t, 1> groups = {group};
  ASSERT_EQ(::syscall(SYS_setgroups, groups.size(), groups.data()), 0);
  ASSERT_EQ(::syscall(SYS_setresgid, uid, uid, uid), 0);
  ASSERT_EQ(::syscall(SYS_setresuid, uid, uid, uid), 0);
}

TEST_F(Semantics, FsGroupOfAVolumeWithOneFile) {
  const CreateOptions options = {.parameters = {{"mode", "0750"}},
                                 .mode = Mode::MULTI_NODE_MULTI_WRITER};
  const std::string id = NewVolume("claim", options);
  const PublishOptions shared = {.mode = cluster().passes_through()
                                             ? Mode::MULTI_NODE_MULTI_WRITER
                                             : Mode::SINGLE_NODE_MULTI_WRITER};
  const std::string volume = Mount(a(), id, "pod", shared);
  a().Run([&] {
    EXPECT_TRUE(IsMismatch(kGroup, volume));
    int entries = 0;
    ASSERT_EQ(ApplyFsGroup(kGroup, volume, entries), 0);
    EXPECT_EQ(entries, 1);
    EXPECT_TRUE(rig::Eventually([&] { return !IsMismatch(kGroup, volume); }));
    EXPECT_EQ(Look(volume).st_mode, S_IFDIR | 02770U);
    const struct stat data = Look(volume + "/data");
    EXPECT_EQ(data.st_mode, S_IFREG | 0660U);
    EXPECT_EQ(data.st_gid, kGroup);
    EXPECT_EQ(data.st_uid, 0U);
  });
  // For all nodes, and a controller that starts anew.
  cluster().RestartController();
  const std::string other = Mount(b(), id, "other", shared);
  b().Run([&] {
    EXPECT_TRUE(rig::Eventually([&] { return !IsMismatch(kGroup, other); }));
    EXPECT_EQ(Look(other + "/data").st_mode, S_IFREG | 0660U);
    const UniqueFd directory = Open(other, O_PATH | O_DIRECTORY);
    ASSERT_NO_FATAL_FAILURE(BecomeMember(3000, kGroup));
    const UniqueFd fd(::openat(directory.get(), "data", O_RDWR | O_CLOEXEC));
    ASSERT_TRUE(fd.valid()) << errno;
    EXPECT_EQ(::pwrite(fd.get(), "member", 6, 0), 6);
  });
  // The provisioner may ask again at any time.
  EXPECT_THAT(Create("claim", options).status(), IsOk());
}

/// Of two nodes, the second before it has heard of the first one's.
TEST_F(Semantics, TheLastChmodOfAVolumeStands) {
  const std::string id =
      NewVolume("claim", {.parameters = {{"mode", "0750"}},
                          .mode = Mode::MULTI_NODE_MULTI_WRITER});
  const PublishOptions shared = {.mode = cluster().passes_through()
                                             ? Mode::MULTI_NODE_MULTI_WRITER
                                             : Mode::SINGLE_NODE_MULTI_WRITER};
  const std::string volume = Mount(a(), id, "pod", shared);
  const std::string other = Mount(b(), id, "other", shared);
  for (int i = 0; i < 10 && !HasFailure(); ++i) {
    a().Run([&] { EXPECT_EQ(ErrnoOf(::chmod(volume.c_str(), 0700)), 0); });
    b().Run([&] { EXPECT_EQ(ErrnoOf(::chmod(other.c_str(), 0750)), 0); });
    a().Run([&] {
      EXPECT_TRUE(rig::Eventually(
          [&] { return (Look(volume).st_mode & 07777) == 0750; }));
    });
  }
}

/// Ten thousand entries; how long kubelet would take is printed.
TEST_F(Semantics, FsGroupOfATreeOfTenThousandEntries) {
  constexpr int kDirectories = 100;
  constexpr int kFiles = 99;  // in each
  constexpr int kEntries = kDirectories * (1 + kFiles);
  // 3 names for each 2 MiB, and 128.
  const std::string id = NewVolume(
      "claim", {.required = 6600 * kMiB, .parameters = {{"layout", "tree"}}});
  const std::string volume = Mount(a(), id, "pod");
  a().Run([&] {
    for (int i = 0; i < kDirectories; ++i) {
      const std::string directory = fmt::format("{}/{}", volume, i);
      ASSERT_EQ(ErrnoOf(::mkdir(directory.c_str(), 0700)), 0) << i;
      for (int j = 0; j < kFiles; ++j) {
        const std::string path = fmt::format("{}/{}", directory, j);
        ASSERT_EQ(j % 10 == 0 ? ErrnoOf(::symlink("x", path.c_str()))
                              : OpenErrno(path, O_CREAT | O_WRONLY),
                  0);
      }
    }
    const auto begin = std::chrono::steady_clock::now();
    int entries = 0;
    ASSERT_EQ(ApplyFsGroup(kGroup, volume, entries), 0);
    const std::chrono::duration<double> took =
        std::chrono::steady_clock::now() - begin;
    EXPECT_EQ(entries, kEntries);
    fmt::print("fsGroup of {} entries: {:.2f} s, {:.0f} us each\n", entries,
               took.count(), took.count() * 1e6 / entries);
    RecordProperty("seconds", std::to_string(took.count()));
    EXPECT_FALSE(IsMismatch(kGroup, volume));
  });
  const std::string other = Mount(b(), id, "other", {.readonly = true});
  b().Run([&] {
    EXPECT_FALSE(IsMismatch(kGroup, other));
    EXPECT_EQ(Look(other + "/99").st_mode, S_IFDIR | 02770U);
    EXPECT_EQ(Look(other + "/99").st_gid, kGroup);
    EXPECT_EQ(Look(other + "/99/98").st_mode & 0777, 0660U);
    EXPECT_EQ(Look(other + "/99/98").st_gid, kGroup);
    EXPECT_EQ(Look(other + "/99/90").st_gid, kGroup) << "a link";
    EXPECT_EQ(ErrnoOf(::chmod((other + "/99").c_str(), 0700)), EROFS);
  });
  a().Run([&] {
    const UniqueFd directory = Open(volume, O_PATH | O_DIRECTORY);
    ASSERT_NO_FATAL_FAILURE(BecomeMember(3000, kGroup));
    const UniqueFd fd(::openat(directory.get(), "99/new",
                               O_CREAT | O_RDWR | O_CLOEXEC, 0640));
    ASSERT_TRUE(fd.valid()) << errno;
    struct stat made = {};
    ASSERT_EQ(::fstat(fd.get(), &made), 0);
    EXPECT_EQ(made.st_gid, kGroup) << "of what is made from now on";
  });
}

}  // namespace
}  // namespace famfs::semantics
