// A file between its space being reserved and its entry being published.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/status.h"

namespace famfs {

/// A path with its extents or strips, reserved and zero, not yet in the log.
/// Fill it, then Commit, which writes the bytes back first; destroyed without,
/// its space comes back. Must not outlive its Writer. At and WriteBack may be
/// called from several threads for different bytes, Commit by one when all are
/// done.
class PendingFile {
 public:
  virtual ~PendingFile() = default;
  /// The memory from byte `offset` of the file on, as far as it is contiguous;
  /// empty at or past the file's end.
  [[nodiscard]] virtual std::span<std::byte> At(std::uint64_t offset) = 0;
  /// Copies `bytes` to [offset, offset + bytes.size()), cut at the file's end,
  /// by the mappings' Store: what a simulated device sees.
  virtual void Store(std::uint64_t offset,
                     std::span<const std::byte> bytes) = 0;
  /// Write-back of [offset, offset + length), for who wants it to overlap the
  /// filling; Commit does not do it again for these bytes.
  virtual void WriteBack(std::uint64_t offset, std::uint64_t length) = 0;
  /// [offset, offset + length) was stored past the caches (dax/streaming.h), so
  /// Commit does not write it back either. From several threads, as WriteBack.
  virtual void NoteStreamed(std::uint64_t offset, std::uint64_t length) = 0;
  /// Mapping::Check of its memory, for who wants to know before Commit, which
  /// commits nothing where memory is missing.
  [[nodiscard]] virtual absl::Status Check() const = 0;
  /// Writer::CheckStanding, for who fills a large file: to be asked every few
  /// MiB, and nothing stored after an error, for the memory may be another
  /// file's by then. From several threads.
  [[nodiscard]] virtual absl::Status CheckStanding() = 0;
  [[nodiscard]] virtual absl::Status Commit() = 0;
};

}  // namespace famfs
