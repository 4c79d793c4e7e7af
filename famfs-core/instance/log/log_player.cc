#include "instance/log/log_player.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "media/rules.h"

namespace famfs {

std::string_view ParentPath(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return path.substr(0, slash == std::string_view::npos ? 0 : slash);
}

std::span<const MediaExtent> ExtentsOf(const MediaFile& file) {
  if (file.extent_type ==
      static_cast<std::uint32_t>(ExtentType::kInterleaved)) {
    return {file.interleave.strips, file.interleave.strips_used};
  }
  return {file.extents, file.extent_count};
}

Node NodeOf(const MediaFile& file) {
  Node node;
  node.owner = {.uid = file.uid, .gid = file.gid, .mode = file.mode};
  node.size = file.size;
  const std::span<const MediaExtent> extents = ExtentsOf(file);
  if (extents.data() == file.interleave.strips) {
    node.set_chunk(file.interleave.chunk);
  }
  node.extents.assign(extents);
  return node;
}

LogPlayer::LogPlayer(const MediaSuperblock& superblock,
                     std::uint64_t device_size)
    : tree_(superblock.fs_uuid, superblock.log_length),
      allocator_(device_size),
      device_size_(device_size),
      data_start_(kLogOffset + superblock.log_length),
      device_uuid_(superblock.device_uuid) {
  IgnoreError(allocator_.Take({0, data_start_}),
              "a superblock that passed its check leaves room for its log");
}

absl::Status LogPlayer::Apply(std::uint64_t index, const MediaEntry& entry) {
  return ToStatus(index, ApplyEntry(index, entry, false));
}

absl::Status LogPlayer::ApplyIntact(std::uint64_t index,
                                    const MediaEntry& entry) {
  return ToStatus(index, ApplyEntry(index, entry, true));
}

absl::Status LogPlayer::ToStatus(std::uint64_t index, const Verdict& verdict) {
  if (!verdict) return absl::OkStatus();
  const std::string_view rule = verdict->rule;
  const std::string text =
      fmt::format("entry {}: {}: {}", index, rule, verdict->message);
  if (rule == "version") return FailedPrecondition("{}", text);
  return DataLoss("{}", text);
}

std::optional<Finding> LogPlayer::TryApply(std::uint64_t index,
                                           const MediaEntry& entry) {
  Verdict broken = ApplyEntry(index, entry, false);
  if (!broken) return std::nullopt;
  return Finding{.severity = Severity::kError,
                 .entry = index,
                 .rule = broken->rule,
                 .message = std::move(broken->message)};
}

LogPlayer::Verdict LogPlayer::ApplyEntry(std::uint64_t index,
                                         const MediaEntry& entry, bool intact) {
  if (index != next_index_) {
    return Broken{"index",
                  fmt::format("the next entry to play is {}", next_index_)};
  }
  const absl::Status checked =
      intact ? CheckIntactEntry(entry, data_start_, device_size_)
             : CheckEntry(entry, index, data_start_, device_size_);
  if (!checked.ok()) {
    return Broken{RuleOf(checked), std::string(Message(checked))};
  }
  Verdict broken = ApplyChecked(entry);
  if (!broken) ++next_index_;
  return broken;
}

LogPlayer::Verdict LogPlayer::ApplyChecked(const MediaEntry& entry) {
  switch (static_cast<EntryType>(entry.type)) {
    case EntryType::kFile:
      return ApplyFile(entry.file);
    case EntryType::kMkdir:
      return ApplyMkdir(entry.mkdir);
    default:
      return ApplyAddDaxdev(entry.add_daxdev);
  }
}

LogPlayer::Verdict LogPlayer::CheckDead(std::string_view path) const {
  if (pending_.empty()) return std::nullopt;
  const std::string_view top = path.substr(0, path.find('/'));
  if (!pending_.contains(Abseil(top))) return std::nullopt;
  return Broken{"dead", fmt::format("path '{}' is of the deleted volume '{}'",
                                    Printable(path), Printable(top))};
}

const Node* LogPlayer::FindParent(std::string_view path,
                                  Verdict& verdict) const {
  const std::string_view parent_path = ParentPath(path);
  const Node* parent = tree_.FindDirectory(parent_path);
  if (parent == nullptr) {
    const bool is_file = tree_.FindPath(parent_path) != nullptr;
    verdict = Broken{
        "parent", fmt::format("path '{}' lies in '{}', which {}",
                              Printable(path), Printable(parent_path),
                              is_file ? "is a file" : "no entry made before")};
  }
  return parent;
}

LogPlayer::Verdict LogPlayer::ApplyFile(const MediaFile& file) {
  const std::string_view path = PathFromField(file.path);
  Verdict verdict = CheckDead(path);
  if (verdict) return verdict;
  if (const Node* volume = TreeVolumeAbove(path); volume != nullptr) {
    return ApplyPiece(*volume, file);
  }
  const Node* parent = FindParent(path, verdict);
  if (parent == nullptr) return verdict;
  const std::string_view name = path.substr(path.rfind('/') + 1);
  if (const Node* there = tree_.Lookup(parent->id, name); there != nullptr) {
    if (there->is_meta) {
      return Broken{"reserved",
                    fmt::format("path '{}' is the file system's own", path)};
    }
    return Broken{"duplicate", fmt::format("path '{}' exists: an earlier entry "
                                           "made it",
                                           Printable(path))};
  }
  const std::span<const MediaExtent> extents = ExtentsOf(file);
  if ((verdict = TakeExtents(extents))) return verdict;
  const NodeId id = tree_.Add(parent->id, path, NodeOf(file));
  if (id == 0) {
    GiveBack(extents);
    return Broken{"id", fmt::format("path '{}' has the node id of another path",
                                    Printable(path))};
  }
  if (record_changes_) Record(Change::Kind::kAdded, *tree_.Find(id));
  return std::nullopt;
}

/// What the entry's extension says, which is no node record: those stand in
/// tree volumes alone.
LogPlayer::Verdict LogPlayer::ReadAttributes(
    const MediaMkdir& mkdir,
    std::unique_ptr<const VolumeAttributes>& attributes) {
  const std::string_view path = PathFromField(mkdir.path);
  absl::StatusOr<std::optional<VolumeAttributes>> decoded =
      DecodeVolumeAttributes(mkdir);
  if (!decoded.ok()) {
    const bool newer = absl::IsFailedPrecondition(decoded.status());
    return Broken{newer ? "version" : "attributes",
                  std::string(Message(decoded.status()))};
  }
  if (absl::StatusOr<std::optional<NodeRecord>> record =
          DecodeNodeRecord(mkdir);
      !record.ok() || record->has_value()) {
    return Broken{"record", fmt::format("directory '{}' has a node record and "
                                        "lies in no tree volume",
                                        Printable(path))};
  }
  if (*decoded) {
    attributes = std::make_unique<const VolumeAttributes>(**std::move(decoded));
    if (path.find('/') != std::string_view::npos) {
      return Broken{"volume", fmt::format("the volume's directory '{}' is not "
                                          "at the root",
                                          Printable(path))};
    }
    if (attributes->layout == VolumeLayout::kTree &&
        path.size() > kMaxTreeVolume) {
      return Broken{"volume",
                    fmt::format("the directory '{}' of a tree volume has {} "
                                "bytes, and paths below it have no room beyond "
                                "{}",
                                Printable(path), path.size(), kMaxTreeVolume)};
    }
  }
  return std::nullopt;
}

LogPlayer::Verdict LogPlayer::ApplyMkdir(const MediaMkdir& mkdir) {
  const std::string_view path = PathFromField(mkdir.path);
  Verdict verdict = CheckDead(path);
  if (verdict) return verdict;
  if (const Node* volume = TreeVolumeAbove(path); volume != nullptr) {
    return ApplyNode(*volume, mkdir);
  }
  std::unique_ptr<const VolumeAttributes> attributes;
  if ((verdict = ReadAttributes(mkdir, attributes))) return verdict;
  if (const Node* there = tree_.FindDirectory(path); there != nullptr) {
    return ApplyAgain(*there, path, mkdir, std::move(attributes));
  }
  const Node* parent = FindParent(path, verdict);
  if (parent == nullptr) return verdict;
  const std::string_view name = path.substr(path.rfind('/') + 1);
  if (tree_.Lookup(parent->id, name) != nullptr) {
    return Broken{"duplicate",
                  fmt::format("directory '{}' exists: an earlier entry made a "
                              "file of this path",
                              Printable(path))};
  }
  if (attributes != nullptr) {
    if (attributes->state == VolumeState::kDeleted) {
      return Broken{"revision", fmt::format("volume '{}' is deleted, but no "
                                            "entry made it",
                                            Printable(path))};
    }
    if ((verdict = CheckVolumeName(*attributes))) return verdict;
  }
  Node node;
  node.is_directory = true;
  node.owner = {.uid = mkdir.uid, .gid = mkdir.gid, .mode = mkdir.mode};
  const NodeId id = tree_.Add(parent->id, path, std::move(node));
  if (id == 0) {
    return Broken{"id", fmt::format("path '{}' has the node id of another path",
                                    Printable(path))};
  }
  if (attributes != nullptr) {
    if (attributes->layout == VolumeLayout::kTree) usage_[std::string(path)];
    tree_.SetVolume(id, std::move(attributes));
  }
  if (record_changes_) Record(Change::Kind::kAdded, *tree_.Find(id));
  return std::nullopt;
}

LogPlayer::Verdict LogPlayer::CheckVolumeName(
    const VolumeAttributes& attributes) const {
  const Node* other = tree_.FindVolume(attributes.name, attributes.kind);
  if (other == nullptr) return std::nullopt;
  return Broken{"volume",
                fmt::format("the CSI name '{}' is that of the live volume '{}'",
                            Printable(attributes.name), other->name)};
}

/// A mkdir of a directory that is there. Upstream accepts it silently, and so a
/// plain one changes nothing; one with attributes is the volume's next
/// revision.
LogPlayer::Verdict LogPlayer::ApplyAgain(
    const Node& directory, std::string_view path, const MediaMkdir& mkdir,
    std::unique_ptr<const VolumeAttributes> attributes) {
  if (attributes == nullptr) {
    ++superseding_;
    return std::nullopt;
  }
  if (directory.volume == nullptr) {
    return Broken{"volume", fmt::format("'{}' was made as an ordinary "
                                        "directory, not as a volume",
                                        Printable(path))};
  }
  const VolumeAttributes& before = *directory.volume;
  if (attributes->revision != before.revision + 1) {
    return Broken{
        "revision",
        fmt::format("volume '{}' has the revision {} after {}", Printable(path),
                    attributes->revision, before.revision)};
  }
  if (attributes->layout != before.layout) {
    return Broken{"revision", fmt::format("volume '{}' changes its layout",
                                          Printable(path))};
  }
  if (attributes->name != before.name || attributes->kind != before.kind) {
    return Broken{"revision",
                  fmt::format("volume '{}' changes its CSI name or kind: '{}' "
                              "was '{}'",
                              Printable(path), Printable(attributes->name),
                              Printable(before.name))};
  }
  if (attributes->state == VolumeState::kDeleted) {
    Delete(directory, attributes->deletion_number);
    return std::nullopt;
  }
  tree_.SetOwner(directory.id,
                 {.uid = mkdir.uid, .gid = mkdir.gid, .mode = mkdir.mode});
  tree_.SetVolume(directory.id, std::move(attributes));
  ++superseding_;
  if (!record_changes_) return std::nullopt;
  Record(Change::Kind::kAttributes, directory);
  if (!Namespace::SharesOwner(directory)) return std::nullopt;
  for (const Node& child : tree_.Children(directory)) {
    Record(Change::Kind::kAttributes, child);
  }
  return std::nullopt;
}

void LogPlayer::Delete(const Node& directory, std::uint64_t deletion_number) {
  PendingVolume& dead = pending_[std::string(directory.name)];
  dead.deletion_number = deletion_number;
  std::vector<const Node*> nodes = {&directory};
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    for (const Node& child : tree_.Children(*nodes[i])) {
      nodes.push_back(&child);
    }
  }
  // Backwards, so that children are told before their parents.
  for (auto it = nodes.rbegin(); it != nodes.rend(); ++it) {
    dead.extents.insert(dead.extents.end(), (*it)->extents.begin(),
                        (*it)->extents.end());
    if (record_changes_) Record(Change::Kind::kRemoved, **it);
  }
  if (directory.tree != nullptr) DeleteTree(directory, dead);
  tree_.RemoveTree(directory.id);
}

