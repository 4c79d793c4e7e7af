// What libdaxctl and libndctl know of dax devices beyond the attributes that
// these have themselves.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/uuid.h"

namespace famfs {

/// A namespace of an NVDIMM, or of persistent CXL memory, that is a dax device.
struct DaxNamespace {
  std::string device;  // the dax device's own name: "dax0.0"
  /// Of the info block at its beginning, which every host reads there; nil:
  /// none.
  Uuid uuid;
  std::uint64_t bad_bytes = 0;  // in blocks that its bus knows as bad
};

/// From any thread.
class DaxLibraries {
 public:
  virtual ~DaxLibraries() = default;
  /// In no order. Empty where there is no such memory.
  virtual absl::StatusOr<std::vector<DaxNamespace>> Namespaces() = 0;
};

/// The libraries themselves, which look in /sys. Looks anew at each question.
std::shared_ptr<DaxLibraries> RealDaxLibraries();

}  // namespace famfs
