// Devices by their names, for tests, which write names that Parse takes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "dax/device_spec.h"

namespace famfs::testing {

/// Ends the test program when the text names no device.
inline DeviceSpec Spec(std::string_view text) {
  return DeviceSpec::Parse(text).value();
}

inline std::vector<DeviceSpec> Specs(const std::vector<std::string>& texts) {
  std::vector<DeviceSpec> specs;
  for (const std::string& text : texts) specs.push_back(Spec(text));
  return specs;
}

}  // namespace famfs::testing
