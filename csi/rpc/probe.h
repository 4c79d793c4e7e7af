// Asks a driver's Identity service whether it answers, over its endpoint like
// any other client: what registration and health checks do.
#pragma once

#include <chrono>
#include <memory>

#include "base/status.h"
#include "csi/rpc/endpoint.h"

namespace famfs::csi {

/// Keeps one connection. Thread-safe.
class Prober {
 public:
  explicit Prober(const Endpoint& endpoint);
  ~Prober();
  Prober(const Prober&) = delete;
  Prober& operator=(const Prober&) = delete;

  /// OK: Probe answered, ready, within the limit. Never waits longer.
  /// Unavailable: nobody answers, or not ready; DeadlineExceeded.
  [[nodiscard]] absl::Status Probe(std::chrono::milliseconds limit) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace famfs::csi
