#include "instance/tree/node_hash.h"

#include <bit>
#include <cstring>

namespace famfs {
namespace {

struct State {
  std::uint64_t v0, v1, v2, v3;

  void Round() {
    v0 += v1;
    v2 += v3;
    v1 = std::rotl(v1, 13) ^ v0;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 = std::rotl(v0, 32);
    v2 += v1;
    v0 += v3;
    v1 = std::rotl(v1, 17) ^ v2;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 = std::rotl(v2, 32);
  }

  void Mix(std::uint64_t word) {
    v3 ^= word;
    Round();
    Round();
    v0 ^= word;
  }
};

std::uint64_t LoadWord(const void* from, std::size_t length) {
  std::uint64_t word = 0;
  std::memcpy(&word, from, length);
  return word;
}

}  // namespace

std::uint64_t SipHash(const Uuid& key, std::span<const std::byte> bytes) {
  const std::uint64_t k0 = LoadWord(key.bytes.data(), 8);
  const std::uint64_t k1 = LoadWord(key.bytes.data() + 8, 8);
  State state{k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d,
              k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573};
  const std::size_t length = bytes.size();
  while (bytes.size() >= 8) {
    state.Mix(LoadWord(bytes.data(), 8));
    bytes = bytes.subspan(8);
  }
  std::uint64_t last = std::uint64_t{length & 0xff} << 56;
  if (!bytes.empty()) last |= LoadWord(bytes.data(), bytes.size());
  state.Mix(last);
  state.v2 ^= 0xff;
  for (int i = 0; i < 4; ++i) state.Round();
  return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

}  // namespace famfs
