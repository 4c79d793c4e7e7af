// Loaded into famfs-csi-node (LD_PRELOAD): the FAMFS_FAIL_THREAD-th std::thread
// is not to be had, as in a container whose limit of processes is reached. What
// other libraries start is not counted.
#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>

extern "C" int pthread_create(pthread_t* thread,
                              const pthread_attr_t* attributes,
                              void* (*routine)(void*), void* argument) {
  using Create =
      int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static const auto real =
      reinterpret_cast<Create>(::dlsym(RTLD_NEXT, "pthread_create"));
  static std::atomic<int> asked = 0;
  static const char* const wanted = std::getenv("FAMFS_FAIL_THREAD");
  Dl_info caller = {};
  const bool counts =
      wanted != nullptr &&
      std::strcmp(program_invocation_short_name, "famfs-csi-node") == 0 &&
      ::dladdr(__builtin_return_address(0), &caller) != 0 &&
      std::strstr(caller.dli_fname, "libstdc++") != nullptr;
  if (counts && ++asked == std::atoi(wanted)) return EAGAIN;
  return real(thread, attributes, routine, argument);
}
