// Who may use a published volume, and what happens to those who hold one that
// was deleted.
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>

#include "tests/integration/node/test_node.h"

namespace famfs::node {
namespace {

namespace fs = std::filesystem;
using absl::StatusCode;
using ::testing::AnyOf;

constexpr uid_t kShift = 100'000;  // what a pod's root is on the host
constexpr uid_t kOwner = 1'000;    // in the pod, and on the medium

// A user namespace that shifts ids, held by a child that only waits.
class ShiftedUsers {
 public:
  ShiftedUsers() {
    std::array<int, 2> ready = {};
    EXPECT_EQ(::pipe2(ready.data(), O_CLOEXEC), 0);
    child_ = ::fork();
    if (child_ == 0) {
      const char done = ::unshare(CLONE_NEWUSER) == 0 ? 'y' : 'n';
      if (::write(ready[1], &done, 1) != 1) ::_exit(1);
      while (true) ::pause();
    }
    char answer = 0;
    EXPECT_EQ(::read(ready[0], &answer, 1), 1);
    ::close(ready[0]);
    ::close(ready[1]);
    if (answer != 'y') return;
    for (const char* map : {"uid_map", "gid_map"}) {
      rig::WriteFile(fmt::format("/proc/{}/{}", child_, map),
                     fmt::format("0 {} 65536\n", kShift));
    }
    fd_ = UniqueFd(::open(fmt::format("/proc/{}/ns/user", child_).c_str(),
                          O_RDONLY | O_CLOEXEC));
  }
  ~ShiftedUsers() {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  ShiftedUsers(const ShiftedUsers&) = delete;
  ShiftedUsers& operator=(const ShiftedUsers&) = delete;
  [[nodiscard]] const UniqueFd& fd() const { return fd_; }

 private:
  pid_t child_ = -1;
  UniqueFd fd_;
};

// As kubelet and the runtime do for `hostUsers: false`. 0, or errno.
int MountShifted(const std::string& from, const std::string& to,
                 const ShiftedUsers& users) {
  const UniqueFd tree(
      ::open_tree(AT_FDCWD, from.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
  if (!tree.valid()) return errno;
  mount_attr attributes = {};
  attributes.attr_set = MOUNT_ATTR_IDMAP;
  attributes.userns_fd = static_cast<std::uint64_t>(users.fd().get());
  if (::mount_setattr(tree.get(), "", AT_EMPTY_PATH, &attributes,
                      sizeof(attributes)) != 0) {
    return errno;
  }
  return ::move_mount(tree.get(), "", AT_FDCWD, to.c_str(),
                      MOVE_MOUNT_F_EMPTY_PATH) == 0
             ? 0
             : errno;
}

// Runs `body` on the node with another user's rights: the raw calls change the
// calling thread alone, which ends afterwards.
void AsUser(const TestNode& node, uid_t uid,
            const std::function<void()>& body) {
  node.Run([&] {
    ASSERT_EQ(::syscall(SYS_setgroups, 0, nullptr), 0);
    ASSERT_EQ(::syscall(SYS_setresgid, uid, uid, uid), 0);
    ASSERT_EQ(::syscall(SYS_setresuid, uid, uid, uid), 0);
    body();
  });
}

TEST(Access, AnIdmappedCloneServesTheMappedUserAlone) {
  TestPool pool;
  TestNode node(pool);
  node.Start();
  const std::string volume =
      pool.Create({.owner = {.uid = kOwner, .gid = kOwner, .mode = 0700}});
  const std::string staging = node.StagingPath("v1");
  const std::string target = node.TargetPath("pod-a");
  ASSERT_THAT(node.Stage(volume, staging), IsOk());
  ASSERT_THAT(node.Publish(volume, staging, target), IsOk());

  const ShiftedUsers users;
  if (!users.fd().valid()) {
    GTEST_SKIP() << "needs user namespaces";
  }
  const rig::TempDir place;
  // Everybody may pass; the volume's own mode decides.
  fs::permissions(place.path(), fs::perms::all & ~fs::perms::group_write &
                                    ~fs::perms::others_write);
  const std::string shifted = place / "pod";
  fs::create_directory(shifted);
  int error = 0;
  node.Run([&] { error = MountShifted(target, shifted, users); });
  if (error == EINVAL) {
    GTEST_SKIP() << "needs a kernel with idmapped FUSE mounts (Linux 6.12)";
  }
  ASSERT_EQ(error, 0) << std::strerror(error);

  AsUser(node, kShift + kOwner, [&] {
    MappedFile file(shifted + "/data", true);
    ASSERT_TRUE(file.valid());
    file.Put(0, "from the pod's user");
  });
  for (const uid_t stranger : {kShift + kOwner + 1, kOwner, kOwner + 1}) {
    AsUser(node, stranger, [&] {
      EXPECT_EQ(OpenErrno(shifted + "/data", O_RDWR), EACCES) << stranger;
      EXPECT_EQ(OpenErrno(shifted + "/data", O_RDONLY), EACCES) << stranger;
    });
  }
  node.Run([&] {
    const MappedFile file(target + "/data", false);
    ASSERT_TRUE(file.valid());
    EXPECT_EQ(file.Text(0, 19), "from the pod's user");
    ASSERT_EQ(::umount2(shifted.c_str(), MNT_DETACH), 0);
  });
}

// A container runtime binds the publication once more and sets the flags that
// the pod's specification asks for, which need not be read-only.
TEST(Access, AReadOnlyPublicationStaysSoWithoutItsMountFlag) {
  TestPool pool;
  TestNode node(pool);
  node.Start();
  const std::string volume = pool.Create();
  const std::string staging = node.StagingPath("v1");
  const std::string writable = node.TargetPath("pod-a");
  const std::string readonly = node.TargetPath("pod-b");
  ASSERT_THAT(node.Stage(volume, staging, Mode::MULTI_NODE_READER_ONLY),
              IsOk());
  ASSERT_THAT(node.Publish(volume, staging, writable), IsOk());
  ASSERT_THAT(node.Publish(volume, staging, readonly, false,
                           Mode::MULTI_NODE_READER_ONLY),
              IsOk());
  const std::string file = readonly + "/data";
  node.Run([&] {
    ASSERT_EQ(::mount(nullptr, readonly.c_str(), nullptr, MS_REMOUNT | MS_BIND,
                      nullptr),
              0);
    for (const int flags :
         {O_RDWR, O_WRONLY, O_RDWR | O_TRUNC, O_RDONLY | O_TRUNC}) {
      EXPECT_EQ(OpenErrno(file, flags), EROFS) << flags;
    }
    EXPECT_EQ(OpenErrno(readonly + "/fresh", O_RDWR | O_CREAT), EROFS);
    EXPECT_EQ(::mkdir((readonly + "/fresh").c_str(), 0777), -1);
    EXPECT_EQ(errno, EROFS);
    EXPECT_EQ(::unlink(file.c_str()), -1);
    EXPECT_EQ(errno, EROFS);
    EXPECT_EQ(::chmod(file.c_str(), 0600), -1);
    EXPECT_EQ(errno, EROFS);
    const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    EXPECT_EQ(::mmap(nullptr, kVolumeSize, PROT_READ | PROT_WRITE, MAP_SHARED,
                     fd.get(), 0),
              MAP_FAILED);
    EXPECT_EQ(errno, EACCES);
    // Nor by opening the descriptor once more.
    EXPECT_EQ(
        OpenErrno(fmt::format("/proc/thread-self/fd/{}", fd.get()), O_RDWR),
        EROFS);
    MappedFile writing(writable + "/data", true);
    ASSERT_TRUE(writing.valid());
    writing.Put(0, "one memory");
    if (node.DataPathOf(pool.fs_uuid()) == "passthrough") {
      const MappedFile reading(file, false);
      ASSERT_TRUE(reading.valid());
      EXPECT_EQ(reading.Text(0, 10), "one memory");
    }
  });
  EXPECT_THAT(node.Unpublish(volume, readonly), IsOk());
  EXPECT_THAT(node.Unpublish(volume, writable), IsOk());
  EXPECT_THAT(node.Unstage(volume, staging), IsOk());
  EXPECT_EQ(node.MountsAt(readonly), 0U);
}

TEST(Access, AVolumeMadeAgainUnderItsNameMeetsNothingOfTheOldOne) {
  TestPool pool;
  TestNode node(pool);
  node.Start();
  const std::string old_volume = pool.Create({.csi_name = "claim"});
  const std::string old_staging = node.StagingPath("old");
  const std::string old_target = node.TargetPath("pod-old");
  ASSERT_THAT(node.Stage(old_volume, old_staging), IsOk());
  ASSERT_THAT(node.Publish(old_volume, old_staging, old_target), IsOk());
  if (node.DataPathOf(pool.fs_uuid()) != "passthrough") {
    GTEST_SKIP() << "needs a kernel with FUSE passthrough (Linux 6.9 or later)";
  }
  node.Run([&] {
    MappedFile old_mapping(old_target + "/data", true);
    const UniqueFd old_directory(
        ::open(old_target.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    ASSERT_TRUE(old_mapping.valid() && old_directory.valid());
    old_mapping.Put(0, "old bytes");

    pool.Delete(old_volume);
    const std::string volume = pool.Create({.csi_name = "claim"});
    EXPECT_NE(volume, old_volume);
    const std::string staging = node.StagingPath("new");
    const std::string target = node.TargetPath("pod-new");
    ASSERT_THAT(node.Stage(volume, staging), IsOk());
    ASSERT_THAT(node.Publish(volume, staging, target), IsOk());
    MappedFile mapping(target + "/data", true);
    ASSERT_TRUE(mapping.valid());
    EXPECT_EQ(mapping.Text(0, kVolumeSize), std::string(kVolumeSize, '\0'));
    mapping.Put(0, "new bytes");
    EXPECT_EQ(old_mapping.Text(0, 9), "old bytes");
    old_mapping.Put(16, "still alone");
    EXPECT_EQ(mapping.Text(16, 4), std::string(4, '\0'));

    // The server hears of the deletion by itself, a little later.
    int error = 0;
    EXPECT_TRUE(rig::Eventually([&] {
      const UniqueFd again(
          ::openat(old_directory.get(), "data", O_RDONLY | O_CLOEXEC));
      error = again.valid() ? 0 : errno;
      return error != 0;
    }));
    EXPECT_THAT(error, AnyOf(ESTALE, ENOENT));
    EXPECT_THAT(OpenErrno(old_target + "/data", O_RDWR), AnyOf(ESTALE, ENOENT));
  });
  EXPECT_THAT(node.Stage(old_volume, old_staging),
              IsError(StatusCode::kNotFound, ""));
  EXPECT_THAT(node.Unpublish(old_volume, old_target), IsOk());
  EXPECT_THAT(node.Unstage(old_volume, old_staging), IsOk());
  EXPECT_FALSE(node.Exists(old_target));
}

}  // namespace
}  // namespace famfs::node
