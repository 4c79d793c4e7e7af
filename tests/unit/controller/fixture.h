// Pools on real emulated devices in memory, sparse, with a device in between
// that can hold a creation at a point the test chooses.
#pragma once

#include <gtest/gtest.h>

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

class ProvisionerTest : public ::testing::Test {
 protected:
  static constexpr std::uint64_t kGatedSize = 6 * kMiB;

  ProvisionerTest();
  ~ProvisionerTest() override;

  /// A controller's restart: everything in memory is forgotten.
  void Restart();
  Provisioner& provisioner() { return *provisioner_; }
  absl::StatusOr<VolumeInfo> Create(const std::string& name, std::uint64_t size,
                                    const std::string& pool = "one");
  Capacity FreeOf(const std::string& pool = "one");
  Gate& gate() { return *gate_; }

 private:
  std::string directory_;
  csi::Config config_;
  std::unique_ptr<Gate> gate_;
  std::unique_ptr<PoolSet> pools_;
  std::unique_ptr<Provisioner> provisioner_;
};

}  // namespace famfs::controller
