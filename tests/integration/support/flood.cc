#include "tests/integration/support/flood.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <deque>
#include <string_view>

#include "base/unique_fd.h"

namespace famfs::rig {
namespace {

constexpr int kThreads = 2;
constexpr std::size_t kStaying = 150;  // of a thread

sockaddr_in Loopback(int number, std::uint16_t port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr =
      htonl(INADDR_LOOPBACK + static_cast<std::uint32_t>(number));
  return address;
}

UniqueFd ConnectFrom(int number, std::uint16_t port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  // Nothing of it is left when it is closed, however many there were.
  const linger none = {.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &none, sizeof(none));
  const sockaddr_in from = Loopback(number, 0);
  const sockaddr_in to = Loopback(0, port);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&from),
             sizeof(from)) != 0 ||
      ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)) !=
          0) {
    fd.reset();
  }
  return fd;
}

}  // namespace

Flood::Flood(std::uint16_t port, Kind kind, int addresses) {
  for (int i = 0; i < kThreads; ++i) {
    threads_.emplace_back(
        [this, i, port, kind, addresses] { Run(i, port, kind, addresses); });
  }
}

Flood::~Flood() {
  stopping_ = true;
  for (std::thread& thread : threads_) thread.join();
}

void Flood::Run(int first, std::uint16_t port, Kind kind, int addresses) {
  constexpr std::string_view kRequest = "GET /metrics HTTP/1.1\r\n\r\n";
  std::deque<UniqueFd> staying;
  for (int i = first; !stopping_; ++i) {
    UniqueFd fd = ConnectFrom(1 + i % addresses, port);
    if (!fd.valid()) continue;
    ++connections_;
    if (kind == Kind::kAsk) {
      ::send(fd.get(), kRequest.data(), kRequest.size(), MSG_NOSIGNAL);
    }
    if (kind == Kind::kLeave) continue;
    staying.push_back(std::move(fd));
    if (staying.size() > kStaying) staying.pop_front();
  }
}

}  // namespace famfs::rig
