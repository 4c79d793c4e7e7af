#include "tests/trees/client.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <utility>
#include <vector>

#include "base/unique_fd.h"

namespace famfs::trees {
namespace {

constexpr std::uint64_t kMostFiles = 12;         // of one client
constexpr std::uint64_t kMostLength = 60'000;    // bytes, of one write
constexpr std::uint64_t kMostSize = 3ULL << 20;  // bytes
constexpr std::size_t kKeptLines = 40;

/// A call that is about to be made on a host.
class Watch {
 public:
  explicit Watch(const Host& host) : host_(host), before_(host.kills()) {}
  /// Whether it ended as its server died. A request that the server was about
  /// to take then ends with EIO: the kernel could not copy it.
  [[nodiscard]] bool IsLost(int error) const {
    return error == ENOTCONN || error == ECONNABORTED ||
           (error == EIO && (before_ % 2 == 1 || host_.kills() != before_));
  }

 private:
  const Host& host_;
  const std::uint64_t before_;
};

/// What stands at a place says the file's seed alone.
void FillPattern(std::uint64_t seed, std::uint64_t at,
                 std::vector<char>& bytes) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::uint64_t mixed = (seed + (at + i) / 8) * 0x9e3779b97f4a7c15U;
    bytes[i] = static_cast<char>(mixed >> (8 * ((at + i) % 8)) | 1U);
  }
}

}  // namespace

void Traffic::Fail(const std::string& what) {
  const std::lock_guard lock(mutex_);
  if (failure_.empty()) failure_ = what;
  failed_ = true;
}

std::string Traffic::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

void Traffic::NoteCall(const char* what, std::chrono::nanoseconds took) {
  const std::lock_guard lock(mutex_);
  if (took <= longest_) return;
  longest_ = took;
  longest_call_ = what;
}

std::string Traffic::LongestStall() const {
  const std::lock_guard lock(mutex_);
  return fmt::format("{:.1f} s, in {}",
                     std::chrono::duration<double>(longest_).count(),
                     longest_call_);
}

Client::Client(Host& here, Host& there, std::size_t number, std::uint64_t seed,
               Traffic& traffic)
    : here_(here),
      there_(there),
      number_(number),
      random_(seed),
      traffic_(traffic) {}

std::string Client::Directory(const Host& host) const {
  return fmt::format("{}client-{}/", host.Root(), number_);
}

std::string Client::Path(const std::string& name) const {
  return Directory(here_) + name;
}

std::string Client::NewName(const char* kind) {
  return fmt::format("{}-{}", kind, ++names_);
}

const std::string* Client::AnyFile() {
  if (files_.empty()) return nullptr;
  const auto at =
      static_cast<std::ptrdiff_t>(Between(random_, 0, files_.size() - 1));
  return &std::next(files_.begin(), at)->first;
}

absl::Status Client::Begin() {
  if (::mkdir(Directory(here_).c_str(), 0755) == 0) return absl::OkStatus();
  return ErrnoError(errno, Directory(here_));
}

void Client::Run() {
  // What this thread has open is no other thread's: a program that is started
  // meanwhile would close each of these files once more, and a close waits for
  // the owner; it may be the owner itself that is started.
  if (::unshare(CLONE_FILES) != 0) {
    Over("it cannot have descriptors of its own");
  }
  bool goes_on = true;
  while (goes_on && !traffic_.stopping()) {
    switch (Between(random_, 0, 11)) {
      case 0:
      case 1:
      case 2:
        goes_on = files_.size() < kMostFiles ? Create() : Unlink();
        break;
      case 3:
      case 4:
        goes_on = Append();
        break;
      case 5:
        goes_on = Cut();
        break;
      case 6:
      case 7:
        goes_on = Rename();
        break;
      case 8:
        goes_on = Unlink();
        break;
      case 9:
        goes_on = directories_.size() < 3 ? MakeDirectory() : RemoveDirectory();
        break;
      default:
        goes_on = LookFromThere();
    }
  }
  ++traffic_.finished;
}

bool Client::Over(const std::string& why) {
  traffic_.Fail(fmt::format("client {} on {}: {}", number_, here_.name(), why));
  return false;
}

void Client::Note(std::string line) {
  const std::lock_guard lock(diary_mutex_);
  diary_.push_back(std::move(line));
  if (diary_.size() > kKeptLines) diary_.pop_front();
}

std::string Client::Diary() const {
  const std::lock_guard lock(diary_mutex_);
  std::string text =
      fmt::format("==== client {} on {}\n", number_, here_.name());
  for (const std::string& line : diary_) text += line + "\n";
  return text;
}

Client::Result Client::Call(const char* what,
                            const std::function<long()>& call) {
  const Watch watch(here_);
  const auto start = std::chrono::steady_clock::now();
  const long result = call();
  const int error = result == -1 ? errno : 0;
  traffic_.NoteCall(what, std::chrono::steady_clock::now() - start);
  if (error == 0) {
    ++traffic_.calls;
    return Result::kDone;
  }
  if (watch.IsLost(error)) {
    ++traffic_.lost;
    Note(fmt::format("  {}: {}", what, strerrorname_np(error)));
    return Result::kLost;
  }
  Over(fmt::format("{}: {}", what, strerrorname_np(error)));
  return Result::kFailed;
}

