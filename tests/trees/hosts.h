// A pool with one tree volume `v`, its owner, and hosts that serve it: each is
// a process that can be killed and started again.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/units.h"
#include "instance/mailbox/answerer.h"
#include "instance/writer/writer.h"
#include "tests/integration/support/rig.h"

namespace famfs::trees {

struct PoolOptions {
  bool emulated = true;        // else an image
  std::uint64_t size = 0;      // of the device, bytes
  std::uint64_t capacity = 0;  // of the volume, bytes
};

/// Its memory, and who the owner is.
class Pool {
 public:
  static absl::StatusOr<std::unique_ptr<Pool>> Make(const PoolOptions& options);

  [[nodiscard]] const std::string& spec() const { return spec_; }
  [[nodiscard]] std::string UuidFile() const { return memory_ / "owner"; }
  [[nodiscard]] std::string In(const char* name) const {
    return memory_ / name;
  }
  /// The writer, in this process. One at a time.
  [[nodiscard]] absl::StatusOr<std::unique_ptr<Writer>> OpenWriter() const;
  /// `famfs fsck` of it; the error has what it said.
  [[nodiscard]] absl::Status Check() const;

 private:
  rig::Tmpfs memory_{"6G"};
  std::string spec_;
  Uuid owner_ = Uuid::Random();
};

/// The owner in this process, for who kills none.
class OwnerHere {
 public:
  [[nodiscard]] absl::Status Start(const Pool& pool);
  Writer& writer() { return *writer_; }

 private:
  std::unique_ptr<Writer> writer_;
  std::unique_ptr<Answerer> answerer_;
};

/// The real controller. Not thread-safe.
class Controller {
 public:
  explicit Controller(const Pool& pool);
  /// Asks for calls when it returns.
  [[nodiscard]] absl::Status Start();
  void Kill();
  /// SIGTERM; its exit status must be 0.
  [[nodiscard]] absl::Status Stop();
  [[nodiscard]] std::string Log() const;

 private:
  const Pool& pool_;
  std::string socket_;
  std::unique_ptr<rig::Process> process_;  // null: killed
  std::string log_;
};

/// A host with a famfs-fused. Each server serves a mount point of its own, so
/// that what a dead one leaves answers ENOTCONN until there is another one.
/// Serve, Kill and Forget are one thread's.
class Host {
 public:
  Host(const Pool& pool, std::string name, std::string data_path);
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  /// Mounted when it returns; Unavailable with the server's output.
  [[nodiscard]] absl::Status Serve();
  /// The mount stays and is dead.
  void Kill();
  /// SIGTERM; its exit status must be 0.
  [[nodiscard]] absl::Status Stop();
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::string Log() const;

  // From any thread.

  /// The volume's directory under the newest mount; ends with "/".
  [[nodiscard]] std::string Root() const;
  /// Beginnings and ends of kills: odd while one is under way.
  [[nodiscard]] std::uint64_t kills() const { return kills_; }

 private:
  struct Served;
  const Pool& pool_;
  const std::string name_;
  const std::string data_path_;
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Served>> served_;
  std::atomic<std::uint64_t> kills_ = 0;
  std::string log_;
};

/// Why a data path cannot be had on this machine; empty: it can.
std::string MissingFor(const std::string& data_path);

}  // namespace famfs::trees
