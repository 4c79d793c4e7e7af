// The further devices that a pool's configuration names: each that is blank is
// added to the instance, each that holds anything else is refused and told, and
// the pool goes on with those that it has.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "dax/device.h"
#include "instance/writer/writer.h"

namespace famfs::controller {

/// Thread-safe.
class ConfiguredDevices {
 public:
  ConfiguredDevices(std::string pool, std::vector<DeviceSpec> specs,
                    DeviceOpener open_device)
      : pool_(std::move(pool)),
        specs_(std::move(specs)),
        open_device_(std::move(open_device)) {}

  /// Adds what is not of the instance yet. Errors are logged, each once until
  /// it changes; the device is tried again by the next call.
  void AddTo(Writer& writer);
  /// Those that the last AddTo could not make the instance's, each with why.
  [[nodiscard]] std::vector<std::string> Missing() const;
  /// From now on AddTo is given another instance's writer.
  void Forget();

 private:
  [[nodiscard]] absl::Status TryAdd(const DeviceSpec& spec,
                                    Writer& writer) const;

  const std::string pool_;
  const std::vector<DeviceSpec> specs_;
  const DeviceOpener open_device_;
  mutable Mutex mutex_;  // one AddTo at a time
  /// Specs that are done with.
  std::set<DeviceSpec> members_ ABSL_GUARDED_BY(mutex_);
  /// Spec -> error.
  std::map<DeviceSpec, std::string> logged_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace famfs::controller
