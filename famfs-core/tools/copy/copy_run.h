// Copies of many files by several threads: large files in parts, so that one
// file alone keeps all threads busy, and a progress bar for a person.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"

namespace famfs {

/// One file of a copy. Begin, Finish and the destructor are called by one
/// thread at a time; Copy by several at once.
class FileCopy {
 public:
  /// Called with the bytes copied since the last call; from any thread.
  using Advance = std::function<void(std::uint64_t bytes)>;

  virtual ~FileCopy() = default;
  [[nodiscard]] virtual std::uint64_t size() const = 0;  // bytes
  /// Whether there is anything to copy: false when the file is there already,
  /// alike. An error when it is there and may not be replaced.
  virtual absl::StatusOr<bool> Begin() = 0;
  /// Bytes [at, at + length), within the size.
  [[nodiscard]] virtual absl::Status Copy(std::uint64_t at,
                                          std::uint64_t length,
                                          const Advance& advance) = 0;
  /// Gives the file its name. Not reached, the destructor leaves nothing.
  [[nodiscard]] virtual absl::Status Finish() = 0;
};

struct CopyResult {
  std::uint64_t copied = 0;        // files
  std::uint64_t copied_bytes = 0;  // of them
  std::uint64_t skipped = 0;       // files that were there already
  std::uint64_t not_begun = 0;     // files, after an error that ends it all
  std::vector<absl::Status> problems{};  // one for each file that failed
};

/// Copies each file; one that fails does not keep the others from it, but for
/// errors that the next file would meet too (no room, another writer, damage,
/// an interruption). Files are begun in order and are gone from `files` when
/// they are done.
CopyResult RunCopies(std::vector<std::unique_ptr<FileCopy>> files,
                     unsigned threads, const std::string& label);

}  // namespace famfs
