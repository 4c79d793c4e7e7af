#include "tests/integration/posix/room.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/unique_fd.h"

namespace famfs::posix {
namespace {

void Need(bool done, std::string_view what, const std::string& path) {
  if (done) return;
  std::fprintf(stderr, "%s: %.*s: %s\n", path.c_str(),
               static_cast<int>(what.size()), what.data(),
               std::strerror(errno));
  ::_exit(3);
}

std::string KindOf(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return "file";
    case S_IFDIR:
      return "directory";
    case S_IFLNK:
      return "link";
    default:
      return "other";
  }
}

std::string Describe(const std::string& path) {
  struct stat info = {};
  if (::lstat(path.c_str(), &info) != 0) return NameOf(errno);
  std::string text =
      fmt::format("{} {:o} {}:{}", KindOf(info.st_mode), info.st_mode & 07777U,
                  info.st_uid, info.st_gid);
  if (S_ISREG(info.st_mode)) text += fmt::format(" {} bytes", info.st_size);
  if (S_ISLNK(info.st_mode)) {
    std::array<char, 5000> target{};
    const ssize_t got = ::readlink(path.c_str(), target.data(), target.size());
    text += " of " + std::string(target.data(), static_cast<std::size_t>(
                                                    std::max<ssize_t>(got, 0)));
  }
  return text;
}

}  // namespace

std::string NameOf(int error) {
  if (error == 0) return "0";
  const char* const name = ::strerrorname_np(error);
  return name == nullptr ? std::to_string(error) : name;
}

std::string Room::operator/(std::string_view name) const {
  return path_ + "/" + std::string(name);
}

void Room::File(std::string_view name, std::string_view text,
                mode_t mode) const {
  const std::string path = *this / name;
  const Umask none(0);
  const UniqueFd fd(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  Need(fd.valid(), "cannot be made", path);
  if (text.empty()) return;
  Need(::write(fd.get(), text.data(), text.size()) ==
           static_cast<ssize_t>(text.size()),
       "cannot be written", path);
}

void Room::Directory(std::string_view name, mode_t mode) const {
  const std::string path = *this / name;
  Need(::mkdir(path.c_str(), 0755) == 0, "cannot be made", path);
  Need(::chmod(path.c_str(), mode) == 0, "has another mode", path);
}

void Room::Link(std::string_view target, std::string_view name) const {
  const std::string path = *this / name;
  Need(::symlink(std::string(target).c_str(), path.c_str()) == 0,
       "cannot be made", path);
}

void Room::Own(std::string_view name, uid_t user, gid_t group) const {
  const std::string path = *this / name;
  Need(::lchown(path.c_str(), user, group) == 0, "cannot be given away", path);
}

void Room::Mode(std::string_view name, mode_t mode) const {
  const std::string path = *this / name;
  Need(::chmod(path.c_str(), mode) == 0, "has another mode", path);
}

void Room::Saw(std::string_view what, std::string value) {
  seen_.push_back({std::string(what), std::move(value)});
}

void Room::Call(std::string_view what, long result) {
  const int error = errno;
  Saw(what, NameOf(result == -1 ? error : 0));
}

void Room::Number(std::string_view what, long result) {
  const int error = errno;
  Saw(what, result == -1 ? NameOf(error) : std::to_string(result));
}

void Room::After() {
  std::vector<std::string> lines;
  std::error_code error;
  std::filesystem::recursive_directory_iterator it(
      path_, std::filesystem::directory_options::skip_permission_denied, error);
  for (; !error && it != std::filesystem::recursive_directory_iterator();
       it.increment(error)) {
    const std::string path = it->path();
    lines.push_back(path.substr(path_.size() + 1) + " " + Describe(path));
  }
  if (error) lines.push_back("and then " + NameOf(error.value()));
  std::sort(lines.begin(), lines.end());
  std::string all;
  for (const std::string& line : lines) all += line + "; ";
  Saw("after", all);
}

void Room::Look(std::string_view name) {
  const std::string path = *this / name;
  struct stat info = {};
  std::string text = Describe(path);
  if (::lstat(path.c_str(), &info) == 0 && !S_ISDIR(info.st_mode)) {
    text += fmt::format(" {} links", info.st_nlink);
  }
  Saw(fmt::format("{} looks", name), text);
}

void MarkMany(Cases& cases, std::size_t first) {
  for (std::size_t i = first; i < cases.size(); ++i) cases[i].of_many = true;
}

As::As(uid_t user, gid_t group) {
  Need(::setgroups(0, nullptr) == 0, "keeps its groups", "this process");
  Need(::setegid(group) == 0, "keeps its group", "this process");
  Need(::seteuid(user) == 0, "keeps its user", "this process");
}

As::~As() {
  Need(::seteuid(0) == 0, "is root no more", "this process");
  Need(::setegid(0) == 0, "keeps a group", "this process");
}

Umask::Umask(mode_t mask) : before_(::umask(mask)) {}

Umask::~Umask() { ::umask(before_); }

}  // namespace famfs::posix
