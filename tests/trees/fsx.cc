#include "tests/trees/fsx.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

namespace famfs::trees {
namespace {

constexpr std::uint64_t kMostSize = 9 << 20;    // bytes: over several pieces
constexpr std::uint64_t kMostLength = 300'000;  // bytes, of one operation
constexpr std::uint64_t kPage = 4096;
constexpr std::size_t kKeptNotes = 40;

struct Free {
  void operator()(char* bytes) const { std::free(bytes); }
};
using Aligned = std::unique_ptr<char, Free>;

Aligned NewAligned(std::uint64_t length) {
  return Aligned(static_cast<char*>(
      std::aligned_alloc(kPage, (length + kPage - 1) / kPage * kPage)));
}

std::uint64_t Down(std::uint64_t value) { return value / kPage * kPage; }

}  // namespace

Fsx::Fsx(std::string path, std::uint64_t seed)
    : path_(std::move(path)), random_(seed) {}

absl::Status Fsx::Go(std::uint64_t operations) {
  for (std::uint64_t i = 0; i < operations; ++i) {
    ++done_;
    absl::Status status = Open();
    if (status.ok()) status = Step();
    if (status.ok()) status = CheckSize();
    if (!status.ok()) return status;
  }
  return Compare();
}

void Fsx::Move(std::string path) {
  fd_.reset();
  path_ = std::move(path);
  Note("moves to " + path_);
}

absl::Status Fsx::Step() {
  const std::uint64_t length = Between(random_, 1, kMostLength);
  // Mostly near what is there, now and then far behind it.
  const std::uint64_t reach = std::min<std::uint64_t>(
      kMostSize - kMostLength,
      Between(random_, 0, 9) == 0 ? kMostSize : model_.size() + kPage);
  const std::uint64_t at = Between(random_, 0, reach);
  switch (Between(random_, 0, 19)) {
    case 0:
    case 1:
    case 2:
      return Write(at, length, false);
    case 3:
      return Write(Down(at), Down(length) + kPage, true);
    case 4:
      return Append(
          std::min(length, kMostSize - std::min(kMostSize, model_.size())));
    case 5:
    case 6:
      return Read(at, length, false);
    case 7:
      return Read(Down(at), Down(length) + kPage, true);
    case 8:
    case 9:
      return MapWrite(at, length);
    case 10:
    case 11:
      return MapRead(at, length);
    case 12:
      return Truncate(at);
    case 13:
      return Truncate(Between(random_, 0, model_.size()));
    case 14:
      return Allocate(Between(random_, 0, 1) == 0 ? 0 : FALLOC_FL_KEEP_SIZE, at,
                      length);
    case 15:
      return Allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, length);
    case 16:
      return Allocate(
          FALLOC_FL_ZERO_RANGE |
              (Between(random_, 0, 1) == 0 ? 0 : FALLOC_FL_KEEP_SIZE),
          at, length);
    case 17:
      return Copy(at, Between(random_, 0, reach), length);
    case 18:
      Note("close");
      fd_.reset();
      return absl::OkStatus();
    default:
      return Sync();
  }
}

absl::Status Fsx::Open() {
  if (fd_.valid()) return absl::OkStatus();
  fd_ = UniqueFd(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!fd_.valid()) return Fail("open");
  if (absl::Status status = CheckSize(); !status.ok()) return status;
  return Compare();
}

absl::Status Fsx::CheckSize() {
  struct stat info = {};
  if (!fd_.valid()) {
    if (::stat(path_.c_str(), &info) != 0) return Fail("stat");
  } else if (::fstat(fd_.get(), &info) != 0) {
    return Fail("fstat");
  }
  if (static_cast<std::uint64_t>(info.st_size) == model_.size()) {
    return absl::OkStatus();
  }
  errno = 0;
  return Fail(
      fmt::format("has {} bytes and not {}", info.st_size, model_.size()));
}

