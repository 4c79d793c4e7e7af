#include "fuse/kernel/data_path.h"

namespace famfs {
namespace {

constexpr char kRefused[] = "famfs/data-path-refused";

absl::Status Refused(std::string_view why) {
  absl::Status status = Unimplemented("data path {}", why);
  status.SetPayload(kRefused, absl::Cord());
  return status;
}

absl::Status CheckPassthrough(DaxDevice& device, const Wire& wire) {
  if (!device.capabilities().can_pass_through) {
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

}  // namespace

absl::StatusOr<ChosenPath> ChooseDataPath(DataPath asked, DaxDevice& device,
                                          const Wire& wire) {
  switch (asked) {
    case DataPath::kFmap:
      return Refused(
          "fmap: this build knows no kernel that maps famfs files; ask for "
          "passthrough, copy or auto");
    case DataPath::kCopy:
      return ChosenPath{DataPath::kCopy, "copy was asked for"};
    case DataPath::kPassthrough:
    case DataPath::kAuto:
      break;
  }
  const absl::Status possible = CheckPassthrough(device, wire);
  if (possible.ok()) return ChosenPath{DataPath::kPassthrough, ""};
  if (absl::IsUnavailable(possible)) return possible;
  if (asked == DataPath::kPassthrough) {
    return Refused(fmt::format("passthrough: {}", Message(possible)));
  }
  return ChosenPath{DataPath::kCopy, std::string(Message(possible))};
}

bool IsPathRefused(const absl::Status& status) {
  return status.GetPayload(kRefused).has_value();
}

}  // namespace famfs
