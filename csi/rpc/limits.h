// The specification's limits on what a request may hold, in bytes.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/status.h"

namespace google::protobuf {
class Message;
}  // namespace google::protobuf

namespace famfs::csi {

inline constexpr std::size_t kMaxString = 128;
inline constexpr std::size_t kMaxNodeId = 256;
inline constexpr std::size_t kMaxMap = 4096;  // keys and values together
inline constexpr std::size_t kMaxMountFlags = 4096;
inline constexpr std::size_t kMaxPath = 4095;  // the kernel's PATH_MAX

/// Walks the whole request: strings <= 128, maps <= 4 KiB, node_id <= 256,
/// paths (fields that end with "_path") <= 4095 and free of NUL, mount_flags <=
/// 4 KiB. InvalidArgument names the field and the limit, never the value.
/// Serve() does this for every call.
///
/// A volume_id and a starting_token may be as long as they are: what one means
/// that is none of ours has an answer of its own in each call (DeleteVolume:
/// OK, ListVolumes: ABORTED), whatever its length.
[[nodiscard]] absl::Status CheckLimits(
    const google::protobuf::Message& request);

/// A volume's or snapshot's name: 1..128 bytes of valid UTF-8 without control
/// characters (C0, DEL and C1) other than tab, line feed and carriage return.
[[nodiscard]] absl::Status CheckName(std::string_view name,
                                     std::string_view field = "name");

}  // namespace famfs::csi
