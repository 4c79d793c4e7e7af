#include "tests/crash/recording_device.h"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <span>
#include <utility>

#include "media/format.h"
#include "media/region.h"
#include "media/region_tables.h"

namespace famfs::crash {
namespace {

/// What lies there, as people call it.
std::string NameOf(Range range) {
  constexpr std::uint64_t kEntries = kLogOffset + EntryAt(0);
  // What is zeroed is zeroed by the page; the first line of the first one holds
  // the mark of what is being made, and is not.
  const bool page =
      range.length == kPage ||
      (range.offset == kLineSize && range.length == kPage - kLineSize);
  if (range.offset >= kPrimarySize) {
    const std::uint64_t at = range.offset - kPrimarySize;
    if (at >= kSuperblockRegion) return "data";
    if (at == 0 && range.length == 8) return "secondary magic";
    return at == 0 ? "secondary head" : "zeros of the secondary's head";
  }
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
  RecordingMapping(crash::Medium& medium, Range range, Recorder* recorder)
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

  crash::Medium& medium_;
  std::uint64_t base_;
  Recorder* recorder_;
};

}  // namespace

void Recorder::Begin(const std::string& operation) {
  operation_ = operation;
  counts_.clear();
}

void Recorder::End() {
  for (Event& event : late_) events_.push_back(std::move(event));
  late_.clear();
}

void Recorder::Add(Event event) {
  if (event.kind == Event::Kind::kStore16 && operation_ == in_two_ &&
      event.range.offset == kLogOffset + kLogCountersAt) {
    std::uint64_t count = 0;
    std::memcpy(&count, event.bytes.data(), sizeof(count));
    const std::array<std::uint64_t, 2> less = {count - 1, count - 1};
    const auto bytes = std::as_bytes(std::span(less));
    events_.push_back({event.kind, event.range, {bytes.begin(), bytes.end()}});
    events_.push_back({Event::Kind::kWriteBack, event.range});
  }
  events_.push_back(std::move(event));
}

std::string Recorder::Enter(const std::string& what) {
  std::string site = operation_ + ": " + what;
  // Zeros are written back page by page, as many as happen to be dirty.
  if (!what.starts_with("zeros")) {
    site += fmt::format(" {}", ++counts_[what]);
  }
  if (!left_out_.contains(site)) sites_.insert(site);
  return site;
}

void Recorder::AddWriteBack(Range range) {
  const std::string site = Enter(NameOf(range));
  if (left_out_.contains(site)) return;
  events_.push_back(
      {site == unfenced_ ? Event::Kind::kFlush : Event::Kind::kWriteBack,
       range});
}

bool Recorder::AddZeros(Event event) {
  const std::string site = Enter("zeroing");
  if (left_out_.contains(site)) return false;
  (site == put_off_ ? late_.emplace_back() : events_.emplace_back()) =
      std::move(event);
  return true;
}

absl::StatusOr<std::unique_ptr<famfs::Mapping>> RecordingDevice::Map(
    std::uint64_t offset, std::uint64_t length, Access access) {
  if (offset > size() || length > size() - offset) {
    return OutOfRange("{} bytes at {:#x} lie beyond the device", length,
                      offset);
  }
  const Range range{place_.offset + offset, length};
  if (medium_.has_extent_files()) {
    const auto after = medium_.extents().upper_bound(range.offset);
    if (after == medium_.extents().begin() ||
        std::prev(after)->first + std::prev(after)->second <= range.offset) {
      return NotFound("there is no extent at {:#x}", offset);
    }
    if (std::prev(after)->first + std::prev(after)->second < range.end()) {
      return OutOfRange("the extent at {:#x} is shorter than {}", offset,
                        length);
    }
  }
  // Data may be written without a call of ours; metadata never is.
  const bool is_data =
      offset >=
      (place_ == kPrimary ? kLogOffset + kMinLogLength : kSuperblockRegion);
  if (access == Access::kReadWrite && is_data) medium_.TouchForUnknown(range);
  return std::make_unique<RecordingMapping>(medium_, range, recorder_);
}

absl::Status RecordingDevice::CreateExtent(Range range) {
  range.offset += place_.offset;
  if (!medium_.has_extent_files()) {
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
  offset += place_.offset;
  medium_.Remove(offset);
  if (recorder_ != nullptr) {
    recorder_->Add({Event::Kind::kRemove, {offset, 0}});
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Range>> RecordingDevice::ListExtents() {
  if (!medium_.has_extent_files()) return std::vector<Range>{{0, size()}};
  std::vector<Range> ranges;
  for (const auto& [offset, length] : medium_.extents()) {
    if (offset < place_.offset || offset >= place_.end()) continue;
    ranges.push_back({offset - place_.offset, length});
  }
  return ranges;
}

absl::StatusOr<UniqueFd> RecordingDevice::OpenExtent(std::uint64_t offset) {
  return Unimplemented("the simulated extent at {:#x} has no file", offset);
}

std::shared_ptr<DeviceSet> MakeDevices(crash::Medium& medium,
                                       Recorder* recorder) {
  auto devices = std::make_shared<DeviceSet>(
      std::make_shared<RecordingDevice>(medium, recorder));
  devices->AddCandidate(
      std::make_shared<RecordingDevice>(medium, recorder, kSecondary));
  return devices;
}

}  // namespace famfs::crash
