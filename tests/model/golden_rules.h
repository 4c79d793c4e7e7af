// Upstream's rules for an instance, straight from the bytes: written for the
// tests alone, with no line of famfs-core in it, so that a mistake there is not
// made here again. What upstream's replay and fsck ask for: checksums, seqnum
// equal to index, known types, relative and non-empty paths, and a bitmap of
// allocation units in which no two extents meet.
//
// Asked for in addition: parents before children, no file twice, no name for a
// file and a directory, nothing but zeros in bytes without a meaning, and the
// rules of tree volumes (golden_trees.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace famfs::golden {

struct Report {
  /// One sentence for each broken rule; at most a hundred.
  std::vector<std::string> problems;
  std::uint64_t entries = 0;
  std::uint64_t files = 0;         // file entries, also of deleted volumes
  std::uint64_t nodes = 0;         // live ones of tree volumes
  std::uint64_t pieces = 0;        // live ones of those
  std::uint64_t free_units = 0;    // of device 0, in its bitmap
  std::uint64_t largest_free = 0;  // units, of device 0
};

/// `device`: all of device 0. What is not mapped to memory yet reads as zero.
Report CheckRules(std::span<const std::byte> device);

}  // namespace famfs::golden
