// What the examinations of tree volumes are told on their command line.
#pragma once

#include <cstdint>
#include <random>

namespace famfs::trees {

using Random = std::mt19937_64;

struct RunOptions {
  std::uint64_t seed = 0;  // never 0 while tests run
  bool nightly = false;    // the long forms
};
RunOptions& Told();

/// In [low, high].
inline std::uint64_t Between(Random& random, std::uint64_t low,
                             std::uint64_t high) {
  return std::uniform_int_distribution<std::uint64_t>(low, high)(random);
}

}  // namespace famfs::trees
