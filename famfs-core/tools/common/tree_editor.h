// Changes inside tree volumes, by the paths that people write: the one place
// where a command asks for them, whoever makes them (tools/common/changer.h).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "instance/devices/mapped_file.h"
#include "instance/writer/pending_file.h"
#include "instance/writer/writer.h"
#include "media/tree_request.h"
#include "tools/common/changer.h"

namespace famfs {

/// A path in the instance without the colon that may stand before it, and
/// without slashes around it. A name that begins with a colon: "::name".
std::string WithoutColon(std::string_view text);

/// Whether `path` lies below the directory of a live tree volume.
bool IsInTree(const Namespace& tree, std::string_view path);

class TreeEditor {
 public:
  /// `changer` outlives it.
  explicit TreeEditor(Changer& changer) : changer_(changer) {}

  [[nodiscard]] bool Has(std::string_view path) const;

  // Errors name the path; what is refused has changed nothing. NotFound: the
  // directory that it is to be in; AlreadyExists; InvalidArgument for a name
  // that cannot be; ResourceExhausted when the volume or the pool is full.
  [[nodiscard]] absl::Status Mkdir(const std::string& path,
                                   const Ownership& owner);
  [[nodiscard]] absl::Status Symlink(const std::string& path,
                                     const std::string& target,
                                     const Ownership& owner);
  /// A file of zeros.
  [[nodiscard]] absl::Status CreateFile(const std::string& path,
                                        std::uint64_t size,
                                        const Ownership& owner);
  /// A file that has another name, hidden and beside it, until Commit; gone
  /// with the object when that was not reached.
  absl::StatusOr<std::unique_ptr<PendingFile>> BeginFile(
      const std::string& path, std::uint64_t size, const Ownership& owner);
  /// A file, a link, or an empty directory; `recursive`: with all that it
  /// holds.
  [[nodiscard]] absl::Status Remove(const std::string& path, bool recursive);
  /// Within one volume. `flags` of TreeOp::kRename.
  [[nodiscard]] absl::Status Rename(const std::string& from,
                                    const std::string& to, std::uint32_t flags);

 private:
  friend class NewTreeFile;

  /// Where a path leads.
  struct Place {
    std::string volume;
    TreeId parent = kVolumeRoot;
    std::string name;
    std::optional<NodeKind> kind{};  // of what is there
  };
  absl::StatusOr<Place> Find(const std::string& path) const;
  absl::StatusOr<TreeId> Create(const Place& place, NodeKind kind,
                                const std::string& target,
                                const Ownership& owner,
                                const std::string& path);
  absl::Status SetSize(const std::string& volume, TreeId node,
                       std::uint64_t size, const std::string& path);
  static TreeRequest RemovalOf(const Place& place);
  absl::StatusOr<TreeAnswer> Ask(const TreeRequest& request,
                                 const std::string& path);

  Changer& changer_;
};

/// A directory, wherever the path lies: Writer::Mkdir, or TreeEditor::Mkdir.
[[nodiscard]] absl::Status MkdirAt(Changer& changer, const std::string& path,
                                   const Ownership& owner);
/// A new file, wherever the path lies: Writer::BeginFile, or inside of a tree
/// volume TreeEditor::BeginFile, for which `layout` is InvalidArgument unless
/// it is the default. Beside a program that has the instance open only there.
absl::StatusOr<std::unique_ptr<PendingFile>> BeginFileAt(
    Changer& changer, const std::string& path, std::uint64_t size,
    const Ownership& owner, const FileLayout& layout);

}  // namespace famfs
