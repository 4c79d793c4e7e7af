#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>

#include "base/unique_fd.h"
#include "tests/bench/benches.h"
#include "tests/bench/mapped_file.h"
#include "tests/bench/stack.h"

namespace famfs::bench {
namespace {

using Clock = std::chrono::steady_clock;

// As large as a dataset that nobody wants to copy: no cache holds it.
constexpr std::size_t kSize = 4UL << 30;
constexpr auto kSlice = std::chrono::milliseconds(400);

using Transfer = ssize_t (*)(int, char*, std::size_t, off_t);

ssize_t Pread(int fd, char* buffer, std::size_t length, off_t at) {
  return ::pread(fd, buffer, length, at);
}
ssize_t Pwrite(int fd, char* buffer, std::size_t length, off_t at) {
  return ::pwrite(fd, buffer, length, at);
}

// GiB/s of transfers of `length` bytes, at random or one after the other.
double Rate(int fd, Transfer transfer, std::size_t length, bool random_order) {
  static std::vector<char> buffer(4UL << 20);
  std::mt19937_64 random(3);
  std::size_t at = 0;
  std::uint64_t bytes = 0;
  const auto start = Clock::now();
  Clock::duration took{};
  while (took < kSlice) {
    for (int i = 0; i < 16; ++i) {
      at = random_order ? random() % (kSize / length) * length
                        : (at + length) % kSize;
      if (transfer(fd, buffer.data(), length, static_cast<off_t>(at)) !=
          static_cast<ssize_t>(length)) {
        std::perror("transfer");
        std::exit(2);
      }
      bytes += length;
    }
    took = Clock::now() - start;
  }
  return static_cast<double>(bytes) / (1UL << 30) /
         std::chrono::duration<double>(took).count();
}

// Bytes that were stored: tmpfs reads what was only allocated from its zero
// page, without touching the memory.
void Fill(const std::string& path) {
  const MappedFile file(path, kSize, true);
  std::memset(file.data(), 0x5a, kSize);
}

UniqueFd Open(const std::string& path, int flags) {
  UniqueFd fd(::open(path.c_str(), flags, 0644));
  if (!fd.valid()) {
    std::perror(path.c_str());
    std::exit(2);
  }
  return fd;
}

}  // namespace

std::vector<Row> ReadBench() {
  Stack stack(/*sparse=*/false);
  const std::string ours_path = stack.PublishedFile("read", kSize);
  const std::string raw_path = stack.memory() + "/raw";
  if (::posix_fallocate(Open(raw_path, O_RDWR | O_CREAT).get(), 0, kSize) !=
      0) {
    std::perror(raw_path.c_str());
    std::exit(2);
  }
  Fill(ours_path);
  Fill(raw_path);
  PinThread();
  const UniqueFd ours_read = Open(ours_path, O_RDONLY);
  const UniqueFd raw_read = Open(raw_path, O_RDONLY);
  const UniqueFd ours_write = Open(ours_path, O_RDWR);
  const UniqueFd raw_write = Open(raw_path, O_RDWR);
  const auto compare = [](const std::string& name, Band band,
                          const UniqueFd& ours, const UniqueFd& raw,
                          Transfer transfer, std::size_t length, bool random) {
    return Compare(
        name, "GiB/s", band,
        [&] { return Rate(ours.get(), transfer, length, random); },
        [&] { return Rate(raw.get(), transfer, length, random); });
  };
  return {
      compare("read.readonly_open.4KiB_random", {.low = 0.9}, ours_read,
              raw_read, Pread, 4096, true),
      compare("read.readonly_open.1MiB_sequential", {.low = 0.9}, ours_read,
              raw_read, Pread, 1 << 20, false),
      // Bounded by the server on purpose (docs/data-paths.md): what that costs.
      compare("read.writable_open.4KiB_random", {}, ours_write, raw_write,
              Pread, 4096, true),
      compare("write.writable_open.4KiB_random", {}, ours_write, raw_write,
              Pwrite, 4096, true),
      compare("write.writable_open.1MiB_sequential", {}, ours_write, raw_write,
              Pwrite, 1 << 20, false),
  };
}

}  // namespace famfs::bench
