// A gRPC client that asks and never reads an answer: its HTTP/2 window is 0,
// and it acknowledges no settings. Written out by hand, since no library lets
// one be so rude.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/unique_fd.h"

namespace famfs::rig {

class UnreadCalls {
 public:
  /// Connects to 127.0.0.1.
  explicit UnreadCalls(std::uint16_t port);

  /// Makes a call with an empty request. False: the connection is gone.
  bool Ask(std::string_view path);
  /// Until the other side's kernel has taken all that was asked.
  bool WaitUntilTaken() const;

 private:
  bool Send(char type, char flags, std::uint32_t stream,
            std::string_view payload) const;
  UniqueFd fd_;
  std::uint32_t next_stream_ = 1;
};

}  // namespace famfs::rig
