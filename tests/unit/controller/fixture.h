// Pools on real emulated devices in memory, sparse, with a device in between
// that can hold a creation, or whoever looks at pool "one", at a point the test
// chooses.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

#include "base/units.h"
#include "controller/provisioner.h"
#include "dax/device.h"

namespace famfs::controller {

/// Forwards to a device; CreateExtent of exactly `length` bytes waits until it
/// is let through.
class Gate {
 public:
  explicit Gate(std::uint64_t length) : length_(length) {}
  void Pass(std::uint64_t length);
  /// False when nobody came within the time that a test may take.
  bool AwaitArrival();
  void Open();

 private:
  const std::uint64_t length_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool arrived_ = false;
  bool open_ = false;
};

/// Lets everybody pass until it is closed.
class Barrier {
 public:
  void Pass();
  void Close();
  void Open();
  /// Until so many wait there. False when they do not come.
  bool AwaitWaiting(int count);
  [[nodiscard]] int waiting();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool closed_ = false;
  int waiting_ = 0;
};

class ProvisionerTest : public ::testing::Test {
 protected:
  static constexpr std::uint64_t kGatedSize = 6 * kMiB;

  ProvisionerTest();
  ~ProvisionerTest() override;

  /// A controller's restart: everything in memory is forgotten.
  void Restart(std::chrono::milliseconds patience = std::chrono::seconds(30));
  PoolSet& pools() { return *pools_; }
  /// What the next Restart reads.
  csi::Config& config() { return config_; }
  /// A directory of this test's own, in memory.
  [[nodiscard]] const std::string& directory() const { return directory_; }
  Provisioner& provisioner() { return *provisioner_; }
  absl::StatusOr<VolumeInfo> Create(const std::string& name, std::uint64_t size,
                                    const std::string& pool = "one");
  AvailableSpace FreeOf(const std::string& pool = "one");
  Gate& gate() { return *gate_; }
  /// At opening the device of pool "one", and at looking whether it stands.
  Barrier& opening() { return opening_; }
  Barrier& look() { return look_; }

 private:
  std::string directory_;
  csi::Config config_;
  std::unique_ptr<Gate> gate_;
  Barrier opening_;
  Barrier look_;
  std::unique_ptr<PoolSet> pools_;
  std::unique_ptr<Provisioner> provisioner_;
};

}  // namespace famfs::controller
