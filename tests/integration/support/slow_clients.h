// Clients of a TCP port that send one byte of an HTTP request every half
// second, and come back when they are sent away.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

#include "base/unique_fd.h"

namespace famfs::rig {

class SlowClients {
 public:
  /// Returns when each has sent its first byte.
  SlowClients(const std::string& host, std::uint16_t port, int count);
  ~SlowClients();
  SlowClients(const SlowClients&) = delete;
  SlowClients& operator=(const SlowClients&) = delete;

 private:
  UniqueFd stop_;
  std::thread thread_;
};

}  // namespace famfs::rig