LogPlayer::Verdict LogPlayer::ApplyAddDaxdev(const MediaAddDaxdev& device) {
  if (devices_.size() + 1 >= kMaxDevices) {
    return Broken{"device", fmt::format("there are {} devices already, which "
                                        "is all that can be",
                                        kMaxDevices)};
  }
  if (device.index != devices_.size() + 1) {
    return Broken{"device",
                  fmt::format("device index is {}, but the next free one is {}",
                              device.index, devices_.size() + 1)};
  }
  const auto same_uuid = [&](const MediaAddDaxdev& other) {
    return other.device_uuid == device.device_uuid;
  };
  if (device.device_uuid == device_uuid_ ||
      std::any_of(devices_.begin(), devices_.end(), same_uuid)) {
    return Broken{"device",
                  fmt::format("device {} has the uuid {} of an earlier one",
                              device.index, device.device_uuid.ToString())};
  }
  ExtentAllocator allocator(device.size);
  if (const absl::Status status = allocator.Take({0, kAllocUnit});
      !status.ok()) {
    return Broken{"device",
                  fmt::format("device {} has {} bytes, not even one unit",
                              device.index, device.size)};
  }
  devices_.push_back(device);
  other_allocators_.push_back(std::move(allocator));
  return std::nullopt;
}

