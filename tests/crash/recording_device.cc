#include "tests/crash/recording_device.h"

#include <utility>

namespace famfs::crash {
namespace {

/// A mapping whose lines are kept in no cache that outlives the test's own: the
/// real flush instructions are left out.
class RecordingMapping final : public Mapping {
 public:
  RecordingMapping(std::shared_ptr<Medium> medium, Range range,
                   Recorder* recorder)
      : Mapping(medium->data() + range.offset, range.length),
        medium_(std::move(medium)),
        base_(range.offset),
        recorder_(recorder) {}

  void Store(std::size_t at, std::span<const std::byte> bytes) override {
    Mapping::Store(at, bytes);
    Record(Event::Kind::kStore, at, bytes.size());
  }
  void StoreZeros(std::size_t at, std::size_t length) override {
    Mapping::StoreZeros(at, length);
    Record(Event::Kind::kStore, at, length);
  }
  void Store16(std::size_t at, std::uint64_t first,
               std::uint64_t second) override {
    Mapping::Store16(at, first, second);
    Record(Event::Kind::kStore16, at, 16);
  }
  void WriteBack(std::size_t at, std::size_t length) override {
    if (recorder_ == nullptr) return;
    const Range range{base_ + at, length};
    if (recorder_->ignore_write_back && recorder_->ignore_write_back(range)) {
      return;
    }
    recorder_->events.push_back({Event::Kind::kWriteBack, range});
  }
  void Invalidate(std::size_t /*at*/, std::size_t /*length*/) const override {}

 private:
  void Record(Event::Kind kind, std::size_t at, std::size_t length) {
    if (recorder_ == nullptr) return;
    const auto stored = bytes().subspan(at, length);
    recorder_->events.push_back(
        {kind, {base_ + at, length}, {stored.begin(), stored.end()}});
  }

  std::shared_ptr<Medium> medium_;
  std::uint64_t base_;
  Recorder* recorder_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<famfs::Mapping>> RecordingDevice::Map(
    std::uint64_t offset, std::uint64_t length, Access /*access*/) {
  if (offset > kMediumSize || length > kMediumSize - offset) {
    return OutOfRange("{} bytes at {:#x} lie beyond the device", length,
                      offset);
  }
  if (has_extent_files()) {
    const auto after = medium_->extents().upper_bound(offset);
    if (after == medium_->extents().begin() ||
        std::prev(after)->first + std::prev(after)->second <= offset) {
      return NotFound("there is no extent at {:#x}", offset);
    }
    if (std::prev(after)->first + std::prev(after)->second < offset + length) {
      return OutOfRange("the extent at {:#x} is shorter than {}", offset,
                        length);
    }
  }
  return std::make_unique<RecordingMapping>(medium_, Range{offset, length},
                                            recorder_);
}

absl::Status RecordingDevice::CreateExtent(Range range) {
  if (!medium_->Create(range)) {
    return AlreadyExists("there is an extent at {:#x}", range.offset);
  }
  if (recorder_ != nullptr) {
    recorder_->events.push_back({Event::Kind::kCreate, range});
  }
  return absl::OkStatus();
}

absl::Status RecordingDevice::RemoveExtent(std::uint64_t offset) {
  medium_->Remove(offset);
  if (recorder_ != nullptr) {
    recorder_->events.push_back({Event::Kind::kRemove, {offset, 0}});
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Range>> RecordingDevice::ListExtents() {
  if (!has_extent_files()) return std::vector<Range>{{0, kMediumSize}};
  std::vector<Range> ranges;
  for (const auto& [offset, length] : medium_->extents()) {
    ranges.push_back({offset, length});
  }
  return ranges;
}

absl::StatusOr<UniqueFd> RecordingDevice::OpenExtent(std::uint64_t offset) {
  return Unimplemented("the simulated extent at {:#x} has no file", offset);
}

}  // namespace famfs::crash
