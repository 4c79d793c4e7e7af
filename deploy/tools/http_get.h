// One HTTP GET of a small tool.
#pragma once

#include <chrono>
#include <string>

#include "base/status.h"
#include "csi/rpc/endpoint.h"

namespace famfs {

/// The body of a page that answers 200. DeadlineExceeded: not within `limit`.
/// Unavailable: nobody answers, or with another code, which is told with the
/// page's first line.
absl::StatusOr<std::string> HttpGet(const csi::Endpoint& endpoint,
                                    const std::string& path,
                                    std::chrono::milliseconds limit);

}  // namespace famfs
