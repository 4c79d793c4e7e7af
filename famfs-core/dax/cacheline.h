// Write-back and invalidation of CPU cache lines (docs/design.md §5): memory
// may be cached by hosts that do not snoop each other.
//
// write-back: CLWB (else CLFLUSHOPT, else CLFLUSH) over the range, then SFENCE.
// invalidate: CLFLUSHOPT (else CLFLUSH) over the range, then MFENCE, before the
// first load.
//
// The instruction is chosen once from CPUID leaf 7 EBX (bit 24 CLWB, bit 23
// CLFLUSHOPT). Lines are 64 bytes; a range is widened to whole lines.
#pragma once

#include <cstddef>

namespace famfs {

void WriteBackLines(const void* address, std::size_t length);
void InvalidateLines(const void* address, std::size_t length);
/// "clwb", "clflushopt" or "clflush": what WriteBackLines uses here.
const char* WriteBackInstruction();

}  // namespace famfs
