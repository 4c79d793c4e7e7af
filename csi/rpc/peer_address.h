// Who is at the other end of a connection.
#pragma once

#include <string>

namespace famfs::csi {

/// The bytes of its IP address; empty for a Unix socket, or where that cannot
/// be told any more.
std::string PeerAddress(int fd);

}  // namespace famfs::csi
