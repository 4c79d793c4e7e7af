// Messages of Unix sockets that bring file descriptors beside their bytes
// (SCM_RIGHTS).
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/unique_fd.h"

namespace famfs {

struct DescriptorMessage {
  std::string text;
  std::vector<UniqueFd> descriptors{};  // close-on-exec
};

inline constexpr std::size_t kMaxDescriptorsOfMessage = 2;

/// Sends copies of the descriptors, at most kMaxDescriptorsOfMessage, with the
/// text, which is not empty. A stream may take a part of a long text. Never a
/// signal. Errors: sendmsg(2)'s.
[[nodiscard]] absl::Status SendDescriptors(int socket, std::string_view text,
                                           std::span<const int> descriptors);

/// One message of at most `limit` bytes, or what a stream has. Every descriptor
/// that came is in it, wanted or not, so that nobody fills this process with
/// some. OutOfRange: the other side has closed. InvalidArgument: the message is
/// longer, or brings more descriptors. Otherwise recvmsg(2)'s.
absl::StatusOr<DescriptorMessage> ReceiveDescriptors(int socket,
                                                     std::size_t limit);

}  // namespace famfs
