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

/// To 127.0.0.1. `method` is sent as it is.
HttpReply Http(std::uint16_t port, const std::string& path,
               const std::string& method = "GET");

/// The port that a program says in its log: "HTTP on tcp://127.0.0.1:PORT".
std::uint16_t HttpPort(Process& process);
/// "127.0.0.1:PORT" of "WHAT on tcp://127.0.0.1:PORT".
std::string AddressOf(Process& process, const std::string& what);

}  // namespace famfs::rig
