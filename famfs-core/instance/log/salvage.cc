#include "instance/log/salvage.h"

#include <absl/container/flat_hash_set.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "instance/devices/metadata_store.h"
#include "instance/log/salvage_tree.h"
#include "media/checksum.h"
#include "media/volume_attributes.h"

namespace famfs {

/// Applies entry after entry, and mends the tree before one that only misses
/// what a damaged one would have made.
class Salvager {
 public:
  explicit Salvager(const Layout& layout)
      : result_{.player = std::make_unique<LogPlayer>(layout.superblock(),
                                                      layout.device_size()),
                .damage = {}},
        player_(*result_.player),
        trees_(player_, result_.damage) {}

  void Take(std::uint64_t index, const MediaEntry& entry) {
    std::optional<Finding> finding;
    if (IsIntact(entry, index)) {
      finding = trees_.Refuse(index, entry);
    } else {
      trees_.Damaged();
    }
    if (!finding) finding = Try(index, entry);
    // Each round makes up one thing that is missing; no entry misses more than
    // its devices, its directories and its volume's state.
    for (int round = 0; finding && round < 4; ++round) {
      if (!MakeUp(*finding, entry)) break;
      finding = Try(index, entry);
    }
    if (finding) result_.damage.Add(*std::move(finding));
    player_.SkipTo(index + 1);
  }

  Salvaged Finish() {
    CutMadeUpDevices();
    return std::move(result_);
  }

 private:
  std::optional<Finding> Try(std::uint64_t index, const MediaEntry& entry) {
    player_.SkipTo(index);
    std::optional<Finding> finding = player_.TryApply(index, entry);
    if (!finding && IsMkdir(entry)) Settle(entry.mkdir);
    return finding;
  }

  static bool IsMkdir(const MediaEntry& entry) {
    return entry.type == static_cast<std::uint32_t>(EntryType::kMkdir);
  }
  static bool IsIntact(const MediaEntry& entry, std::uint64_t index) {
    return ChecksumOf(entry) == entry.crc && entry.seqnum == index;
  }
  static std::string_view PathIn(const MediaEntry& entry) {
    return IsMkdir(entry) ? PathFromField(entry.mkdir.path)
                          : PathFromField(entry.file.path);
  }

  /// A whole mkdir of a directory that was made up: now its owner is known.
  void Settle(const MediaMkdir& mkdir) {
    const std::string path(PathFromField(mkdir.path));
    if (made_up_.erase(path) == 0) return;
    if (const Node* node = player_.tree_.FindDirectory(path); node != nullptr) {
      player_.tree_.SetOwner(
          node->id, {.uid = mkdir.uid, .gid = mkdir.gid, .mode = mkdir.mode});
    }
  }

  /// Whether something was changed that `finding` asks for.
  bool MakeUp(const Finding& finding, const MediaEntry& entry) {
    if (!IsIntact(entry, *finding.entry)) return false;
    if (MakeUpTreeVolume(finding, entry)) return true;
    if (trees_.MakeUp(finding, entry)) return true;
    if (finding.rule == "parent") return MakeUpParents(finding, PathIn(entry));
    if (finding.rule == "device") return MakeUpDevices(finding, entry);
    const bool of_volume =
        finding.rule == "volume" || finding.rule == "revision";
    return of_volume && IsMkdir(entry) && MakeUpVolume(finding, entry.mkdir);
  }

  bool MakeUpParents(const Finding& finding, std::string_view path) {
    bool made = false;
    for (std::size_t slash = path.find('/'); slash != std::string_view::npos;
         slash = path.find('/', slash + 1)) {
      const std::string_view above = path.substr(0, slash);
      if (player_.tree_.FindDirectory(above) != nullptr) continue;
      // A file of that name leaves the path unreachable.
      if (player_.tree_.FindPath(above) != nullptr) return false;
      const Node* const parent = player_.tree_.FindDirectory(ParentPath(above));
      if (parent == nullptr || !MakeDirectory(*parent, above)) return false;
      Tell(finding, "parent",
           fmt::format("the entry of the directory '{}' cannot be read; it "
                       "stands there with owner 0 and mode 0700",
                       Printable(above)));
      made = true;
    }
    return made;
  }

  /// Its directory may be there as an ordinary one that was made up before.
  bool MakeUpTreeVolume(const Finding& finding, const MediaEntry& entry) {
    std::string_view path;
    if (!TreeMender::NamesLostVolume(finding, entry, path)) return false;
    const Node* const there = player_.tree_.FindDirectory(path);
    if (there == nullptr) {
      if (player_.tree_.FindPath(path) != nullptr ||
          !MakeDirectory(*player_.tree_.Find(kRootNode), path)) {
        return false;
      }
    } else if (!made_up_.contains(std::string(path)) ||
               there->volume != nullptr) {
      return false;
    }
    trees_.MakeVolume(finding, path);
    return true;
  }

  bool MakeDirectory(const Node& parent, std::string_view path) {
    Node node;
    node.is_directory = true;
    node.owner = {.uid = 0, .gid = 0, .mode = 0700};
    if (player_.tree_.Add(parent.id, path, std::move(node)) == 0) return false;
    made_up_.insert(std::string(path));
    return true;
  }

