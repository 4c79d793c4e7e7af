// Bytes of writes that wait for the owner, copied out of the kernel's buffers.
// Bounded for the whole mount: while the owner is away each thread of each pod
// may have one.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace famfs {

/// Thread-safe.
class Parking {
 public:
  static constexpr std::uint64_t kMost = 256ULL << 20;  // bytes

  explicit Parking(std::uint64_t most = kMost) : most_(most) {}
  [[nodiscard]] bool Take(std::uint64_t bytes) {
    std::uint64_t taken = taken_;
    while (bytes <= most_ - taken) {
      if (taken_.compare_exchange_weak(taken, taken + bytes)) return true;
    }
    return false;
  }
  void GiveBack(std::uint64_t bytes) { taken_ -= bytes; }

 private:
  const std::uint64_t most_;
  std::atomic<std::uint64_t> taken_{0};
};

/// One of them; its parking lives longer.
class ParkedBytes {
 public:
  ParkedBytes() = default;
  ~ParkedBytes() {
    if (parking_ != nullptr) parking_->GiveBack(bytes_.size());
  }
  ParkedBytes(const ParkedBytes&) = delete;
  ParkedBytes& operator=(const ParkedBytes&) = delete;

  /// Once. False: there are too many.
  [[nodiscard]] bool Take(Parking& parking, std::span<const std::byte> bytes) {
    if (!parking.Take(bytes.size())) return false;
    parking_ = &parking;
    bytes_.assign(bytes.begin(), bytes.end());
    return true;
  }
  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }
  [[nodiscard]] std::size_t size() const { return bytes_.size(); }

 private:
  Parking* parking_ = nullptr;
  std::vector<std::byte> bytes_;
};

}  // namespace famfs
