// A program that uses memory, in a virtual machine:
//
//   vm_probe FILE BYTES STEP   minor faults of touching each STEP bytes of it
//
// Exit codes: 0, 1 with a word on standard error, 2 usage.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

long MinorFaults() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

}  // namespace

int main(int count, char** words) {
  if (count != 4) {
    std::fputs("usage: vm_probe FILE BYTES STEP\n", stderr);
    return 2;
  }
  const std::size_t bytes = std::strtoull(words[2], nullptr, 0);
  const std::size_t step = std::strtoull(words[3], nullptr, 0);
  const int fd = open(words[1], O_RDONLY | O_CLOEXEC);
  void* mapped =
      fd < 0 ? MAP_FAILED : mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, 0);
  if (mapped == MAP_FAILED) {
    std::fprintf(stderr, "vm_probe: %s: %s\n", words[1], std::strerror(errno));
    return 1;
  }
  const volatile auto* memory = static_cast<std::uint8_t*>(mapped);
  const long before = MinorFaults();
  for (std::size_t i = 0; i < bytes; i += step) static_cast<void>(memory[i]);
  std::printf("%ld\n", MinorFaults() - before);
  return 0;
}
