#include "runtime/mount_table.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

#include "base/unique_fd.h"

namespace famfs {
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
  entry.SetRoot(Unescape(fields[3]));
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

// Ids are used again, so neither they nor the table's order tell who lies on
// whom; the parents do.
void SortStack(std::vector<const MountEntry*>& stack) {
  if (stack.size() < 2) return;
  std::map<int, const MountEntry*> on;  // by what they are mounted on
  std::set<int> ids;
  for (const MountEntry* entry : stack) {
    ids.insert(entry->id);
    on.emplace(entry->parent, entry);
  }
  std::vector<const MountEntry*> sorted;
  for (const MountEntry* entry : stack) {
    if (entry->parent != entry->id && ids.contains(entry->parent)) continue;
    for (auto it = on.find(entry->parent); it != on.end();
         it = on.find(sorted.back()->id)) {
      sorted.push_back(it->second);
      on.erase(it);
    }
  }
  // Parents that form a circle, which no kernel shows.
  for (const auto& [parent, entry] : on) sorted.push_back(entry);
  if (sorted.size() == stack.size()) stack = std::move(sorted);
}

}  // namespace

void MountEntry::SetRoot(std::string text) {
  root = std::move(text);
  root_deleted = root.ends_with(kDeleted);
  if (root_deleted) root.resize(root.size() - kDeleted.size());
}

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
  table.Index();
  return table;
}

void MountTable::Index() {
  by_point_.resize(entries_.size());
  std::iota(by_point_.begin(), by_point_.end(), 0U);
  std::stable_sort(by_point_.begin(), by_point_.end(),
                   [&](std::uint32_t a, std::uint32_t b) {
                     return entries_[a].mount_point < entries_[b].mount_point;
                   });
}

std::vector<const MountEntry*> MountTable::At(std::string_view path) const {
  std::vector<const MountEntry*> found;
  const auto below = [&](std::uint32_t index, std::string_view wanted) {
    return entries_[index].mount_point < wanted;
  };
  for (auto it =
           std::lower_bound(by_point_.begin(), by_point_.end(), path, below);
       it != by_point_.end() && entries_[*it].mount_point == path; ++it) {
    found.push_back(&entries_[*it]);
  }
  SortStack(found);
  return found;
}

std::vector<const MountEntry*> MountTable::Tops() const {
  std::vector<const MountEntry*> tops;
  std::vector<const MountEntry*> stack;
  for (std::size_t i = 0; i < by_point_.size(); ++i) {
    const MountEntry& entry = entries_[by_point_[i]];
    stack.push_back(&entry);
    if (i + 1 < by_point_.size() &&
        entries_[by_point_[i + 1]].mount_point == entry.mount_point) {
      continue;
    }
    SortStack(stack);
    tops.push_back(stack.back());
    stack.clear();
  }
  return tops;
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

}  // namespace famfs
