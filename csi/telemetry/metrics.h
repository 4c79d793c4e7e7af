// The page /metrics: what controller and node share (calls, log lines, process,
// build) and what each of them adds. docs/metrics.md has every metric.
//
// Values are collected when they are asked for, in the thread that asks, from
// what the program knows: never by a call on a mount that may hang.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "csi/rpc/call.h"
#include "csi/telemetry/exposition.h"
#include "csi/telemetry/http_server.h"

namespace famfs::csi {

/// Thread-safe, but for Add.
class Metrics {
 public:
  /// Observes every call from now on (SetCallObserver): make it before the
  /// server starts.
  Metrics(std::string program, std::string driver_name);
  /// Observes no more.
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  /// Called in each scrape. Before the first one.
  void Add(std::function<void(Exposition&)> collector);

  /// The page in Prometheus' text format.
  [[nodiscard]] HttpAnswer Page() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace famfs::csi
