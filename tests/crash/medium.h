// A simulated medium: sparse memory with the extents that are allocated on it,
// of two devices, one behind the other, so that a crash takes both.
// It begins full of garbage, as memory does that somebody else has used: the
// first and the last page of each unit of data, and pages of the places where
// superblock, region and log will stand.
//
// Checkpoints nest. Rollback takes back everything since the last one, at the
// price of the pages that were touched; so a crash can be judged, with openings
// and creations, thousands of times on one medium.
//
// Not thread-safe.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "base/range.h"
#include "dax/device.h"

namespace famfs::crash {

// In bytes.
inline constexpr std::uint64_t kPrimarySize = 4ULL << 30;
inline constexpr std::uint64_t kSecondarySize = 64ULL << 20;
inline constexpr std::uint64_t kMediumSize = kPrimarySize + kSecondarySize;
inline constexpr Range kPrimary{0, kPrimarySize};
inline constexpr Range kSecondary{kPrimarySize, kSecondarySize};
inline constexpr std::uint64_t kPage = 4096;
inline constexpr std::uint64_t kCacheLine = 64;

class Medium {
 public:
  /// `has_extent_files`: as an emulated device, else as a flat image.
  explicit Medium(bool has_extent_files);
  ~Medium();
  Medium(const Medium&) = delete;
  Medium& operator=(const Medium&) = delete;

  [[nodiscard]] bool has_extent_files() const { return has_extent_files_; }
  /// Of the devices on it.
  [[nodiscard]] DaxDevice::Capabilities capabilities() const {
    return {.can_pass_through = has_extent_files_,
            .removed_extents_live_on = has_extent_files_,
            .allocates_extents = has_extent_files_};
  }
  [[nodiscard]] std::byte* data() const { return data_; }
  [[nodiscard]] const std::map<std::uint64_t, std::uint64_t>& extents() const {
    return extents_;
  }

  /// Says that [offset, offset + length) is about to be written to.
  void Touch(Range range);
  /// That it may be written to behind our back. Only under a checkpoint is this
  /// worth its price; without one such writes are to be made by Put.
  void TouchForUnknown(Range range);
  /// Writes, and follows it with the hash.
  void Put(std::uint64_t at, std::span<const std::byte> bytes);
  void Zero(Range range);
  [[nodiscard]] bool IsZero(Range range) const;

  /// Adds an extent file, or nothing on a flat medium; zeroes the range. False
  /// when another one overlaps.
  bool Create(Range range);
  void Remove(std::uint64_t offset);

  void Checkpoint();
  void Rollback();

  /// Of all that was Put, zeroed, created and removed. Equal media that come
  /// from the same one have equal hashes.
  [[nodiscard]] std::uint64_t hash() const;

 private:
  using Page = std::array<std::byte, kPage>;
  struct Layer {
    /// By page number; null: it was zero.
    absl::flat_hash_map<std::uint64_t, std::unique_ptr<Page>> saved;
    std::map<std::uint64_t, std::uint64_t> extents;
    std::uint64_t hash = 0;
  };

  void Litter();
  void HashLines(Range range);

  bool has_extent_files_;
  std::byte* data_;
  std::map<std::uint64_t, std::uint64_t> extents_;  // offset -> length
  std::vector<bool> used_;  // by page number; others are zero
  std::vector<Layer> layers_;
  std::uint64_t hash_ = 0;
};

}  // namespace famfs::crash
