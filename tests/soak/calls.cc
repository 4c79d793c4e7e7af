#include "tests/soak/calls.h"

namespace famfs::soak {
namespace {

bool MayPass(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kResourceExhausted:
      return true;
    default:
      return false;
  }
}

}  // namespace

absl::Status Caller::TryAgain(const std::string& what,
                              const absl::Status& status,
                              const rig::Deadline& deadline) {
  ++progress_.retries;
  if (!MayPass(status)) return Annotate(status, what);
  if (deadline.Passed()) {
    return FailedPrecondition("{}: not in {} s; the last answer: {}", what,
                              kStepPatience.count() / 1000, status.ToString());
  }
  if (!progress_.Pause(milliseconds(Between(random_, 20, 200)))) {
    return AnotherHasFailed();
  }
  return absl::OkStatus();
}

pb::VolumeCapability Capability(Mode::Mode mode) {
  pb::VolumeCapability capability;
  capability.mutable_access_mode()->set_mode(mode);
  capability.mutable_mount();
  return capability;
}

}  // namespace famfs::soak
