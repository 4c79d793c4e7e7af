#include "tests/crash/stale_device.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace famfs::crash {
namespace {

constexpr std::size_t kMostLines = 4096;  // that DropSome knows of

class StaleMapping final : public Mapping {
 public:
  StaleMapping(StaleCache& cache, Range range)
      : Mapping(cache.data() + range.offset, range.length),
        cache_(cache),
        base_(range.offset) {}
  void Store(std::size_t, std::span<const std::byte>) override { std::abort(); }
  void StoreZeros(std::size_t, std::size_t) override { std::abort(); }
  void Store16(std::size_t, std::uint64_t, std::uint64_t) override {
    std::abort();
  }
  void WriteBack(std::size_t, std::size_t) override { std::abort(); }
  void Invalidate(std::size_t at, std::size_t length) const override {
    cache_.Invalidate({base_ + at, length});
  }

 private:
  StaleCache& cache_;
  std::uint64_t base_;
};

class StaleDevice final : public DaxDevice {
 public:
  explicit StaleDevice(StaleCache& cache) : cache_(cache) {}
  [[nodiscard]] std::string spec() const override { return "other host"; }
  [[nodiscard]] std::uint64_t size() const override { return kPrimarySize; }
  [[nodiscard]] Uuid tag() const override { return {}; }
  [[nodiscard]] Capabilities capabilities() const override {
    return cache_.medium().capabilities();
  }
  absl::StatusOr<std::unique_ptr<famfs::Mapping>> Map(
      std::uint64_t offset, std::uint64_t length, Access /*access*/) override {
    if (offset > size() || length > size() - offset) {
      return OutOfRange("{} bytes at {:#x} lie beyond", length, offset);
    }
    if (cache_.medium().has_extent_files()) {
      const auto& extents = cache_.medium().extents();
      const auto after = extents.upper_bound(offset);
      if (after == extents.begin() ||
          std::prev(after)->first + std::prev(after)->second <
              offset + length) {
        return NotFound("there is no extent at {:#x}", offset);
      }
    }
    cache_.Load({offset, length});
    return std::make_unique<StaleMapping>(cache_, Range{offset, length});
  }
  absl::Status CreateExtent(Range) override { return Unimplemented("read"); }
  absl::Status RemoveExtent(std::uint64_t) override {
    return Unimplemented("read");
  }
  absl::StatusOr<std::vector<Range>> ListExtents() override {
    return Unimplemented("read");
  }
  absl::StatusOr<UniqueFd> OpenExtent(std::uint64_t) override {
    return Unimplemented("read");
  }

 private:
  StaleCache& cache_;
};

}  // namespace

StaleCache::StaleCache(const crash::Medium& medium, std::uint64_t seed)
    : medium_(medium), random_(seed), cached_(kMediumSize / kCacheLine) {
  void* memory = ::mmap(nullptr, kMediumSize, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) std::abort();
  data_ = static_cast<std::byte*>(memory);
}

StaleCache::~StaleCache() { ::munmap(data_, kMediumSize); }

void StaleCache::Fetch(std::uint64_t line) {
  cached_[line] = true;
  std::memcpy(data_ + line * kCacheLine, medium_.data() + line * kCacheLine,
              kCacheLine);
}

void StaleCache::Load(Range range) {
  for (std::uint64_t at = range.offset / kPage * kPage; at < range.end();
       at += kPage) {
    // What is zero here and there need not be copied.
    if (medium_.IsZero({at, kPage})) continue;
    for (std::uint64_t i = 0; i < kPage; i += kCacheLine) {
      const std::uint64_t line = (at + i) / kCacheLine;
      if (!cached_[line]) Fetch(line);
    }
  }
}

void StaleCache::Invalidate(Range range) {
  if (left_out_ && left_out_(range)) return;
  std::vector<std::uint64_t> lines;
  for (std::uint64_t at = range.offset / kCacheLine * kCacheLine;
       at < range.end(); at += kCacheLine) {
    lines.push_back(at / kCacheLine);
  }
  // In no order: the loads that follow may come in any.
  std::shuffle(lines.begin(), lines.end(), random_);
  for (const std::uint64_t line : lines) {
    if (go_on_ && random_() % 8 == 0) go_on_();
    Fetch(line);
    if (lines_.size() < kMostLines) {
      lines_.push_back(line);
    } else {
      lines_[random_() % kMostLines] = line;
    }
  }
}

void StaleCache::DropSome() {
  for (int i = 0; i < 3 && !lines_.empty(); ++i) {
    Fetch(lines_[random_() % lines_.size()]);
  }
}

std::shared_ptr<DaxDevice> MakeStaleDevice(StaleCache& cache) {
  return std::make_shared<StaleDevice>(cache);
}

}  // namespace famfs::crash
