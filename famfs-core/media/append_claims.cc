#include "media/append_claims.h"

#include "media/region_lines.h"

namespace famfs {
namespace {

constexpr std::uint32_t kClaimsMagic = 0x50414d46;  // "FMAP"

struct AppendClaimsLine {
  region::LineHead head;
  std::uint64_t sequence;
  AppendClaimBits::Words files;
  std::uint32_t session;
  std::uint32_t reserved;  // zero when written, not looked at
};
static_assert(sizeof(AppendClaimsLine) == kLineSize);
static_assert(offsetof(AppendClaimsLine, files) == 24);
static_assert(offsetof(AppendClaimsLine, session) == 56);
static_assert(AppendClaimsAt(0) % (2 * kLineSize) == 0,
              "copies by sequence mod 2");

}  // namespace

Line EncodeAppendClaims(const AppendClaims& claims, const Uuid& fs_uuid) {
  return region::SealLine(
      AppendClaimsLine{.head = {kClaimsMagic, 0, region::TagOf(fs_uuid)},
                       .sequence = claims.sequence,
                       .files = claims.files.words(),
                       .session = claims.session,
                       .reserved = 0});
}

absl::StatusOr<std::optional<AppendClaims>> DecodeAppendClaims(
    std::span<const std::byte> copies, const Uuid& fs_uuid) {
  FAMFS_ASSIGN_OR_RETURN(const std::optional<AppendClaimsLine> line,
                         region::NewestLine<AppendClaimsLine>(
                             copies, kClaimsMagic, fs_uuid, "append claims"));
  if (!line) return std::nullopt;
  return AppendClaims{.sequence = line->sequence,
                      .session = line->session,
                      .files = AppendClaimBits(line->files)};
}

}  // namespace famfs
