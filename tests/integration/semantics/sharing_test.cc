// Who sees whose bytes, and who may store: examples 2, 11, 12 and 22.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "tests/integration/semantics/fixture.h"

namespace famfs::semantics {
namespace {

TEST_F(Semantics, Example02_WhatOneNodeStoresTheOtherSees) {
  if (!cluster().passes_through()) {
    GTEST_SKIP() << "writers on two nodes need FUSE passthrough (Linux 6.9)";
  }
  const PublishOptions shared = {.mode = Mode::MULTI_NODE_MULTI_WRITER};
  const std::string volume =
      NewVolume("claim", {.mode = Mode::MULTI_NODE_MULTI_WRITER});
  const std::string on_a = Mount(a(), volume, "pod-a", shared);
  const std::string on_b = Mount(b(), volume, "pod-b", shared);
  a().Run([&] {
    const Mapped writer(on_a + "/data", O_RDWR);
    ASSERT_TRUE(writer.ok());
    b().Run([&] {
      const Mapped reader(on_b + "/data", O_RDWR);
      ASSERT_TRUE(reader.ok());
      writer.Put(0, "from a");
      writer.Put(kSize - 3, "end");
      EXPECT_EQ(reader.Text(0, 6), "from a");
      EXPECT_EQ(reader.Text(kSize - 3, 3), "end");
      reader.Put(4096, "from b");
      EXPECT_EQ(writer.Text(4096, 6), "from b");
    });
  });
}

TEST_F(Semantics, Example11_AReadOnlyPublicationRefusesEveryWriter) {
  const std::string volume =
      Mount(a(), NewVolume("claim"), "pod", {.readonly = true});
  a().Run([&] {
    const std::string data = volume + "/data";
    EXPECT_EQ(OpenErrno(data, O_RDWR), EROFS);
    EXPECT_EQ(OpenErrno(data, O_WRONLY), EROFS);
    EXPECT_EQ(OpenErrno(volume + "/new", O_RDWR | O_CREAT), EROFS);
    EXPECT_EQ(ErrnoOf(::mkdir((volume + "/new").c_str(), 0755)), EROFS);
    EXPECT_EQ(ErrnoOf(::chmod(data.c_str(), 0666)), EROFS);
    const Mapped mapped(data, O_RDONLY);
    ASSERT_TRUE(mapped.ok());
    EXPECT_EQ(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
                     mapped.fd(), 0),
              MAP_FAILED);
    EXPECT_EQ(errno, EACCES);
    EXPECT_EQ(ErrnoOf(::mprotect(mapped.data(), 4096, PROT_READ | PROT_WRITE)),
              EACCES);
  });
}

TEST_F(Semantics, Example12_AReaderAndAWriterOnOneNode) {
  const std::string id = NewVolume("claim");
  const std::string writable = Mount(a(), id, "writer");
  const std::string readable = Mount(a(), id, "reader", {.readonly = true});
  a().Run([&] {
    EXPECT_EQ(OpenErrno(readable + "/data", O_RDWR), EROFS);
    const Mapped reader(readable + "/data", O_RDONLY);
    const Mapped writer(writable + "/data", O_RDWR);
    ASSERT_TRUE(reader.ok() && writer.ok());
    writer.Put(0, "seen");
    EXPECT_EQ(reader.Text(0, 4), "seen");
  });
}

// Another user's rights for the calling thread alone, which ends afterwards.
void Become(uid_t uid) {
  ASSERT_EQ(::syscall(SYS_setgroups, 0, nullptr), 0);
  ASSERT_EQ(::syscall(SYS_setresgid, uid, uid, uid), 0);
  ASSERT_EQ(::syscall(SYS_setresuid, uid, uid, uid), 0);
}

TEST_F(Semantics, Example22_OwnerAndModeAreTheStorageClassS) {
  const std::string volume = Mount(
      a(),
      NewVolume(
          "claim",
          {.parameters = {{"uid", "1000"}, {"gid", "1000"}, {"mode", "0770"}}}),
      "pod");
  struct stat info = {};
  a().Run([&] {
    ASSERT_EQ(::stat((volume + "/data").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode, S_IFREG | 0660U);
    EXPECT_EQ(info.st_uid, 1000U);
  });
  for (const auto& [user, expected] :
       {std::pair<uid_t, int>{1000, 0}, std::pair<uid_t, int>{1001, EACCES}}) {
    a().Run([&, uid = user, error = expected] {
      // The way there is kubelet's; only the volume's own modes are asked.
      const UniqueFd directory = Open(volume, O_PATH | O_DIRECTORY);
      ASSERT_NO_FATAL_FAILURE(Become(uid));
      const UniqueFd fd(::openat(directory.get(), "data", O_RDWR | O_CLOEXEC));
      EXPECT_EQ(fd.valid() ? 0 : errno, error) << uid;
    });
  }
}

}  // namespace
}  // namespace famfs::semantics
