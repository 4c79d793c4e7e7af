#include "tools/show/map_picture.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/text.h"
#include "base/units.h"
#include "media/format.h"

namespace famfs {
namespace {

constexpr std::string_view kLetters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
constexpr char kOtherFile = '#';
constexpr unsigned kOffsetWidth = 13;  // "   1.50 GiB  "
constexpr std::size_t kMaxLegend = 20;
// Of the 256 colours of terminals: easy to tell apart, dark text on them.
constexpr int kFileColors[] = {39,  208, 77,  213, 220, 81,  203, 149,
                               177, 45,  215, 120, 204, 228, 111, 180};

char SymbolOf(SegmentKind kind) {
  switch (kind) {
    case SegmentKind::kSuperblock:
      return '!';
    case SegmentKind::kLog:
      return '=';
    case SegmentKind::kFile:
      return kOtherFile;
    case SegmentKind::kPending:
      return '~';
    case SegmentKind::kReserved:
      return '+';
    case SegmentKind::kFree:
      return '.';
  }
  return '?';
}

int ColorOf(SegmentKind kind) {
  switch (kind) {
    case SegmentKind::kSuperblock:
    case SegmentKind::kLog:
      return 244;
    case SegmentKind::kPending:
      return 130;
    case SegmentKind::kReserved:
      return 33;
    default:
      return 250;
  }
}

struct Cell {
  SegmentKind kind = SegmentKind::kFree;
  char symbol = '.';
};

class Drawing {
 public:
  Drawing(const DeviceMap& map, const TextPicture& picture)
      : map_(map), picture_(picture), files_(LargestFiles(map)) {
    for (std::size_t i = 0; i < files_.size() && i < kLetters.size(); ++i) {
      letters_.emplace(files_[i].path, kLetters[i]);
    }
  }

  std::string Draw() {
    const std::uint64_t columns = picture_.width - kOffsetWidth;
    const std::uint64_t cells = columns * picture_.rows;
    // Whole units, so that no cell is half of one.
    const std::uint64_t step =
        RoundUp(std::max<std::uint64_t>(map_.size / cells, 1), kAllocUnit);
    std::string text = fmt::format("{}: {}, each character {}\n", map_.name,
                                   FormatSize(map_.size), FormatSize(step));
    std::uint64_t at = 0;
    while (at < map_.size) {
      text += fmt::format("{:>11}  ", FormatSize(at));
      for (std::uint64_t i = 0; i < columns && at < map_.size; ++i) {
        text += Paint(CellAt(at, std::min(map_.size, at + step)));
        at += step;
      }
      text += '\n';
    }
    return text + Legend();
  }

 private:
  /// The largest thing in [at, end) that is not free; cells are asked for in
  /// order.
  Cell CellAt(std::uint64_t at, std::uint64_t end) {
    while (next_ < map_.segments.size() &&
           map_.segments[next_].range.end() <= at) {
      ++next_;
    }
    const Segment* largest = nullptr;
    std::uint64_t most = 0;
    for (std::size_t i = next_; i < map_.segments.size(); ++i) {
      const Segment& segment = map_.segments[i];
      if (segment.range.offset >= end) break;
      if (segment.kind == SegmentKind::kFree) continue;
      const std::uint64_t bytes = std::min(end, segment.range.end()) -
                                  std::max(at, segment.range.offset);
      if (bytes <= most) continue;
      most = bytes;
      largest = &segment;
    }
    if (largest == nullptr) return {};
    Cell cell{.kind = largest->kind, .symbol = SymbolOf(largest->kind)};
    if (largest->kind == SegmentKind::kFile) {
      const auto letter = letters_.find(largest->path);
      if (letter != letters_.end()) cell.symbol = letter->second;
    }
    return cell;
  }

  [[nodiscard]] std::string Paint(const Cell& cell) const {
    if (!picture_.color) return std::string(1, cell.symbol);
    if (cell.kind == SegmentKind::kFree) return "\x1b[38;5;240m.\x1b[0m";
    int color = ColorOf(cell.kind);
    if (const std::size_t i = kLetters.find(cell.symbol);
        cell.kind == SegmentKind::kFile && i != std::string_view::npos) {
      color = kFileColors[i % std::size(kFileColors)];
    }
    return fmt::format("\x1b[30;48;5;{}m{}\x1b[0m", color, cell.symbol);
  }

  [[nodiscard]] std::string Legend() const {
    std::string text = "\n";
    const auto bytes = BytesByKind(map_);
    for (const SegmentKind kind :
         {SegmentKind::kSuperblock, SegmentKind::kLog, SegmentKind::kPending,
          SegmentKind::kReserved, SegmentKind::kFree}) {
      const auto found = bytes.find(kind);
      if (found == bytes.end()) continue;
      text += fmt::format("  {} {:<12} {:>11}\n",
                          Paint({.kind = kind, .symbol = SymbolOf(kind)}),
                          NameOf(kind), FormatSize(found->second));
    }
    std::uint64_t rest = 0;
    for (std::size_t i = 0; i < files_.size(); ++i) {
      if (i >= kMaxLegend) {
        rest += files_[i].bytes;
        continue;
      }
      const char symbol = i < kLetters.size() ? kLetters[i] : kOtherFile;
      text +=
          fmt::format("  {} {:>24}  {}\n",
                      Paint({.kind = SegmentKind::kFile, .symbol = symbol}),
                      FormatSize(files_[i].bytes), Printable(files_[i].path));
    }
    if (files_.size() > kMaxLegend) {
      text += fmt::format("    {:>24}  in {} smaller files\n", FormatSize(rest),
                          files_.size() - kMaxLegend);
    }
    return text;
  }

  const DeviceMap& map_;
  const TextPicture& picture_;
  const std::vector<FileShare> files_;
  std::map<std::string, char> letters_;
  std::size_t next_ = 0;  // first segment that may reach the next cell
};

}  // namespace

std::string DrawText(const DeviceMap& map, const TextPicture& picture) {
  return Drawing(map, picture).Draw();
}

std::vector<FileShare> LargestFiles(const DeviceMap& map) {
  std::map<std::string, std::uint64_t> bytes;
  for (const Segment& segment : map.segments) {
    if (segment.kind == SegmentKind::kFile) {
      bytes[segment.path] += segment.range.length;
    }
  }
  std::vector<FileShare> files;
  files.reserve(bytes.size());
  for (const auto& [path, held] : bytes) files.push_back({path, held});
  std::stable_sort(
      files.begin(), files.end(),
      [](const FileShare& a, const FileShare& b) { return a.bytes > b.bytes; });
  return files;
}

std::map<SegmentKind, std::uint64_t> BytesByKind(const DeviceMap& map) {
  std::map<SegmentKind, std::uint64_t> bytes;
  for (const Segment& segment : map.segments) {
    bytes[segment.kind] += segment.range.length;
  }
  return bytes;
}

}  // namespace famfs
