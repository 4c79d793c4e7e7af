// One HTTP request of a test, and its answer.
#pragma once

#include <cstdint>
#include <string>

#include "tests/integration/support/rig.h"

namespace famfs::rig {

struct HttpReply {
  int code = 0;  // 0: no answer
  std::string head;
  std::string body;
};

/// To a numeric address of this machine. `method` is sent as it is.
HttpReply Http(std::uint16_t port, const std::string& path,
               const std::string& method = "GET",
               const std::string& host = "127.0.0.1");

/// A TCP connection to a numeric IPv4 or IPv6 address; invalid when refused.
UniqueFd ConnectTcp(const std::string& host, std::uint16_t port);

/// The port that a program says in its log: "HTTP on tcp://127.0.0.1:PORT".
std::uint16_t HttpPort(Process& process);
/// "127.0.0.1:PORT" of "WHAT on tcp://127.0.0.1:PORT".
std::string AddressOf(Process& process, const std::string& what);

}  // namespace famfs::rig