LogPlayer::Verdict LogPlayer::TakeExtents(
    std::span<const MediaExtent> extents) {
  for (std::size_t i = 0; i < extents.size(); ++i) {
    const auto [device, offset, length] = extents[i];
    if (device > devices_.size()) {
      GiveBack(extents.first(i));
      return Broken{"device", fmt::format("extent {} is on device {}, which no "
                                          "entry added",
                                          i, device)};
    }
    const absl::Status status =
        mutable_allocator(device).Take({offset, length});
    if (!status.ok()) {
      GiveBack(extents.first(i));
      return Broken{absl::IsAlreadyExists(status) ? "overlap" : "extent",
                    fmt::format("extent {} on device {}: {}", i, device,
                                Message(status))};
    }
  }
  return std::nullopt;
}

void LogPlayer::GiveBack(std::span<const MediaExtent> extents) {
  for (const MediaExtent& extent : extents) {
    IgnoreError(mutable_allocator(extent.device_index)
                    .Free({extent.offset, extent.length}),
                "it was taken by the same entry");
  }
}

std::uint64_t PendingVolume::bytes() const {
  std::uint64_t bytes = 0;
  for (const MediaExtent& extent : extents) bytes += extent.length;
  return bytes;
}

std::uint64_t LogPlayer::pending_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [directory, volume] : pending_) bytes += volume.bytes();
  return bytes;
}

