#include "dax/streaming.h"

#include <emmintrin.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "dax/cacheline.h"

namespace famfs {
namespace {

constexpr std::size_t kLine = 64;

void ZeroEnd(std::byte* to, std::size_t length) {
  if (length == 0) return;
  std::memset(to, 0, length);
  WriteBackLines(to, length);
}

}  // namespace

void StreamZeros(void* to, std::size_t length) {
  auto* at = static_cast<std::byte*>(to);
  const std::size_t skip = reinterpret_cast<std::uintptr_t>(at) % kLine;
  const std::size_t first = std::min(length, skip == 0 ? 0 : kLine - skip);
  ZeroEnd(at, first);
  at += first;
  length -= first;
  const std::size_t lines = length / kLine;
  const __m128i zero = _mm_setzero_si128();
  for (std::size_t i = 0; i < lines; ++i) {
    auto* line = reinterpret_cast<__m128i*>(at + i * kLine);
    _mm_stream_si128(line, zero);
    _mm_stream_si128(line + 1, zero);
    _mm_stream_si128(line + 2, zero);
    _mm_stream_si128(line + 3, zero);
  }
  _mm_sfence();
  ZeroEnd(at + lines * kLine, length % kLine);
}

}  // namespace famfs
