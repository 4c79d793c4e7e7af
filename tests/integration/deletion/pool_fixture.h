// A pool with its controller, as a process of its own.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/units.h"
#include "base/uuid.h"
#include "csi/csi.grpc.pb.h"
#include "tests/integration/support/rig.h"

namespace famfs::itest {

namespace pb = ::csi::v1;

inline constexpr std::int64_t kVolume = 16 * kMiB;

class PoolTest : public ::testing::Test {
 protected:
  /// For the pool on the device, which reclaims every 100 ms; `owner` is the
  /// host that it takes itself for.
  void Configure(const std::string& device, const Uuid& owner) const;
  /// `before`: a program, with arguments, that starts it (setpriv).
  void StartController(const std::vector<std::string>& before = {});
  void TearDown() override;

  /// The volume's id.
  std::string Create(const std::string& name, std::int64_t size = kVolume);
  void Delete(const std::string& id);
  std::int64_t Capacity();
  bool Becomes(std::int64_t capacity) {
    return rig::Eventually([&] { return Capacity() == capacity; });
  }
  static std::string FileOf(const std::string& id) {
    return id.substr(id.rfind(':') + 1) + "/data";
  }

  rig::TempDir dir_;
  rig::Tmpfs memory_{"2G"};
  std::unique_ptr<rig::Process> controller_;
  std::unique_ptr<pb::Controller::Stub> stub_;
};

}  // namespace famfs::itest
