#include "tests/integration/support/unread_calls.h"

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "tests/integration/support/http.h"

namespace famfs::rig {
namespace {

// Frame types and flags of RFC 9113.
constexpr char kData = 0;
constexpr char kHeaders = 1;
constexpr char kSettings = 4;
constexpr char kEndStream = 1;
constexpr char kEndHeaders = 4;
// The setting SETTINGS_INITIAL_WINDOW_SIZE (4) with the value 0.
constexpr std::string_view kNoWindow("\0\4\0\0\0\0", 6);
// An empty gRPC message: not compressed, no bytes.
constexpr std::string_view kEmptyMessage("\0\0\0\0\0", 5);

// A header field as HPACK writes one that it does not know and need not keep.
std::string Field(std::string_view name, std::string_view value) {
  std::string text(1, '\0');
  for (const std::string_view part : {name, value}) {
    text += static_cast<char>(part.size());
    text += part;
  }
  return text;
}

bool SendWhole(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

}  // namespace

UnreadCalls::UnreadCalls(std::uint16_t port)
    : fd_(ConnectTcp("127.0.0.1", port)) {
  SendWhole(fd_.get(), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  Send(kSettings, 0, 0, kNoWindow);
}

bool UnreadCalls::Ask(std::string_view path) {
  const std::string headers =
      Field(":method", "POST") + Field(":scheme", "http") +
      Field(":path", path) + Field(":authority", "localhost") +
      Field("content-type", "application/grpc") + Field("te", "trailers");
  const std::uint32_t stream = next_stream_;
  next_stream_ += 2;
  return Send(kHeaders, kEndHeaders, stream, headers) &&
         Send(kData, kEndStream, stream, kEmptyMessage);
}

bool UnreadCalls::WaitUntilTaken() const {
  return Eventually([this] {
    int waiting = 0;
    return ::ioctl(fd_.get(), SIOCOUTQ, &waiting) == 0 && waiting == 0;
  });
}

bool UnreadCalls::Send(char type, char flags, std::uint32_t stream,
                       std::string_view payload) const {
  const std::uint32_t length =
      htonl(static_cast<std::uint32_t>(payload.size()));
  const std::uint32_t id = htonl(stream);
  std::string frame(reinterpret_cast<const char*>(&length) + 1, 3);
  frame += type;
  frame += flags;
  frame.append(reinterpret_cast<const char*>(&id), sizeof(id));
  frame += payload;
  return SendWhole(fd_.get(), frame);
}

}  // namespace famfs::rig