std::vector<Range> LogPlayer::PendingOn(std::uint64_t device_index) const {
  std::vector<Range> ranges;
  for (const auto& [directory, volume] : pending_) {
    for (const MediaExtent& extent : volume.extents) {
      if (extent.device_index == device_index) {
        ranges.push_back({extent.offset, extent.length});
      }
    }
  }
  return ranges;
}

TreeUsage LogPlayer::UsageOf(std::string_view volume) const {
  const auto it = usage_.find(Abseil(volume));
  return it == usage_.end() ? TreeUsage{} : it->second;
}

bool LogPlayer::PathInUse(std::string_view path) const {
  return CheckDead(path).has_value() || tree_.FindPath(path) != nullptr;
}

void LogPlayer::ForgetDead(const absl::flat_hash_set<std::string>& directories,
                           std::uint64_t next_index) {
  for (const std::string& directory : directories) {
    const auto it = pending_.find(directory);
    if (it == pending_.end()) continue;
    GiveBack(it->second.extents);
    if (const auto used = usage_.find(directory.substr(0, directory.find('/')));
        used != usage_.end()) {
      used->second.bytes -= it->second.bytes();
      used->second.dead -= it->second.bytes();
    }
    pending_.erase(it);
  }
  superseding_ = 0;
  next_index_ = next_index;
}

void LogPlayer::Record(Change::Kind kind, const Node& node) {
  Change change;
  change.kind = kind;
  change.id = node.id;
  change.parent = node.parent;
  change.name = std::string(node.name);
  change.in_tree = node.in_tree();
  changes_.push_back(std::move(change));
}

std::vector<Change> LogPlayer::TakeChanges() {
  return std::exchange(changes_, {});
}

}  // namespace famfs
