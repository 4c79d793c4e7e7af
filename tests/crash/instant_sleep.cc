// In the simulation nothing else runs, so nothing is worth waiting for: the
// pauses of readers and of fsck take no time in this program.
#include <sched.h>
#include <time.h>

extern "C" int nanosleep(const timespec* /*duration*/, timespec* /*rest*/) {
  return 0;
}

extern "C" int sched_yield() noexcept { return 0; }
