#include "dax/extent_files.h"

#include <dirent.h>

#include <cerrno>
#include <charconv>
#include <memory>

#include "base/uuid.h"

namespace famfs {

std::string ExtentName(std::uint64_t offset) {
  return fmt::format("{:x}", offset);
}

std::optional<std::uint64_t> ParseExtentName(std::string_view name) {
  std::uint64_t offset = 0;
  const char* const end = name.data() + name.size();
  const auto [rest, error] = std::from_chars(name.data(), end, offset, 16);
  // Printing it again refuses all other spellings: upper case, leading zeros.
  if (error != std::errc{} || rest != end || ExtentName(offset) != name) {
    return std::nullopt;
  }
  return offset;
}

std::string UnfinishedExtentName(std::uint64_t offset) {
  return fmt::format(".{:x}.{}", offset, Uuid::Random().ToString());
}

bool IsUnfinishedExtentName(std::string_view name) {
  if (name.empty() || name[0] != '.') return false;
  const std::size_t dot = name.find('.', 1);
  return dot != std::string_view::npos &&
         ParseExtentName(name.substr(1, dot - 1)).has_value() &&
         Uuid::Parse(name.substr(dot + 1)).ok();
}

absl::StatusOr<std::vector<std::string>> ListDirectory(
    const std::string& directory) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(directory.c_str()),
                                                ::closedir);
  if (dir == nullptr) {
    return ErrnoError(errno, fmt::format("open directory {}", directory));
  }
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(dir.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) {
    return ErrnoError(errno, fmt::format("read directory {}", directory));
  }
  return names;
}

}  // namespace famfs
