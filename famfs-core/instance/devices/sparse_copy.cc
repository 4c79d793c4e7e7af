#include "instance/devices/sparse_copy.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/page.h"
#include "base/units.h"
#include "instance/devices/metadata_store.h"

namespace famfs {
namespace {

constexpr std::uint64_t kStep = 8 * kMiB;  // between two calls of Advance

/// [at, end) of the source: its runs of pages that are not zero.
absl::Status CopyStep(std::span<const std::byte> source, std::uint64_t at,
                      std::uint64_t end, const Sink& sink) {
  std::uint64_t run = at;  // where the current run of pages to copy begins
  while (at < end) {
    const std::uint64_t length = std::min(kPage, end - at);
    if (IsZero(source.subspan(at, length))) {
      if (run < at) {
        FAMFS_RETURN_IF_ERROR(sink(run, source.subspan(run, at - run)));
      }
      run = at + length;
    }
    at += length;
  }
  if (run < end) return sink(run, source.subspan(run, end - run));
  return absl::OkStatus();
}

}  // namespace

std::vector<Range> DataParts(int fd, std::uint64_t at, std::uint64_t length) {
  const std::uint64_t end = at + length;
  std::vector<Range> parts;
  for (std::uint64_t from = at; from < end;) {
    const off_t data = ::lseek(fd, static_cast<off_t>(from), SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;  // a hole up to the file's end
    if (data < 0) return {{0, length}};
    const off_t hole = ::lseek(fd, data, SEEK_HOLE);
    if (hole < 0) return {{0, length}};
    const std::uint64_t start = static_cast<std::uint64_t>(data);
    if (start >= end) break;
    const std::uint64_t stop = std::min(static_cast<std::uint64_t>(hole), end);
    parts.push_back({start - at, stop - start});
    from = stop;
  }
  return parts;
}

absl::Status CopySparsely(std::span<const std::byte> source,
                          const std::vector<Range>& parts, const Sink& sink,
                          const Advance& advance) {
  std::uint64_t told = 0;
  for (const Range& part : parts) {
    for (std::uint64_t at = part.offset; at < part.end();) {
      const std::uint64_t end = std::min(part.end(), at + kStep);
      FAMFS_RETURN_IF_ERROR(CopyStep(source, at, end, sink));
      advance(end - told);
      told = end;
      at = end;
    }
  }
  advance(source.size() - told);
  return absl::OkStatus();
}

}  // namespace famfs
