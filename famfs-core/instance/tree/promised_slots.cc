#include "instance/tree/promised_slots.h"

#include "media/format.h"

namespace famfs {
namespace {

constexpr std::uint64_t kSlotsBeside = 128;
constexpr std::uint64_t kSlotsPerUnit = 3;

}  // namespace

std::uint64_t TreeSlots(std::uint64_t capacity) {
  return kSlotsBeside + kSlotsPerUnit * (capacity / kAllocUnit);
}

std::uint64_t TreeCapacity(std::uint64_t slots) {
  if (slots < kSlotsBeside) return 0;
  return (slots - kSlotsBeside) / kSlotsPerUnit * kAllocUnit;
}

}  // namespace famfs
