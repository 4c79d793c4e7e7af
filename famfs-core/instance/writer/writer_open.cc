#include <spdlog/spdlog.h>

#include <algorithm>

#include "instance/devices/metadata_store.h"
#include "instance/log/compaction.h"
#include "instance/log/fast_play.h"
#include "instance/writer/ownership.h"
#include "instance/writer/writer.h"
#include "media/checksum.h"
#include "media/rules.h"
#include "media/volume_attributes.h"

namespace famfs {
namespace {

absl::Status CheckOwner(const DaxDevice& device, const MediaSuperblock& super,
                        const Uuid& system_uuid) {
  if (super.system_uuid == system_uuid) return absl::OkStatus();
  return PermissionDenied(
      "{}: is owned by the host {}, and this host is {}; only the owner may "
      "change it",
      device.spec(), super.system_uuid.ToString(), system_uuid.ToString());
}

}  // namespace

Writer::Writer(std::shared_ptr<DeviceSet> devices, Layout layout,
               WriterLock lock, const WriterOptions& options)
    : devices_(std::move(devices)),
      device_(devices_->primary()),
      layout_(std::move(layout)),
      lock_(std::move(lock)),
      lock_directory_(options.lock_directory) {}

Writer::~Writer() = default;

absl::StatusOr<std::unique_ptr<Writer>> Writer::Open(
    std::shared_ptr<DaxDevice> device, const WriterOptions& options) {
  return Open(std::make_shared<DeviceSet>(std::move(device)), options);
}

absl::StatusOr<std::unique_ptr<Writer>> Writer::Open(
    std::shared_ptr<DeviceSet> devices, const WriterOptions& options) {
  const std::shared_ptr<DaxDevice> device = devices->primary();
  if (options.system_uuid.is_nil()) {
    return InvalidArgument(
        "{}: a writer needs its host's system uuid; it is nil", device->spec());
  }
  FAMFS_RETURN_IF_ERROR(MendOwner(*device));
  FAMFS_ASSIGN_OR_RETURN(Layout seen,
                         Layout::Open(*device, Access::kReadWrite));
  if (!options.take_over) {
    FAMFS_RETURN_IF_ERROR(
        CheckOwner(*device, seen.superblock(), options.system_uuid));
  }
  FAMFS_ASSIGN_OR_RETURN(
      WriterLock lock,
      WriterLock::Acquire(options.lock_directory, seen.superblock().fs_uuid));
  // Again, under the lock: a mkfs may have come in between.
  FAMFS_ASSIGN_OR_RETURN(Layout layout,
                         Layout::Open(*device, Access::kReadWrite));
  if (layout.superblock().fs_uuid != seen.superblock().fs_uuid) {
    return Aborted("{}: was made anew while it was opened; try again",
                   device->spec());
  }
  if (options.take_over &&
      layout.superblock().system_uuid != options.system_uuid) {
    FAMFS_RETURN_IF_ERROR(ChangeOwner(layout, options.system_uuid));
    FAMFS_ASSIGN_OR_RETURN(layout, Layout::Open(*device, Access::kReadWrite));
  }
  FAMFS_RETURN_IF_ERROR(
      CheckOwner(*device, layout.superblock(), options.system_uuid));
  std::unique_ptr<Writer> writer(new Writer(
      std::move(devices), std::move(layout), std::move(lock), options));
  writer->self_ = {.host = options.system_uuid, .boot = options.boot};
  if (options.boot == 0) {
    // Without it nothing is lost but that rows of an earlier boot of this host
    // are waited for.
    writer->self_.boot = LoadBoot().value_or(0);
  }
  if (const absl::Status status = writer->TakeOver(options.system_uuid);
      !status.ok()) {
    return Annotate(status, writer->device_->spec());
  }
  return writer;
}

absl::Status Writer::TakeOver(const Uuid& system_uuid) {
  FAMFS_RETURN_IF_ERROR(FinishCompaction());
  FAMFS_RETURN_IF_ERROR(PlayLog());
  FAMFS_RETURN_IF_ERROR(layout_.Check());
  TakeEpoch(system_uuid);
  MendLog();
  LoadTables();
  FAMFS_RETURN_IF_ERROR(layout_.Check());
  devices_->SetTable(layout_.superblock().fs_uuid, player_->devices());
  FAMFS_RETURN_IF_ERROR(AdmitDevices());
  if (const absl::Status filled = RefillMemory(); !filled.ok()) {
    spdlog::error("{}: {}", device_->spec(), Message(filled));
  }
  TakeReserveLocked();
  if (WaitsForHosts() || DroppableLocked() == 0) return absl::OkStatus();
  const absl::Status compacted = Compact();
  if (absl::IsResourceExhausted(compacted)) {
    spdlog::warn("{}: deleted volumes keep their space for now: {}",
                 device_->spec(), Message(compacted));
    return absl::OkStatus();
  }
  return compacted;
}

absl::Status Writer::FinishCompaction() {
  FAMFS_ASSIGN_OR_RETURN(const auto state, layout_.LoadState());
  FAMFS_ASSIGN_OR_RETURN(const auto record, layout_.LoadCompaction());
  FAMFS_ASSIGN_OR_RETURN(const auto owner, layout_.LoadOwner());
  owner_ = owner.value_or(OwnerRecord{});
  state_ = state.value_or(StateRecord{});
  compaction_ = record.value_or(CompactionRecord{});
  const std::uint64_t length = layout_.superblock().log_length;
  const absl::Status header = CheckLogHeader(layout_.LoadLogHeader(), length);
  FAMFS_RETURN_IF_ERROR(layout_.Check());
  if (compaction_.length == 0) return header;
  if (!state) {
    return DataLoss("compaction record without a state record in our region");
  }
  if (!header.ok()) {
    FAMFS_ASSIGN_OR_RETURN(const LogImage image,
                           LoadLogImage(*device_, compaction_, length));
    spdlog::info("{}: completing an interrupted compaction to {} entries",
                 device_->spec(), image.entries);
    FAMFS_RETURN_IF_ERROR(RewriteLog(layout_.log(), image, image.entries));
  }
  // Whether the log is the old or the new one: readers start from its
  // beginning.
  StateRecord next = state_;
  next.generation = std::max(next.generation, compaction_.generation);
  SetState(next);
  SetCompaction({});
  return absl::OkStatus();
}

absl::Status Writer::PlayLog() {
  base_nodes_ = Namespace(layout_.superblock().fs_uuid, 0).size();
  const std::uint64_t entries = layout_.LoadLogHeader().next_index;
  if (entries >= kFastPlayFrom) {
    player_ = PlayFast(layout_.superblock(), layout_.device_size(),
                       layout_.log(), entries);
  }
  if (player_ == nullptr) {
    // A short log, or one that breaks a rule: this tells which.
    player_ = std::make_unique<LogPlayer>(layout_.superblock(),
                                          layout_.device_size());
    for (std::uint64_t i = 0; i < entries; ++i) {
      FAMFS_RETURN_IF_ERROR(player_->Apply(i, layout_.LoadEntry(i)));
    }
  }
  if (entries > 0) last_crc_ = layout_.LoadEntry(entries - 1).crc;
  superseded_ = player_->superseding();
  for (const auto& [directory, volume] : player_->pending()) {
    state_.last_deletion =
        std::max(state_.last_deletion, volume.deletion_number);
  }
  return absl::OkStatus();
}

void Writer::TakeEpoch(const Uuid& system_uuid) {
  StateRecord next = state_;
  if (state_.writer_epoch == 0 && owner_.epoch == 0) {
    // The first writer of an upstream instance, which leaves the region as an
    // earlier life of the device had it.
    ZeroDirty(layout_.head(), kRegionOffset, kRegionSize);
  }
  ++next.writer_epoch;
  next.writer_epoch = std::max(next.writer_epoch, owner_.epoch + 1);
  next.writer_host = system_uuid;
  SetState(next);
  // Only now, and never again by this writer: media/region_tables.h.
  owner_ = StoreNextOwner(layout_, next.writer_epoch, system_uuid);
  auto mark = UseMark::Set(*device_, Use::kWriting, next.writer_epoch);
  if (mark.ok()) mark_ = *std::move(mark);  // else another's tells the same
}

void Writer::MendLog() {
  const MediaLogHeader header = layout_.LoadLogHeader();
  if (header.next_seqnum != header.next_index) {
    StoreLogCounters(layout_.log(), header.next_index);
  }
  const std::uint64_t end = EntryAt(header.next_index);
  ZeroDirty(layout_.log(), end, layout_.log().size() - end);
}

}  // namespace famfs
