#include "tests/model/golden_rules.h"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "tests/model/golden_trees.h"

namespace famfs::golden {
namespace {

constexpr std::uint64_t kUnit = 2ULL << 20;
constexpr std::uint64_t kLogAt = 2ULL << 20;
constexpr std::size_t kEntry = 544;
constexpr std::size_t kHeader = 48;
constexpr std::size_t kMaxProblems = 100;

std::array<std::uint32_t, 256> MakeTable() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) {
      value = (value >> 1) ^ ((value & 1) != 0 ? 0xedb88320U : 0U);
    }
    table[i] = value;
  }
  return table;
}

std::uint64_t Sum(std::span<const std::byte> bytes) {
  static const std::array<std::uint32_t, 256> table = MakeTable();
  std::uint32_t crc = 0xffffffff;
  for (const std::byte byte : bytes) {
    crc =
        (crc >> 8) ^ table[(crc ^ std::to_integer<std::uint32_t>(byte)) & 255];
  }
  return crc ^ 0xffffffff;
}

class Checker {
 public:
  explicit Checker(std::span<const std::byte> device)
      : device_(device),
        trees_([this](const std::string& what) { Problem("{}", what); }) {}

  Report Run() {
    if (!CheckSuperblock() || !CheckHeader()) return std::move(report_);
    AddDevice(device_size_);
    for (std::uint64_t at = 0; at < kLogAt + log_length_; at += kUnit) {
      bitmaps_[0][at / kUnit] = true;
    }
    for (std::uint64_t i = 0; i < report_.entries; ++i) CheckEntry(i);
    trees_.Finish();
    report_.nodes = trees_.nodes();
    report_.pieces = trees_.pieces();
    CountFree();
    return std::move(report_);
  }

 private:
  template <typename... Args>
  void Problem(fmt::format_string<Args...> text, Args&&... args) {
    if (report_.problems.size() >= kMaxProblems) return;
    report_.problems.push_back(fmt::format(text, std::forward<Args>(args)...));
  }
  template <typename T>
  [[nodiscard]] T Load(std::uint64_t at) const {
    T value;
    std::memcpy(&value, device_.data() + at, sizeof(value));
    return value;
  }
  std::uint64_t U64(std::uint64_t at) const { return Load<std::uint64_t>(at); }
  std::uint32_t U32(std::uint64_t at) const { return Load<std::uint32_t>(at); }

  bool Expect(std::string_view what, std::uint64_t is, std::uint64_t should) {
    if (is == should) return true;
    Problem("{} is {:#x}, not {:#x}", what, is, should);
    return false;
  }
  void ExpectZeros(std::uint64_t entry, std::uint64_t from, std::uint64_t to) {
    const std::uint64_t at = EntryAt(entry);
    for (std::uint64_t i = from; i < to; ++i) {
      if (device_[at + i] == std::byte{0}) continue;
      return Problem("entry {}: byte {} has no meaning and is not zero", entry,
                     i);
    }
  }

  static std::uint64_t EntryAt(std::uint64_t index) {
    return kLogAt + kHeader + index * kEntry;
  }
  void AddDevice(std::uint64_t size) { bitmaps_.emplace_back(size / kUnit); }

  bool CheckSuperblock();
  bool CheckHeader();
  void CheckEntry(std::uint64_t index);
  void CheckFile(std::uint64_t index);
  void CheckMkdir(std::uint64_t index);
  void CheckDaxdev(std::uint64_t index);
  bool CheckPath(std::uint64_t index, std::uint64_t at, std::string& path);
  std::uint64_t TakeExtent(std::uint64_t index, std::uint64_t at);
  void CountFree();

  std::span<const std::byte> device_;
  Report report_;
  std::uint64_t device_size_ = 0;
  std::uint64_t log_length_ = 0;
  std::vector<std::vector<bool>> bitmaps_;  // by device
  std::set<std::string> uuids_;
  std::unordered_set<std::string> directories_;
  std::unordered_set<std::string> files_;
  Trees trees_;
};

