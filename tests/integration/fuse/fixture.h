// What the tests of famfs-fused share: a device with an instance and its
// writer, mounts served by the real program, and small helpers around system
// calls that answer the errno.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "instance/writer/writer.h"
#include "tests/integration/support/device.h"
#include "tests/integration/support/rig.h"

namespace famfs::itest {

inline constexpr std::uint64_t kVolumeSize = 16 * kMiB;  // bytes

/// A famfs-fused and its mount point, a directory of its own. The destructor
/// kills the server and detaches the mount.
class Mount {
 public:
  struct Options {
    std::string data_path = "auto";
    std::vector<std::string> arguments = {};    // further ones
    std::vector<std::string> environment = {};  // "K=V", added to ours
    const rig::MountNamespace* host = nullptr;  // null: the test's own
  };
  /// Serving when it returns; an error shows the server's output.
  static absl::StatusOr<std::unique_ptr<Mount>> Start(const std::string& device,
                                                      const Options& options);
  ~Mount();

  [[nodiscard]] const std::string& path() const { return directory_.path(); }
  [[nodiscard]] rig::Process& server() { return *server_; }

 private:
  Mount() : directory_("famfs-mount") {}
  rig::TempDir directory_;
  const rig::MountNamespace* host_ = nullptr;
  std::unique_ptr<rig::Process> server_;
};

/// Why passthrough cannot be tested on this machine; empty: it can.
const std::string& PassthroughMissing();
/// The same for FUSE at all.
std::string FuseMissing();

class FuseTest : public ::testing::Test {
 protected:
  void SetUp() override;

  /// A volume `directory` of kVolumeSize bytes whose CSI name is `name`.
  void AddVolume(const std::string& directory, const std::string& name,
                 Ownership owner = {.uid = 0, .gid = 0, .mode = 0777});
  std::unique_ptr<Mount> MountIt(const Mount::Options& options = {});
  /// The extent file of a volume's `data`.
  [[nodiscard]] std::string ExtentFile(const std::string& directory) const;
  Writer& writer() { return *writer_; }

  rig::Tmpfs memory_{"4G"};
  std::unique_ptr<rig::Device> device_;

 private:
  std::unique_ptr<Writer> writer_;
};

/// FuseTest on a machine that can pass through.
class PassthroughTest : public FuseTest {
 protected:
  void SetUp() override;
};

/// FuseTest for each data path, named by the parameter.
class EachPathTest : public FuseTest,
                     public ::testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override;
  std::unique_ptr<Mount> MountIt() {
    return FuseTest::MountIt({.data_path = GetParam()});
  }
};

/// A file mapped shared at a 2 MiB aligned address.
class Mapped {
 public:
  /// `flags`: open(2)'s; writable mapping with O_RDWR.
  Mapped(const std::string& path, int flags, std::size_t size = kVolumeSize);
  ~Mapped();
  Mapped(const Mapped&) = delete;
  Mapped& operator=(const Mapped&) = delete;
  [[nodiscard]] bool ok() const { return data_ != nullptr; }
  [[nodiscard]] char* data() const { return data_; }
  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] std::string_view Text(std::size_t at, std::size_t n) const {
    return {data_ + at, n};
  }
  void CloseDescriptor() { fd_.reset(); }
  void Store(std::size_t at, std::string_view text) const;
  /// Bytes that this thread's smaps says are mapped by PMDs.
  [[nodiscard]] std::uint64_t PmdMapped() const;

 private:
  UniqueFd fd_;
  std::size_t size_;
  char* data_ = nullptr;
};

/// 0, or the errno of the last call that returned -1.
int ErrnoOf(std::int64_t result);
/// open(2), closed at once: 0 or the errno.
int OpenErrno(const std::string& path, int flags);
UniqueFd OpenOrFail(const std::string& path, int flags);
std::int64_t FileSize(const std::string& path);
std::string DataPathOf(const std::string& path);  // the xattr

/// Runs `body` in a forked process as this user and group; its exit status.
int RunAs(uid_t uid, const std::function<int()>& body);

}  // namespace famfs::itest
