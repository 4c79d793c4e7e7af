// This host's identity, upstream's way: the first 36 characters of a text file
//. The host whose uuid stands in the superblock owns the
// log.
#pragma once

#include <string>

#include "base/status.h"
#include "base/uuid.h"

namespace famfs {

inline constexpr const char* kSystemUuidFile = "/opt/famfs/system_uuid";

/// Reads it, or makes it (0444, text and NUL) with a random uuid when missing.
/// The environment variable FAMFS_SYSTEM_UUID_FILE names another path.
absl::StatusOr<Uuid> LoadOrCreateSystemUuid();
/// NotFound when missing: for who only looks.
absl::StatusOr<Uuid> LoadSystemUuid();
absl::StatusOr<Uuid> LoadOrCreateSystemUuid(const std::string& path);

}  // namespace famfs
