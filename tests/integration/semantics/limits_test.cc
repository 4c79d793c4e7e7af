// A volume is one file of a fixed size: examples 1 and 3 to 10, 15 to 17, 26.
#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <set>

#include "tests/integration/semantics/fixture.h"

namespace famfs::semantics {
namespace {

std::set<std::string> NamesIn(const std::string& directory) {
  std::set<std::string> names;
  DIR* const dir = ::opendir(directory.c_str());
  while (const dirent* entry = ::readdir(dir)) names.insert(entry->d_name);
  ::closedir(dir);
  return names;
}

TEST_F(Semantics, Example01_AVolumeIsADirectoryWithOneFile) {
  OnVolume([](const std::string& volume) {
    EXPECT_EQ(NamesIn(volume), (std::set<std::string>{".", "..", "data"}));
    struct stat info = {};
    ASSERT_EQ(::stat((volume + "/data").c_str(), &info), 0);
    EXPECT_EQ(info.st_size, kEnd);
    EXPECT_EQ(info.st_mode, S_IFREG | 0666U);
    EXPECT_EQ(info.st_blocks, kEnd / 512);
    const Mapped data(volume + "/data", O_RDONLY);
    ASSERT_TRUE(data.ok());
    EXPECT_TRUE(data.Text(0, kSize) == std::string(kSize, '\0'));
  });
}

TEST_F(Semantics, Example03_TheSizeIsFixed) {
  OnVolume([](const std::string& volume) {
    const UniqueFd fd = Open(volume + "/data", O_RDWR);
    EXPECT_EQ(ErrnoOf(::ftruncate(fd.get(), 0)), EPERM);
    EXPECT_EQ(ErrnoOf(::ftruncate(fd.get(), kEnd + 1)), EPERM);
    EXPECT_EQ(ErrnoOf(::ftruncate(fd.get(), kEnd)), 0);
  });
}

TEST_F(Semantics, Example04_OpeningWithTruncationIsRefused) {
  OnVolume([](const std::string& volume) {
    EXPECT_EQ(OpenErrno(volume + "/data", O_WRONLY | O_TRUNC), EPERM);
    EXPECT_EQ(OpenErrno(volume + "/data", O_WRONLY | O_CREAT | O_TRUNC), EPERM);
    EXPECT_EQ(OpenErrno(volume + "/data", O_WRONLY | O_CREAT), 0);
  });
}

TEST_F(Semantics, Example05_WritesEndWhereTheFileEnds) {
  OnVolume([](const std::string& volume) {
    const UniqueFd fd = Open(volume + "/data", O_RDWR);
    const std::string bytes(100, 'x');
    EXPECT_EQ(ErrnoOf(::pwrite(fd.get(), bytes.data(), 100, kEnd)), EFBIG);
    EXPECT_EQ(ErrnoOf(::pwrite(fd.get(), bytes.data(), 100, kEnd + 4096)),
              EFBIG);
    EXPECT_EQ(::pwrite(fd.get(), bytes.data(), 100, kEnd - 10), 10);
    std::array<char, 100> read = {};
    EXPECT_EQ(::pread(fd.get(), read.data(), read.size(), kEnd - 10), 10);
    EXPECT_EQ(std::string_view(read.data(), 10),
              std::string_view(bytes).substr(0, 10));
    EXPECT_EQ(::pread(fd.get(), read.data(), read.size(), kEnd), 0);
  });
}

TEST_F(Semantics, Example06_AppendingIsRefused) {
  OnVolume([](const std::string& volume) {
    const UniqueFd fd = Open(volume + "/data", O_WRONLY | O_APPEND);
    EXPECT_EQ(ErrnoOf(::write(fd.get(), "x", 1)), EFBIG);
  });
}

TEST_F(Semantics, Example07_SpaceIsNeitherGivenNorTaken) {
  OnVolume([](const std::string& volume) {
    const UniqueFd fd = Open(volume + "/data", O_RDWR);
    EXPECT_EQ(ErrnoOf(::fallocate(fd.get(), 0, 0, kEnd)), 0);
    EXPECT_EQ(ErrnoOf(::fallocate(fd.get(), 0, 0, 2 * kEnd)), EFBIG);
    ASSERT_EQ(::pwrite(fd.get(), "gone", 4, 0), 4);
    EXPECT_EQ(
        ErrnoOf(::fallocate(
            fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096)),
        0);
    std::array<char, 4> read = {'?', '?', '?', '?'};
    ASSERT_EQ(::pread(fd.get(), read.data(), read.size(), 0), 4);
    EXPECT_EQ(read, (std::array<char, 4>{}));
    struct stat info = {};
    ASSERT_EQ(::fstat(fd.get(), &info), 0);
    EXPECT_EQ(info.st_blocks, kEnd / 512);
  });
}

TEST_F(Semantics, Example26_NothingIsSentFromASecondCopy) {
  if (!cluster().passes_through()) {
    GTEST_SKIP() << "the data path copy has pages of its own by design";
  }
  OnVolume([](const std::string& volume) {
    std::array<int, 2> pipe = {-1, -1};
    ASSERT_EQ(::pipe2(pipe.data(), O_CLOEXEC), 0);
    const UniqueFd out(pipe[0]);
    const UniqueFd in(pipe[1]);
    const UniqueFd writable = Open(volume + "/data", O_RDWR);
    const UniqueFd readable = Open(volume + "/data", O_RDONLY);
    const Mapped mapped(volume + "/data", O_RDWR);
    for (const char* text : {"first", "later"}) {
      mapped.Put(0, text);
      off_t start = 0;
      EXPECT_EQ(ErrnoOf(::sendfile(in.get(), writable.get(), &start, 5)),
                EINVAL);
      EXPECT_EQ(::sendfile(in.get(), readable.get(), &start, 5), 5);
      std::array<char, 5> sent = {};
      ASSERT_EQ(::read(out.get(), sent.data(), sent.size()), 5);
      EXPECT_EQ(std::string_view(sent.data(), sent.size()), text);
    }
  });
}

TEST_F(Semantics, Example08_CopiesAreBoundedAsWritesAre) {
  const std::string other = Mount(a(), NewVolume("other"), "other");
  OnVolume([&](const std::string& volume) {
    const UniqueFd from = Open(other + "/data", O_RDWR);
    ASSERT_EQ(::pwrite(from.get(), "copied", 6, 0), 6);
    const UniqueFd to = Open(volume + "/data", O_RDWR);
    const auto copy = [&](off_t at, std::size_t length) {
      off_t start = 0;
      return ::copy_file_range(from.get(), &start, to.get(), &at, length, 0);
    };
    EXPECT_EQ(copy(0, 6), 6);
    EXPECT_EQ(copy(kEnd - 4, 6), 4);
    EXPECT_EQ(ErrnoOf(copy(kEnd, 6)), EFBIG);
    std::array<char, 6> read = {};
    ASSERT_EQ(::pread(to.get(), read.data(), read.size(), 0), 6);
    EXPECT_EQ(std::string_view(read.data(), 6), "copied");
  });
}

TEST_F(Semantics, Example09_NamesAreTheControllers) {
  OnVolume([](const std::string& volume) {
    const std::string data = volume + "/data";
    const std::string made = volume + "/new";
    EXPECT_EQ(OpenErrno(made, O_RDWR | O_CREAT), EPERM);
    EXPECT_EQ(OpenErrno(volume, O_RDWR | O_TMPFILE), EOPNOTSUPP);
    EXPECT_EQ(ErrnoOf(::mkdir(made.c_str(), 0755)), EPERM);
    EXPECT_EQ(ErrnoOf(::mknod(made.c_str(), S_IFIFO | 0600, 0)), EPERM);
    EXPECT_EQ(ErrnoOf(::symlink("data", made.c_str())), EPERM);
    EXPECT_EQ(ErrnoOf(::link(data.c_str(), made.c_str())), EPERM);
    EXPECT_EQ(ErrnoOf(::rename(data.c_str(), made.c_str())), EPERM);
    EXPECT_EQ(ErrnoOf(::unlink(data.c_str())), EPERM);
  });
}

/// Owner, group and the two groups of rights are one for both.
TEST_F(Semantics, Example10_OwnerAndModeAreTheVolumes) {
  OnVolume([](const std::string& volume) {
    const std::string data = volume + "/data";
    const auto looks = [](const std::string& path, mode_t mode, uid_t owner) {
      return rig::Eventually([&] {
        struct stat info = {};
        return ::stat(path.c_str(), &info) == 0 &&
               (info.st_mode & 07777) == mode && info.st_uid == owner &&
               info.st_gid == owner;
      });
    };
    EXPECT_EQ(ErrnoOf(::chmod(data.c_str(), 0600)), 0);
    EXPECT_EQ(ErrnoOf(::chown(data.c_str(), 1000, 1000)), 0);
    EXPECT_TRUE(looks(data, 0600, 1000));
    EXPECT_TRUE(looks(volume, 0711, 1000));
    EXPECT_EQ(ErrnoOf(::chmod(volume.c_str(), 02770)), 0);
    EXPECT_TRUE(looks(volume, 02770, 1000));
    EXPECT_TRUE(looks(data, 0660, 1000));
    EXPECT_EQ(ErrnoOf(::chmod(data.c_str(), 0700)), EPERM);
    EXPECT_EQ(ErrnoOf(::chmod(data.c_str(), 02660)), EPERM);
    EXPECT_EQ(ErrnoOf(::chmod(data.c_str(), 0660)), 0);
    EXPECT_EQ(ErrnoOf(::setxattr(data.c_str(), "user.note", "x", 1, 0)),
              EOPNOTSUPP);
    EXPECT_EQ(ErrnoOf(::getxattr(data.c_str(), "user.note", nullptr, 0)),
              ENODATA);
    EXPECT_EQ(ErrnoOf(::getxattr(data.c_str(), "system.posix_acl_access",
                                 nullptr, 0)),
              EOPNOTSUPP);
  });
}

TEST_F(Semantics, Example15_DfTellsTheVolumesFiguresAndThePools) {
  OnVolume([](const std::string& volume) {
    struct statvfs figures = {};
    ASSERT_EQ(::statvfs(volume.c_str(), &figures), 0);
    EXPECT_EQ(figures.f_blocks * figures.f_frsize, kSize);
    EXPECT_EQ(figures.f_bavail, figures.f_blocks);
    EXPECT_EQ(figures.f_files, 0U);
    ASSERT_EQ(::statvfs(a().InstancePath().c_str(), &figures), 0);
    EXPECT_EQ(figures.f_blocks * figures.f_frsize, 8 * kGiB);
    EXPECT_LE(figures.f_bavail * figures.f_frsize, 8 * kGiB - kSize);
  });
}

TEST_F(Semantics, Example16_TheDataPathIsAnAttribute) {
  OnVolume([](const std::string& volume) {
    std::array<char, 64> path = {};
    const std::string data = volume + "/data";
    ASSERT_GT(::getxattr(data.c_str(), "user.famfs.datapath", path.data(),
                         path.size() - 1),
              0);
    EXPECT_STREQ(path.data(),
                 cluster().passes_through() ? "passthrough" : "copy");
    EXPECT_EQ(
        ErrnoOf(::setxattr(data.c_str(), "user.famfs.datapath", "copy", 4, 0)),
        EOPNOTSUPP);
    EXPECT_EQ(::listxattr(data.c_str(), nullptr, 0), 0);
  });
}

TEST_F(Semantics, Example17_TheLogCanBeReadAndNotWritten) {
  OnVolume([](const std::string&) {
    for (const char* name : {".superblock", ".log"}) {
      const std::string file = a().InstancePath() + "/.meta/" + name;
      EXPECT_EQ(OpenErrno(file, O_RDWR), EACCES);
      const UniqueFd fd = Open(file, O_RDONLY);
      EXPECT_EQ(ErrnoOf(::ftruncate(fd.get(), 0)), EINVAL);  // not for writing
      void* const log =
          ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, fd.get(), 0);
      ASSERT_NE(log, MAP_FAILED);
      EXPECT_EQ(ErrnoOf(::mprotect(log, 4096, PROT_READ | PROT_WRITE)), EACCES);
      ::munmap(log, 4096);
    }
  });
}

}  // namespace
}  // namespace famfs::semantics
