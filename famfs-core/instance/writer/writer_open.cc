#include <spdlog/spdlog.h>

#include "instance/writer/ownership.h"
#include "instance/writer/writer.h"
#include "instance/writer/writer_parts.h"

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

/// An instance that nobody else on this host writes, and that is this host's.
struct Owned {
  WriterLock lock;
  std::unique_ptr<Layout> layout;
};

absl::StatusOr<Owned> Own(DaxDevice& device, const WriterOptions& options) {
  FAMFS_RETURN_IF_ERROR(MendOwner(device));
  FAMFS_ASSIGN_OR_RETURN(const Layout seen,
                         Layout::Open(device, Access::kReadWrite));
  if (!options.take_over) {
    FAMFS_RETURN_IF_ERROR(
        CheckOwner(device, seen.superblock(), options.system_uuid));
  }
  FAMFS_ASSIGN_OR_RETURN(
      WriterLock lock,
      WriterLock::Acquire(options.lock_directory, seen.superblock().fs_uuid));
  // Again, under the lock: a mkfs may have come in between.
  FAMFS_ASSIGN_OR_RETURN(Layout layout,
                         Layout::Open(device, Access::kReadWrite));
  if (layout.superblock().fs_uuid != seen.superblock().fs_uuid) {
    return Aborted("{}: was made anew while it was opened; try again",
                   device.spec());
  }
  if (options.take_over &&
      layout.superblock().system_uuid != options.system_uuid) {
    FAMFS_RETURN_IF_ERROR(ChangeOwner(layout, options.system_uuid));
    FAMFS_ASSIGN_OR_RETURN(layout, Layout::Open(device, Access::kReadWrite));
  }
  FAMFS_RETURN_IF_ERROR(
      CheckOwner(device, layout.superblock(), options.system_uuid));
  return Owned{std::move(lock), std::make_unique<Layout>(std::move(layout))};
}

ThisHost HostOf(const WriterOptions& options) {
  if (options.boot != 0) {
    return {.host = options.system_uuid, .boot = options.boot};
  }
  // Without it nothing is lost but that rows of an earlier boot of this host
  // are waited for.
  return {.host = options.system_uuid, .boot = LoadBoot().value_or(0)};
}

/// What the tables say that the log does not contradict.
void LoadTables(WriterState& state) {
  if (!state.WaitsForHosts()) return;
  Layout& layout = *state.layout;
  const Uuid& fs_uuid = layout.superblock().fs_uuid;
  const WriterMutexLock lock(state.mutex);
  const LogPlayer& player = state.log.player();
  state.scrubbed.Load(layout.head(), fs_uuid, layout.data_start(), player);
  state.promises.TakeUp(layout.head(), fs_uuid, state.log);
  state.scrubbed.FindScrubbed(player.pending(), state.promises.lost());
}

/// Whether deleted space waits for nothing but a compaction.
bool TakeReserve(WriterState& state) {
  const WriterMutexLock lock(state.mutex);
  state.TakeReserve();
  return !state.WaitsForHosts() &&
         state.log.Droppable(state.Released().size()) > 0;
}

absl::Status Start(WriterParts& parts) {
  WriterState& state = parts.state;
  LoadTables(state);
  FAMFS_RETURN_IF_ERROR(state.layout->Check());
  {
    const ReaderMutexLock lock(state.mutex);
    state.devices->SetTable(state.layout->superblock().fs_uuid,
                            state.log.player().devices());
  }
  FAMFS_RETURN_IF_ERROR(parts.admission.Admit());
  if (const absl::Status filled = parts.refill.Run(); !filled.ok()) {
    spdlog::error("{}: {}", state.device->spec(), Message(filled));
  }
  if (!TakeReserve(state)) return absl::OkStatus();
  absl::Status compacted = parts.compactor.Compact();
  if (absl::IsResourceExhausted(compacted)) {
    spdlog::warn("{}: deleted volumes keep their space for now: {}",
                 state.device->spec(), Message(compacted));
    return absl::OkStatus();
  }
  return compacted;
}

absl::StatusOr<std::unique_ptr<WriterParts>> TakeOver(
    std::shared_ptr<DeviceSet> devices, Owned owned,
    const WriterOptions& options) {
  const ThisHost self = HostOf(options);
  FAMFS_ASSIGN_OR_RETURN(
      OwnedLog log,
      OwnedLog::TakeOver(*devices->primary(), *owned.layout, self.host));
  auto parts = std::make_unique<WriterParts>(
      std::move(devices), std::move(owned.layout), std::move(owned.lock), self,
      std::move(log), options.lock_directory);
  FAMFS_RETURN_IF_ERROR(Start(*parts));
  return parts;
}

}  // namespace

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
  FAMFS_ASSIGN_OR_RETURN(Owned owned, Own(*device, options));
  auto parts = TakeOver(std::move(devices), std::move(owned), options);
  if (!parts.ok()) return Annotate(parts.status(), device->spec());
  return std::unique_ptr<Writer>(new Writer(*std::move(parts)));
}

}  // namespace famfs
