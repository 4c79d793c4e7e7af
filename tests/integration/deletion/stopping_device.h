// A device of which this process is stopped (SIGSTOP) before its n-th change of
// the medium: whoever started the process then goes on, or kills it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "dax/device.h"

namespace famfs::itest {

/// Counts the changes while it is armed. Not thread-safe.
struct Stopper {
  bool armed = false;
  int left = 0;  // changes before the one that does not happen
  void Step();
};

/// Forwards to a device without extent files; `stopper` outlives it.
class StoppingDevice final : public DaxDevice {
 public:
  StoppingDevice(std::unique_ptr<DaxDevice> inner, Stopper& stopper)
      : inner_(std::move(inner)), stopper_(stopper) {}
  [[nodiscard]] std::string spec() const override { return inner_->spec(); }
  [[nodiscard]] std::uint64_t size() const override { return inner_->size(); }
  [[nodiscard]] Uuid tag() const override { return inner_->tag(); }
  [[nodiscard]] Capabilities capabilities() const override { return {}; }
  absl::StatusOr<std::unique_ptr<Mapping>> Map(std::uint64_t offset,
                                               std::uint64_t length,
                                               Access access) override;
  absl::Status CreateExtent(Range range) override;
  absl::Status RemoveExtent(std::uint64_t offset) override {
    return inner_->RemoveExtent(offset);
  }
  absl::StatusOr<std::vector<Range>> ListExtents() override {
    return inner_->ListExtents();
  }
  absl::StatusOr<std::vector<Range>> DataIn(Range range) override {
    return inner_->DataIn(range);
  }
  absl::StatusOr<UniqueFd> OpenExtent(std::uint64_t offset) override {
    return inner_->OpenExtent(offset);
  }

 private:
  std::unique_ptr<DaxDevice> inner_;
  Stopper& stopper_;
};

}  // namespace famfs::itest
