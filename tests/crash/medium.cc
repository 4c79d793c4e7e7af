#include "tests/crash/medium.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "instance/devices/metadata_store.h"
#include "media/format.h"

namespace famfs::crash {
namespace {

/// splitmix64: mixes well and needs no state.
std::uint64_t Mix(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

constexpr std::uint64_t kMetadataPages = (kLogOffset + kMinLogLength) / kPage;
/// How much of the metadata's place is littered: one page of so many.
constexpr std::uint64_t kLitterEvery = 97;

}  // namespace

Medium::Medium(bool has_extent_files)
    : has_extent_files_(has_extent_files), used_(kMediumSize / kPage) {
  void* memory = ::mmap(nullptr, kMediumSize, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) std::abort();
  data_ = static_cast<std::byte*>(memory);
  // Much of the metadata is only read, to see that it is zero: with huge pages
  // that is a handful of faults. Without them it is only slower.
  ::madvise(memory, kMetadataPages * kPage, MADV_HUGEPAGE);
  Litter();
}

Medium::~Medium() { ::munmap(data_, kMediumSize); }

void Medium::Litter() {
  const auto litter = [this](std::uint64_t page) {
    used_[page] = true;
    auto* words = reinterpret_cast<std::uint64_t*>(data_ + page * kPage);
    for (std::uint64_t i = 0; i < kPage / 8; ++i) {
      words[i] = Mix(page * kPage + i);
    }
  };
  constexpr std::uint64_t kUnitPages = kAllocUnit / kPage;
  for (std::uint64_t page = kMetadataPages; page < kMediumSize / kPage;
       page += kUnitPages) {
    // The secondary device is one that may be added without force.
    if (page == kPrimarySize / kPage) continue;
    litter(page);
    litter(page + kUnitPages - 1);
  }
  // An emulated device's extents are new files; there is nothing before them.
  if (has_extent_files_) return;
  for (std::uint64_t page = 0; page < kMetadataPages; page += kLitterEvery) {
    litter(page);
  }
  litter((1ULL << 20) / kPage);  // the first lines of our region
}

void Medium::Touch(Range range) {
  const std::uint64_t end = (range.end() + kPage - 1) / kPage;
  for (std::uint64_t page = range.offset / kPage; page < end; ++page) {
    const bool used = used_[page];
    used_[page] = true;
    if (layers_.empty()) continue;
    const auto [it, is_new] = layers_.back().saved.try_emplace(page);
    if (!is_new || !used) continue;
    it->second = std::make_unique<Page>();
    std::memcpy(it->second->data(), data_ + page * kPage, kPage);
  }
}

/// Takes the lines into the hash, or, called again, out of it.
void Medium::HashLines(Range range) {
  std::uint64_t line = range.offset / kCacheLine;
  const std::uint64_t end = (range.end() + kCacheLine - 1) / kCacheLine;
  for (; line < end; ++line) {
    std::uint64_t words[kCacheLine / 8];
    std::memcpy(words, data_ + line * kCacheLine, sizeof(words));
    std::uint64_t hash = Mix(line);
    for (const std::uint64_t word : words) hash = Mix(hash ^ word);
    hash_ ^= hash;
  }
}

void Medium::Put(std::uint64_t at, std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  const Range range{at, bytes.size()};
  Touch(range);
  // Without a checkpoint nobody compares.
  if (!layers_.empty()) HashLines(range);
  std::memcpy(data_ + at, bytes.data(), bytes.size());
  if (!layers_.empty()) HashLines(range);
}

void Medium::Zero(Range range) {
  static constexpr Page kZeros{};
  for (std::uint64_t at = range.offset; at < range.end();) {
    const std::uint64_t step = std::min(kPage - at % kPage, range.end() - at);
    if (used_[at / kPage]) {
      Put(at, std::span(kZeros).first(step));
      if (layers_.empty() && step == kPage) used_[at / kPage] = false;
    }
    at += step;
  }
}

bool Medium::IsZero(Range range) const {
  for (std::uint64_t at = range.offset; at < range.end();) {
    const std::uint64_t step = std::min(kPage - at % kPage, range.end() - at);
    if (used_[at / kPage] && !famfs::IsZero({data_ + at, step})) return false;
    at += step;
  }
  return true;
}

bool Medium::Create(Range range) {
  if (has_extent_files_) {
    const auto after = extents_.lower_bound(range.end());
    if (after != extents_.begin()) {
      const auto& [offset, length] = *std::prev(after);
      if (offset + length > range.offset) return false;
    }
    extents_[range.offset] = range.length;
  }
  Zero(range);
  return true;
}

void Medium::Remove(std::uint64_t offset) { extents_.erase(offset); }

void Medium::TouchForUnknown(Range range) {
  if (!layers_.empty()) Touch(range);
}

void Medium::Checkpoint() {
  layers_.push_back({.saved = {}, .extents = extents_, .hash = hash_});
}

void Medium::Rollback() {
  Layer layer = std::move(layers_.back());
  layers_.pop_back();
  for (const auto& [page, bytes] : layer.saved) {
    std::byte* at = data_ + page * kPage;
    if (bytes != nullptr) {
      std::memcpy(at, bytes->data(), kPage);
      continue;
    }
    if (!famfs::IsZero({at, kPage})) std::memset(at, 0, kPage);
    used_[page] = false;
  }
  extents_ = std::move(layer.extents);
  hash_ = layer.hash;
}

std::uint64_t Medium::hash() const {
  std::uint64_t hash = hash_;
  for (const auto& [offset, length] : extents_) {
    hash ^= Mix(Mix(offset) + length);
  }
  return hash;
}

}  // namespace famfs::crash
