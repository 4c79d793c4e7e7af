#include "base/descriptor_message.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace famfs {
namespace {

struct Control {
  alignas(cmsghdr) std::array<
      char, CMSG_SPACE(sizeof(int) * kMaxDescriptorsOfMessage)> bytes = {};
};

}  // namespace

absl::Status SendDescriptors(int socket, std::string_view text,
                             std::span<const int> descriptors) {
  if (descriptors.size() > kMaxDescriptorsOfMessage) {
    return InvalidArgument("{} descriptors in one message; at most {}",
                           descriptors.size(), kMaxDescriptorsOfMessage);
  }
  iovec part = {.iov_base = const_cast<char*>(text.data()),
                .iov_len = text.size()};
  Control control;
  msghdr header = {};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (!descriptors.empty()) {
    header.msg_control = control.bytes.data();
    header.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* const item = CMSG_FIRSTHDR(&header);
    item->cmsg_level = SOL_SOCKET;
    item->cmsg_type = SCM_RIGHTS;
    item->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(item), descriptors.data(), descriptors.size_bytes());
  }
  if (::sendmsg(socket, &header, MSG_NOSIGNAL) < 0) {
    return ErrnoError(errno, "sendmsg");
  }
  return absl::OkStatus();
}

absl::StatusOr<DescriptorMessage> ReceiveDescriptors(int socket,
                                                     std::size_t limit) {
  DescriptorMessage message;
  message.text.resize(limit);
  iovec part = {.iov_base = message.text.data(),
                .iov_len = message.text.size()};
  Control control;
  msghdr header = {};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.bytes.data();
  header.msg_controllen = control.bytes.size();
  const ssize_t length = ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
  if (length < 0) return ErrnoError(errno, "recvmsg");
  message.text.resize(static_cast<std::size_t>(length));
  for (cmsghdr* item = CMSG_FIRSTHDR(&header); item != nullptr;
       item = CMSG_NXTHDR(&header, item)) {
    if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS) {
      continue;
    }
    const std::size_t count = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(item) + i * sizeof(int), sizeof(int));
      message.descriptors.emplace_back(fd);
    }
  }
  if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    return InvalidArgument(
        "a message is too long, or has too many descriptors");
  }
  if (length == 0) return OutOfRange("the other side closed the connection");
  return message;
}

}  // namespace famfs