bool Checker::CheckSuperblock() {
  bool good = Expect("superblock magic", U64(0), 0x87b282ff);
  good = Expect("superblock version", U64(8), 48) && good;
  good = Expect("log offset", U64(16), kLogAt) && good;
  good = Expect("allocation unit", U64(32), kUnit) && good;
  good = Expect("superblock crc", U64(96), Sum(device_.first(96))) && good;
  log_length_ = U64(24);
  device_size_ = U64(112);
  if (log_length_ < (8ULL << 20) || (log_length_ & (log_length_ - 1)) != 0) {
    Problem("log length is {}", log_length_);
    return false;
  }
  if (device_size_ > device_.size() || device_size_ < kLogAt + log_length_) {
    Problem("device size is {} of {}", device_size_, device_.size());
    return false;
  }
  return good;
}

bool Checker::CheckHeader() {
  bool good = Expect("log magic", U64(kLogAt), 0xbadcafef00d);
  good = Expect("log's length", U64(kLogAt + 8), log_length_) && good;
  const std::uint64_t last = (log_length_ - kHeader) / kEntry - 1;
  good = Expect("last index", U64(kLogAt + 16), last) && good;
  good = Expect("log header crc", U64(kLogAt + 24),
                Sum(device_.subspan(kLogAt, 24))) &&
         good;
  report_.entries = U64(kLogAt + 40);
  good = Expect("next seqnum", U64(kLogAt + 32), report_.entries) && good;
  if (report_.entries > last + 1) {
    Problem("next index is {}, beyond {}", report_.entries, last);
    return false;
  }
  return good;
}

void Checker::CheckEntry(std::uint64_t index) {
  const std::uint64_t at = EntryAt(index);
  if (U64(at) != index) Problem("entry {}: seqnum is {}", index, U64(at));
  if (U64(at + 536) != Sum(device_.subspan(at, 536))) {
    return Problem("entry {}: wrong crc", index);
  }
  ExpectZeros(index, 12, 16);
  switch (U32(at + 8)) {
    case 0:
      return CheckFile(index);
    case 1:
      return CheckMkdir(index);
    case 3:
      return CheckDaxdev(index);
    default:
      Problem("entry {}: type {}", index, U32(at + 8));
  }
}

bool Checker::CheckPath(std::uint64_t index, std::uint64_t at,
                        std::string& path) {
  const char* field = reinterpret_cast<const char*>(device_.data() + at);
  path.assign(field, ::strnlen(field, 80));
  if (path.empty() || path.size() > 78 || path.front() == '/') {
    Problem("entry {}: path '{}'", index, path);
    return false;
  }
  ExpectZeros(index, at - EntryAt(index) + path.size(),
              at - EntryAt(index) + 80);
  for (const char* bad : {"//", "/./", "/../"}) {
    if (("/" + path + "/").find(bad) == std::string::npos) continue;
    Problem("entry {}: path '{}'", index, path);
    return false;
  }
  const std::size_t slash = path.rfind('/');
  if (slash != std::string::npos &&
      !directories_.contains(path.substr(0, slash))) {
    Problem("entry {}: '{}' has no parent", index, path);
  }
  return true;
}

void Checker::CheckMkdir(std::uint64_t index) {
  const std::uint64_t at = EntryAt(index);
  std::string path;
  if (U32(at + 24) > 07777) Problem("entry {}: mode {:o}", index, U32(at + 24));
  if (!CheckPath(index, at + 28, path)) return;
  if (files_.contains(path)) Problem("entry {}: '{}' is a file", index, path);
  trees_.AddDirectory(device_.subspan(at, kEntry), path);
  directories_.insert(std::move(path));
}

