// famfs-demo-pod: what the demo's pods do with a volume's file: map it and use
// the memory. Line 0 of the file is the pods' mailbox, data begins at 4 KiB.
//
// - write FILE: fills the file through its mapping, tells progress in the
//   mailbox, prints the checksum.
// - read FILE: follows the mailbox in another process (or on another node),
// reads
//   each chunk through its own mapping, prints the checksum.
// - pong FILE, ping FILE: bounce a word through the mailbox; ping prints the
// round
//   trip.
// - pages FILE: which page sizes map the file.
// - datapath FILE: the value of user.famfs.datapath.
// - refused FILE: exits 0 if the file can neither be opened nor mapped for
//   writing, and says how it was refused.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <thread>

#include <libdeflate.h>

namespace {

constexpr std::size_t kDataAt = 4096;
constexpr std::size_t kChunk = 4UL << 20;
constexpr std::size_t kHuge = 2UL << 20;
constexpr auto kPatience = std::chrono::seconds(60);
constexpr std::uint64_t kPingRounds = 20'000;

using Clock = std::chrono::steady_clock;

struct Mailbox {
  std::atomic<std::uint64_t> written;  // bytes of data, from kDataAt on
  std::atomic<std::uint64_t> ping;
  std::atomic<std::uint64_t> pong;
};

struct File {
  std::byte* base = nullptr;
  std::size_t size = 0;
  [[nodiscard]] Mailbox& mailbox() const {
    return *reinterpret_cast<Mailbox*>(base);
  }
};

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "%s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(1);
}

// Maps the whole file at a 2 MiB boundary, so that huge pages can map it.
File Map(const std::string& path, bool writable) {
  const int fd = open(path.c_str(), writable ? O_RDWR : O_RDONLY);
  if (fd < 0) Fail(path);
  struct stat st {};
  if (fstat(fd, &st) != 0) Fail(path);
  const auto size = static_cast<std::size_t>(st.st_size);
  if (size <= kDataAt) {
    errno = EINVAL;
    Fail(path);
  }
  void* reserved = mmap(nullptr, size + kHuge, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) Fail("mmap");
  const auto address = reinterpret_cast<std::uintptr_t>(reserved);
  void* aligned =
      reinterpret_cast<void*>((address + kHuge - 1) / kHuge * kHuge);
  void* base =
      mmap(aligned, size, writable ? PROT_READ | PROT_WRITE : PROT_READ,
           MAP_SHARED | MAP_FIXED, fd, 0);
  if (base == MAP_FAILED) Fail("mmap " + path);
  close(fd);
  return {static_cast<std::byte*>(base), size};
}

// A word that depends on its place, so that a misplaced chunk shows.
std::uint64_t Mix(std::uint64_t value) {
  value ^= value >> 33;
  value *= 0xff51afd7ed558ccdULL;
  value ^= value >> 29;
  return value;
}

void Report(std::size_t bytes, std::uint32_t crc, Clock::time_point start) {
  const std::chrono::duration<double> took = Clock::now() - start;
  std::printf("bytes=%zu crc32=%08x seconds=%.3f gib_per_second=%.2f\n", bytes,
              crc, took.count(),
              static_cast<double>(bytes) / (1ULL << 30) / took.count());
}

int Write(const std::string& path) {
  const File file = Map(path, true);
  const auto start = Clock::now();
  const std::size_t total = file.size - kDataAt;
  std::uint32_t crc = 0;
  for (std::size_t done = 0; done < total;) {
    const std::size_t length = std::min(kChunk, total - done);
    auto* words = reinterpret_cast<std::uint64_t*>(file.base + kDataAt + done);
    for (std::size_t i = 0; i < length / 8; ++i) words[i] = Mix(done + i * 8);
    crc = libdeflate_crc32(crc, words, length);
    done += length;
    file.mailbox().written.store(done, std::memory_order_release);
  }
  Report(total, crc, start);
  return 0;
}

int Read(const std::string& path) {
  const File file = Map(path, false);
  const auto start = Clock::now();
  const std::size_t total = file.size - kDataAt;
  std::uint32_t crc = 0;
  std::size_t done = 0;
  while (done < total) {
    const auto written = static_cast<std::size_t>(
        file.mailbox().written.load(std::memory_order_acquire));
    if (written > total) {
      std::fprintf(stderr, "the mailbox says %zu of %zu bytes\n", written,
                   total);
      return 1;
    }
    if (written == done) {
      if (Clock::now() - start > kPatience) {
        std::fprintf(stderr, "saw %zu of %zu bytes, then nothing more\n", done,
                     total);
        return 1;
      }
      std::this_thread::yield();
      continue;
    }
    crc = libdeflate_crc32(crc, file.base + kDataAt + done, written - done);
    done = written;
  }
  Report(total, crc, start);
  return 0;
}

