#include "tests/crash/recording_device.h"

#include <fmt/format.h>

#include <utility>

#include "media/format.h"
#include "media/region.h"
#include "media/region_tables.h"

namespace famfs::crash {
namespace {

/// What lies there, as people call it.
std::string NameOf(Range range) {
  constexpr std::uint64_t kEntries = kLogOffset + EntryAt(0);
  // What is zeroed is zeroed by the page.
  const bool page = range.length == kPage;
  if (range.offset < kRegionOffset) {
    if (page) return "zeros of the superblock's region";
    return range.length == 8 ? "superblock magic" : "superblock";
  }
  if (range.offset < kRegionOffset + kRegionSize) {
    if (page) return "zeros of our region";
    const std::uint64_t at = range.offset - kRegionOffset;
    if (at < kCompactionAt) return "state record";
    if (at < kCompactionAt + 2 * kLineSize) return "compaction record";
    if (at < kOwnerAt + 2 * kLineSize) return "owner record";
    if (at < kReservationsAt) return "host row";
    return at < kCleanAt ? "reservation" : "clean range";
  }
  if (range.offset < kLogOffset + kMinLogLength) {
    if (range.offset == kLogOffset + kLogCountersAt) return "counters";
    if (range.offset == kLogOffset && range.length == sizeof(MediaLogHeader)) {
      return "log header";
    }
    const bool entries =
        range.offset >= kEntries && range.length % sizeof(MediaEntry) == 0;
    return entries ? "entries" : "zeros of the log";
  }
  return "data";
}

/// A mapping whose lines are kept in no cache that outlives the test's own: the
/// real flush instructions are left out.
class RecordingMapping final : public Mapping {
 public:
  RecordingMapping(Medium& medium, Range range, Recorder* recorder)
      : Mapping(medium.data() + range.offset, range.length),
        medium_(medium),
        base_(range.offset),
        recorder_(recorder) {}

  void Store(std::size_t at, std::span<const std::byte> bytes) override {
    medium_.Touch({base_ + at, bytes.size()});
    Mapping::Store(at, bytes);
    Record(Event::Kind::kStore, at, bytes.size());
  }
  void StoreZeros(std::size_t at, std::size_t length) override {
    medium_.Touch({base_ + at, length});
    Mapping::StoreZeros(at, length);
    Record(Event::Kind::kStore, at, length);
  }
  void ZeroStreaming(std::size_t at, std::size_t length) override {
    const Range range{base_ + at, length};
    if (recorder_ != nullptr &&
        !recorder_->AddZeros({Event::Kind::kZero, range})) {
      return;
    }
    medium_.Zero(range);
  }
  void Store16(std::size_t at, std::uint64_t first,
               std::uint64_t second) override {
    medium_.Touch({base_ + at, 16});
    Mapping::Store16(at, first, second);
    Record(Event::Kind::kStore16, at, 16);
  }
  void WriteBack(std::size_t at, std::size_t length) override {
    if (recorder_ != nullptr) recorder_->AddWriteBack({base_ + at, length});
  }
  void Invalidate(std::size_t /*at*/, std::size_t /*length*/) const override {}

 private:
  void Record(Event::Kind kind, std::size_t at, std::size_t length) {
    if (recorder_ == nullptr) return;
    const auto stored = bytes().subspan(at, length);
    recorder_->Add(
        {kind, {base_ + at, length}, {stored.begin(), stored.end()}});
  }

  Medium& medium_;
  std::uint64_t base_;
  Recorder* recorder_;
};

}  // namespace

void Recorder::Begin(const std::string& operation) {
  operation_ = operation;
  counts_.clear();
}

bool Recorder::Enter(const std::string& what) {
  std::string site = operation_ + ": " + what;
  // Zeros are written back page by page, as many as happen to be dirty.
  if (!what.starts_with("zeros")) {
    site += fmt::format(" {}", ++counts_[what]);
  }
  if (site == left_out_) return false;
  sites_.insert(std::move(site));
  return true;
}

void Recorder::AddWriteBack(Range range) {
  if (!Enter(NameOf(range))) return;
  events_.push_back({Event::Kind::kWriteBack, range});
}

bool Recorder::AddZeros(Event event) {
  if (!Enter("zeroing")) return false;
  events_.push_back(std::move(event));
  return true;
}

absl::StatusOr<std::unique_ptr<famfs::Mapping>> RecordingDevice::Map(
    std::uint64_t offset, std::uint64_t length, Access access) {
  if (offset > kMediumSize || length > kMediumSize - offset) {
    return OutOfRange("{} bytes at {:#x} lie beyond the device", length,
                      offset);
  }
  if (has_extent_files()) {
    const auto after = medium_.extents().upper_bound(offset);
    if (after == medium_.extents().begin() ||
        std::prev(after)->first + std::prev(after)->second <= offset) {
      return NotFound("there is no extent at {:#x}", offset);
    }
    if (std::prev(after)->first + std::prev(after)->second < offset + length) {
      return OutOfRange("the extent at {:#x} is shorter than {}", offset,
                        length);
    }
  }
  // Data may be written without a call of ours; metadata never is.
  if (access == Access::kReadWrite && offset >= kLogOffset + kMinLogLength) {
    medium_.TouchForUnknown({offset, length});
  }
  return std::make_unique<RecordingMapping>(medium_, Range{offset, length},
                                            recorder_);
}

absl::Status RecordingDevice::CreateExtent(Range range) {
  if (!has_extent_files()) {
    if (recorder_ == nullptr ||
        recorder_->AddZeros({Event::Kind::kZero, range})) {
      medium_.Create(range);
    }
    return absl::OkStatus();
  }
  if (!medium_.Create(range)) {
    return AlreadyExists("there is an extent at {:#x}", range.offset);
  }
  if (recorder_ != nullptr) recorder_->Add({Event::Kind::kCreate, range});
  return absl::OkStatus();
}

absl::Status RecordingDevice::RemoveExtent(std::uint64_t offset) {
  medium_.Remove(offset);
  if (recorder_ != nullptr) {
    recorder_->Add({Event::Kind::kRemove, {offset, 0}});
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Range>> RecordingDevice::ListExtents() {
  if (!has_extent_files()) return std::vector<Range>{{0, kMediumSize}};
  std::vector<Range> ranges;
  for (const auto& [offset, length] : medium_.extents()) {
    ranges.push_back({offset, length});
  }
  return ranges;
}

absl::StatusOr<UniqueFd> RecordingDevice::OpenExtent(std::uint64_t offset) {
  return Unimplemented("the simulated extent at {:#x} has no file", offset);
}

}  // namespace famfs::crash
