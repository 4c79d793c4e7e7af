// The SVG of famfs map.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "base/units.h"
#include "media/format.h"
#include "tools/show/map_picture.h"

namespace famfs {
namespace {

constexpr double kWidth = 1000;    // of the picture, in pixels
constexpr double kLeft = 90;       // for the offsets
constexpr double kRowHeight = 28;  // with the gap
constexpr double kBarHeight = 22;
constexpr std::uint64_t kRows = 16;
constexpr double kTop = 60;
constexpr std::size_t kMaxSvgLegend = 40;
// Segments narrower than this are drawn together.
constexpr double kNarrow = 0.25;  // pixels

std::string Escape(const std::string& bytes) {
  std::string text;
  for (const char c : Printable(bytes)) {
    switch (c) {
      case '&':
        text += "&amp;";
        break;
      case '<':
        text += "&lt;";
        break;
      case '>':
        text += "&gt;";
        break;
      case '"':
        text += "&quot;";
        break;
      default:
        text += c;
    }
  }
  return text;
}

class Svg {
 public:
  explicit Svg(const DeviceMap& map) : map_(map), files_(LargestFiles(map)) {
    for (std::size_t i = 0; i < files_.size(); ++i) {
      order_.emplace(files_[i].path, i);
    }
    row_bytes_ =
        RoundUp(std::max<std::uint64_t>(map.size / kRows, 1), kAllocUnit);
  }

  std::string Draw() {
    Head();
    for (std::uint64_t row = 0; row * row_bytes_ < map_.size; ++row) {
      Text(0, RowTop(row) + 16, FormatSize(row * row_bytes_));
    }
    for (std::size_t i = 0; i < map_.segments.size();) i = Together(i);
    Legend();
    return body_ + "</svg>\n";
  }

 private:
  static double RowTop(std::uint64_t row) {
    return kTop + static_cast<double>(row) * kRowHeight;
  }

  void Head() {
    const std::uint64_t rows = (map_.size + row_bytes_ - 1) / row_bytes_;
    legend_top_ = RowTop(rows) + 30;
    const std::size_t lines = std::min(files_.size(), kMaxSvgLegend) + 7;
    body_ = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" "
        "height=\"{1}\" viewBox=\"0 0 {0} {1}\" font-family=\"sans-serif\" "
        "font-size=\"13\">\n"
        "<defs><pattern id=\"pending\" width=\"6\" height=\"6\" "
        "patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">"
        "<rect width=\"6\" height=\"6\" fill=\"#f3d9b1\"/>"
        "<rect width=\"3\" height=\"6\" fill=\"#b5651d\"/></pattern>"
        "<pattern id=\"reserved\" width=\"6\" height=\"6\" "
        "patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">"
        "<rect width=\"6\" height=\"6\" fill=\"#d6e6ff\"/>"
        "<rect width=\"3\" height=\"6\" fill=\"#3572c6\"/></pattern></defs>\n"
        "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
        kWidth + kLeft + 20, legend_top_ + static_cast<double>(lines) * 20);
    Text(0, 24, fmt::format("{}: {}", map_.name, FormatSize(map_.size)), 18);
  }

  /// Draws segment `first`, or with it the narrow ones of its kind that follow;
  /// the index of the next.
  std::size_t Together(std::size_t first) {
    const Segment& segment = map_.segments[first];
    std::size_t next = first + 1;
    Range range = segment.range;
    while (next < map_.segments.size() && Width(range.length) < kNarrow &&
           map_.segments[next].kind == segment.kind &&
           Width(map_.segments[next].range.length) < kNarrow) {
      range.length = map_.segments[next++].range.end() - range.offset;
    }
    const std::size_t count = next - first;
    std::string title = NameOf(segment.kind);
    if (count > 1) {
      title = fmt::format("{} segments ({})", count, title);
    } else if (!segment.path.empty()) {
      title += " " + Escape(segment.path);
    }
    title += fmt::format(", [{:#x}, {:#x}), {}", range.offset, range.end(),
                         FormatSize(range.length));
    DrawRange(range, FillOf(segment), title);
    return next;
  }

  [[nodiscard]] double Width(std::uint64_t bytes) const {
    return static_cast<double>(bytes) / static_cast<double>(row_bytes_) *
           kWidth;
  }

  /// A range may go over several rows.
  void DrawRange(Range range, const std::string& fill,
                 const std::string& title) {
    body_ += fmt::format("<g fill=\"{}\"><title>{}</title>", fill, title);
    for (std::uint64_t at = range.offset; at < range.end();) {
      const std::uint64_t row = at / row_bytes_;
      const std::uint64_t end = std::min(range.end(), (row + 1) * row_bytes_);
      body_ += fmt::format(
          "<rect x=\"{:.2f}\" y=\"{}\" width=\"{:.2f}\" height=\"{}\"/>",
          kLeft + Width(at % row_bytes_), RowTop(row),
          std::max(Width(end - at), 0.5), kBarHeight);
      at = end;
    }
    body_ += "</g>\n";
  }

  [[nodiscard]] std::string FillOf(const Segment& segment) const {
    switch (segment.kind) {
      case SegmentKind::kSuperblock:
        return "#333333";
      case SegmentKind::kLog:
        return "#777777";
      case SegmentKind::kPending:
        return "url(#pending)";
      case SegmentKind::kReserved:
        return "url(#reserved)";
      case SegmentKind::kFree:
        return "#e8e8e8";
      case SegmentKind::kFile:
        break;
    }
    return FileFill(order_.at(segment.path));
  }
  /// Neighbours in size get hues far apart.
  static std::string FileFill(std::size_t index) {
    return fmt::format("hsl({},{}%,{}%)", index * 137 % 360,
                       index % 2 == 0 ? 65 : 45, index % 3 == 0 ? 50 : 62);
  }

  void Text(double x, double y, const std::string& text, int size = 13) {
    body_ += fmt::format(
        "<text x=\"{}\" y=\"{}\" font-size=\"{}\" fill=\"#222222\">{}</text>\n",
        x + 10, y, size, Escape(text));
  }

  void Legend() {
    double y = legend_top_;
    const auto line = [&](const std::string& fill, const std::string& text) {
      body_ += fmt::format(
          "<rect x=\"10\" y=\"{}\" width=\"14\" height=\"14\" fill=\"{}\"/>",
          y - 11, fill);
      Text(22, y, text);
      y += 20;
    };
    for (const auto& [kind, bytes] : BytesByKind(map_)) {
      if (kind == SegmentKind::kFile) continue;
      Segment segment;
      segment.kind = kind;
      line(FillOf(segment),
           fmt::format("{}: {}", NameOf(kind), FormatSize(bytes)));
    }
    for (std::size_t i = 0; i < files_.size() && i < kMaxSvgLegend; ++i) {
      line(FileFill(i),
           fmt::format("{}: {}", files_[i].path, FormatSize(files_[i].bytes)));
    }
    if (files_.size() > kMaxSvgLegend) {
      Text(22, y,
           fmt::format("and {} smaller files", files_.size() - kMaxSvgLegend));
    }
  }

  const DeviceMap& map_;
  const std::vector<FileShare> files_;
  std::map<std::string, std::size_t> order_;
  std::uint64_t row_bytes_ = 1;
  double legend_top_ = 0;
  std::string body_;
};

}  // namespace

std::string DrawSvg(const DeviceMap& map) { return Svg(map).Draw(); }

}  // namespace famfs
