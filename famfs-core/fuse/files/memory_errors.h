// Reads and writes of pods that met memory which is not there
// (dax/missing_memory.h): each is answered with an error, and here it is told
// whose memory it was. The log has the first one of each file, and then each
// tenfold; a report file, if there is one, has their number for a supervisor:
//
//   12 pvc-1f0d/data
//
// one line for each file, its path printable as in messages.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

#include "base/mutex.h"
#include "base/status.h"

namespace famfs {

/// Thread-safe.
class MemoryErrors {
 public:
  /// `report_file`: empty for none; removed now, since it tells of another
  /// server's files.
  explicit MemoryErrors(std::string report_file);

  /// The errno to answer: ENOSPC where a file system is full, else EIO.
  int Note(const std::string& path, const absl::Status& why);
  /// Writes the report if it changed, unless another thread is at it. Call it
  /// from time to time; Note does it itself at most once in a second.
  void Report();

 private:
  // More files than this are counted together, under the name "...".
  static constexpr std::size_t kMostFiles = 256;

  const std::string report_file_;
  // Guards no member: one at a time writes the file.
  Mutex report_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);
  Mutex mutex_;  // for moments
  /// By printable path.
  std::map<std::string, std::uint64_t> counts_ ABSL_GUARDED_BY(mutex_);
  bool changed_ ABSL_GUARDED_BY(mutex_) = false;
  std::chrono::steady_clock::time_point reported_ ABSL_GUARDED_BY(mutex_){};
};

}  // namespace famfs
