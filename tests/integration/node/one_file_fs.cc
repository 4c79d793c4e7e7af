// A FUSE file system of one file, `image`, whose bytes are another file's. The
// kernel asks it for everything, each time: stopped (SIGSTOP), it is a device
// that does not answer.
//
//   one_file_fs FILE MOUNT_POINT
#define FUSE_USE_VERSION 31

#include <fuse.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "base/unique_fd.h"

namespace {

int file = -1;

bool IsTheFile(const char* path) { return std::string_view(path) == "/image"; }

int GetAttributes(const char* path, struct stat* info, fuse_file_info*) {
  if (std::string_view(path) == "/") {
    *info = {};
    info->st_mode = S_IFDIR | 0755;
    info->st_nlink = 2;
    return 0;
  }
  if (!IsTheFile(path)) return -ENOENT;
  return ::fstat(file, info) == 0 ? 0 : -errno;
}

int Open(const char* path, fuse_file_info*) {
  return IsTheFile(path) ? 0 : -ENOENT;
}

int Read(const char*, char* to, std::size_t size, off_t at, fuse_file_info*) {
  const ssize_t got = ::pread(file, to, size, at);
  return got < 0 ? -errno : static_cast<int>(got);
}

int Write(const char*, const char* from, std::size_t size, off_t at,
          fuse_file_info*) {
  const ssize_t got = ::pwrite(file, from, size, at);
  return got < 0 ? -errno : static_cast<int>(got);
}

void* Init(fuse_conn_info*, fuse_config* config) {
  config->attr_timeout = 0;
  config->entry_timeout = 0;
  std::puts("serves");
  std::fflush(stdout);
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const famfs::UniqueFd opened(::open(argv[1], O_RDWR | O_CLOEXEC));
  if (!opened.valid()) return 1;
  file = opened.get();
  fuse_operations operations = {};
  operations.getattr = GetAttributes;
  operations.open = Open;
  operations.read = Read;
  operations.write = Write;
  operations.init = Init;
  std::array<const char*, 4> words = {argv[0], "-f", "-oallow_other", argv[2]};
  return ::fuse_main(static_cast<int>(words.size()),
                     const_cast<char**>(words.data()), &operations, nullptr);
}
