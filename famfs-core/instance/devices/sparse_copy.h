// Copies a range of a device without its holes and pages of zeros, so that what
// was sparse stays sparse.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/range.h"
#include "base/status.h"
#include "dax/device.h"

namespace famfs {

/// Takes bytes that belong at `at`, counted from the start of the range.
using Sink = std::function<absl::Status(std::uint64_t at,
                                        std::span<const std::byte> bytes)>;

/// Called with the bytes dealt with since the last call, copied or skipped.
using Advance = std::function<void(std::uint64_t bytes)>;

/// The parts of [at, at + length) of the file behind `fd` that hold data,
/// counted from `at`; all of it where the file system cannot tell (SEEK_DATA,
/// SEEK_HOLE).
std::vector<Range> DataParts(int fd, std::uint64_t at, std::uint64_t length);

/// Hands the pages of `parts` (ranges within `source`) that are not all zero to
/// `sink`, in order; neighbouring pages together.
[[nodiscard]] absl::Status CopySparsely(std::span<const std::byte> source,
                                        const std::vector<Range>& parts,
                                        const Sink& sink,
                                        const Advance& advance);

}  // namespace famfs
