#include "tests/integration/support/http.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "tests/integration/support/wait.h"

namespace famfs::rig {

UniqueFd ConnectTcp(const std::string& host, std::uint16_t port) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* address = nullptr;
  if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints,
                    &address) != 0) {
    return UniqueFd();
  }
  UniqueFd fd(::socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(fd.get(), address->ai_addr, address->ai_addrlen) != 0) {
    fd.reset();
  }
  ::freeaddrinfo(address);
  return fd;
}

HttpReply Http(std::uint16_t port, const std::string& path,
               const std::string& method, const std::string& host) {
  const UniqueFd fd = ConnectTcp(host, port);
  if (!fd.valid()) return {};
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
