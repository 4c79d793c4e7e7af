#include "instance/log/compaction.h"

#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "base/units.h"
#include "instance/devices/metadata_store.h"
#include "instance/tree/new_entry.h"
#include "media/checksum.h"
#include "media/rules.h"
#include "media/volume_attributes.h"

namespace famfs {
namespace {

/// Builds the image entry by entry, in the log's order.
class ImageBuilder {
 public:
  explicit ImageBuilder(const CompactionPlan& plan) : plan_(plan) {
    // Never more, often much less: pages that stay untouched cost nothing.
    image_.bytes.reserve(EntryAt(plan.entries));
    image_.bytes.resize(EntryAt(0));
    // Every namespace has it: an entry for it is a repeated one.
    directories_.emplace(".meta", kNoSlot);
    if (plan.player != nullptr) SortDeadPieces();
  }

  void Add(const MediaEntry& entry) {
    switch (static_cast<EntryType>(entry.type)) {
      case EntryType::kMkdir:
        return AddMkdir(entry);
      case EntryType::kFile:
        if (!Drops(PathFromField(entry.file.path)) &&
            !IsOfTree(PathFromField(entry.file.path))) {
          Append(entry);
        }
        return;
      default:
        return Append(entry);
    }
  }

  LogImage Finish() {
    const MediaLogHeader header =
        MakeLogHeader(plan_.log_length, image_.entries);
    std::memcpy(image_.bytes.data(), &header, sizeof(header));
    return std::move(image_);
  }

 private:
  static constexpr std::uint64_t kNoSlot = ~std::uint64_t{0};

  [[nodiscard]] bool Drops(std::string_view path) const {
    if (plan_.drop == nullptr || plan_.drop->empty()) return false;
    return plan_.drop->contains(Abseil(path.substr(0, path.find('/'))));
  }

  void AddMkdir(const MediaEntry& entry) {
    const std::string_view path = PathFromField(entry.mkdir.path);
    if (Drops(path) || IsOfTree(path)) return;
    const auto [it, is_new] =
        directories_.try_emplace(Abseil(path), image_.entries);
    if (is_new) {
      Append(entry);
      return AddTree(path);
    }
    const auto attributes = DecodeVolumeAttributes(entry.mkdir);
    if (!attributes.ok() || !attributes->has_value()) return;
    if ((*attributes)->state == VolumeState::kDeleted) return Append(entry);
    Put(it->second, entry);
  }

  /// Whether the entry is a node's or a piece's: those come from the player.
  [[nodiscard]] bool IsOfTree(std::string_view path) const {
    const std::size_t slash = path.find('/');
    if (plan_.player == nullptr || slash == std::string_view::npos) {
      return false;
    }
    const std::string_view volume = path.substr(0, slash);
    if (plan_.player->usage().contains(Abseil(volume))) return true;
    const auto dead = plan_.player->pending().find(Abseil(volume));
    return dead != plan_.player->pending().end() && dead->second.is_tree;
  }

  /// Behind the entry of a volume's directory: what belongs to it.
  void AddTree(std::string_view volume) {
    if (plan_.player == nullptr) return;
    const PendingVolumes& pending = plan_.player->pending();
    if (const auto dead = pending.find(Abseil(volume)); dead != pending.end()) {
      for (const PendingVolume::Piece& piece : dead->second.pieces) {
        AddDeadPiece(piece.path, piece.extents, dead->second.deletion_number);
      }
      return;
    }
    if (!plan_.player->usage().contains(Abseil(volume))) return;
    AddNodes(volume);
    const auto of_volume = dead_pieces_.find(Abseil(volume));
    if (of_volume == dead_pieces_.end()) return;
    for (const auto& [path, piece] : of_volume->second) {
      AddDeadPiece(*path, piece->extents, piece->deletion_number);
    }
  }

  void AddNodes(std::string_view volume) {
    const Namespace& tree = plan_.player->tree();
    std::vector<const Node*> nodes = {tree.FindDirectory(volume)};
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (i > 0) AddNode(volume, *nodes[i]);
      for (const Node& child : tree.Children(*nodes[i])) {
        nodes.push_back(&child);
      }
    }
  }

  void AddNode(std::string_view volume, const Node& node) {
    const TreeId id = node.tree->id;
    MediaEntry entry = NewMkdirEntry(NodePath(volume, id), node.owner);
    NodeRecord record = node.tree->record;
    record.name = std::string(node.name);
    record.parent = plan_.player->tree().Find(node.parent)->tree->id;
    IgnoreError(EncodeNodeRecord(record, entry.mkdir), "it was decoded");
    Append(entry);
    std::size_t first = 0;
    for (const TreeNode::Piece& piece : node.tree->pieces) {
      Append(NewPieceEntry(
          PiecePath(volume, id, piece.number),
          std::span(node.extents.begin() + first, piece.extents)));
      first += piece.extents;
    }
  }

