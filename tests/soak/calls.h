// CSI calls as kubelet and csi-provisioner make them: repeated while the code
// says that the next may succeed, and with the same arguments.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "base/status.h"
#include "csi/csi.grpc.pb.h"
#include "tests/integration/support/rpc.h"
#include "tests/integration/support/wait.h"
#include "tests/soak/progress.h"

namespace famfs::soak {

namespace pb = ::csi::v1;
using Mode = pb::VolumeCapability::AccessMode;

/// Of a call that is to succeed in the end. Cancelled: another life has failed.
/// Anything else says what the last answer was.
class Caller {
 public:
  Caller(Progress& progress, Diary& diary, Random& random)
      : progress_(progress), diary_(diary), random_(random) {}

  template <class Stub, class Request, class Response>
  absl::StatusOr<Response> Call(
      const std::string& what, Stub& stub,
      grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                   Response*),
      const Request& request) {
    const rig::Deadline deadline(kStepPatience);
    diary_.Note("{} ...", what);
    while (true) {
      auto response = rig::Call(stub, method, request, kCallPatience);
      if (response.ok()) {
        ++progress_.calls;
        return response;
      }
      diary_.Note("{}: {}", what, response.status().ToString());
      FAMFS_RETURN_IF_ERROR(TryAgain(what, response.status(), deadline));
    }
  }

 private:
  /// As the provisioner and kubelet have it, or nearly.
  static constexpr milliseconds kCallPatience{15'000};

  /// After a pause; otherwise why not.
  [[nodiscard]] absl::Status TryAgain(const std::string& what,
                                      const absl::Status& status,
                                      const rig::Deadline& deadline);

  Progress& progress_;
  Diary& diary_;
  Random& random_;
};

pb::VolumeCapability Capability(Mode::Mode mode);

}  // namespace famfs::soak
