// Random operations on one file, beside a buffer that says what must be there.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "base/status.h"
#include "base/unique_fd.h"
#include "tests/trees/options.h"

namespace famfs::trees {

/// One thread's. The file's length and bytes must never be others than the
/// buffer's, through whatever descriptor, call or mapping.
class Fsx {
 public:
  /// `path` is made when it is not there; the model of an earlier one goes on
  /// by Move.
  Fsx(std::string path, std::uint64_t seed);

  /// So many operations; the error has the last ones.
  [[nodiscard]] absl::Status Go(std::uint64_t operations);
  /// Closed here, and opened by the next operation at that path, where all must
  /// be as it was left.
  void Move(std::string path);
  /// All of the file, by a descriptor of its own.
  [[nodiscard]] absl::Status Compare();
  [[nodiscard]] std::uint64_t done() const { return done_; }

 private:
  absl::Status Step();
  absl::Status Open();
  absl::Status CheckSize();
  /// What differs, in [at, at + bytes.size()).
  absl::Status CheckBytes(std::uint64_t at, std::string_view bytes,
                          std::string_view how) const;

  absl::Status Write(std::uint64_t at, std::uint64_t length, bool direct);
  absl::Status Append(std::uint64_t length);
  absl::Status Read(std::uint64_t at, std::uint64_t length, bool direct);
  absl::Status MapWrite(std::uint64_t at, std::uint64_t length);
  absl::Status MapRead(std::uint64_t at, std::uint64_t length);
  absl::Status Truncate(std::uint64_t size);
  absl::Status Allocate(int mode, std::uint64_t at, std::uint64_t length);
  absl::Status Copy(std::uint64_t from, std::uint64_t to, std::uint64_t length);
  absl::Status Sync();

  void Fill(std::uint64_t at, std::uint64_t length);
  void Note(std::string what);
  absl::Status Fail(std::string_view what) const;

  std::string path_;
  Random random_;
  UniqueFd fd_;
  std::string model_;
  std::uint64_t done_ = 0;
  std::deque<std::string> last_;  // operations, for who reads of a failure
};

}  // namespace famfs::trees