  void AddDeadPiece(std::string_view path, std::span<const MediaExtent> extents,
                    std::uint64_t deletion_number) {
    if (plan_.drop != nullptr && plan_.drop->contains(Abseil(path))) return;
    MediaEntry entry = NewPieceEntry(path, extents);
    MarkDeadPiece(deletion_number, entry.file);
    Append(entry);
  }

  /// By volume, and each volume's in their paths' order.
  void SortDeadPieces() {
    for (const auto& [path, piece] : plan_.player->pending()) {
      const std::size_t slash = path.find('/');
      if (slash == std::string::npos) continue;
      dead_pieces_[path.substr(0, slash)].emplace_back(&path, &piece);
    }
    for (auto& [volume, pieces] : dead_pieces_) {
      std::sort(pieces.begin(), pieces.end(), [](const auto& a, const auto& b) {
        return *a.first < *b.first;
      });
    }
  }

  void Append(const MediaEntry& entry) {
    image_.bytes.resize(EntryAt(image_.entries + 1));
    Put(image_.entries++, entry);
  }

  void Put(std::uint64_t slot, MediaEntry entry) {
    entry.seqnum = slot;
    Seal(entry);
    std::memcpy(image_.bytes.data() + EntryAt(slot), &entry, sizeof(entry));
  }

  CompactionPlan plan_;
  LogImage image_;
  // Views of the log's bytes, which stay while the image is made.
  absl::flat_hash_map<absl::string_view, std::uint64_t> directories_;
  using DeadPiece = std::pair<const std::string*, const PendingVolume*>;
  absl::flat_hash_map<std::string, std::vector<DeadPiece>> dead_pieces_;
};

/// The paths in an entry, as views that outlive the loop over the log.
const MediaEntry& EntryIn(std::span<const std::byte> log, std::uint64_t index) {
  // A log is mapped at a page and its entries are 8-byte aligned in it.
  return *reinterpret_cast<const MediaEntry*>(log.data() + EntryAt(index));
}

}  // namespace

std::uint64_t LogImage::extent_length() const {
  return RoundUp(bytes.size(), kAllocUnit);
}

absl::Status CheckStillWhole(std::span<const std::byte> log,
                             std::uint64_t entries) {
  for (std::uint64_t i = 0; i < entries; ++i) {
    const MediaEntry& entry = EntryIn(log, i);
    if (ChecksumOf(entry) == entry.crc && entry.seqnum == i) continue;
    return DataLoss(
        "entry {} of the log is damaged since it was played; the log is left "
        "as it is (famfs fsck tells more)",
        i);
  }
  return absl::OkStatus();
}

LogImage MakeLogImage(std::span<const std::byte> log,
                      const CompactionPlan& plan) {
  ImageBuilder builder(plan);
  for (std::uint64_t i = 0; i < plan.entries; ++i) {
    builder.Add(EntryIn(log, i));
  }
  return builder.Finish();
}

absl::Status RewriteLog(Mapping& log, const LogImage& image,
                        std::uint64_t old_entries) {
  const std::size_t start = EntryAt(0);
  const std::size_t end = EntryAt(image.entries);
  log.Store(start, std::span(image.bytes).subspan(start));
  if (old_entries > image.entries) {
    log.StoreZeros(end, EntryAt(old_entries) - end);
  }
  log.WriteBack(start, EntryAt(std::max(old_entries, image.entries)) - start);
  StoreLogHeader(log, log.size(), image.entries);
  return log.Check();
}

absl::StatusOr<LogImage> LoadLogImage(DaxDevice& device,
                                      const CompactionRecord& record,
                                      std::uint64_t log_length) {
  if (record.length < sizeof(MediaLogHeader) || record.length > log_length) {
    return DataLoss("compaction record: the image has {} bytes, the log {}",
                    record.length, log_length);
  }
  auto mapping = device.Map(record.offset, record.length, Access::kRead);
  if (!mapping.ok()) {
    return DataLoss("compaction record: its image cannot be read: {}",
                    Message(mapping.status()));
  }
  (*mapping)->Invalidate(0, record.length);
  LogImage image;
  image.bytes.assign((*mapping)->bytes().begin(), (*mapping)->bytes().end());
  FAMFS_RETURN_IF_ERROR((*mapping)->Check());
  if (const std::uint64_t crc = Crc32(image.bytes); crc != record.image_crc) {
    return DataLoss(
        "compaction record: the image at {:#x} has the checksum {:#x}, not "
        "{:#x}",
        record.offset, crc, record.image_crc);
  }
  MediaLogHeader header;
  std::memcpy(&header, image.bytes.data(), sizeof(header));
  FAMFS_RETURN_IF_ERROR(
      Annotate(CheckLogHeader(header, log_length), "compaction image"));
  image.entries = header.next_index;
  if (EntryAt(image.entries) != image.bytes.size()) {
    return DataLoss("compaction image: {} bytes do not hold its {} entries",
                    image.bytes.size(), image.entries);
  }
  return image;
}

}  // namespace famfs
