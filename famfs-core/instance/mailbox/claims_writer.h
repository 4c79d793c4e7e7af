// A host's end of its append claims (media/append_claims.h): which files it may
// be appending to without asking the owner.
//
// Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/status.h"
#include "dax/device.h"
#include "instance/log/layout.h"
#include "media/append_claims.h"

namespace famfs {

class ClaimsWriter {
 public:
  /// `device` is the instance's primary, opened for writing. As Layout::Open.
  static absl::StatusOr<ClaimsWriter> Open(DaxDevice& device);

  /// Into the row, which is the session's. Whether it is on the medium.
  [[nodiscard]] bool Store(std::size_t row, std::uint32_t session,
                           const AppendClaimBits& files);

 private:
  explicit ClaimsWriter(Layout layout) : layout_(std::move(layout)) {}

  Layout layout_;
};

}  // namespace famfs