  /// Known by its number alone: no uuid, and as large as can be, for now.
  bool MakeUpDevices(const Finding& finding, const MediaEntry& entry) {
    std::uint64_t upto = 0;
    if (entry.type == static_cast<std::uint32_t>(EntryType::kAddDaxdev)) {
      upto = entry.add_daxdev.index - std::uint64_t{1};
    } else if (!IsMkdir(entry)) {
      for (const MediaExtent& extent : ExtentsOf(entry.file)) {
        upto = std::max(upto, extent.device_index);
      }
    }
    if (upto >= kMaxDevices || upto <= player_.devices().size()) return false;
    while (player_.devices().size() < upto) {
      MediaAddDaxdev device{};
      device.size = kUnknownSize;
      device.index = static_cast<std::uint32_t>(player_.devices().size() + 1);
      ExtentAllocator allocator(device.size);
      if (!allocator.Take({0, kAllocUnit}).ok()) return false;
      player_.devices_.push_back(device);
      player_.other_allocators_.push_back(std::move(allocator));
      Tell(finding, "device",
           fmt::format("the entry of device {} cannot be read", device.index));
    }
    return true;
  }

  /// They end where the last file on them does: what lies behind is not known
  /// to be there.
  void CutMadeUpDevices() {
    for (MediaAddDaxdev& device : player_.devices_) {
      if (!device.device_uuid.is_nil()) continue;
      std::uint64_t end = kAllocUnit;
      const auto reach = [&](std::uint64_t index, const Range& range) {
        if (index == device.index) end = std::max(end, range.end());
      };
      for (const auto& [id, node] : player_.tree_.nodes()) {
        for (const MediaExtent& extent : node->extents) {
          reach(extent.device_index, {extent.offset, extent.length});
        }
      }
      for (const Range& range : player_.PendingOn(device.index)) {
        reach(device.index, range);
      }
      ExtentAllocator& allocator = player_.mutable_allocator(device.index);
      IgnoreError(allocator.Take({end, kUnknownSize - end}),
                  "nothing lies there");
      device.size = end;
    }
  }

  /// Makes the directory stand as it did before this revision.
  bool MakeUpVolume(const Finding& finding, const MediaMkdir& mkdir) {
    const auto decoded = DecodeVolumeAttributes(mkdir);
    const std::string_view path = PathFromField(mkdir.path);
    if (!decoded.ok() || !decoded->has_value() ||
        path.find('/') != std::string_view::npos) {
      return false;
    }
    const VolumeAttributes& now = **decoded;
    if (const Node* other = player_.tree_.FindVolume(now.name, now.kind);
        other != nullptr && other->name != path) {
      return ForgetVolume(finding, *other);
    }
    const Node* const there = player_.tree_.FindDirectory(path);
    if (there == nullptr || now.revision == 0) return false;
    const bool is_made_up = made_up_.contains(std::string(path));
    if (!is_made_up && (there->volume == nullptr || !Follows(*there, now))) {
      return false;
    }
    // What is in it stands there as it does in such a volume.
    if (there->volume != nullptr && there->volume->layout != now.layout) {
      return false;
    }
    auto before = std::make_unique<VolumeAttributes>(now);
    before->revision = now.revision - 1;
    before->state = VolumeState::kLive;
    before->deletion_number = 0;
    player_.tree_.SetVolume(there->id, std::move(before));
    Tell(finding, "revision",
         fmt::format("an entry of the volume '{}' before its revision {} "
                     "cannot be read",
                     Printable(path), now.revision));
    return true;
  }

  static bool Follows(const Node& directory, const VolumeAttributes& now) {
    const VolumeAttributes& before = *directory.volume;
    return now.revision > before.revision + 1 && now.name == before.name &&
           now.kind == before.kind;
  }

  /// Two live volumes of one CSI name: the deletion of the older one is among
  /// what cannot be read. Its files stay to be seen, but it is no volume.
  bool ForgetVolume(const Finding& finding, const Node& directory) {
    Tell(finding, "volume",
         fmt::format("the deletion of the volume '{}' cannot be read; its "
                     "directory is still there",
                     directory.name));
    player_.tree_.SetVolume(directory.id, nullptr);
    return true;
  }

  void Tell(const Finding& finding, const char* rule, std::string message) {
    result_.damage.Add({.severity = Severity::kError,
                        .entry = finding.entry,
                        .rule = rule,
                        .message = std::move(message)});
  }

  static constexpr std::uint64_t kUnknownSize = 8ULL << 50;  // bytes

  Salvaged result_;
  LogPlayer& player_;
  TreeMender trees_;
  absl::flat_hash_set<std::string> made_up_;  // paths of directories
};

Salvaged Salvage(const Layout& layout, const Mapping& log, std::uint64_t end,
                 bool counted) {
  constexpr std::uint64_t kBatch = 256;  // slots that are invalidated at once
  Salvager salvager(layout);
  const std::uint64_t slots =
      log.size() < EntryAt(0) ? 0
                              : (log.size() - EntryAt(0)) / sizeof(MediaEntry);
  end = std::min(end, slots);
  MediaEntry entry{};
  for (std::uint64_t i = 0; i < end; ++i) {
    if (i % kBatch == 0) {
      log.Invalidate(EntryAt(i),
                     std::min(kBatch, end - i) * sizeof(MediaEntry));
    }
    std::memcpy(static_cast<void*>(&entry), log.data() + EntryAt(i),
                sizeof(entry));
    if (!counted && IsZero(std::as_bytes(std::span(&entry, 1)))) break;
    salvager.Take(i, entry);
  }
  return salvager.Finish();
}

}  // namespace famfs
