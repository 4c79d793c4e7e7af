// A program that uses a volume, in a virtual machine: maps a file and counts
// faults, keeps a mapping, poisons a page, works while memory goes away.
//
//   vm_probe faults FILE BYTES STEP   minor faults of touching each STEP bytes
//   vm_probe poison FILE OFFSET       has the kernel fail the page there
//   vm_probe hold FILE SAY UNTIL      maps FILE and writes a checksum of what
//   it
//                                     sees to SAY; when UNTIL is there, again
//   vm_probe work FILE SAY UNTIL      reads, writes and syncs FILE until UNTIL
//   is
//                                     there; SAY has how often, and each error
//
// A mapping that is gone is told as "SIGBUS CODE" and is no failure. Exit
// codes: 0, 1 with a word on standard error, 2 usage.
#include <fcntl.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace {

constexpr std::size_t kPage = 4096;

sigjmp_buf bus_error;
volatile sig_atomic_t bus_code = 0;

void OnBusError(int /*signal*/, siginfo_t* info, void* /*context*/) {
  bus_code = info->si_code;
  siglongjmp(bus_error, 1);
}

int Fail(const std::string& what) {
  std::fprintf(stderr, "vm_probe: %s: %s\n", what.c_str(),
               std::strerror(errno));
  return 1;
}

// "same value" or "SIGBUS CODE": what comes of touching memory.
std::string Touch(const std::function<std::string()>& touch) {
  if (sigsetjmp(bus_error, 1) != 0) return "SIGBUS " + std::to_string(bus_code);
  return touch();
}

std::string ChecksumOf(const volatile std::uint8_t* memory, std::size_t bytes) {
  std::uint64_t sum = 0xcbf29ce484222325;  // FNV-1a
  for (std::size_t i = 0; i < bytes; ++i)
    sum = (sum ^ memory[i]) * 0x100000001b3;
  char text[17];
  std::snprintf(text, sizeof text, "%016llx",
                static_cast<unsigned long long>(sum));
  return text;
}

bool Exists(const char* path) { return access(path, F_OK) == 0; }

// Waits for a file to be made, looking 20 times a second.
void Await(const char* path) {
  const timespec pause{0, 50'000'000};
  while (!Exists(path)) nanosleep(&pause, nullptr);
}

// What is said is there as a whole or not at all.
bool Say(const std::string& path, const std::string& text) {
  const std::string unfinished = path + ".new";
  std::FILE* file = std::fopen(unfinished.c_str(), "w");
  if (file == nullptr) return false;
  std::fprintf(file, "%s\n", text.c_str());
  return std::fclose(file) == 0 &&
         rename(unfinished.c_str(), path.c_str()) == 0;
}

std::uint8_t* MapFile(const char* path, std::size_t offset, std::size_t bytes,
                      bool write) {
  const int fd = open(path, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC);
  if (fd < 0) return nullptr;
  void* memory = mmap(nullptr, bytes, PROT_READ | (write ? PROT_WRITE : 0),
                      MAP_SHARED, fd, static_cast<off_t>(offset));
  const int error = errno;
  close(fd);
  errno = error;
  return memory == MAP_FAILED ? nullptr : static_cast<std::uint8_t*>(memory);
}

long MinorFaults() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

int Faults(const char* path, std::size_t bytes, std::size_t step) {
  const volatile std::uint8_t* memory = MapFile(path, 0, bytes, false);
  if (memory == nullptr) return Fail(path);
  const long before = MinorFaults();
  unsigned sum = 0;
  for (std::size_t i = 0; i < bytes; i += step) sum += memory[i];
  std::printf("%ld\n", MinorFaults() - before);
  return sum == ~0U ? 1 : 0;  // the loads are needed for something
}

int Poison(const char* path, std::size_t offset) {
  constexpr std::size_t kUnit = 2UL << 20;
  const std::size_t start = offset / kUnit * kUnit;
  std::uint8_t* memory = MapFile(path, start, kUnit, true);
  if (memory == nullptr) return Fail(path);
  std::uint8_t* page = memory + (offset - start) / kPage * kPage;
  const std::string said = Touch([page] {
    volatile std::uint8_t* byte = page;
    *byte = *byte;
    if (madvise(page, kPage, MADV_HWPOISON) != 0) {
      return "refused: " + std::string(std::strerror(errno));
    }
    return "poisoned, and " + std::to_string(*byte) + " is read";
  });
  std::printf("%s\n", said.c_str());
  return said.rfind("refused", 0) == 0 ? 1 : 0;
}

int Hold(const char* path, const char* say, const char* until) {
  struct stat status {};
  if (stat(path, &status) != 0) return Fail(path);
  const auto bytes = static_cast<std::size_t>(status.st_size);
  const std::uint8_t* memory = MapFile(path, 0, bytes, false);
  if (memory == nullptr) return Fail(path);
  const auto look = [=] { return ChecksumOf(memory, bytes); };
  const std::string first = Touch(look);
  if (!Say(say, first)) return Fail(say);
  Await(until);
  const std::string last = Touch(look);
  return Say(say, last == first ? "same " + last
                                : "first " + first + ", then " + last)
             ? 0
             : Fail(say);
}

// One round: a block is written, synced and read by a descriptor of its own.
// The step that failed and its errno, or "ok".
std::string Round(const char* path, std::vector<std::uint8_t>& block) {
  const auto failed = [](const char* step) {
    return std::string(step) + " " + strerrorname_np(errno);
  };
  const int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return failed("open");
  std::string said = "ok";
  if (pwrite(fd, block.data(), block.size(), 0) < 0) {
    said = failed("write");
  } else if (fsync(fd) != 0) {
    said = failed("fsync");
  } else if (posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0 &&
             pread(fd, block.data(), block.size(), 0) < 0) {
    said = failed("read");
  }
  close(fd);
  return said;
}

int Work(const char* path, const char* say, const char* until) {
  std::vector<std::uint8_t> block(1UL << 20, 0x5a);
  std::map<std::string, int> rounds;
  while (!Exists(until)) {
    ++rounds[Round(path, block)];
    std::string text;
    for (const auto& [what, count] : rounds) {
      text += (text.empty() ? "" : ", ") + what + " " + std::to_string(count);
    }
    if (!Say(say, text)) return Fail(say);
  }
  return 0;
}

}  // namespace

int main(int count, char** words) {
  struct sigaction action {};
  action.sa_sigaction = OnBusError;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGBUS, &action, nullptr);
  const std::string what = count > 1 ? words[1] : "";
  const auto number = [words](int word) {
    return std::strtoull(words[word], nullptr, 0);
  };
  if (what == "faults" && count == 5) {
    return Faults(words[2], number(3), number(4));
  }
  if (what == "poison" && count == 4) return Poison(words[2], number(3));
  if (what == "hold" && count == 5) return Hold(words[2], words[3], words[4]);
  if (what == "work" && count == 5) return Work(words[2], words[3], words[4]);
  std::fputs("usage: vm_probe faults|poison|hold|work ..., see probe.cc\n",
             stderr);
  return 2;
}
