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

void CopyEnd(std::byte* to, const std::byte* from, std::size_t length) {
  if (length == 0) return;
  std::memcpy(to, from, length);
  WriteBackLines(to, length);
}

/// Bytes before the first whole line of [to, to + length).
std::size_t BeforeFirstLine(const std::byte* to, std::size_t length) {
  const std::size_t skip = reinterpret_cast<std::uintptr_t>(to) % kLine;
  return std::min(length, skip == 0 ? 0 : kLine - skip);
}

}  // namespace

void StreamZeros(void* to, std::size_t length) {
  auto* at = static_cast<std::byte*>(to);
  const std::size_t first = BeforeFirstLine(at, length);
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

void StreamCopy(void* to, const void* from, std::size_t length) {
  auto* at = static_cast<std::byte*>(to);
  const auto* source = static_cast<const std::byte*>(from);
  const std::size_t first = BeforeFirstLine(at, length);
  CopyEnd(at, source, first);
  at += first;
  source += first;
  length -= first;
  const std::size_t whole = length / kLine * kLine;
  for (std::size_t i = 0; i < whole; i += kLine) {
    const auto* read = reinterpret_cast<const __m128i*>(source + i);
    auto* line = reinterpret_cast<__m128i*>(at + i);
    const __m128i a = _mm_loadu_si128(read);
    const __m128i b = _mm_loadu_si128(read + 1);
    const __m128i c = _mm_loadu_si128(read + 2);
    const __m128i d = _mm_loadu_si128(read + 3);
    _mm_stream_si128(line, a);
    _mm_stream_si128(line + 1, b);
    _mm_stream_si128(line + 2, c);
    _mm_stream_si128(line + 3, d);
  }
  _mm_sfence();
  CopyEnd(at + whole, source + whole, length % kLine);
}

}  // namespace famfs
