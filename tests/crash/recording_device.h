// A DaxDevice on a Medium that writes down each store and write-back. Metadata
// only: bytes that a test puts through Mapping::mutable_data are not recorded.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "dax/device.h"
#include "tests/crash/medium.h"

namespace famfs::crash {

struct Recorder {
  std::vector<Event> events;
  /// A mutation of the program under test: write-backs for which it is true do
  /// not happen. The suite must notice.
  std::function<bool(const Range&)> ignore_write_back;
};

class RecordingDevice final : public DaxDevice {
 public:
  /// `recorder` may be null, and outlives the device's mappings otherwise.
  RecordingDevice(std::shared_ptr<Medium> medium, Recorder* recorder)
      : medium_(std::move(medium)), recorder_(recorder) {}

  [[nodiscard]] std::string spec() const override { return "simulated"; }
  [[nodiscard]] std::uint64_t size() const override { return kMediumSize; }
  [[nodiscard]] Uuid tag() const override { return {}; }
  [[nodiscard]] bool has_extent_files() const override {
    return medium_->has_extent_files();
  }
  absl::StatusOr<std::unique_ptr<famfs::Mapping>> Map(std::uint64_t offset,
                                                      std::uint64_t length,
                                                      Access access) override;
  absl::Status CreateExtent(Range range) override;
  absl::Status RemoveExtent(std::uint64_t offset) override;
  absl::StatusOr<std::vector<Range>> ListExtents() override;
  absl::StatusOr<UniqueFd> OpenExtent(std::uint64_t offset) override;

 private:
  std::shared_ptr<Medium> medium_;
  Recorder* recorder_;
};

}  // namespace famfs::crash
