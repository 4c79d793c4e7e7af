// The only place where an absl::Status becomes a grpc::Status.
#pragma once

#include <grpcpp/support/status.h>

#include "base/status.h"

namespace famfs::csi {

inline constexpr std::size_t kMaxStatusMessage = 2048;  // bytes

/// The same canonical code; a code outside the canonical set is UNKNOWN. The
/// message is never empty for an error, one line of valid UTF-8, and at most
/// kMaxStatusMessage bytes; details are empty, as CSI demands.
grpc::Status ToGrpcStatus(const absl::Status& status);

/// "INVALID_ARGUMENT": the code as gRPC spells it.
std::string_view CodeName(absl::StatusCode code);

}  // namespace famfs::csi