absl::Status Fsx::CheckBytes(std::uint64_t at, std::string_view bytes,
                             std::string_view how) const {
  const std::string_view expected =
      std::string_view(model_).substr(std::min(at, model_.size()));
  const auto [mine, theirs] =
      std::mismatch(bytes.begin(), bytes.end(), expected.begin());
  if (mine == bytes.end()) return absl::OkStatus();
  errno = 0;
  return Fail(fmt::format(
      "{} has byte {:#x} and not {:#x} at {} ({} of {} bytes are right)", how,
      static_cast<unsigned char>(*mine), static_cast<unsigned char>(*theirs),
      at + static_cast<std::uint64_t>(mine - bytes.begin()),
      mine - bytes.begin(), bytes.size()));
}

absl::Status Fsx::Compare() {
  const UniqueFd fd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return Fail("open to compare");
  std::string bytes(model_.size() + 1, '\0');
  std::uint64_t got = 0;
  while (got < bytes.size()) {
    const ssize_t part = ::pread(fd.get(), bytes.data() + got,
                                 bytes.size() - got, static_cast<off_t>(got));
    if (part < 0) return Fail("read to compare");
    if (part == 0) break;
    got += static_cast<std::uint64_t>(part);
  }
  if (got != model_.size()) {
    errno = 0;
    return Fail(fmt::format("{} bytes are read of {}", got, model_.size()));
  }
  bytes.resize(got);
  return CheckBytes(0, bytes, "the whole");
}

void Fsx::Fill(std::uint64_t at, std::uint64_t length) {
  if (model_.size() < at + length) model_.resize(at + length, '\0');
  for (std::uint64_t i = 0; i < length; i += 8) {
    const std::uint64_t noise = random_() | 0x0101010101010101U;  // never zero
    std::memcpy(&model_[at + i], &noise,
                std::min<std::uint64_t>(8, length - i));
  }
}

absl::Status Fsx::Write(std::uint64_t at, std::uint64_t length, bool direct) {
  Note(fmt::format("{}write {} at {}", direct ? "direct " : "", length, at));
  Fill(at, length);
  UniqueFd other;
  if (direct) {
    other = UniqueFd(::open(path_.c_str(), O_RDWR | O_DIRECT | O_CLOEXEC));
    if (!other.valid()) return Fail("open O_DIRECT");
  }
  const Aligned bytes = NewAligned(length);
  std::memcpy(bytes.get(), &model_[at], length);
  const int fd = direct ? other.get() : fd_.get();
  if (::pwrite(fd, bytes.get(), length, static_cast<off_t>(at)) !=
      static_cast<ssize_t>(length)) {
    return Fail("pwrite");
  }
  return absl::OkStatus();
}

