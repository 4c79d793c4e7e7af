// The benchmarks, by name. Each adds rows.
#pragma once

#include <string>
#include <vector>

#include "tests/bench/report.h"

namespace famfs::bench {

/// Loads through the published mapping, first touch, page sizes;
/// peer: a raw file on the same tmpfs.
std::vector<Row> MappedBench();
/// read() of read-only opens beside tmpfs, write() of writable opens.
std::vector<Row> ReadBench();
/// CreateVolume, Stage+Publish at 1 and 1,000 volumes beside a bare
/// echo of the same messages on such a socket.
std::vector<Row> CallBench();
/// Stage+Publish and a server's replacement by the number of volumes that are
/// staged on the node: flat, and linear.
std::vector<Row> NodeBench();
/// What allocation costs at a million free extents beside a thousand,
/// beside std::map, absl's B-trees and a bitmap; what is left of a device that
/// files age.
std::vector<Row> AllocBench();
/// Appending an entry beside writing the whole log back; dropping the
/// dead half of 15,000 entries beside a copy and a checksum of them.
std::vector<Row> LogBench();
/// `famfs cp` of 4 GiB beside cp and memcpy, scrubbing beside streaming stores.
std::vector<Row> BulkBench();
/// Playing, following, checking and holding a log of up to a
/// million entries beside one checksum pass over its bytes; the index of nodes
/// beside absl's hash table.
std::vector<Row> PlayBench();

/// `ls -lU` and `find` of 60,000 names in one directory beside tmpfs.
std::vector<Row> ListBench();

/// Serves the peer of CallBench on a Unix socket until killed.
int ServeEcho(const std::string& socket);

}  // namespace famfs::bench
