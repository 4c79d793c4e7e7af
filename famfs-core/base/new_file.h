// A file that gets its name when it is whole, so that a process that ends
// before leaves nothing: the file has no name until then (O_TMPFILE).
//
// Where the file system cannot do that, and for the moment in which one file
// replaces another, it has a name of its own: ".famfs-part.UUID". Who holds it
// has it locked; what a killed process left is removed by the next one that
// needs such a name in the same directory.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "base/status.h"
#include "base/unique_fd.h"

namespace famfs {

class NewFile {
 public:
  /// An empty file, open for reading and writing, on the file system of `path`.
  /// Errors name `path`.
  static absl::StatusOr<NewFile> Create(const std::string& path,
                                        mode_t mode = 0600);
  /// Nothing is left of it, unless Publish was reached.
  ~NewFile();
  NewFile(NewFile&& other) noexcept = default;
  NewFile& operator=(NewFile&&) = delete;
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  [[nodiscard]] int fd() const { return fd_.get(); }
  /// Gives it its name and closes it. AlreadyExists when something has that
  /// name, unless it `replaces` that (rename(2)).
  [[nodiscard]] absl::Status Publish(bool replaces);

 private:
  NewFile(std::string path, UniqueFd fd, std::string part)
      : path_(std::move(path)), fd_(std::move(fd)), part_(std::move(part)) {}
  [[nodiscard]] absl::Status Link(const std::string& name) const;

  std::string path_;
  UniqueFd fd_;       // invalid: moved from, or published
  std::string part_;  // its name until then; empty: it has none
};

/// Writes `content` to a file that replaces what has the name `path`, if
/// anything, by one step; both survive a power cut.
[[nodiscard]] absl::Status WriteFileAtomically(const std::string& path,
                                               std::string_view content,
                                               mode_t mode = 0644);
/// The same of a file that must be new: AlreadyExists.
[[nodiscard]] absl::Status WriteNewFile(const std::string& path,
                                        std::string_view content,
                                        mode_t mode = 0644);

/// Whether a file of this name (without directories) is one that a process
/// left, or works on.
bool IsPartName(std::string_view name);

}  // namespace famfs
