#include "tools/common/tree_editor.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>
#include <vector>

#include "base/text.h"
#include "instance/tree/hidden_name.h"
#include "tools/common/context.h"

namespace famfs {
namespace {

constexpr int kTries = 50;  // of what may succeed a moment later
constexpr std::chrono::milliseconds kPause(20);
constexpr std::uint32_t kLinkMode = 0777;  // nobody looks at it

/// What the errno of an answer says to a person.
absl::Status Refused(int error, const std::string& path,
                     const Changer& changer) {
  const std::string shown = Printable(path);
  switch (error) {
    case ENOSPC:
      return ResourceExhausted(
          "{0}: no room: its volume's capacity, the pool's memory or the log "
          "is used up (which: famfs df -v {1}; by what: famfs du {1}); a small "
          "file takes 2 MiB",
          shown, changer.devices()->primary()->spec());
    case ENAMETOOLONG:
      return InvalidArgument(
          "{}: a name has at most {} bytes, and with a link's target {}", shown,
          kMaxNodeName, kMaxNodeText);
    case ESTALE:
      return NotFound("{}: the volume, or a directory of the path, is gone",
                      shown);
    case EROFS:
      return PermissionDenied("{}: its volume is sealed", shown);
    default:
      return ErrnoError(error, shown);
  }
}

std::string PartName() {
  return fmt::format(".famfs-part.{}", Uuid::Random().ToString());
}

}  // namespace

std::string WithoutColon(std::string_view text) {
  if (text.starts_with(':')) text.remove_prefix(1);
  return InstancePath(text);
}

bool IsInTree(const Namespace& tree, std::string_view path) {
  const std::size_t slash = path.find('/');
  if (slash == std::string_view::npos) return false;
  const Node* const volume = tree.FindDirectory(path.substr(0, slash));
  return volume != nullptr && volume->tree != nullptr;
}

bool TreeEditor::Has(std::string_view path) const {
  return IsInTree(*changer_.Tree(), path);
}

absl::StatusOr<TreeEditor::Place> TreeEditor::Find(
    const std::string& path) const {
  const auto tree = changer_.Tree();
  const std::size_t slash = path.rfind('/');
  const std::string above = path.substr(0, slash);
  const Node* const parent = tree->FindPath(above);
  if (parent == nullptr || !parent->is_directory || parent->tree == nullptr) {
    return NotFound("{}: {} is no directory of a tree volume", Printable(path),
                    Printable(above));
  }
  Place place{.volume = std::string(tree->VolumeOf(parent->id)->name),
              .parent = parent->tree->id,
              .name = path.substr(slash + 1)};
  if (const Node* const there = tree->Lookup(parent->id, place.name)) {
    place.kind = there->tree->record.kind;
  } else if (place.parent == kVolumeRoot && SessionOfHiddenName(place.name)) {
    return InvalidArgument(
        "{}: such a name is for files that were removed while they are open, "
        "and what has it is removed in time; choose another",
        Printable(path));
  }
  return place;
}

absl::StatusOr<TreeAnswer> TreeEditor::Ask(const TreeRequest& request,
                                           const std::string& path) {
  for (int i = 0;; ++i) {
    FAMFS_ASSIGN_OR_RETURN(const TreeAnswer answer, changer_.Change(request));
    if (answer.error == 0) return answer;
    if (answer.error != EAGAIN || i == kTries) {
      // A writer that stopped knows why.
      if (answer.error == EIO) FAMFS_RETURN_IF_ERROR(changer_.CheckStanding());
      return Refused(answer.error, path, changer_);
    }
    std::this_thread::sleep_for(kPause);
  }
}

absl::StatusOr<TreeId> TreeEditor::Create(const Place& place, NodeKind kind,
                                          const std::string& target,
                                          const Ownership& owner,
                                          const std::string& path) {
  TreeRequest request;
  request.op = TreeOp::kCreate;
  request.volume = place.volume;
  request.parent = place.parent;
  request.name = place.name;
  request.kind = kind;
  request.target = target;
  request.uid = owner.uid;
  request.gid = owner.gid;
  request.mode = owner.mode;
  FAMFS_ASSIGN_OR_RETURN(const TreeAnswer answer, Ask(request, path));
  return answer.node;
}

absl::Status TreeEditor::SetSize(const std::string& volume, TreeId node,
                                 std::uint64_t size, const std::string& path) {
  TreeRequest request;
  request.op = TreeOp::kSetAttributes;
  request.volume = volume;
  request.node = node;
  request.set = kSetSize;
  while (request.size < size) {
    request.size += std::min(size - request.size, changer_.largest_growth());
    FAMFS_RETURN_IF_ERROR(Ask(request, path).status());
  }
  return absl::OkStatus();
}

TreeRequest TreeEditor::RemovalOf(const Place& place) {
  TreeRequest request;
  request.op = TreeOp::kRemove;
  request.volume = place.volume;
  request.parent = place.parent;
  request.name = place.name;
  if (place.kind == NodeKind::kDirectory) request.flags = kRemoveDirectory;
  return request;
}

absl::Status TreeEditor::Mkdir(const std::string& path,
                               const Ownership& owner) {
  FAMFS_ASSIGN_OR_RETURN(const Place place, Find(path));
  return Create(place, NodeKind::kDirectory, {}, owner, path).status();
}

absl::Status TreeEditor::Symlink(const std::string& path,
                                 const std::string& target,
                                 const Ownership& owner) {
  if (target.empty() || target.find('\0') != std::string::npos) {
    return InvalidArgument("{}: a link leads to a path that is not empty",
                           Printable(path));
  }
  FAMFS_ASSIGN_OR_RETURN(const Place place, Find(path));
  return Create(place, NodeKind::kSymlink, target,
                {.uid = owner.uid, .gid = owner.gid, .mode = kLinkMode}, path)
      .status();
}

absl::Status TreeEditor::CreateFile(const std::string& path, std::uint64_t size,
                                    const Ownership& owner) {
  FAMFS_ASSIGN_OR_RETURN(const auto file, BeginFile(path, size, owner));
  return file->Commit();
}

absl::Status TreeEditor::Remove(const std::string& path, bool recursive) {
  std::vector<std::string> paths = {path};
  if (recursive) {
    const auto tree = changer_.Tree();
    std::vector<const Node*> below;
    if (const Node* const top = tree->FindPath(path)) below.push_back(top);
    for (std::size_t i = 0; i < below.size(); ++i) {
      for (const Node& child : tree->Children(*below[i])) {
        below.push_back(&child);
        paths.push_back(tree->PathOf(child));
      }
    }
  }
  // Backwards: what lies in a directory before the directory.
  for (auto one = paths.rbegin(); one != paths.rend(); ++one) {
    FAMFS_ASSIGN_OR_RETURN(const Place place, Find(*one));
    if (!place.kind) return ErrnoError(ENOENT, Printable(*one));
    if (place.kind == NodeKind::kDirectory && !recursive) {
      const auto tree = changer_.Tree();
      const Node* const node = tree->FindPath(*one);
      if (node != nullptr && node->children > 0) {
        return FailedPrecondition(
            "{}: is a directory that holds {} names; -r removes it with what "
            "it "
            "holds",
            Printable(*one), node->children);
      }
    }
    FAMFS_RETURN_IF_ERROR(Ask(RemovalOf(place), *one).status());
  }
  return absl::OkStatus();
}

absl::Status TreeEditor::Rename(const std::string& from, const std::string& to,
                                std::uint32_t flags) {
  FAMFS_ASSIGN_OR_RETURN(const Place source, Find(from));
  FAMFS_ASSIGN_OR_RETURN(const Place target, Find(to));
  if (source.volume != target.volume) {
    return InvalidArgument(
        "{}: lies in the volume {}, and {} in {}; nothing moves from volume to "
        "volume: copy it",
        Printable(from), Printable(source.volume), Printable(to),
        Printable(target.volume));
  }
  TreeRequest request;
  request.op = TreeOp::kRename;
  request.volume = source.volume;
  request.parent = source.parent;
  request.name = source.name;
  request.new_parent = target.parent;
  request.new_name = target.name;
  request.flags = flags;
  return Ask(request, source.kind ? to : from).status();
}

/// Made by BeginFile under a name that says what it is.
class NewTreeFile final : public PendingFile {
 public:
  NewTreeFile(TreeEditor editor, TreeEditor::Place part, std::string name,
              std::string path)
      : editor_(editor),
        part_(std::move(part)),
        name_(std::move(name)),
        path_(std::move(path)) {}
  ~NewTreeFile() override {
    file_.reset();
    editor_.changer_.LetGo(shape_);
    if (committed_) return;
    IgnoreError(
        editor_.changer_.TakeBack(TreeEditor::RemovalOf(part_)).status(),
        "its name tells what it is; famfs rm takes it");
  }
  NewTreeFile(const NewTreeFile&) = delete;
  NewTreeFile& operator=(const NewTreeFile&) = delete;

