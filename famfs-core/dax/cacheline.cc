#include "dax/cacheline.h"

#include <cpuid.h>
#include <immintrin.h>

#include <cstdint>

namespace famfs {
namespace {

constexpr std::uintptr_t kLine = 64;  // bytes

struct Lines {
  char* first;
  char* end;
};

Lines LinesOf(const void* address, std::size_t length) {
  // The intrinsics take void*, although they change nothing.
  auto* const begin = static_cast<char*>(const_cast<void*>(address));
  char* const first = begin - reinterpret_cast<std::uintptr_t>(address) % kLine;
  return {first, length == 0 ? first : begin + length};
}

__attribute__((target("clwb"))) void Clwb(Lines lines) {
  for (char* p = lines.first; p < lines.end; p += kLine) _mm_clwb(p);
}

__attribute__((target("clflushopt"))) void ClflushOpt(Lines lines) {
  for (char* p = lines.first; p < lines.end; p += kLine) _mm_clflushopt(p);
}

void Clflush(Lines lines) {
  for (char* p = lines.first; p < lines.end; p += kLine) _mm_clflush(p);
}

struct Choice {
  void (*write_back)(Lines);
  void (*invalidate)(Lines);
  const char* name;
};

Choice Choose() {
  constexpr unsigned kClflushOpt = 1U << 23;
  constexpr unsigned kClwb = 1U << 24;
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) ebx = 0;
  Choice choice{Clflush, Clflush, "clflush"};
  if ((ebx & kClflushOpt) != 0) choice = {ClflushOpt, ClflushOpt, "clflushopt"};
  if ((ebx & kClwb) != 0) {
    choice.write_back = Clwb;
    choice.name = "clwb";
  }
  return choice;
}

const Choice& Chosen() {
  static const Choice choice = Choose();
  return choice;
}

// Keeps the compiler from moving loads and stores across, which the intrinsics
// alone do not promise.
void CompilerBarrier() { asm volatile("" ::: "memory"); }

}  // namespace

void WriteBackLines(const void* address, std::size_t length) {
  CompilerBarrier();
  Chosen().write_back(LinesOf(address, length));
  _mm_sfence();
  CompilerBarrier();
}

void InvalidateLines(const void* address, std::size_t length) {
  CompilerBarrier();
  Chosen().invalidate(LinesOf(address, length));
  _mm_mfence();
  CompilerBarrier();
}

const char* WriteBackInstruction() { return Chosen().name; }

}  // namespace famfs
