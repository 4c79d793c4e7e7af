#include "fuse/data_path.h"

namespace famfs {
namespace {

absl::Status CheckPassthrough(DaxDevice& device, const Wire& wire) {
  if (!device.has_extent_files()) {
    return Unimplemented(
        "{} has no extent files to pass through; an emulated device has",
        device.spec());
  }
  if (!wire.Offered(kInitPassthrough)) {
    return Unimplemented(
        "this kernel (FUSE {}) does not offer FUSE passthrough, which needs "
        "Linux 6.9 with CONFIG_FUSE_PASSTHROUGH",
        wire.protocol());
  }
  FAMFS_ASSIGN_OR_RETURN(const UniqueFd extent,
                         device.OpenExtent(kSuperblockOffset));
  FAMFS_ASSIGN_OR_RETURN(const int id, wire.OpenBacking(extent.get()));
  wire.CloseBacking(id);
  return absl::OkStatus();
}

int Rank(DataPath path) {
  switch (path) {
    case DataPath::kFmap:
      return 3;
    case DataPath::kPassthrough:
      return 2;
    case DataPath::kCopy:
      return 1;
    case DataPath::kAuto:
      return 0;
  }
  return 0;
}

}  // namespace

absl::StatusOr<ChosenPath> ChooseDataPath(DataPath asked, DaxDevice& device,
                                          const Wire& wire) {
  switch (asked) {
    case DataPath::kFmap:
      return Unimplemented(
          "data path fmap: this build knows no kernel that maps famfs files; "
          "ask "
          "for passthrough, copy or auto");
    case DataPath::kCopy:
      return ChosenPath{DataPath::kCopy, "copy was asked for"};
    case DataPath::kPassthrough:
    case DataPath::kAuto:
      break;
  }
  const absl::Status possible = CheckPassthrough(device, wire);
  if (possible.ok()) return ChosenPath{DataPath::kPassthrough, ""};
  if (asked == DataPath::kPassthrough) {
    return Unimplemented("data path passthrough: {}", Message(possible));
  }
  return ChosenPath{DataPath::kCopy, std::string(Message(possible))};
}

bool Satisfies(DataPath served, DataPath asked) {
  return Rank(served) >= Rank(asked);
}

}  // namespace famfs
