// What tree volumes are promised: memory for all that their capacity allows,
// and slots of the log for the nodes that may be in them. Free space and free
// slots that are promised are nobody else's; which bytes they are is not fixed
// (docs/format.md, "Tree volumes").
//
// Of a volume's promise what it uses is taken off, so the sum over all volumes
// is what must stay free.
#pragma once

#include <cstdint>

#include "instance/log/log_player.h"
#include "instance/tree/promised_slots.h"
#include "media/volume_attributes.h"

namespace famfs {

struct TreePromise {
  std::uint64_t bytes = 0;
  std::uint64_t slots = 0;  // of the log
};
/// At most 2^64 - 1 of each: capacities are what a log says.
TreePromise operator+(TreePromise a, const TreePromise& b);
/// What live tree volumes may still ask for. Linear in their number.
TreePromise OutstandingPromises(const LogPlayer& player);

}  // namespace famfs
