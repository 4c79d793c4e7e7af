// A directory on tmpfs that goes with the test.
#pragma once

#include <stdlib.h>
#include <sys/mount.h>

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
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string File(const std::string& name) const {
    return path_ + "/" + name;
  }

 private:
  std::string path_;
};

}  // namespace famfs::testing
