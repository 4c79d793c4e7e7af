#include "tests/crash/crash_site.h"

#include <algorithm>
#include <iterator>

namespace famfs::crash {

void CrashSite::Store(const Event& event) {
  const std::span<const std::byte> bytes(event.bytes);
  for (std::uint64_t done = 0; done < bytes.size();) {
    const std::uint64_t at = event.range.offset + done;
    const std::uint64_t step = std::min<std::uint64_t>(
        kCacheLine - at % kCacheLine, bytes.size() - done);
    lines_[at / kCacheLine].push_back(
        {at, bytes.subspan(done, step), event.kind == Event::Kind::kStore16});
    done += step;
  }
}

void CrashSite::Flush(Range range) {
  auto line = lines_.lower_bound(range.offset / kCacheLine);
  const std::uint64_t end = (range.end() + kCacheLine - 1) / kCacheLine;
  for (; line != lines_.end() && line->first < end; ++line) {
    flushed_[line->first] = line->second.size();
  }
}

void CrashSite::Fence() {
  for (const auto& [line, count] : flushed_) {
    const auto it = lines_.find(line);
    if (it == lines_.end()) continue;
    std::vector<Piece>& pieces = it->second;
    const std::size_t done = std::min(count, pieces.size());
    for (std::size_t i = 0; i < done; ++i) {
      medium_.Put(pieces[i].at, pieces[i].bytes);
    }
    pieces.erase(pieces.begin(),
                 pieces.begin() + static_cast<std::ptrdiff_t>(done));
    if (pieces.empty()) lines_.erase(it);
  }
  flushed_.clear();
}

void CrashSite::WriteBack(Range range) {
  Fence();
  const auto first = lines_.lower_bound(range.offset / kCacheLine);
  const auto last =
      lines_.lower_bound((range.end() + kCacheLine - 1) / kCacheLine);
  for (auto it = first; it != last; ++it) {
    for (const Piece& piece : it->second) medium_.Put(piece.at, piece.bytes);
  }
  lines_.erase(first, last);
}

void CrashSite::Advance(const Event& event) {
  switch (event.kind) {
    case Event::Kind::kStore:
    case Event::Kind::kStore16:
      return Store(event);
    case Event::Kind::kWriteBack:
      return WriteBack(event.range);
    case Event::Kind::kFlush:
      return Flush(event.range);
    case Event::Kind::kZero:
      // Ends with a write-back, which takes older stores with it.
      WriteBack(event.range);
      return medium_.Zero(event.range);
    case Event::Kind::kCreate:
      WriteBack(event.range);
      medium_.Create(event.range);
      return;
    case Event::Kind::kRemove:
      return medium_.Remove(event.range.offset);
  }
}

void CrashSite::EvictOne(std::mt19937_64& random) {
  if (lines_.empty()) return;
  auto it = lines_.begin();
  std::advance(it, random() % lines_.size());
  for (const Piece& piece : it->second) medium_.Put(piece.at, piece.bytes);
  flushed_.erase(it->first);
  lines_.erase(it);
}

void CrashSite::EvictAll() {
  for (const auto& [line, pieces] : lines_) {
    for (const Piece& piece : pieces) medium_.Put(piece.at, piece.bytes);
  }
  lines_.clear();
  flushed_.clear();
}

bool CrashSite::IsCertain(const Event* next) const {
  return lines_.empty() &&
         (next == nullptr || next->kind != Event::Kind::kZero);
}

void CrashSite::Crash(Fate fate, const Event* next) {
  medium_.Checkpoint();
  if (fate.loss == Loss::kAll) return;
  std::mt19937_64 random(fate.seed);
  for (const auto& [line, pieces] : lines_) {
    std::size_t arrived = pieces.size();
    if (fate.loss == Loss::kRandom) arrived = random() % (pieces.size() + 1);
    for (std::size_t i = 0; i < arrived; ++i) {
      medium_.Put(pieces[i].at, pieces[i].bytes);
    }
    if (arrived < pieces.size() && !pieces[arrived].whole) {
      Tear(pieces[arrived], random);
    }
  }
  if (fate.loss == Loss::kRandom && next != nullptr &&
      next->kind == Event::Kind::kZero) {
    ZeroSome(next->range, random);
  }
}

void CrashSite::Tear(const Piece& piece, std::mt19937_64& random) {
  constexpr std::uint64_t kWord = 8;
  for (std::uint64_t done = 0; done < piece.bytes.size();) {
    const std::uint64_t at = piece.at + done;
    const std::uint64_t step =
        std::min<std::uint64_t>(kWord - at % kWord, piece.bytes.size() - done);
    if (random() % 2 == 0) medium_.Put(at, piece.bytes.subspan(done, step));
    done += step;
  }
}

/// Lines of the pages at the ends of each unit: the others are hardly ever
/// anything but zero.
void CrashSite::ZeroSome(Range range, std::mt19937_64& random) {
  for (std::uint64_t at = range.offset; at < range.end(); at += kPage) {
    if (medium_.IsZero({at, kPage})) continue;
    for (std::uint64_t line = at; line < at + kPage; line += kCacheLine) {
      if (random() % 2 == 0) medium_.Zero({line, kCacheLine});
    }
  }
}

}  // namespace famfs::crash
