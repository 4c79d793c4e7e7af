// What the creations under way hold, so that no other one takes it: their
// paths, the CSI names of their volumes, slots of the log, and extents, which
// are taken in the allocators although no entry names them yet.
#pragma once

#include <absl/container/flat_hash_set.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "dax/device.h"
#include "instance/devices/memory_source.h"
#include "instance/writer/file_layout.h"
#include "media/format.h"
#include "media/volume_attributes.h"

namespace famfs {

/// What a creation asks for before it can be published.
struct Wanted {
  std::string path;           // of the entry that is not there yet
  bool is_volume = false;     // path is a volume's directory
  std::string volume_name{};  // the CSI name, of a volume
  VolumeKind kind = VolumeKind::kVolume;
  std::uint64_t size = 0;       // bytes of the file; 0: no file
  std::size_t max_extents = 1;  // where the layout is contiguous
  FileLayout layout{};
  std::uint64_t slots = 1;    // of the log
  bool to_fill = false;       // by the caller, before it is published
  bool is_piece = false;      // of the node of this path, in a tree volume
  std::uint64_t promise = 0;  // bytes that a new tree volume may hold
  std::vector<BackingAnswer> backings{};  // of the devices
};

/// What it holds until it is published or given up.
struct Claim {
  std::string path;        // empty: slots alone
  std::string name_key{};  // NameKey; empty: no volume, or one without a name
  std::uint64_t slots = 0;
  std::vector<MediaExtent> extents{};  // or strips, when chunk > 0
  /// By extent: where it was placed. What is found under its index later may
  /// be another device, without the extent.
  std::vector<std::shared_ptr<DaxDevice>> devices{};
  std::uint64_t chunk = 0;              // bytes
  bool makes_extents = true;            // no: the bytes are in a file of a node
  std::vector<bool> is_zero{};          // by extent; empty: none is
  std::vector<std::size_t> promises{};  // rows of the reservations
};

/// By what a volume's CSI name is claimed: volumes and snapshots are named
/// apart. Empty for an empty name.
std::string NameKey(VolumeKind kind, const std::string& csi_name);

/// Not thread-safe: WriterState::mutex guards it.
class Claims {
 public:
  /// Aborted while another claim holds the path, or the name.
  [[nodiscard]] absl::Status CheckPathIsFree(const std::string& path) const;
  [[nodiscard]] absl::Status CheckNameIsFree(VolumeKind kind,
                                             const std::string& csi_name) const;
  /// Both were checked.
  void Add(const Claim& claim);
  /// What Add took; once.
  void Remove(const Claim& claim);
  /// The extent alone, of a claim that goes on without it.
  void RemoveExtent(const MediaExtent& extent);

  /// A slot of the log alone.
  void AddSlot() { ++slots_; }
  void RemoveSlot() { --slots_; }

  [[nodiscard]] std::uint64_t slots() const { return slots_; }
  [[nodiscard]] const std::vector<MediaExtent>& extents() const {
    return extents_;
  }

 private:
  std::uint64_t slots_ = 0;
  std::vector<MediaExtent> extents_;
  absl::flat_hash_set<std::string> paths_;
  absl::flat_hash_set<std::string> names_;  // NameKey
};

}  // namespace famfs
