#include <algorithm>

#include "instance/deletion/space.h"
#include "instance/devices/memory_source.h"
#include "instance/log/tree_promises.h"
#include "instance/writer/placing.h"
#include "instance/writer/writer.h"
#include "instance/writer/writer_parts.h"

namespace famfs {
namespace {

std::uint64_t BytesOf(const std::vector<MediaExtent>& extents) {
  std::uint64_t bytes = 0;
  for (const MediaExtent& extent : extents) bytes += extent.length;
  return bytes;
}

/// What the allocators and the log say.
PoolFigures Measure(WriterState& state,
                    const std::vector<BackingAnswer>& backings)
    ABSL_SHARED_LOCKS_REQUIRED(state.mutex) {
  PoolFigures figures{.entries = state.log.entries(),
                      .slots = state.log.slots()};
  const LogPlayer& player = state.log.player();
  const std::vector<std::uint64_t> sizes = state.DeviceSizes();
  std::vector<const ExtentAllocator*> allocators(sizes.size(), nullptr);
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (state.admitted[i] == nullptr) continue;
    const ExtentAllocator& allocator = player.allocator(i);
    allocators[i] = &allocator;
    figures.size += sizes[i];
    figures.free += allocator.free_bytes();
    figures.largest = std::max(figures.largest, allocator.largest_free());
    for (const Range& range : player.PendingOn(i)) {
      figures.pending += range.length;
    }
  }
  figures.unbacked = Unbacked(FindSources(backings, allocators), allocators);
  const TreePromise promised = OutstandingPromises(player);
  figures.promised = promised.bytes;
  figures.promised_slots = promised.slots;
  figures.pending += BytesOf(state.dying) + BytesOf(state.stuck);
  figures.reserved = BytesOf(state.claims.extents());
  return figures;
}

}  // namespace

TreeUsage Writer::UsageOf(std::string_view volume) const {
  const ReaderMutexLock lock(parts_->state.mutex);
  return parts_->state.log.player().UsageOf(volume);
}

PoolFigures Writer::Figures() const {
  WriterState& state = parts_->state;
  const bool waits = state.WaitsForHosts();
  std::vector<HostRow> rows;
  if (waits) {
    rows = LoadHosts(state.layout->head(), state.layout->superblock().fs_uuid);
  }
  const std::vector<BackingAnswer> backings = AskBackings(state);
  const ReaderMutexLock lock(state.mutex);
  PoolFigures figures = Measure(state, backings);
  if (!waits) {
    figures.releasable = figures.pending;
    return figures;
  }
  JudgePending(rows, state.self, state.log.player().pending(),
               state.scrubbed.clean(), state.promises.lost(), figures);
  figures.quarantined += state.promises.lost_bytes();
  const Scrubbing scrub = ScrubProgress();
  figures.scrub_done = scrub.done;
  figures.scrub_total = scrub.total;
  return figures;
}

}  // namespace famfs
