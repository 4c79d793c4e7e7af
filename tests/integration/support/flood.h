// Clients that connect to a TCP port of this machine as often as they can, from
// addresses of their own (127.0.0.2 and those after it).
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace famfs::rig {

class Flood {
 public:
  enum class Kind {
    kLeave,  // is gone again at once
    kStay,   // says nothing; a few hundred are there at any time
    kAsk,    // asks for /metrics, and does not read
  };
  Flood(std::uint16_t port, Kind kind, int addresses);
  ~Flood();
  Flood(const Flood&) = delete;
  Flood& operator=(const Flood&) = delete;

  /// How often somebody has connected.
  [[nodiscard]] std::uint64_t connections() const { return connections_; }

 private:
  void Run(int first, std::uint16_t port, Kind kind, int addresses);

  std::atomic<bool> stopping_ = false;
  std::atomic<std::uint64_t> connections_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace famfs::rig