  /// The node is there: gives it its size, and maps it.
  absl::Status Open(TreeId id, std::uint64_t size) {
    FAMFS_RETURN_IF_ERROR(editor_.SetSize(part_.volume, id, size, path_));
    std::string node_file;
    {
      const auto tree = editor_.changer_.Tree();
      const Node* const volume = tree->FindDirectory(part_.volume);
      const Node* const node =
          volume == nullptr ? nullptr : tree->FindTreeNode(*volume, id);
      if (node == nullptr) return Refused(ESTALE, path_, editor_.changer_);
      shape_.size = node->size;
      shape_.extents = node->extents;
      editor_.changer_.Hold(shape_);
      node_file = tree->NodeFileOf(*node);
    }
    FAMFS_ASSIGN_OR_RETURN(MappedFile file,
                           MappedFile::Map(*editor_.changer_.devices(), shape_,
                                           Access::kReadWrite, node_file));
    file_.emplace(std::move(file));
    return absl::OkStatus();
  }

  std::span<std::byte> At(std::uint64_t offset) override {
    const MappedFile::Piece piece = file_->At(offset, file_->size());
    if (piece.mapping == nullptr) return {};
    return {piece.mapping->mutable_data() + piece.at, piece.length};
  }
  void Store(std::uint64_t offset, std::span<const std::byte> bytes) override {
    for (const MappedFile::Piece& piece : file_->Pieces(offset, bytes.size())) {
      piece.mapping->Store(piece.at, bytes.first(piece.length));
      bytes = bytes.subspan(piece.length);
    }
  }
  void WriteBack(std::uint64_t offset, std::uint64_t length) override {
    file_->WriteBack(offset, length);
  }
  void NoteStreamed(std::uint64_t /*offset*/, std::uint64_t length) override {
    streamed_ += length;
  }
  [[nodiscard]] absl::Status Check() const override { return file_->Check(); }
  [[nodiscard]] absl::Status CheckStanding() override {
    return editor_.changer_.CheckStanding();
  }
  [[nodiscard]] absl::Status Commit() override {
    if (streamed_ < file_->size()) file_->WriteBack(0, file_->size());
    FAMFS_RETURN_IF_ERROR(Check());
    TreeRequest request;
    request.op = TreeOp::kRename;
    request.volume = part_.volume;
    request.parent = part_.parent;
    request.name = part_.name;
    request.new_parent = part_.parent;
    request.new_name = name_;
    request.flags = kRenameNoReplace;
    FAMFS_RETURN_IF_ERROR(editor_.Ask(request, path_).status());
    committed_ = true;
    return absl::OkStatus();
  }

