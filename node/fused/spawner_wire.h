// What the plugin and famfs-fused-spawner say to each other: one request and
// one answer a connection, over a Unix socket of type SOCK_SEQPACKET.
//
//   {"op": "start", "device", "deviceList", "mountPoint", "lockFile",
//    "logFormat"} with an open /dev/fuse
//                            -> {"pid": N} with two descriptors: pidfd, ready
//   {"op": "find", "lockFile"}  -> {"pid": N} with the pidfd; {"pid": 0}: none
//   anything wrong              -> {"error": "..."}
//
// A pid is the spawner's: it names the process in messages and nothing else.
// The descriptors mean the same process in every pid namespace.
#pragma once

#include <sys/time.h>

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "base/descriptor_message.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "node/fused/fused.h"

namespace famfs::node {

/// Connected, with a limit on each send and receive. Unavailable: nobody
/// answers there. InvalidArgument: the path is too long for a socket.
absl::StatusOr<UniqueFd> ConnectToSpawner(const std::string& path,
                                          const timeval& limit);

inline constexpr std::size_t kMaxSpawnerMessage = 64 << 10;  // bytes

/// The text is JSON.
using SpawnerMessage = DescriptorMessage;

/// Unavailable: the other side has gone, or does not answer within the
/// socket's time limit.
[[nodiscard]] absl::Status SendMessage(int socket,
                                       const SpawnerMessage& message);
absl::StatusOr<SpawnerMessage> ReceiveMessage(int socket);

nlohmann::json ToJson(const FusedLaunch& options);
/// InvalidArgument: not an object, or a member is missing or no text. `program`
/// and `spawner` stay empty: the spawner has its own.
absl::StatusOr<FusedLaunch> FusedLaunchFromJson(const nlohmann::json& json);

}  // namespace famfs::node