void Checker::CheckFile(std::uint64_t index) {
  const std::uint64_t at = EntryAt(index);
  ++report_.files;
  std::string path;
  if (U32(at + 36) > 07777) Problem("entry {}: mode {:o}", index, U32(at + 36));
  if (CheckPath(index, at + 40, path)) {
    if (directories_.contains(path) || !files_.insert(path).second) {
      Problem("entry {}: '{}' is there already", index, path);
    }
  }
  const std::uint64_t size = U64(at + 16);
  const std::uint32_t type = U32(at + 120);
  std::uint64_t count = U32(at + 128);
  std::uint64_t first = at + 136;
  ExpectZeros(index, 124, 128);
  ExpectZeros(index, 132, 136);
  if (type == 1) {
    if (count != 1) Problem("entry {}: {} interleaves", index, count);
    count = U64(at + 136);
    const std::uint64_t chunk = U64(at + 144);
    if (chunk == 0 || (chunk & (chunk - 1)) != 0 || chunk % kUnit != 0) {
      Problem("entry {}: chunk {}", index, chunk);
    }
    first = at + 152;
  } else if (type != 0) {
    return Problem("entry {}: extent type {}", index, type);
  }
  if (count == 0 || count > 16) {
    return Problem("entry {}: {} extents", index, count);
  }
  std::uint64_t length = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    length += TakeExtent(index, first + i * 24);
  }
  ExpectZeros(index, first + count * 24 - at, 536);
  if (size == 0 || size > length) {
    Problem("entry {}: {} bytes in extents of {}", index, size, length);
  }
  trees_.AddFile(device_.subspan(at, kEntry), path, length);
}

/// Its length, and its units taken in the bitmap.
std::uint64_t Checker::TakeExtent(std::uint64_t index, std::uint64_t at) {
  const std::uint64_t device = U64(at);
  const std::uint64_t offset = U64(at + 8);
  const std::uint64_t length = U64(at + 16);
  if (device >= bitmaps_.size()) {
    Problem("entry {}: device {}", index, device);
    return length;
  }
  std::vector<bool>& bitmap = bitmaps_[device];
  const std::uint64_t first = offset / kUnit;
  const std::uint64_t count = length / kUnit;
  if (offset % kUnit != 0 || length % kUnit != 0 || length == 0 ||
      first >= bitmap.size() || count > bitmap.size() - first) {
    Problem("entry {}: extent {:#x} + {:#x}", index, offset, length);
    return length;
  }
  if (device == 0 && offset == 0) Problem("entry {}: extent at 0", index);
  for (std::uint64_t unit = first; unit < first + count; ++unit) {
    if (bitmap[unit]) Problem("entry {}: collision at unit {}", index, unit);
    bitmap[unit] = true;
  }
  return length;
}

void Checker::CheckDaxdev(std::uint64_t index) {
  const std::uint64_t at = EntryAt(index);
  const std::string uuid(reinterpret_cast<const char*>(&device_[at + 24]), 16);
  const std::string primary(reinterpret_cast<const char*>(&device_[64]), 16);
  if (U32(at + 40) != bitmaps_.size()) {
    Problem("entry {}: device index {}", index, U32(at + 40));
  }
  if (uuid == primary || !uuids_.insert(uuid).second) {
    Problem("entry {}: a device's uuid comes twice", index);
  }
  ExpectZeros(index, 44, 536);
  AddDevice(U64(at + 16));
}

void Checker::CountFree() {
  std::uint64_t run = 0;
  for (const bool taken : bitmaps_[0]) {
    run = taken ? 0 : run + 1;
    report_.free_units += taken ? 0 : 1;
    report_.largest_free = std::max(report_.largest_free, run);
  }
}

}  // namespace

Report CheckRules(std::span<const std::byte> device) {
  if (device.size() < kLogAt + kUnit) {
    return {.problems = {"the device is too small"}};
  }
  return Checker(device).Run();
}

}  // namespace famfs::golden
