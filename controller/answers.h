// CSI's questions, answered from a VolumeSource: which volumes there are, and
// how much room. Each method checks its request and fills the response.
#pragma once

#include "controller/volume_source.h"
#include "csi/config/config.h"
#include "csi/csi.pb.h"
#include "csi/rpc/call.h"

namespace famfs::controller {

namespace pb = ::csi::v1;

/// Of a volume's context, for anybody: the name by which it was made.
inline constexpr char kNameKey[] = "name";

/// Thread-safe.
class Answers {
 public:
  /// Neither is owned; both outlive this object. Anybody is told the volumes'
  /// names and gets ListVolumes in small pages (controller/questions.h).
  Answers(const csi::Config& config, VolumeSource& source, csi::Caller caller)
      : config_(config), source_(source), caller_(caller) {}

  [[nodiscard]] absl::Status List(const pb::ListVolumesRequest& request,
                                  pb::ListVolumesResponse& response) const;
  [[nodiscard]] absl::Status Capacity(const pb::GetCapacityRequest& request,
                                      pb::GetCapacityResponse& response) const;
  [[nodiscard]] absl::Status Volume(
      const pb::ControllerGetVolumeRequest& request,
      pb::ControllerGetVolumeResponse& response) const;
  static void Capabilities(pb::ControllerGetCapabilitiesResponse& response);

  void Fill(const VolumeInfo& info, pb::Volume& volume) const;

 private:
  const csi::Config& config_;
  VolumeSource& source_;
  const csi::Caller caller_;
};

}  // namespace famfs::controller