absl::Status Fsx::Append(std::uint64_t length) {
  Note(fmt::format("append {}", length));
  const std::uint64_t at = model_.size();
  Fill(at, length);
  const UniqueFd fd(::open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  if (!fd.valid()) return Fail("open O_APPEND");
  if (::write(fd.get(), &model_[at], length) != static_cast<ssize_t>(length)) {
    return Fail("write at the end");
  }
  return absl::OkStatus();
}

absl::Status Fsx::Read(std::uint64_t at, std::uint64_t length, bool direct) {
  Note(fmt::format("{}read {} at {}", direct ? "direct " : "", length, at));
  UniqueFd other;
  if (direct) {
    other = UniqueFd(::open(path_.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC));
    if (!other.valid()) return Fail("open O_DIRECT");
  }
  const Aligned bytes = NewAligned(length);
  const ssize_t got = ::pread(direct ? other.get() : fd_.get(), bytes.get(),
                              length, static_cast<off_t>(at));
  if (got < 0) return Fail("pread");
  const std::uint64_t expected =
      std::min(length, model_.size() - std::min(at, model_.size()));
  if (static_cast<std::uint64_t>(got) != expected) {
    errno = 0;
    return Fail(fmt::format("pread gives {} bytes and not {}", got, expected));
  }
  return CheckBytes(at, {bytes.get(), expected}, "pread");
}

absl::Status Fsx::MapWrite(std::uint64_t at, std::uint64_t length) {
  if (model_.empty()) return absl::OkStatus();
  at = std::min<std::uint64_t>(at, model_.size() - 1);
  length = std::min(length, model_.size() - at);
  Note(fmt::format("store {} at {}", length, at));
  Fill(at, length);
  const std::uint64_t start = Down(at);
  const std::uint64_t all = at + length - start;
  void* const mapped = ::mmap(nullptr, all, PROT_READ | PROT_WRITE, MAP_SHARED,
                              fd_.get(), static_cast<off_t>(start));
  if (mapped == MAP_FAILED) return Fail("mmap");
  std::memcpy(static_cast<char*>(mapped) + (at - start), &model_[at], length);
  const bool synced = ::msync(mapped, all, MS_SYNC) == 0;
  ::munmap(mapped, all);
  return synced ? absl::OkStatus() : Fail("msync");
}

absl::Status Fsx::MapRead(std::uint64_t at, std::uint64_t length) {
  if (model_.empty()) return absl::OkStatus();
  at = std::min<std::uint64_t>(at, model_.size() - 1);
  length = std::min(length, model_.size() - at);
  Note(fmt::format("load {} at {}", length, at));
  const std::uint64_t start = Down(at);
  const std::uint64_t all = at + length - start;
  void* const mapped = ::mmap(nullptr, all, PROT_READ, MAP_SHARED, fd_.get(),
                              static_cast<off_t>(start));
  if (mapped == MAP_FAILED) return Fail("mmap");
  const absl::Status same = CheckBytes(
      at, {static_cast<const char*>(mapped) + (at - start), length}, "a load");
  ::munmap(mapped, all);
  return same;
}

absl::Status Fsx::Truncate(std::uint64_t size) {
  Note(fmt::format("truncate to {}", size));
  model_.resize(size, '\0');
  const int result = Between(random_, 0, 1) == 0
                         ? ::ftruncate(fd_.get(), static_cast<off_t>(size))
                         : ::truncate(path_.c_str(), static_cast<off_t>(size));
  return result == 0 ? absl::OkStatus() : Fail("truncate");
}

absl::Status Fsx::Allocate(int mode, std::uint64_t at, std::uint64_t length) {
  Note(fmt::format("fallocate {:#x} {} at {}", mode, length, at));
  const bool zeroes = (mode & ~FALLOC_FL_KEEP_SIZE) != 0;
  if ((mode & FALLOC_FL_KEEP_SIZE) == 0 && at + length > model_.size()) {
    model_.resize(at + length, '\0');
  }
  if (zeroes && at < model_.size()) {
    std::fill_n(model_.begin() + static_cast<std::ptrdiff_t>(at),
                std::min(length, model_.size() - at), '\0');
  }
  if (::fallocate(fd_.get(), mode, static_cast<off_t>(at),
                  static_cast<off_t>(length)) != 0) {
    return Fail("fallocate");
  }
  return absl::OkStatus();
}

absl::Status Fsx::Copy(std::uint64_t from, std::uint64_t to,
                       std::uint64_t length) {
  if (from >= model_.size()) return absl::OkStatus();
  length = std::min(length, model_.size() - from);
  const std::uint64_t apart = from > to ? from - to : to - from;
  length = std::min(length, apart);
  if (length == 0) return absl::OkStatus();
  Note(fmt::format("copy {} from {} to {}", length, from, to));
  const std::string bytes = model_.substr(from, length);
  if (model_.size() < to + length) model_.resize(to + length, '\0');
  model_.replace(to, length, bytes);
  auto source = static_cast<loff_t>(from);
  auto target = static_cast<loff_t>(to);
  while (length > 0) {
    const ssize_t done =
        ::copy_file_range(fd_.get(), &source, fd_.get(), &target, length, 0);
    if (done <= 0) return Fail("copy_file_range");
    length -= static_cast<std::uint64_t>(done);
  }
  return absl::OkStatus();
}

absl::Status Fsx::Sync() {
  Note("fsync");
  return ::fsync(fd_.get()) == 0 ? absl::OkStatus() : Fail("fsync");
}

void Fsx::Note(std::string what) {
  last_.push_back(fmt::format("{}: {}", done_, what));
  if (last_.size() > kKeptNotes) last_.pop_front();
}

absl::Status Fsx::Fail(std::string_view what) const {
  const int error = errno;
  std::string text = fmt::format("{}: {}", path_, what);
  if (error != 0) text += fmt::format(": {}", std::strerror(error));
  for (const std::string& line : last_) text += "\n  " + line;
  return DataLoss("{}", text);
}

}  // namespace famfs::trees
