// Preloaded into a program: stops it (SIGSTOP) at its first pread(2) from a
// place at or past $STOP_AT_READ bytes of a file. So a copy is caught midway on
// any machine, however fast.
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

namespace {

ssize_t Read(int fd, void* into, size_t size, off_t at) {
  static const char* const kPlace = std::getenv("STOP_AT_READ");
  if (kPlace != nullptr && at >= std::atoll(kPlace)) std::raise(SIGSTOP);
  return ::syscall(SYS_pread64, fd, into, size, at);
}

}  // namespace

extern "C" {

ssize_t pread(int fd, void* into, size_t size, off_t at) {
  return Read(fd, into, size, at);
}

ssize_t pread64(int fd, void* into, size_t size, off_t at) {
  return Read(fd, into, size, at);
}

}  // extern "C"
