#include "instance/writer/claims.h"

#include <algorithm>

#include "base/text.h"

namespace famfs {

std::string NameKey(VolumeKind kind, const std::string& csi_name) {
  if (csi_name.empty()) return {};
  return static_cast<char>(kind) + csi_name;
}

absl::Status Claims::CheckPathIsFree(const std::string& path) const {
  if (!paths_.contains(path)) return absl::OkStatus();
  return Aborted("path '{}' is being made by another call", Printable(path));
}

absl::Status Claims::CheckNameIsFree(VolumeKind kind,
                                     const std::string& csi_name) const {
  if (!names_.contains(NameKey(kind, csi_name))) return absl::OkStatus();
  return Aborted("a volume with the CSI name '{}' is being made",
                 Printable(csi_name));
}

void Claims::Add(const Claim& claim) {
  slots_ += claim.slots;
  extents_.insert(extents_.end(), claim.extents.begin(), claim.extents.end());
  paths_.insert(claim.path);
  if (!claim.name_key.empty()) names_.insert(claim.name_key);
}

void Claims::Remove(const Claim& claim) {
  slots_ -= claim.slots;
  for (const MediaExtent& extent : claim.extents) RemoveExtent(extent);
  paths_.erase(claim.path);
  names_.erase(claim.name_key);
}

void Claims::RemoveExtent(const MediaExtent& extent) {
  extents_.erase(std::find(extents_.begin(), extents_.end(), extent));
}

}  // namespace famfs