bool Client::Resolve(const std::string& name, bool& is_there,
                     std::uint64_t& size) {
  struct stat info = {};
  int error = 0;
  const bool answered = rig::Eventually([&] {
    const Watch watch(here_);
    error = ::lstat(Path(name).c_str(), &info) == 0 ? 0 : errno;
    return !watch.IsLost(error) || traffic_.failed();
  });
  if (traffic_.failed()) return false;
  if (!answered) return Over("no other server came");
  if (error != 0 && error != ENOENT) {
    return Over(fmt::format("a look at {}: {}", name, strerrorname_np(error)));
  }
  is_there = error == 0;
  size = static_cast<std::uint64_t>(info.st_size);
  Note(is_there ? fmt::format("  {} is there, {} bytes", name, size)
                : fmt::format("  {} is not there", name));
  return true;
}

bool Client::ResolveSize(const std::string& name, std::uint64_t least,
                         std::uint64_t most) {
  bool is_there = false;
  std::uint64_t size = 0;
  if (!Resolve(name, is_there, size)) return false;
  if (!is_there) return Over(name + " is gone");
  if (size < least || size > most) {
    return Over(fmt::format("{} has {} bytes, and should have {} to {}", name,
                            size, least, most));
  }
  if (size == most) ++traffic_.done;
  files_[name].size = size;
  return true;
}

