#include "tests/crash/medium.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <random>

namespace famfs::crash {
namespace {

constexpr std::uint64_t kLine = 64;
constexpr std::uint64_t kWord = 8;

/// The part of a store that falls into one cache line.
struct Piece {
  std::uint64_t at;  // on the device
  std::span<const std::byte> bytes;
  bool whole;  // arrives at once or not at all
};

class Cache {
 public:
  explicit Cache(Medium& medium) : medium_(medium) {}

  void Store(const Event& event) {
    const std::span<const std::byte> bytes(event.bytes);
    for (std::uint64_t done = 0; done < bytes.size();) {
      const std::uint64_t at = event.range.offset + done;
      const std::uint64_t step =
          std::min<std::uint64_t>(kLine - at % kLine, bytes.size() - done);
      lines_[at / kLine].push_back(
          {at, bytes.subspan(done, step), event.kind == Event::Kind::kStore16});
      done += step;
    }
  }

  void WriteBack(Range range) {
    const auto first = lines_.lower_bound(range.offset / kLine);
    const auto last = lines_.lower_bound((range.end() + kLine - 1) / kLine);
    for (auto it = first; it != last; ++it) {
      for (const Piece& piece : it->second) Put(piece.at, piece.bytes);
    }
    lines_.erase(first, last);
  }

  void Crash(Loss loss, std::uint64_t seed) {
    if (loss == Loss::kAll) return;
    std::mt19937_64 random(seed);
    for (const auto& [line, pieces] : lines_) {
      std::size_t arrived = pieces.size();
      if (loss == Loss::kRandom) arrived = random() % (pieces.size() + 1);
      for (std::size_t i = 0; i < arrived; ++i) {
        Put(pieces[i].at, pieces[i].bytes);
      }
      if (arrived < pieces.size() && !pieces[arrived].whole) {
        Tear(pieces[arrived], random);
      }
    }
  }

 private:
  void Put(std::uint64_t at, std::span<const std::byte> bytes) {
    std::memcpy(medium_.data() + at, bytes.data(), bytes.size());
  }

  /// Some words of a store, not others.
  void Tear(const Piece& piece, std::mt19937_64& random) {
    for (std::uint64_t done = 0; done < piece.bytes.size();) {
      const std::uint64_t at = piece.at + done;
      const std::uint64_t step = std::min<std::uint64_t>(
          kWord - at % kWord, piece.bytes.size() - done);
      if (random() % 2 == 0) Put(at, piece.bytes.subspan(done, step));
      done += step;
    }
  }

  Medium& medium_;
  std::map<std::uint64_t, std::vector<Piece>> lines_;  // not yet written back
};

}  // namespace

Medium::Medium(bool has_extent_files) : has_extent_files_(has_extent_files) {
  void* memory = ::mmap(nullptr, kMediumSize, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) std::abort();
  data_ = static_cast<std::byte*>(memory);
  // Much of it is only read, to see that it is zero: with huge pages that is a
  // handful of faults. Without them it is only slower.
  ::madvise(memory, 16ULL << 20, MADV_HUGEPAGE);
}

Medium::~Medium() { ::munmap(data_, kMediumSize); }

bool Medium::Create(Range range) {
  if (has_extent_files_) {
    const auto after = extents_.lower_bound(range.end());
    if (after != extents_.begin()) {
      const auto& [offset, length] = *std::prev(after);
      if (offset + length > range.offset) return false;
    }
    extents_[range.offset] = range.length;
  }
  // Zero again, without touching the pages.
  return ::madvise(data_ + range.offset, range.length, MADV_DONTNEED) == 0;
}

void Medium::Remove(std::uint64_t offset) { extents_.erase(offset); }

void ApplyAndCrash(Medium& medium, std::span<const Event> events, Loss loss,
                   std::uint64_t seed) {
  Cache cache(medium);
  for (const Event& event : events) {
    switch (event.kind) {
      case Event::Kind::kStore:
      case Event::Kind::kStore16:
        cache.Store(event);
        break;
      case Event::Kind::kWriteBack:
        cache.WriteBack(event.range);
        break;
      case Event::Kind::kCreate:
        // Zeroing ends with a write-back, which takes older stores with it.
        cache.WriteBack(event.range);
        medium.Create(event.range);
        break;
      case Event::Kind::kRemove:
        medium.Remove(event.range.offset);
        break;
    }
  }
  cache.Crash(loss, seed);
}

}  // namespace famfs::crash
