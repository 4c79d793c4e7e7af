// A directory on tmpfs that goes with the test.
#pragma once

#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>

namespace famfs::testing {

class TemporaryDirectory {
 public:
  TemporaryDirectory() : path_("/dev/shm/famfs-test-XXXXXX") {
    if (::mkdtemp(path_.data()) == nullptr) {
      throw std::runtime_error("tests need a writable /dev/shm");
    }
  }
  ~TemporaryDirectory() {
    // A test may have mounted something on it, which would keep it.
    ::umount2(path_.c_str(), MNT_DETACH);
    std::error_code error;
    std::filesystem::remove_all(path_, error);
    if (!error) return;
    TakeFlagsOff();
    std::filesystem::remove_all(path_, error);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string File(const std::string& name) const {
    return path_ + "/" + name;
  }

 private:
  /// What a server has that was killed, or has not ended yet, is immutable.
  void TakeFlagsOff() const {
    std::error_code error;
    for (std::filesystem::recursive_directory_iterator entry(path_, error), end;
         !error && entry != end; entry.increment(error)) {
      const int fd = ::open(entry->path().c_str(),
                            O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
      if (fd < 0) continue;
      const int none = 0;
      static_cast<void>(::ioctl(fd, FS_IOC_SETFLAGS, &none));
      ::close(fd);
    }
  }

  std::string path_;
};

}  // namespace famfs::testing
