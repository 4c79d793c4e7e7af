#include "damages.h"

#include <array>
#include <cstring>

#include "base/text.h"
#include "media/checksum.h"

namespace famfs::testing {
namespace {

constexpr std::uint64_t kTail = kGoodEntries - 1;

// --- forged checksums ------------------------------------------------------

Damage ForgedPath(RawImage& image, Random& random) {
  static constexpr std::array<const char*, 12> kPaths = {
      "../x",  "/x", "/etc/passwd", "a/../../x", "a//x",      ".",
      "a/./x", "..", "a/",          "",          "x\x01\x1b", "a/../x"};
  const char* path = Pick(random, kPaths);
  const MediaEntry entry = Below(random, 2) == 0
                               ? MkdirEntry(path)
                               : FileEntry(path, {Free(random)});
  return Forge(image, AnyLeaf(random), entry,
               fmt::format("path '{}'", Printable(path)), {"path"});
}

Damage ForgedLongPath(RawImage& image, Random& random) {
  MediaEntry entry =
      Below(random, 2) == 0 ? MkdirEntry("") : FileEntry("", {Free(random)});
  char* path = entry.type == static_cast<std::uint32_t>(EntryType::kMkdir)
                   ? entry.mkdir.path
                   : entry.file.path;
  std::memset(path, 'x', 79 + Below(random, 2));
  return Forge(image, AnyLeaf(random), entry, "a path without an end",
               {"path"});
}

Damage ForgedParent(RawImage& image, Random& random) {
  static constexpr std::array<const char*, 3> kPaths = {"nowhere/x", "a/one/x",
                                                        "a/nowhere/x"};
  const char* path = Pick(random, kPaths);
  // After a/one, so that it is there and is a file.
  return Forge(image, 6, FileEntry(path, {Free(random)}), path, {"parent"});
}

Damage ForgedDuplicate(RawImage& image, Random& random) {
  static constexpr std::array<const char*, 4> kPaths = {"a/one", "a/two", "v",
                                                        "a"};
  const char* path = Pick(random, kPaths);
  return Forge(image, 8, FileEntry(path, {Free(random)}), path, {"duplicate"});
}

Damage ForgedMetaFile(RawImage& image, Random& random) {
  const char* path = Below(random, 2) == 0 ? ".meta/.log" : ".meta/.superblock";
  return Forge(image, AnyLeaf(random), FileEntry(path, {Free(random)}), path,
               {"reserved"});
}

Damage ForgedOverlap(RawImage& image, Random& random) {
  static constexpr std::array<std::uint64_t, 4> kTaken = {0, 11, 21, 51};
  const MediaExtent taken = Unit(Pick(random, kTaken));
  if (Below(random, 2) == 0) {
    return Forge(image, 8, FileEntry("x", {Free(random), taken}),
                 "an extent of another file", {"overlap"});
  }
  const MediaExtent twice = Free(random);
  return Forge(image, 8, FileEntry("x", {twice, twice}), "one extent twice",
               {"overlap"});
}

Damage ForgedExtent(RawImage& image, Random& random) {
  MediaExtent extent = Free(random);
  switch (Below(random, 7)) {
    case 0:
      extent.offset = kImageSize - Below(random, 2) * kAllocUnit;
      extent.length = 2 * kAllocUnit;
      break;
    case 1:
      extent.offset = Below(random, kImageData / kAllocUnit) * kAllocUnit;
      break;
    case 2:
      extent.offset += 1 + Below(random, kAllocUnit - 1);
      break;
    case 3:
      extent.length += 1 + Below(random, kAllocUnit - 1);
      break;
    case 4:
      extent.length = 0;
      break;
    case 5:
      extent.offset = ~std::uint64_t{0} - kAllocUnit + 1;
      break;
    default:
      extent.length = ~std::uint64_t{0} - kAllocUnit + 1;
  }
  MediaEntry entry = FileEntry("x", {extent});
  entry.file.size = 1;
  return Forge(image, AnyLeaf(random), entry,
               fmt::format("extent {:#x}+{:#x}", extent.offset, extent.length),
               {"extent", "size"});
}

Damage ForgedDevice(RawImage& image, Random& random) {
  if (Below(random, 2) == 0) {
    MediaExtent extent = Free(random);
    extent.device_index = Below(random, 2) == 0 ? 1 : Absurd(random);
    return Forge(image, AnyLeaf(random), FileEntry("x", {extent}),
                 "a device that no entry added", {"device"});
  }
  switch (Below(random, 4)) {
    case 0:
      return Forge(image, AnyLeaf(random), DaxdevEntry(0, 1, kGiB),
                   "device 0 added", {"device"});
    case 1:
      return Forge(image, AnyLeaf(random), DaxdevEntry(7, 1, kGiB),
                   "a device out of order", {"device"});
    case 2:
      return Forge(image, AnyLeaf(random), DaxdevEntry(1, 0x22, kGiB),
                   "the primary's uuid", {"device"});
    default:
      return Forge(image, AnyLeaf(random), DaxdevEntry(1, 1, 0),
                   "a device without a size", {"device"});
  }
}

Damage ForgedCount(RawImage& image, Random& random) {
  MediaEntry entry = FileEntry("x", {Free(random)});
  static constexpr std::array<std::uint32_t, 5> kCounts = {
      0, 17, 1000, 0x7fffffff, 0xffffffff};
  entry.file.extent_count = Pick(random, kCounts);
  return Forge(image, AnyLeaf(random), entry,
               fmt::format("{} extents", entry.file.extent_count), {"extent"});
}

Damage ForgedFields(RawImage& image, Random& random) {
  MediaEntry entry = FileEntry("x", {Free(random)});
  const char* rule = "size";
  switch (Below(random, 5)) {
    case 0:
      entry.file.size = 0;
      break;
    case 1:
      // 12345 bytes would fit.
      entry.file.size = Absurd(random) | kGiB;
      break;
    case 2:
      entry.file.mode = 0x10000U << Below(random, 15);
      rule = "mode";
      break;
    case 3:
      entry.file.flags = 4U << Below(random, 29);
      rule = "flags";
      break;
    default:
      entry.file.extent_type =
          2 + static_cast<std::uint32_t>(Below(random, 0xfffffff0));
      rule = "extent";
  }
  return Forge(image, AnyLeaf(random), entry, rule, {rule});
}

Damage ForgedInterleave(RawImage& image, Random& random) {
  MediaEntry entry = InterleavedEntry("x", 3 * kAllocUnit, kAllocUnit,
                                      {Unit(1500, 2), Unit(1600, 2)});
  MediaInterleave& interleave = entry.file.interleave;
  switch (Below(random, 7)) {
    case 0:
      interleave.strips_used = 17 + Absurd(random) / 2;
      break;
    case 1:
      interleave.strips_used = 0;
      break;
    case 2:
      interleave.chunk = Below(random, 2) * Absurd(random);
      if (interleave.chunk >= kAllocUnit) interleave.chunk |= 1;
      break;
    case 3:
      interleave.chunk = 3 * kAllocUnit;
      break;
    case 4:
      entry.file.size = Absurd(random) | kGiB;
      return Forge(image, AnyLeaf(random), entry, "strips too short",
                   {"extent", "size"});
    case 5:
      entry.file.extent_count =
          static_cast<std::uint32_t>(2 + Below(random, 99));
      break;
    default:
      interleave.strips[1] = interleave.strips[0];
      return Forge(image, AnyLeaf(random), entry, "one strip twice",
                   {"overlap"});
  }
  return Forge(image, AnyLeaf(random), entry, "interleave", {"extent"});
}

Damage ForgedType(RawImage& image, Random& random) {
  MediaEntry entry = image.Get(AnyLeaf(random));
  static constexpr std::array<std::uint32_t, 4> kTypes = {2, 4, 5, 0xffffffff};
  entry.type = Pick(random, kTypes);
  return Forge(image, entry.seqnum, entry, "type", {"type"});
}

Damage ForgedSeqnum(RawImage& image, Random& random) {
  const std::uint64_t index = Below(random, kGoodEntries);
  MediaEntry entry = image.Get(index);
  entry.seqnum = Below(random, 2) == 0 ? index + 1 : Absurd(random);
  Seal(entry);
  image.PutRaw(index, entry);
  return {fmt::format("seqnum {} at {}", entry.seqnum, index),
          {"seqnum"},
          index,
          index == kTail ? ReaderMay::kValidPrefix : ReaderMay::kNothing};
}

}  // namespace

std::vector<DamageKind> ForgedEntries() {
  return {
      {"ForgedPath", ForgedPath},
      {"ForgedLongPath", ForgedLongPath},
      {"ForgedParent", ForgedParent},
      {"ForgedDuplicate", ForgedDuplicate},
      {"ForgedMetaFile", ForgedMetaFile},
      {"ForgedOverlap", ForgedOverlap},
      {"ForgedExtent", ForgedExtent},
      {"ForgedDevice", ForgedDevice},
      {"ForgedCount", ForgedCount},
      {"ForgedFields", ForgedFields},
      {"ForgedInterleave", ForgedInterleave},
      {"ForgedType", ForgedType},
      {"ForgedSeqnum", ForgedSeqnum},
  };
}

}  // namespace famfs::testing
