// How an owner writes what lies at fixed places: region lines, the log's
// header, zeros. Each function ends with a write-back of exactly what it
// stored.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "dax/device.h"
#include "media/format.h"
#include "media/region.h"
#include "media/region_tables.h"

namespace famfs {

/// Stores the record into the copy that its sequence number chooses, in the
/// order that media/region.h asks for: a crash leaves the copy absent or whole.
/// `head` maps [0, 2 MiB) of the device.
void StoreState(Mapping& head, const StateRecord& record, const Uuid& fs_uuid);
void StoreCompaction(Mapping& head, const CompactionRecord& record,
                     const Uuid& fs_uuid);

void StoreOwner(Mapping& head, const OwnerRecord& record, const Uuid& fs_uuid);
/// Into the row's pair.
void StoreHost(Mapping& head, std::size_t row, const HostRecord& record,
               const Uuid& fs_uuid);
/// A line on its own, at `at` of the region.
void StoreLine(Mapping& head, std::size_t at, const Line& line);
/// Makes it absent, by one store of 8 bytes.
void ClearLine(Mapping& head, std::size_t at);

/// The header of a log of `length` bytes that holds `entries` entries.
MediaLogHeader MakeLogHeader(std::uint64_t length, std::uint64_t entries);

/// Stores MakeLogHeader(length, entries). The counters go first and the
/// checksum last, so that no mixture of two headers ever counts as valid.
void StoreLogHeader(Mapping& log, std::uint64_t length, std::uint64_t entries);
/// Stores the compacting form: length 0, no entries, a valid checksum.
void StoreCompactingHeader(Mapping& log);

/// Publishes `entries` by one 16-byte store of both counters.
void StoreLogCounters(Mapping& log, std::uint64_t entries);

bool IsZero(std::span<const std::byte> bytes);

/// Makes [at, at + length) zero; pages that are zero already are left alone, so
/// that a sparse image stays sparse.
void ZeroDirty(Mapping& mapping, std::size_t at, std::size_t length);

}  // namespace famfs
