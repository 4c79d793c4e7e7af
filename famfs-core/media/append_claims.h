// Which files of tree volumes a host may be appending to without asking the
// owner (docs/format.md, "Append claims"): a pair of lines for each row of the
// host table, written by the row's session alone. So the owner knows it also
// when it has just taken over.
//
// A file stands there by one bit of its node's id, which other files share: a
// bit that is not set is certain, one that is set is not.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "base/status.h"
#include "base/uuid.h"
#include "media/node_record.h"
#include "media/region.h"
#include "media/region_tables.h"

namespace famfs {

inline constexpr std::size_t kAppendClaimsAt = 0x5000;  // of the region
static_assert(kHostsAt + kHostRows * 2 * kLineSize <= kAppendClaimsAt);
static_assert(kAppendClaimsAt + kHostRows * 2 * kLineSize <= kReservationsAt);

/// Offset in the region of a row's pair.
constexpr std::size_t AppendClaimsAt(std::size_t row) {
  return kAppendClaimsAt + row * 2 * kLineSize;
}

class AppendClaimBits {
 public:
  static constexpr std::size_t kBits = 256;
  using Words = std::array<std::uint64_t, kBits / 64>;

  AppendClaimBits() = default;
  explicit AppendClaimBits(const Words& words) : words_(words) {}
  void Set(TreeId node) { words_[WordOf(node)] |= MaskOf(node); }
  [[nodiscard]] bool Contains(TreeId node) const {
    return (words_[WordOf(node)] & MaskOf(node)) != 0;
  }
  [[nodiscard]] bool empty() const { return words_ == Words{}; }
  [[nodiscard]] const Words& words() const { return words_; }
  bool operator==(const AppendClaimBits&) const = default;

 private:
  // Ids are random.
  static std::size_t WordOf(TreeId node) { return node % kBits / 64; }
  static std::uint64_t MaskOf(TreeId node) {
    return std::uint64_t{1} << (node % 64);
  }
  Words words_{};
};

struct AppendClaims {
  std::uint64_t sequence = 0;
  std::uint32_t session = 0;  // whose they are
  AppendClaimBits files;
  bool operator==(const AppendClaims&) const = default;
};

Line EncodeAppendClaims(const AppendClaims& claims, const Uuid& fs_uuid);
/// `copies`: 128 bytes; as DecodeState.
absl::StatusOr<std::optional<AppendClaims>> DecodeAppendClaims(
    std::span<const std::byte> copies, const Uuid& fs_uuid);

}  // namespace famfs