// Waits until the word has the value; yields, since the other side may need the
// CPU that we spin on.
void Await(const std::atomic<std::uint64_t>& word, std::uint64_t value) {
  const auto start = Clock::now();
  for (std::uint64_t spins = 0; word.load(std::memory_order_acquire) != value;
       ++spins) {
    if (spins % 1024 != 1023) continue;
    std::this_thread::yield();
    if (Clock::now() - start > kPatience) {
      std::fprintf(stderr, "the other side does not answer\n");
      std::exit(1);
    }
  }
}

int Ping(const std::string& path) {
  const File file = Map(path, true);
  Mailbox& mailbox = file.mailbox();
  mailbox.ping.store(1, std::memory_order_release);
  Await(mailbox.pong, 1);  // both are there
  const auto start = Clock::now();
  for (std::uint64_t i = 2; i <= kPingRounds; ++i) {
    mailbox.ping.store(i, std::memory_order_release);
    Await(mailbox.pong, i);
  }
  const std::chrono::duration<double, std::micro> took = Clock::now() - start;
  std::printf("round_trip_us=%.3f rounds=%llu\n",
              took.count() / static_cast<double>(kPingRounds - 1),
              static_cast<unsigned long long>(kPingRounds));
  return 0;
}

int Pong(const std::string& path) {
  const File file = Map(path, true);
  Mailbox& mailbox = file.mailbox();
  for (std::uint64_t i = 1; i <= kPingRounds; ++i) {
    Await(mailbox.ping, i);
    mailbox.pong.store(i, std::memory_order_release);
  }
  return 0;
}

int Pages(const std::string& path) {
  const File file = Map(path, false);
  std::uint64_t sum = 0;
  for (std::size_t at = 0; at < file.size; at += kHuge) {
    sum += static_cast<std::uint64_t>(file.base[at]);
  }
  std::ifstream smaps("/proc/self/smaps");
  const std::string wanted =
      (std::ostringstream()
       << std::hex << reinterpret_cast<std::uintptr_t>(file.base))
          .str();
  bool ours = false;
  std::size_t huge_kib = 0;
  for (std::string line; std::getline(smaps, line);) {
    if (line.find('-') != std::string::npos &&
        line.find(':') > line.find('-')) {
      ours = line.starts_with(wanted + "-");
    }
    if (ours && line.find("PmdMapped:") != std::string::npos) {
      huge_kib += std::stoul(line.substr(line.find(':') + 1));
    }
  }
  std::printf("mapped=%zu by_2mib_pages=%zu sum=%llu\n", file.size,
              huge_kib * 1024, static_cast<unsigned long long>(sum));
  return 0;
}

int DataPath(const std::string& path) {
  char value[64] = {};
  if (getxattr(path.c_str(), "user.famfs.datapath", value, sizeof(value) - 1) <
      0) {
    Fail(path);
  }
  std::printf("%s\n", value);
  return 0;
}

int Refused(const std::string& path) {
  const int writable = open(path.c_str(), O_RDWR);
  if (writable >= 0) {
    std::fprintf(stderr, "%s can be opened for writing\n", path.c_str());
    return 1;
  }
  const int open_errno = errno;
  const int fd = open(path.c_str(), O_RDONLY);
  if (fd < 0) Fail(path);
  void* mapped = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (mapped != MAP_FAILED) {
    std::fprintf(stderr, "%s can be mapped for writing\n", path.c_str());
    return 1;
  }
  const int map_errno = errno;
  std::printf("open: %s; mmap: %s\n", std::strerror(open_errno),
              std::strerror(map_errno));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"What the demo's pods do with a volume's file."};
  app.require_subcommand(1);
  std::string path;
  int (*action)(const std::string&) = nullptr;
  const auto add = [&](const char* name, const char* help,
                       int (*run)(const std::string&)) {
    auto* command = app.add_subcommand(name, help);
    command->add_option("file", path, "the volume's file")->required();
    command->callback([&action, run] { action = run; });
  };
  add("write", "Fill the file through a mapping, print its checksum", Write);
  add("read", "Follow a writer through a mapping, print the checksum", Read);
  add("ping", "Bounce a word with a pong on the same file", Ping);
  add("pong", "Answer a ping on the same file", Pong);
  add("pages", "Print how much of the mapping has 2 MiB pages", Pages);
  add("datapath", "Print user.famfs.datapath", DataPath);
  add("refused", "Check that writing is refused", Refused);
  CLI11_PARSE(app, argc, argv);
  return action(path);
}
