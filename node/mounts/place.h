// A path at which the orchestrator wants something mounted: resolved once, then
// used only through its parent's descriptor, so nobody can exchange a component
// between a check and a mount.
//
// Refused: relative paths, "." and "..", and every symbolic link, except within
// the kubelet directory's own path, which the administrator chose; and places
// within a mounted instance, where our own server would have to be asked. The
// last component is never looked at while it is a mount point: whoever serves
// that mount may hang.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "base/unique_fd.h"
#include "node/mounts/questions.h"

namespace famfs::node {

class Place {
 public:
  /// As mountinfo spells it.
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] int parent() const { return parent_->fd.get(); }
  [[nodiscard]] const std::string& name() const { return name_; }
  /// For system calls that take no directory descriptor.
  [[nodiscard]] std::string ProcPath() const;

  // Only while nothing is mounted there:

  /// Whether it was made now (true) or is there already, an empty directory.
  /// FailedPrecondition: it is something else, or holds something.
  absl::StatusOr<bool> MakeDirectory() const;
  /// Absent is OK. FailedPrecondition when it is no empty directory: its
  /// contents are never removed.
  [[nodiscard]] absl::Status RemoveDirectory() const;

 private:
  friend class Places;
  Place(std::shared_ptr<const Questions::Answer> parent, std::string path,
        std::string name);
  std::shared_ptr<const Questions::Answer> parent_;
  std::string path_;
  std::string name_;
};

/// The way from a path to its place. Thread-safe.
class Places {
 public:
  /// `kubelet_path` as configured, may be empty; `pools_directory` a real path.
  Places(std::string kubelet_path, std::string pools_directory);

  /// Opens the parent. InvalidArgument: a path that is refused; NotFound: the
  /// parent does not exist; Unavailable: what serves the parent does not
  /// answer, or Stop() was called.
  absl::StatusOr<Place> Resolve(std::string_view path);
  /// Ends all waiting, now and later.
  void Stop() { questions_.Stop(); }

 private:
  absl::StatusOr<std::shared_ptr<const Questions::Answer>> OpenParent(
      const std::string& parent);

  const std::string kubelet_path_;
  const std::string pools_directory_;
  Questions questions_;
};

/// "//a/b/" -> "/a/b". InvalidArgument: relative, the root, or with "." or
/// "..".
absl::StatusOr<std::string> NormalizePath(std::string_view path);

}  // namespace famfs::node
