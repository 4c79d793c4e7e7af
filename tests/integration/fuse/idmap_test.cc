// Idmapped clones of a volume, as kubelet makes them for pods with a user
// namespace of their own (hostUsers: false).
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "tests/integration/fuse/fixture.h"

namespace famfs::itest {
namespace {

constexpr uid_t kOwner = 1000;  // as the log has it
constexpr uid_t kShift = 100'000;

/// A user namespace in which the ids from 0 are the host's from kShift.
UniqueFd ShiftedUserNamespace() {
  int ready[2] = {-1, -1};
  if (::pipe2(ready, O_CLOEXEC) != 0) return UniqueFd();
  const pid_t child = ::fork();
  if (child == 0) {
    const char byte = ::unshare(CLONE_NEWUSER) == 0 ? 'y' : 'n';
    if (::write(ready[1], &byte, 1) != 1) ::_exit(1);
    ::pause();
    ::_exit(0);
  }
  char byte = 'n';
  const bool made = ::read(ready[0], &byte, 1) == 1 && byte == 'y';
  ::close(ready[0]);
  ::close(ready[1]);
  UniqueFd fd;
  if (made) {
    for (const char* map : {"uid_map", "gid_map"}) {
      rig::WriteFile(fmt::format("/proc/{}/{}", child, map),
                     fmt::format("0 {} 65536\n", kShift));
    }
    fd.reset(::open(fmt::format("/proc/{}/ns/user", child).c_str(),
                    O_RDONLY | O_CLOEXEC));
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  return fd;
}

/// 0 or the errno of the step that failed.
int CloneIdmapped(const std::string& from, const std::string& to,
                  int user_namespace) {
  const UniqueFd clone(
      ::open_tree(AT_FDCWD, from.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
  if (!clone.valid()) return errno;
  mount_attr attributes = {};
  attributes.attr_set = MOUNT_ATTR_IDMAP;
  attributes.userns_fd = static_cast<std::uint64_t>(user_namespace);
  if (::mount_setattr(clone.get(), "", AT_EMPTY_PATH, &attributes,
                      sizeof(attributes)) != 0) {
    return errno;
  }
  return ErrnoOf(::move_mount(clone.get(), "", AT_FDCWD, to.c_str(),
                              MOVE_MOUNT_F_EMPTY_PATH));
}

/// 0: opened, mapped, stored; else the errno.
int MapAndStore(const std::string& file, std::string_view text) {
  if (const int error = OpenErrno(file, O_RDWR); error != 0) return error;
  const Mapped mapped(file, O_RDWR);
  if (!mapped.ok()) return 122;
  mapped.Store(0, text);
  const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  return ::pwrite(fd.get(), text.data(), text.size(), 4096) ==
                 static_cast<ssize_t>(text.size())
             ? 0
             : 123;
}

class IdmapTest : public EachPathTest {};

TEST_P(IdmapTest, TheMappedUserWritesAndOthersAreRefused) {
  AddVolume("v", "pvc-1", {.uid = kOwner, .gid = kOwner, .mode = 0700});
  const auto mount = MountIt();
  ASSERT_TRUE(mount);
  const UniqueFd user_namespace = ShiftedUserNamespace();
  if (!user_namespace.valid()) {
    GTEST_SKIP() << "user namespaces cannot be created on this machine";
  }
  const rig::TempDir clone;
  ASSERT_EQ(::chmod(clone.path().c_str(), 0755), 0);
  const int error =
      CloneIdmapped(mount->path() + "/v", clone.path(), user_namespace.get());
  if (error == EINVAL && mount->server().output().find("idmapped mounts no") !=
                             std::string::npos) {
    GTEST_SKIP() << "this kernel's FUSE has no idmapped mounts (Linux 6.12)";
  }
  ASSERT_EQ(error, 0) << std::strerror(error);

  const std::string file = clone / "data";
  struct stat info = {};
  ASSERT_EQ(::stat(file.c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, kShift + kOwner);
  const auto store = [&] { return MapAndStore(file, "idmapped"); };
  EXPECT_EQ(RunAs(kShift + kOwner, store), 0);
  EXPECT_EQ(RunAs(kOwner, store), EACCES);  // unmapped: a stranger here
  EXPECT_EQ(RunAs(kShift + kOwner + 1, store), EACCES);

  // The bytes are the volume's, and its owner outside is the log's.
  const Mapped plain(mount->path() + "/v/data", O_RDONLY);
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(plain.Text(0, 8), "idmapped");
  EXPECT_EQ(plain.Text(4096, 8), "idmapped");
  ASSERT_EQ(::stat((mount->path() + "/v/data").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, kOwner);
  EXPECT_EQ(::umount2(clone.path().c_str(), MNT_DETACH), 0);
}

TEST_P(IdmapTest, ThroughAnIdmappedCloneBoundsHoldToo) {
  AddVolume("v", "pvc-1", {.uid = kOwner, .gid = kOwner, .mode = 0700});
  const auto mount = MountIt();
  ASSERT_TRUE(mount);
  const UniqueFd user_namespace = ShiftedUserNamespace();
  if (!user_namespace.valid() ||
      mount->server().output().find("idmapped mounts no") !=
          std::string::npos) {
    GTEST_SKIP() << "this kernel has no user namespaces, or no idmapped FUSE";
  }
  const rig::TempDir clone;
  ASSERT_EQ(::chmod(clone.path().c_str(), 0755), 0);
  ASSERT_EQ(
      CloneIdmapped(mount->path() + "/v", clone.path(), user_namespace.get()),
      0);
  const std::string file = clone / "data";
  const auto as_owner = [&](const std::function<int(int)>& body) {
    return RunAs(kShift + kOwner, [&] {
      const int fd = ::open(file.c_str(), O_RDWR | O_CLOEXEC);
      return fd < 0 ? 124 : body(fd);
    });
  };
  const auto end = static_cast<off_t>(kVolumeSize);
  EXPECT_EQ(
      as_owner([&](int fd) { return ErrnoOf(::pwrite(fd, "x", 1, end)); }),
      EFBIG);
  EXPECT_EQ(as_owner([](int fd) { return ErrnoOf(::ftruncate(fd, 0)); }),
            EPERM);
  EXPECT_EQ(as_owner([](int fd) { return ErrnoOf(::fchmod(fd, 0777)); }),
            EPERM);
  EXPECT_EQ(as_owner([&](int) { return OpenErrno(clone / "new", O_CREAT); }),
            EPERM);
  EXPECT_EQ(FileSize(ExtentFile("v")), end);
  EXPECT_EQ(::umount2(clone.path().c_str(), MNT_DETACH), 0);
}

INSTANTIATE_TEST_SUITE_P(Paths, IdmapTest,
                         ::testing::Values("passthrough", "copy"),
                         [](const auto& path) {
                           return std::string(path.param);
                         });

}  // namespace
}  // namespace famfs::itest
