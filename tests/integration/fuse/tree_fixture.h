// A tree volume `v` that real mounts serve, and its owner in this process.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "instance/mailbox/answerer.h"
#include "tests/integration/fuse/fixture.h"

namespace famfs::itest {

inline constexpr std::uint64_t kTreeCapacity = 256 * kMiB;  // bytes

/// By data path: `passthrough` and `copied`, which is `copy`, on an emulated
/// device, and `copy` on an image.
class TreeFuseTest : public ::testing::Test,
                     public ::testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override;

  [[nodiscard]] static std::string PathOfData() {
    return std::string_view(GetParam()) == "copied" ? "copy" : GetParam();
  }
  [[nodiscard]] static bool IsEmulated() {
    return std::string_view(GetParam()) != "copy";
  }
  void AddTree(const std::string& directory,
               std::uint64_t capacity = kTreeCapacity);
  std::unique_ptr<Mount> MountIt(std::vector<std::string> arguments = {});
  /// A mount of another host, as the host table tells them apart.
  std::unique_ptr<Mount> MountAs(const Uuid& host);
  void StartOwner();
  void StopOwner() { answerer_ = nullptr; }
  /// Another process in its place: what only that knew is gone.
  void ReplaceOwner();
  /// Requests, by this owner.
  [[nodiscard]] std::uint64_t answered() const;
  Writer& writer() { return *writer_; }
  /// Whether some host's request about that name stands in its mailbox.
  bool IsAsked(std::string_view name);

  rig::Tmpfs memory_{"3G"};
  std::unique_ptr<Mount> mount_;
  std::string root_;  // of the volume, in the mount

 private:
  void OpenWriter();

  std::string spec_;
  WriterOptions options_;
  std::unique_ptr<rig::Device> device_;
  std::unique_ptr<Writer> writer_;
  std::unique_ptr<Answerer> answerer_;
};

/// errno of a call that returns -1 when it fails.
int Write(const std::string& path, std::string_view text, int flags = 0);

/// For INSTANTIATE_TEST_SUITE_P.
std::string NameOfPath(const ::testing::TestParamInfo<const char*>& path);

}  // namespace famfs::itest
