// The keyed hash behind node ids: SipHash-2-4 (Aumasson and Bernstein, 2012).
// Its value is part of the contract between servers that follow each other: the
// same in every process, build and version. So absl::Hash, which each process
// seeds, cannot take its place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/uuid.h"

namespace famfs {

/// SipHash-2-4 of `bytes`; the key is the uuid's 16 bytes, little-endian
/// halves.
std::uint64_t SipHash(const Uuid& key, std::span<const std::byte> bytes);

}  // namespace famfs
