#include "tests/integration/support/http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "tests/integration/support/wait.h"

namespace famfs::rig {

HttpReply Http(std::uint16_t port, const std::string& path,
               const std::string& method) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address),
                sizeof(address)) != 0) {
    return {};
  }
  const std::string request =
      fmt::format("{} {} HTTP/1.1\r\nHost: localhost\r\n\r\n", method, path);
  if (::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0) {
    return {};
  }
  const Deadline deadline(kPatience);
  std::string text;
  std::array<char, 4096> buffer;
  while (PollFd(fd.get(), POLLIN, deadline, kPatience)) {
    const ssize_t length = ::read(fd.get(), buffer.data(), buffer.size());
    if (length <= 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(length));
  }
  HttpReply reply;
  const std::size_t end = text.find("\r\n\r\n");
  if (!text.starts_with("HTTP/1.1 ") || end == std::string::npos) return reply;
  reply.code = std::atoi(text.c_str() + std::string("HTTP/1.1 ").size());
  reply.head = text.substr(0, end);
  reply.body = text.substr(end + 4);
  return reply;
}

std::uint16_t HttpPort(Process& process) {
  const std::string address = AddressOf(process, "HTTP");
  return static_cast<std::uint16_t>(
      std::atoi(address.c_str() + address.rfind(':') + 1));
}

std::string AddressOf(Process& process, const std::string& what) {
  const std::string mark = what + " on tcp://";
  const absl::Status told = process.WaitForOutput(mark);
  EXPECT_TRUE(told.ok()) << Message(told);
  if (!told.ok()) return {};
  std::string output = process.output();
  output.erase(0, output.find(mark) + mark.size());
  return output.substr(0, output.find('\n'));
}

}  // namespace famfs::rig
