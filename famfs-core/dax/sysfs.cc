#include "dax/sysfs.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <system_error>

#include "base/unique_fd.h"

namespace famfs {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostAttribute = 64 << 10;  // bytes; the kernel's: a page

bool IsDigit(char c) {
  return std::isdigit(static_cast<unsigned char>(c)) != 0;
}

/// The digits at the front, without zeros before them; they are taken off.
std::string_view TakeNumber(std::string_view& text) {
  const auto* const end = std::find_if_not(text.begin(), text.end(), IsDigit);
  std::string_view digits(text.begin(),
                          static_cast<std::size_t>(end - text.begin()));
  text.remove_prefix(digits.size());
  digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
  return digits;
}

}  // namespace

std::optional<std::string> ReadAttribute(const std::string& path) {
  const auto whole = ReadFile(path, kMostAttribute);
  if (!whole.ok()) return std::nullopt;
  constexpr const char* kBlanks = " \t\r\v\f";
  std::string line = whole->substr(0, whole->find('\n'));
  line.erase(0, std::min(line.find_first_not_of(kBlanks), line.size()));
  line.erase(line.find_last_not_of(kBlanks) + 1);
  return line;
}

std::optional<std::uint64_t> ParseKernelNumber(std::string_view text) {
  const bool hexadecimal = text.starts_with("0x");
  if (hexadecimal) text.remove_prefix(2);
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] =
      std::from_chars(text.data(), end, value, hexadecimal ? 16 : 10);
  if (error != std::errc{} || rest != end) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> ReadNumber(const std::string& path) {
  const auto text = ReadAttribute(path);
  return text ? ParseKernelNumber(*text) : std::nullopt;
}

std::string LinkName(const std::string& path) {
  std::error_code error;
  const fs::path target = fs::read_symlink(path, error);
  return error ? std::string() : target.filename().string();
}

std::vector<std::string> NamesIn(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  fs::directory_iterator it(directory, error);
  for (; !error && it != fs::directory_iterator(); it.increment(error)) {
    names.push_back(it->path().filename());
  }
  std::sort(names.begin(), names.end(), IsCountedBefore);
  return names;
}

bool IsCountedBefore(std::string_view one, std::string_view other) {
  while (!one.empty() && !other.empty()) {
    if (IsDigit(one.front()) && IsDigit(other.front())) {
      const std::string_view a = TakeNumber(one);
      const std::string_view b = TakeNumber(other);
      if (a.size() != b.size()) return a.size() < b.size();
      if (a != b) return a < b;
      continue;
    }
    if (one.front() != other.front()) return one.front() < other.front();
    one.remove_prefix(1);
    other.remove_prefix(1);
  }
  return one.size() < other.size();
}

}  // namespace famfs
