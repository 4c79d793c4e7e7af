// The questions that people, monitoring and tools may ask of the controller on
// a port of their own (--query-endpoint): which volumes there are, and how much
// room. It is served without a password, so everything that changes something
// is refused, and what is answered is what was seen a moment ago (LastSeen): no
// stranger keeps a pool busy, or waits for one.
//
// Each volume tells the name by which it was made, which in Kubernetes is its
// PersistentVolume's, as "name" in its volume_context. An orchestrator never
// sees that: on the CSI endpoint a volume's context is empty, for life.
#pragma once

#include "controller/answers.h"
#include "csi/csi.grpc.pb.h"
#include "csi/rpc/unary_server.h"

namespace famfs::controller {

/// ListVolumes, GetCapacity, ControllerGetVolume, ControllerGetCapabilities and
/// the Identity service; PermissionDenied for every other call of the
/// Controller service. Both are for anybody (csi::Caller::kAnybody); neither is
/// owned, and both outlive the methods.
csi::UnaryMethods Questions(const Answers& answers,
                            pb::Identity::Service& identity);

}  // namespace famfs::controller
