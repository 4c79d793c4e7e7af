// Makes the driver known to kubelet, without a registrar beside it.
//
// kubelet watches KUBELET/plugins_registry. A socket that appears there is
// asked who it is, then kubelet calls NodeGetInfo on csi.sock, once, and writes
// node id and topology keys into the CSINode object. So:
//
// - csi.sock answers;
// - the pools open, or the patience ends;
// - the socket appears, and is served for life;
// - it appears again when this node sees more pools.
//
// A socket of ours that somebody removed is made again; one that another
// process has replaced is left to it (the last one wins, never a quarrel).
// kubelet's refusals are logged and counted, and kubelet tries again by itself.
// Everything happens in a thread of its own; the socket is served by gRPC's.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "base/mutex.h"
#include "base/status.h"
#include "csi/rpc/server.h"

namespace famfs::node {

struct RegistrationOptions {
  std::string driver_name;
  std::string csi_socket;  // path on the host
  std::string socket;      // RegistrationSocket()
  /// How long the first appearance waits for all pools.
  std::chrono::milliseconds pool_patience{30'000};
  /// Pools that are open here, and all of them. Never wait.
  std::function<std::size_t()> open_pools;
  /// Of those that this host may see.
  std::function<std::size_t()> closed_pools;
  std::size_t pools = 0;
};

/// KUBELET/plugins_registry/DRIVER-reg.sock: the name that the usual registrar
/// uses too, so that the two replace each other. Two sockets for one driver
/// would make kubelet refuse the second, then deregister the first with it.
std::string RegistrationSocket(const std::string& kubelet_path,
                               const std::string& driver_name);

struct RegistrationReport {
  bool registered = false;          // what kubelet said last
  std::uint64_t announcements = 0;  // times that the socket appeared
  std::uint64_t failures = 0;       // kubelet's refusals, and own failures
};

/// Thread-safe.
class Registration {
 public:
  /// Unavailable: there is no thread for it.
  static absl::StatusOr<std::unique_ptr<Registration>> Start(
      RegistrationOptions options);
  /// Stop().
  ~Registration();
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;

  /// OK: the socket is ours, or its time has not come yet. Unavailable: another
  /// process has it, or it cannot be made.
  [[nodiscard]] absl::Status Health() const;
  [[nodiscard]] RegistrationReport Report() const;

  /// Removes the socket if it is still ours, which deregisters the driver.
  void Stop();

 private:
  class Service;

  explicit Registration(RegistrationOptions options);
  void Run();
  /// False: to stop.
  bool WaitForCsiSocket();
  bool WaitForPools();
  void Look();
  /// For the thread: it alone changes it while it runs, so that it may look
  /// without the mutex, which the analysis cannot know.
  [[nodiscard]] csi::GrpcServer* own_server() const
      ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return server_.get();
  }
  void Appear();
  /// The socket has appeared with so many pools; null: it had been there.
  void Appeared(std::size_t pools, std::unique_ptr<csi::GrpcServer> server);
  void Fail(const absl::Status& status);
  void OnStatus(bool registered, const std::string& error);
  /// True: to stop.
  bool Pause(std::chrono::milliseconds time);

  const RegistrationOptions options_;
  const std::unique_ptr<Service> service_;

  mutable Mutex mutex_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<csi::GrpcServer> server_ ABSL_GUARDED_BY(mutex_);
  RegistrationReport report_ ABSL_GUARDED_BY(mutex_);
  /// Of the last attempt to appear.
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  // Logged already.
  std::string logged_failure_ ABSL_GUARDED_BY(mutex_);
  std::string logged_refusal_ ABSL_GUARDED_BY(mutex_);

  // The thread's own.
  std::size_t announced_pools_ = 0;
  bool missed_ = false;  // the socket was gone at the last look

  std::thread thread_;  // last: runs on the members above
};

}  // namespace famfs::node
