#include "damages.h"

#include <array>

namespace famfs::testing {
namespace {

constexpr std::uint64_t kTail = kGoodEntries - 1;

// --- bit flips -------------------------------------------------------------

Damage FlipInEntry(RawImage& image, Random& random) {
  const std::uint64_t index = Below(random, kGoodEntries);
  const std::uint64_t at = Below(random, sizeof(MediaEntry));
  image.FlipBit(kLogOffset + EntryAt(index) + at,
                static_cast<unsigned>(Below(random, 8)));
  return {fmt::format("a bit of byte {} of entry {}", at, index),
          {"crc", "seqnum"},
          index,
          index == kTail ? ReaderMay::kValidPrefix : ReaderMay::kNothing};
}

Damage FlipInSuperblock(RawImage& image, Random& random) {
  // Its bytes under the checksum, the checksum, and the device's size.
  std::uint64_t at = Below(random, 104 + 8);
  if (at >= 104) at += 8;
  if (at >= 112) {
    // A smaller size of at least 4 GiB is as good as another; make it larger.
    image.FlipBit(112 + 4 + Below(random, 4),
                  static_cast<unsigned>(1 + Below(random, 7)));
    return {"a bit of the device's size", {"superblock"}, {}, {}};
  }
  image.FlipBit(at, static_cast<unsigned>(Below(random, 8)));
  return {fmt::format("a bit of byte {} of the superblock", at),
          {"superblock"},
          std::nullopt,
          ReaderMay::kNothing};
}

Damage FlipInHeader(RawImage& image, Random& random) {
  const std::uint64_t at = Below(random, 32);
  image.FlipBit(kLogOffset + at, static_cast<unsigned>(Below(random, 8)));
  return {fmt::format("a bit of byte {} of the log header", at),
          {"log_header"},
          std::nullopt,
          ReaderMay::kNothing};
}

Damage FlipInRegion(RawImage& image, Random& random) {
  const std::uint64_t pair = Below(random, 2) == 0 ? kStateAt : kCompactionAt;
  const bool both = Below(random, 2) == 0;
  for (std::uint64_t slot = 0; slot < (both ? 2U : 1U); ++slot) {
    // Not the magic: without it a line is absent.
    image.FlipBit(kRegionOffset + pair + slot * kLineSize + 4 +
                      Below(random, kLineSize - 4),
                  static_cast<unsigned>(Below(random, 8)));
  }
  return {fmt::format("{} of the lines at {} of our region",
                      both ? "both" : "one", pair),
          {"region"},
          std::nullopt,
          both ? ReaderMay::kNothing : ReaderMay::kAll};
}

Damage ZeroBytesOfEntry(RawImage& image, Random& random) {
  const std::uint64_t index = Below(random, kGoodEntries);
  // From within the path of any kind of entry to past the checksum.
  const std::uint64_t at = Below(random, 44);
  const std::vector<std::byte> zeros(sizeof(MediaEntry) - at);
  image.Write(kLogOffset + EntryAt(index) + at, zeros);
  return {fmt::format("entry {} ends after {} bytes", index, at),
          {"crc", "seqnum"},
          index,
          index == kTail ? ReaderMay::kValidPrefix : ReaderMay::kNothing};
}

// --- truncations -----------------------------------------------------------

Damage Truncate(RawImage& image, Random& random) {
  static constexpr std::array<std::uint64_t, 5> kBounds = {
      4096, kSuperblockRegion, kImageData, kGiB, kImageSize};
  const std::uint64_t size = 1 + Below(random, Pick(random, kBounds) - 1);
  image.Truncate(size);
  return {fmt::format("cut to {} bytes", size),
          {"superblock"},
          std::nullopt,
          ReaderMay::kNothing};
}

// --- headers ---------------------------------------------------------------

Damage ForgedSuperblock(RawImage& image, Random& random) {
  MediaSuperblock super = image.superblock();
  switch (Below(random, 7)) {
    case 0:
      super.version = Absurd(random);
      break;
    case 1:
      super.log_offset += kAllocUnit;
      break;
    case 2:
      super.log_length = Absurd(random) | kTiB;
      break;
    case 3:
      super.log_length = 3 * kImageLog;
      break;
    case 4:
      super.alloc_unit = Absurd(random);
      break;
    case 5:
      super.device_size = Absurd(random) | kTiB;
      break;
    default:
      super.omf_major = 3;
  }
  image.SetSuperblock(super);
  return {"a forged superblock", {"superblock"}, {}, ReaderMay::kNothing};
}

Damage ForgedHeader(RawImage& image, Random& random) {
  MediaLogHeader header = image.header();
  switch (Below(random, 5)) {
    case 0:
      header.magic ^= 1;
      break;
    case 1:
      header.length = Absurd(random);
      break;
    case 2:
      header.last_index = Absurd(random);
      break;
    case 3:
      header.next_index = header.next_seqnum = Absurd(random) | 0x10000;
      break;
    default:
      header.next_seqnum += 2 + Below(random, 1000);
  }
  image.SetHeader(header);
  return {"a forged log header", {"log_header"}, {}, ReaderMay::kNothing};
}

/// Slots that were never written are counted in.
Damage CountTooHigh(RawImage& image, Random& random) {
  const std::uint64_t more = 2 + Below(random, 15000);
  image.Publish(kGoodEntries + more);
  return {fmt::format("{} empty slots are counted", more),
          {"crc"},
          kGoodEntries,
          ReaderMay::kNothing};
}

Damage CompactingFormAlone(RawImage& image, Random& random) {
  MediaLogHeader header = image.header();
  header.length = 0;
  header.next_index = header.next_seqnum = 0;
  image.SetHeader(header);
  if (Below(random, 2) == 0) {
    return {"compacting without a record", {"log_header"}, {}, {}};
  }
  image.SetCompaction(
      {.generation = 1,
       .offset = Below(random, 2) == 0 ? Unit(1500).offset : Absurd(random),
       .length = 48 + Below(random, 100000),
       .image_crc = random()});
  return {"compacting without an image", {"compaction"}, {}, {}};
}

}  // namespace

std::vector<DamageKind> ByteDamages() {
  return {
      {"FlipInEntry", FlipInEntry},
      {"FlipInSuperblock", FlipInSuperblock},
      {"FlipInHeader", FlipInHeader},
      {"FlipInRegion", FlipInRegion},
      {"ZeroBytesOfEntry", ZeroBytesOfEntry},
      {"Truncate", Truncate},
      {"ForgedSuperblock", ForgedSuperblock},
      {"ForgedHeader", ForgedHeader},
      {"CountTooHigh", CountTooHigh},
      {"CompactingFormAlone", CompactingFormAlone},
  };
}

}  // namespace famfs::testing
