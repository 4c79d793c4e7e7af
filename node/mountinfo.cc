#include "node/mountinfo.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/unique_fd.h"

namespace famfs::node {
namespace {

constexpr char kMountInfo[] = "/proc/thread-self/mountinfo";
constexpr std::size_t kMaxMountInfo = 256 << 20;  // a million mounts
constexpr std::string_view kDeleted = "//deleted";

bool IsOctal(char c) { return c >= '0' && c <= '7'; }

// The kernel writes space, tab, newline and backslash (and '#') as \ooo.
std::string Unescape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && IsOctal(text[i + 1]) &&
        IsOctal(text[i + 2]) && IsOctal(text[i + 3])) {
      out.push_back(static_cast<char>((text[i + 1] - '0') * 64 +
                                      (text[i + 2] - '0') * 8 +
                                      (text[i + 3] - '0')));
      i += 3;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

template <class Number>
bool ParseNumber(std::string_view text, Number& number) {
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

bool ParseDevice(std::string_view text, DeviceNumber& device) {
  const std::size_t colon = text.find(':');
  return colon != std::string_view::npos &&
         ParseNumber(text.substr(0, colon), device.major) &&
         ParseNumber(text.substr(colon + 1), device.minor);
}

// 36 35 98:0 /root /mount/point rw,noatime master:1 - ext3 /dev/root rw
std::optional<MountEntry> ParseLine(std::string_view line) {
  const std::vector<std::string_view> fields = Split(line, ' ');
  if (fields.size() < 10) return std::nullopt;
  const auto dash = std::find(fields.begin() + 6, fields.end(), "-");
  if (fields.end() - dash < 4) return std::nullopt;
  MountEntry entry;
  if (!ParseNumber(fields[0], entry.id) ||
      !ParseNumber(fields[1], entry.parent) ||
      !ParseDevice(fields[2], entry.device)) {
    return std::nullopt;
  }
  entry.root = Unescape(fields[3]);
  if (entry.root.ends_with(kDeleted)) {
    entry.root.resize(entry.root.size() - kDeleted.size());
    entry.root_deleted = true;
  }
  entry.mount_point = Unescape(fields[4]);
  entry.options = fields[5];
  entry.shared = std::any_of(fields.begin() + 6, dash, [](auto field) {
    return field.starts_with("shared:");
  });
  entry.fs_type = Unescape(dash[1]);
  entry.source = Unescape(dash[2]);
  entry.super_options = dash[3];
  return entry;
}

}  // namespace

bool MountEntry::HasOption(std::string_view name) const {
  const std::vector<std::string_view> set = Split(options, ',');
  return std::find(set.begin(), set.end(), name) != set.end();
}

absl::StatusOr<MountTable> MountTable::Read() {
  FAMFS_ASSIGN_OR_RETURN(const std::string text,
                         ReadFile(kMountInfo, kMaxMountInfo));
  return Parse(text);
}

absl::StatusOr<MountTable> MountTable::Parse(std::string_view text) {
  MountTable table;
  for (const std::string_view line : Split(text, '\n')) {
    if (line.empty()) continue;
    std::optional<MountEntry> entry = ParseLine(line);
    if (!entry.has_value()) {
      return InvalidArgument("mountinfo: not a mount: \"{}\"", line);
    }
    table.entries_.push_back(*std::move(entry));
  }
  return table;
}

std::vector<const MountEntry*> MountTable::At(std::string_view path) const {
  std::vector<const MountEntry*> found;
  for (const MountEntry& entry : entries_) {
    if (entry.mount_point == path) found.push_back(&entry);
  }
  // Ids are used again, so neither they nor the table's order tell who lies on
  // whom; the parents do.
  const auto depth = [&](const MountEntry* entry) {
    std::size_t steps = 0;
    while (steps < found.size()) {
      const auto parent =
          std::find_if(found.begin(), found.end(), [&](const MountEntry* e) {
            return e->id == entry->parent && e != entry;
          });
      if (parent == found.end()) break;
      entry = *parent;
      ++steps;
    }
    return steps;
  };
  std::stable_sort(found.begin(), found.end(),
                   [&](const MountEntry* a, const MountEntry* b) {
                     return depth(a) < depth(b);
                   });
  return found;
}

const MountEntry* MountTable::Top(std::string_view path) const {
  const std::vector<const MountEntry*> stack = At(path);
  return stack.empty() ? nullptr : stack.back();
}

std::vector<const MountEntry*> MountTable::ChildrenOf(int id) const {
  std::vector<const MountEntry*> found;
  for (const MountEntry& entry : entries_) {
    if (entry.parent == id && entry.id != id) found.push_back(&entry);
  }
  return found;
}

const MountEntry* MountTable::Containing(std::string_view path) const {
  const MountEntry* best = nullptr;
  for (const MountEntry& entry : entries_) {
    const std::string_view point = entry.mount_point;
    const bool inside =
        point == "/" || path == point ||
        (path.starts_with(point) && path.substr(point.size(), 1) == "/");
    if (inside && (best == nullptr || point.size() >= best->mount_point.size()))
      best = &entry;
  }
  return best;
}

}  // namespace famfs::node
