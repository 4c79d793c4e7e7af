// A volume's file as a program in a pod uses it. While no server lives its
// calls fail with ENOTCONN and the like, and it opens the file again until that
// works.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "base/status.h"
#include "base/unique_fd.h"
#include "tests/soak/contents.h"
#include "tests/soak/node.h"
#include "tests/soak/progress.h"

namespace famfs::soak {

class VolumeFile {
 public:
  /// `path`: in the node's mount namespace. All are kept.
  VolumeFile(const Node& node, std::string path, bool writable,
             Progress& progress, Diary& diary);
  ~VolumeFile();
  VolumeFile(const VolumeFile&) = delete;
  VolumeFile& operator=(const VolumeFile&) = delete;

  [[nodiscard]] absl::Status Open();
  /// Waits until open(2) refuses with this errno.
  [[nodiscard]] absl::Status ExpectRefusal(int error, int flags);
  /// By pwrite(2) and fsync(2), from the beginning again after a server's
  /// death.
  [[nodiscard]] absl::Status Write(const Contents& contents);
  /// By pread(2).
  [[nodiscard]] absl::Status Verify(const Contents& contents);

  // Where the data path is passthrough: a mapping outlives every server.

  /// Of `length` bytes; the descriptor is closed.
  [[nodiscard]] absl::Status Map(std::uint64_t length);
  [[nodiscard]] absl::Status Store(const Contents& contents);
  [[nodiscard]] absl::Status VerifyMapped(const Contents& contents);

 private:
  /// Runs `work`, which answers 0 or an errno, until it answers 0; opens the
  /// file again after each error that a server's death explains.
  [[nodiscard]] bool IsOfADeadServer(int error) const;
  [[nodiscard]] absl::Status UntilServed(const char* what,
                                         const std::function<int()>& work);
  int TryOpen(int flags);

  const Node& node_;
  const std::string path_;
  const bool writable_;
  Progress& progress_;
  Diary& diary_;
  UniqueFd fd_;
  std::span<std::byte> mapped_;
};

}  // namespace famfs::soak
