// Takes the connections of a listener, in a thread of its own, and hands them
// on. gRPC's own listeners never accept again after one failure (no descriptor
// left, for example); this one goes on when there are some, and keeps strangers
// from taking what the rest of the process needs.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "base/status.h"
#include "base/unique_fd.h"
#include "csi/rpc/listener.h"

namespace famfs::csi {

/// A connection above one of these is closed at once.
struct AcceptLimits {
  std::size_t connections = 256;  // open at the same time
  std::size_t per_address = 256;  // of these, from one IP address
  /// Anybody may connect: a part of the process' descriptors stays unused.
  bool from_strangers = false;
};

class Acceptor {
 public:
  /// Called in the acceptor's thread with a non-blocking connection, which
  /// whoever takes it closes.
  using Taker = std::function<void(UniqueFd)>;

  /// Unavailable: no thread or descriptor could be had.
  static absl::StatusOr<std::unique_ptr<Acceptor>> Start(
      std::unique_ptr<Listener> listener, const AcceptLimits& limits,
      Taker taker);
  /// Stop()
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  [[nodiscard]] Listener& listener() { return *listener_; }
  [[nodiscard]] const Listener& listener() const { return *listener_; }

  /// Accepts no more; a Unix socket's name is taken away first. The taker is
  /// not called afterwards.
  void Stop();

 private:
  class OpenConnections;
  Acceptor(std::unique_ptr<Listener> listener, const AcceptLimits& limits,
           Taker taker);
  void Run();
  /// Of those who wait. False: nothing can be accepted for now.
  bool AcceptSome(int listening);
  void Take(UniqueFd connection);

  const std::unique_ptr<Listener> listener_;
  const AcceptLimits limits_;
  const Taker taker_;
  UniqueFd stop_;  // an eventfd, readable once it is time
  std::unique_ptr<OpenConnections> open_;
  std::thread thread_;  // last: runs on the members above
};

}  // namespace famfs::csi
