// What the examples of docs/semantics.md are told with: CSI calls, published
// volumes, and system calls that answer their errno.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "tests/integration/semantics/cluster.h"

namespace famfs::semantics {

using Mode = pb::VolumeCapability::AccessMode;
using absl::StatusCode;

inline constexpr std::uint64_t kSize = 16 * kMiB;  // of most examples' volumes
inline constexpr auto kEnd = static_cast<off_t>(kSize);

struct CreateOptions {
  std::uint64_t required = kSize;  // bytes
  std::uint64_t limit = 0;
  bool range = true;  // false: no capacity_range at all
  std::map<std::string, std::string> parameters = {};
  Mode::Mode mode = Mode::SINGLE_NODE_MULTI_WRITER;
  bool block = false;
};

struct PublishOptions {
  bool readonly = false;
  // Works on each data path. Several writing nodes need more than copy.
  Mode::Mode mode = Mode::SINGLE_NODE_MULTI_WRITER;
};

/// One running Cluster for all of its tests. What a test leaves published or
/// created is taken away after it.
class Semantics : public ::testing::Test {
 protected:
  static void SetUpTestSuite();
  static void TearDownTestSuite();
  void SetUp() override;
  void TearDown() override;

  static Cluster& cluster() { return *cluster_; }
  static Node& a() { return cluster_->a(); }
  static Node& b() { return cluster_->b(); }

  // CSI calls.
  absl::StatusOr<pb::Volume> Create(const std::string& name,
                                    const CreateOptions& options = {});
  absl::Status Delete(const std::string& volume);
  absl::StatusOr<pb::GetCapacityResponse> Capacity();
  absl::Status Stage(Node& node, const std::string& volume);
  absl::Status Unstage(Node& node, const std::string& volume);
  absl::Status Publish(Node& node, const std::string& volume,
                       const std::string& target,
                       const PublishOptions& options = {});
  absl::Status Unpublish(Node& node, const std::string& volume,
                         const std::string& target);

  /// The new volume's id, "" after a failure.
  std::string NewVolume(const std::string& name,
                        const CreateOptions& options = {});
  /// Staged and published: the directory that a pod sees.
  std::string Mount(Node& node, const std::string& volume,
                    const std::string& pod, const PublishOptions& options = {});
  /// Runs `body` on node a with the directory of a new volume, published for a
  /// pod; its `data` has kept its size afterwards.
  void OnVolume(const std::function<void(const std::string&)>& body);

 private:
  struct Publication {
    Node* node;
    std::string volume;
    std::string target;
  };
  static std::unique_ptr<Cluster> cluster_;
  std::vector<std::string> volumes_;
  std::vector<Publication> staged_;
  std::vector<Publication> published_;
};

/// 0, or the errno of a call that returned -1.
int ErrnoOf(std::int64_t result);
/// open(2), closed at once: 0, or the errno.
int OpenErrno(const std::string& path, int flags);
UniqueFd Open(const std::string& path, int flags);
std::int64_t SizeOf(const std::string& path);

/// The first kSize bytes of a file, mapped shared.
class Mapped {
 public:
  Mapped(const std::string& path, int flags);
  ~Mapped();
  Mapped(const Mapped&) = delete;
  Mapped& operator=(const Mapped&) = delete;
  [[nodiscard]] bool ok() const { return data_ != nullptr; }
  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] char* data() const { return data_; }
  [[nodiscard]] std::string_view Text(std::size_t at, std::size_t n) const {
    return {data_ + at, n};
  }
  void Put(std::size_t at, std::string_view text) const {
    text.copy(data_ + at, text.size());
  }

 private:
  UniqueFd fd_;
  char* data_ = nullptr;
};

MATCHER(IsOk, "is OK") {
  *result_listener << Message(arg);
  return arg.ok();
}
MATCHER_P(HasCode, code, "") {
  *result_listener << arg.ToString();
  return arg.code() == code;
}

}  // namespace famfs::semantics
