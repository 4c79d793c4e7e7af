// Requests of a tree volume from hostile bytes, as another host may write them
// into its mailbox, and answers.
//
// Input: byte 0 chooses what is repaired, then the message. Repairs (bits of
// byte 0): the version; an operation and a kind that exist; bytes as many as
// the strings' lengths say.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "media/tree_request.h"
#include "require.h"

namespace famfs {
namespace {

using Bytes = std::vector<std::byte>;

// docs/format.md, "Requests and answers".
constexpr std::size_t kFixedPart = 80;

void Repair(Bytes& bytes, unsigned what) {
  if (bytes.size() < kFixedPart) return;
  const auto at = [&](std::size_t i) {
    return std::to_integer<unsigned>(bytes[i]);
  };
  if ((what & 1) != 0) bytes[0] = std::byte{1};
  if ((what & 2) != 0) {
    bytes[1] = static_cast<std::byte>(1 + at(1) % 7);
    bytes[2] = static_cast<std::byte>(1 + at(2) % 3);
  }
  if ((what & 4) != 0) {
    bytes[7] &= std::byte{1};
    bytes.resize(kFixedPart + at(3) + at(4) + at(5) + at(6) + 256 * at(7),
                 std::byte{'x'});
  }
}

bool IsName(const std::string& name) {
  return !name.empty() && name.size() <= kMaxNodeName && name != "." &&
         name != ".." && name.find('/') == std::string::npos &&
         std::strlen(name.c_str()) == name.size();
}

void RequireRequest(const Bytes& bytes) {
  const auto decoded = DecodeTreeRequest(bytes);
  if (!decoded.ok()) {
    FUZZ_REQUIRE(absl::IsDataLoss(decoded.status()));
    return;
  }
  const TreeRequest& r = *decoded;
  const bool named = r.op == TreeOp::kCreate || r.op == TreeOp::kRemove ||
                     r.op == TreeOp::kRename;
  FUZZ_REQUIRE(bytes.size() <= kMaxTreeRequest);
  FUZZ_REQUIRE(IsName(r.volume) && r.volume.size() <= kMaxTreeVolume);
  FUZZ_REQUIRE(named ? IsName(r.name) : r.name.empty());
  FUZZ_REQUIRE(r.op == TreeOp::kRename ? IsName(r.new_name)
                                       : r.new_name.empty());
  FUZZ_REQUIRE(r.name.size() + r.target.size() <= kMaxNodeText);
  FUZZ_REQUIRE(r.size <= INT64_MAX && r.mode <= 07777);
  FUZZ_REQUIRE(r.flags <= 2 && r.set <= 31);
  const auto again = EncodeTreeRequest(r);
  FUZZ_REQUIRE(again.ok() && *again == bytes);
}

void RequireAnswer(std::span<const std::byte> bytes) {
  const auto decoded = DecodeTreeAnswer(bytes);
  if (!decoded.ok()) {
    FUZZ_REQUIRE(absl::IsDataLoss(decoded.status()));
    return;
  }
  FUZZ_REQUIRE(decoded->error >= 0 && decoded->error <= kMaxErrno);
  FUZZ_REQUIRE(std::ranges::equal(EncodeTreeAnswer(*decoded), bytes));
}

void Run(std::uint8_t repair, std::span<const std::uint8_t> input) {
  const auto raw = std::as_bytes(input);
  Bytes bytes(raw.begin(), raw.end());
  RequireAnswer(bytes);
  Repair(bytes, repair);
  RequireRequest(bytes);
}

}  // namespace
}  // namespace famfs

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  if (size > 1) famfs::Run(data[0], {data + 1, size - 1});
  return 0;
}
