// A path at which the orchestrator wants something mounted: resolved once, then
// used only through its parent's descriptor, so nobody can exchange a component
// between a check and a mount.
//
// Refused: relative paths, "." and "..", and every symbolic link, except within
// the kubelet directory's own path, which the administrator chose. The last
// component is never looked at while it is a mount point: whoever serves that
// mount may hang.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "base/unique_fd.h"

namespace famfs::node {

class Place {
 public:
  /// Opens the parent. InvalidArgument: a path that is refused; NotFound: the
  /// parent does not exist.
  static absl::StatusOr<Place> Resolve(std::string_view path,
                                       const std::string& kubelet_path);

  /// As mountinfo spells it.
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] int parent() const { return parent_.get(); }
  [[nodiscard]] const std::string& name() const { return name_; }
  /// For system calls that take no directory descriptor.
  [[nodiscard]] std::string ProcPath() const;

  // Only while nothing is mounted there:

  /// Whether it was made now (true) or is there already, an empty directory.
  /// FailedPrecondition: it is something else, or holds something.
  absl::StatusOr<bool> MakeDirectory() const;
  /// Whether it exists as a directory; makes it otherwise. What it holds does
  /// not matter.
  [[nodiscard]] absl::Status EnsureDirectory() const;
  /// Absent is OK. FailedPrecondition when it is no empty directory: its
  /// contents are never removed.
  [[nodiscard]] absl::Status RemoveDirectory() const;

 private:
  Place(UniqueFd parent, std::string path, std::string name);
  UniqueFd parent_;
  std::string path_;
  std::string name_;
};

/// "//a/b/" -> "/a/b". InvalidArgument: relative, the root, or with "." or
/// "..".
absl::StatusOr<std::string> NormalizePath(std::string_view path);

}  // namespace famfs::node
