// A tree volume, its owner, and hosts that ask it.
#pragma once

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "fixture.h"
#include "instance/deletion/host_session.h"
#include "instance/mailbox/answerer.h"
#include "instance/mailbox/asker.h"

namespace famfs {

inline constexpr const char* kVolume = "tree";

inline TreeRequest Create(const std::string& name,
                          NodeKind kind = NodeKind::kFile) {
  TreeRequest request;
  request.op = TreeOp::kCreate;
  request.volume = kVolume;
  request.name = name;
  request.kind = kind;
  request.mode = 0644;
  if (kind == NodeKind::kSymlink) request.target = "elsewhere";
  return request;
}

inline TreeRequest Remove(const std::string& name) {
  TreeRequest request;
  request.op = TreeOp::kRemove;
  request.volume = kVolume;
  request.name = name;
  return request;
}

inline TreeRequest Rename(const std::string& from, const std::string& to) {
  TreeRequest request;
  request.op = TreeOp::kRename;
  request.volume = kVolume;
  request.name = from;
  request.new_name = to;
  return request;
}

inline TreeRequest Of(TreeOp op, TreeId node, std::uint64_t size = 0) {
  TreeRequest request;
  request.op = op;
  request.volume = kVolume;
  request.node = node;
  request.size = size;
  return request;
}

inline TreeRequest Chmod(TreeId node, std::uint32_t mode) {
  TreeRequest request = Of(TreeOp::kSetAttributes, node);
  request.set = kSetMode;
  request.mode = mode;
  return request;
}

/// An answer that has come, or not yet.
class Reply {
 public:
  /// Fails the test when it does not come within 20 s.
  TreeAnswer Get() {
    if (future_.wait_for(std::chrono::seconds(20)) !=
        std::future_status::ready) {
      ADD_FAILURE() << "no answer";
      return {.error = -1};
    }
    return future_.get();
  }
  [[nodiscard]] bool IsThere(
      std::chrono::milliseconds wait = std::chrono::milliseconds(0)) const {
    return future_.wait_for(wait) == std::future_status::ready;
  }
  Asker::Id id = 0;

 private:
  friend class Host;
  std::future<TreeAnswer> future_;
};

/// One server session with its row and its Asker.
class Host {
 public:
  Host(std::shared_ptr<DaxDevice> device, std::uint32_t session,
       AskerOptions options = {});
  Reply Ask(TreeRequest request);
  TreeAnswer Do(TreeRequest request) { return Ask(std::move(request)).Get(); }
  [[nodiscard]] Asker& asker() { return *asker_; }
  [[nodiscard]] HostSession& session() { return *session_; }
  [[nodiscard]] std::size_t row() const { return *session_->row(); }

 private:
  std::shared_ptr<DaxDevice> device_;
  std::unique_ptr<HostSession> session_;
  std::unique_ptr<Asker> asker_;
};

class MailboxTest : public WriteTest {
 protected:
  void TearDown() override;
  /// Device, file system, writer, and the volume.
  void StartTree(Kind kind);
  void Answer();
  /// The owner's process ends.
  void EndOwner();
  /// A new owner answers.
  void RestartOwner();
  std::unique_ptr<Host> AddHost(std::uint32_t session,
                                AskerOptions options = {});
  /// Names in the volume's directory, sorted.
  std::vector<std::string> Names() const;
  /// Of a name in the volume's directory; 0: there is none.
  TreeId IdOf(const std::string& name) const;
  std::uint32_t ModeOf(const std::string& name) const;
  std::uint64_t SizeOf(const std::string& name) const;
  /// For what the test itself writes into mailboxes.
  Layout OpenLayout();
  /// The number of the request that stands in the row; 0: none.
  std::uint64_t Asked(std::size_t row);
  /// Waits for a request there with a higher number than `above`, and answers
  /// its number. Fails the test when none comes within 20 s.
  std::uint64_t AwaitAsked(std::size_t row, std::uint64_t above = 0);

  std::unique_ptr<Answerer> answerer_;
};

}  // namespace famfs