bool Client::Create() {
  const std::string name = NewName("file");
  const File file{random_(), Between(random_, 1, kMostLength)};
  std::vector<char> bytes(file.size);
  FillPattern(file.seed, 0, bytes);
  Note(fmt::format("create {} of {} bytes", name, file.size));
  UniqueFd fd;
  Result result = Call("open", [&] {
    fd = UniqueFd(::open(Path(name).c_str(),
                         O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    return long{fd.get()};
  });
  const bool is_open = result == Result::kDone;
  if (is_open) {
    result = Call("write", [&] {
      return ::pwrite(fd.get(), bytes.data(), bytes.size(), 0);
    });
  }
  if (result == Result::kDone) {
    result = Call("fsync", [&] { return long{::fsync(fd.get())}; });
  }
  if (result == Result::kFailed) return false;
  if (result == Result::kDone) {
    files_[name] = file;
    return true;
  }
  fd.reset();
  bool is_there = false;
  std::uint64_t size = 0;
  if (!Resolve(name, is_there, size)) return false;
  if (is_open && !is_there) return Over(name + " was made and is gone");
  if (!is_there) return true;
  files_[name] = {file.seed, 0};
  return ResolveSize(name, 0, file.size);
}

bool Client::Append() {
  const std::string* const any = AnyFile();
  if (any == nullptr || files_[*any].size > kMostSize) return true;
  const std::string name = *any;
  const File before = files_[name];
  std::vector<char> bytes(Between(random_, 1, kMostLength));
  FillPattern(before.seed, before.size, bytes);
  Note(fmt::format("append {} to {}", bytes.size(), name));
  UniqueFd fd;
  Result result = Call("open", [&] {
    fd = UniqueFd(::open(Path(name).c_str(), O_WRONLY | O_CLOEXEC));
    return long{fd.get()};
  });
  if (result == Result::kDone) {
    result = Call("write", [&] {
      return ::pwrite(fd.get(), bytes.data(), bytes.size(),
                      static_cast<off_t>(before.size));
    });
  }
  if (result == Result::kDone) {
    result = Call("fsync", [&] { return long{::fsync(fd.get())}; });
  }
  if (result == Result::kFailed) return false;
  if (result == Result::kLost) {
    fd.reset();
    return ResolveSize(name, before.size, before.size + bytes.size());
  }
  files_[name].size += bytes.size();
  return true;
}

bool Client::Cut() {
  const std::string* const any = AnyFile();
  if (any == nullptr) return true;
  const std::string name = *any;
  const std::uint64_t before = files_[name].size;
  const std::uint64_t size = Between(random_, 0, before);
  Note(fmt::format("truncate {} to {}", name, size));
  const Result result = Call("truncate", [&] {
    return long{::truncate(Path(name).c_str(), static_cast<off_t>(size))};
  });
  if (result == Result::kFailed) return false;
  if (result == Result::kDone) {
    files_[name].size = size;
    return true;
  }
  if (!ResolveSize(name, size, before)) return false;
  const std::uint64_t now = files_[name].size;
  if (now == size || now == before) return true;
  return Over(fmt::format("{} was cut to {} of {} bytes, not {}", name, now,
                          before, size));
}

bool Client::Rename() {
  const std::string* const any = AnyFile();
  if (any == nullptr) return true;
  const std::string from = *any;
  const std::string* const other = AnyFile();
  const bool replaces = *other != from && Between(random_, 0, 1) == 0;
  const std::string to = replaces ? *other : NewName("renamed");
  Note(fmt::format("rename {} to {}", from, to));
  const Result result = Call("rename", [&] {
    return long{::rename(Path(from).c_str(), Path(to).c_str())};
  });
  if (result == Result::kFailed) return false;
  bool is_there = false;
  if (result == Result::kLost) {
    std::uint64_t size = 0;
    if (!Resolve(from, is_there, size)) return false;
    if (is_there) return true;
    ++traffic_.done;
  }
  files_[to] = files_[from];
  files_.erase(from);
  return true;
}

bool Client::Unlink() {
  const std::string* const any = AnyFile();
  if (any == nullptr) return true;
  const std::string name = *any;
  Note("unlink " + name);
  const Result result =
      Call("unlink", [&] { return long{::unlink(Path(name).c_str())}; });
  if (result == Result::kFailed) return false;
  bool is_there = false;
  if (result == Result::kLost) {
    std::uint64_t size = 0;
    if (!Resolve(name, is_there, size)) return false;
    if (is_there) return true;
    ++traffic_.done;
  }
  files_.erase(name);
  return true;
}

bool Client::MakeDirectory() {
  const std::string name = NewName("directory");
  Note("mkdir " + name);
  const Result result =
      Call("mkdir", [&] { return long{::mkdir(Path(name).c_str(), 0755)}; });
  if (result == Result::kFailed) return false;
  bool is_there = true;
  std::uint64_t size = 0;
  if (result == Result::kLost && !Resolve(name, is_there, size)) return false;
  if (is_there) directories_.insert(name);
  return true;
}

bool Client::RemoveDirectory() {
  const std::string name = *directories_.begin();
  Note("rmdir " + name);
  const Result result =
      Call("rmdir", [&] { return long{::rmdir(Path(name).c_str())}; });
  if (result == Result::kFailed) return false;
  bool is_there = false;
  std::uint64_t size = 0;
  if (result == Result::kLost && !Resolve(name, is_there, size)) return false;
  if (!is_there) directories_.erase(name);
  return true;
}

bool Client::LookFromThere() {
  const std::string* const any = AnyFile();
  if (any == nullptr) return true;
  Note("look at " + *any + " from " + there_.name());
  const absl::Status same = Compare(there_, *any, files_[*any]);
  if (absl::IsUnavailable(same)) return true;  // its server is away
  if (!same.ok()) return Over(std::string(Message(same)));
  ++traffic_.looks;
  return true;
}

absl::Status Client::Compare(const Host& host, const std::string& name,
                             const File& file) const {
  const std::string root = Directory(host);
  const Watch watch(host);
  const auto failed = [&](const char* what) -> absl::Status {
    if (watch.IsLost(errno)) return Unavailable("{}", name);
    return DataLoss("{}{}: {}: {}", root, name, what, strerrorname_np(errno));
  };
  const UniqueFd fd(::open((root + name).c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return failed("open");
  struct stat info = {};
  if (::fstat(fd.get(), &info) != 0) return failed("fstat");
  if (static_cast<std::uint64_t>(info.st_size) != file.size) {
    return DataLoss("{}{} has {} bytes, not {}", root, name, info.st_size,
                    file.size);
  }
  std::vector<char> expected(file.size);
  std::vector<char> bytes(file.size);
  FillPattern(file.seed, 0, expected);
  const ssize_t got = ::pread(fd.get(), bytes.data(), bytes.size(), 0);
  if (got < 0) return failed("read");
  if (static_cast<std::uint64_t>(got) != file.size || bytes != expected) {
    const auto at = std::mismatch(bytes.begin(), bytes.end(), expected.begin());
    return DataLoss("{}{}: {} of {} bytes are read, wrong from {}", root, name,
                    got, file.size, at.first - bytes.begin());
  }
  return absl::OkStatus();
}

absl::Status Client::Verify(const Host& host) const {
  const std::string root = Directory(host);
  std::set<std::string> expected = directories_;
  for (const auto& [name, file] : files_) {
    FAMFS_RETURN_IF_ERROR(Compare(host, name, file));
    expected.insert(name);
  }
  std::set<std::string> seen;
  std::error_code error;
  for (std::filesystem::directory_iterator it(root, error), end;
       !error && it != end; it.increment(error)) {
    seen.insert(it->path().filename());
  }
  if (error) return ErrnoError(error.value(), root);
  for (const std::string& name : seen) {
    if (!expected.contains(name)) {
      return DataLoss("{}{} should not be there", root, name);
    }
  }
  if (seen.size() == expected.size()) return absl::OkStatus();
  return DataLoss("{} has {} names, not {}", root, seen.size(),
                  expected.size());
}

std::uint64_t Client::Allocated(const Host& host) const {
  std::uint64_t bytes = 0;
  for (const auto& [name, file] : files_) {
    struct stat info = {};
    if (::lstat((Directory(host) + name).c_str(), &info) == 0) {
      bytes += static_cast<std::uint64_t>(info.st_blocks) * 512;
    }
  }
  return bytes;
}

}  // namespace famfs::trees
