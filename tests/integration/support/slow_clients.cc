#include "tests/integration/support/slow_clients.h"

#include <sys/eventfd.h>
#include <sys/socket.h>

#include <vector>

#include "tests/integration/support/http.h"
#include "tests/integration/support/wait.h"

namespace famfs::rig {
namespace {

constexpr Duration kInterval{500};

// A byte each; who is not connected (any more) connects.
void SendByte(const std::string& host, std::uint16_t port,
              std::vector<UniqueFd>& clients) {
  for (UniqueFd& client : clients) {
    if (!client.valid()) client = ConnectTcp(host, port);
    if (::send(client.get(), "G", 1, MSG_NOSIGNAL) != 1) client.reset();
  }
}

}  // namespace

SlowClients::SlowClients(const std::string& host, std::uint16_t port, int count)
    : stop_(::eventfd(0, EFD_CLOEXEC)) {
  std::vector<UniqueFd> clients(static_cast<std::size_t>(count));
  SendByte(host, port, clients);
  thread_ =
      std::thread([this, host, port, clients = std::move(clients)]() mutable {
        const Deadline for_ever(std::chrono::hours(1));
        while (!PollFd(stop_.get(), POLLIN, for_ever, kInterval)) {
          SendByte(host, port, clients);
        }
      });
}

SlowClients::~SlowClients() {
  ::eventfd_write(stop_.get(), 1);
  thread_.join();
}

}  // namespace famfs::rig