 private:
  TreeEditor editor_;
  const TreeEditor::Place part_;  // where it is until then
  const std::string name_;
  const std::string path_;
  Node shape_;  // as it was mapped
  std::optional<MappedFile> file_;
  std::atomic<std::uint64_t> streamed_{0};  // bytes, each once
  bool committed_ = false;
};

absl::StatusOr<std::unique_ptr<PendingFile>> TreeEditor::BeginFile(
    const std::string& path, std::uint64_t size, const Ownership& owner) {
  FAMFS_ASSIGN_OR_RETURN(Place place, Find(path));
  if (place.kind) {
    return AlreadyExists("{}: exists; remove it first, or name another",
                         Printable(path));
  }
  if (const absl::Status status = CheckNodeName(place.name); !status.ok()) {
    return Refused(absl::IsOutOfRange(status) ? ENAMETOOLONG : EINVAL, path,
                   changer_);
  }
  std::string name = std::exchange(place.name, PartName());
  FAMFS_ASSIGN_OR_RETURN(const TreeId id,
                         Create(place, NodeKind::kFile, {}, owner, path));
  auto file = std::make_unique<NewTreeFile>(*this, std::move(place),
                                            std::move(name), path);
  FAMFS_RETURN_IF_ERROR(file->Open(id, size));
  return file;
}

absl::Status MkdirAt(Changer& changer, const std::string& path,
                     const Ownership& owner) {
  TreeEditor editor(changer);
  if (editor.Has(path)) return editor.Mkdir(path, owner);
  FAMFS_ASSIGN_OR_RETURN(Writer* const writer, changer.WriterFor(path));
  return writer->Mkdir(path, owner);
}

absl::StatusOr<std::unique_ptr<PendingFile>> BeginFileAt(
    Changer& changer, const std::string& path, std::uint64_t size,
    const Ownership& owner, const FileLayout& layout) {
  TreeEditor editor(changer);
  if (!editor.Has(path)) {
    FAMFS_ASSIGN_OR_RETURN(Writer* const writer, changer.WriterFor(path));
    return writer->BeginFile(path, size, owner, layout);
  }
  if (layout.strips != 0) {
    return InvalidArgument(
        "{}: files of a tree volume grow, and are not interleaved",
        Printable(path));
  }
  return editor.BeginFile(path, size, owner);
}

}  // namespace famfs
