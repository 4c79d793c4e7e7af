// Two copies of a region record. Byte 0 of the input chooses what is repaired
// (bits 0 and 1: the copies' checksums, bits 2 and 3: their tags), so that both
// damaged and well-formed hostile lines are reached.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>

#include "media/append_claims.h"
#include "media/checksum.h"
#include "media/region.h"
#include "media/region_tables.h"
#include "require.h"

namespace famfs {
namespace {

using Copies = std::array<std::byte, 2 * kLineSize>;

Uuid FsUuid() {
  Uuid uuid;
  std::fill(uuid.bytes.begin(), uuid.bytes.end(), std::uint8_t{0x5a});
  return uuid;
}

void Repair(std::span<std::byte> line, bool crc, bool tag) {
  if (tag) std::memcpy(line.data() + 8, FsUuid().bytes.data(), 8);
  if (!crc) return;
  std::memset(line.data() + 4, 0, 4);
  const auto sum = static_cast<std::uint32_t>(Crc32(line));
  std::memcpy(line.data() + 4, &sum, sizeof(sum));
}

/// A record that was decoded stands, as it would be encoded, in its slot. The
/// last `ignored` bytes of a line are not looked at.
template <typename Result, typename Encode>
void Require(const Result& result, Encode encode, const Copies& copies,
             std::size_t ignored) {
  if (!result.ok()) {
    FUZZ_REQUIRE(absl::IsDataLoss(result.status()));
    return;
  }
  if (!result->has_value()) return;
  const Line line = encode(**result, FsUuid());
  const std::byte* copy = copies.data() + CopyAt(0, (*result)->sequence);
  FUZZ_REQUIRE(std::memcmp(line.data(), copy, 4) == 0);
  FUZZ_REQUIRE(
      std::memcmp(line.data() + 8, copy + 8, kLineSize - 8 - ignored) == 0);
}

/// The same of a record of one line.
template <typename Result, typename Encode>
void RequireLine(const Result& result, Encode encode,
                 std::span<const std::byte> bytes, std::size_t ignored) {
  if (!result.ok()) {
    FUZZ_REQUIRE(absl::IsDataLoss(result.status()));
    return;
  }
  if (!result->has_value()) return;
  const Line line = encode(**result, FsUuid());
  FUZZ_REQUIRE(std::memcmp(line.data(), bytes.data(), 4) == 0);
  FUZZ_REQUIRE(std::memcmp(line.data() + 8, bytes.data() + 8,
                           kLineSize - 8 - ignored) == 0);
}

void Run(std::uint8_t repair, std::span<const std::uint8_t> input) {
  Copies copies{};
  std::memcpy(copies.data(), input.data(),
              std::min(input.size(), copies.size()));
  const std::span<std::byte> lines(copies);
  Repair(lines.first(kLineSize), (repair & 1) != 0, (repair & 4) != 0);
  Repair(lines.last(kLineSize), (repair & 2) != 0, (repair & 8) != 0);
  Require(DecodeState(copies, FsUuid()), EncodeState, copies, 0);
  Require(DecodeCompaction(copies, FsUuid()), EncodeCompaction, copies, 8);
  Require(DecodeOwner(copies, FsUuid()), EncodeOwner, copies, 8);
  Require(DecodeHost(copies, FsUuid()), EncodeHost, copies, 4);
  Require(DecodeAppendClaims(copies, FsUuid()), EncodeAppendClaims, copies, 4);
  const auto first = std::span<const std::byte>(copies).first(kLineSize);
  RequireLine(DecodeReservation(first, FsUuid()), EncodeReservation, first, 0);
  RequireLine(DecodeClean(first, FsUuid()), EncodeClean, first, 24);
}

}  // namespace
}  // namespace famfs

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  if (size > 1) famfs::Run(data[0], {data + 1, size - 1});
  return 0;
}
