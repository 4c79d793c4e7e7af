#include "tests/crash/history.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iostream>

#include "instance/devices/metadata_store.h"
#include "instance/tree/new_entry.h"
#include "media/checksum.h"

namespace famfs::crash {
namespace {

VolumeAttributes Attributes(const std::string& name, std::uint64_t capacity) {
  VolumeAttributes attributes;
  attributes.name = "pvc-" + name;
  attributes.capacity = capacity;
  return attributes;
}

void Check(const absl::Status& status, const std::string& name) {
  if (status.ok()) return;
  std::cerr << "the history itself fails at '" << name
            << "': " << Message(status) << "\n";
  std::abort();
}

std::vector<MediaEntry> SupersededEntries() {
  VolumeAttributes attributes = Attributes("sealed", kAllocUnit);
  attributes.layout = VolumeLayout::kTree;
  std::vector<MediaEntry> entries(4, NewMkdirEntry("old", {}));
  entries[2] = NewMkdirEntry("sealed", {});
  Check(EncodeVolumeAttributes(attributes, entries[2].mkdir), "attributes");
  attributes.revision = 2;
  attributes.state = VolumeState::kSealed;
  entries[3] = NewMkdirEntry("sealed", {});
  Check(EncodeVolumeAttributes(attributes, entries[3].mkdir), "attributes");
  for (std::size_t i = 0; i < entries.size(); ++i) {
    entries[i].seqnum = i;
    Seal(entries[i]);
  }
  return entries;
}

}  // namespace

Uuid FixedUuid(std::uint8_t value) {
  Uuid uuid;
  uuid.bytes.fill(value);
  return uuid;
}

MkfsOptions FixedMkfsOptions(const std::string& lock_directory, bool force) {
  return {.log_length = std::nullopt,
          .fs_uuid = FixedUuid(force ? 0x44 : 0x11),
          .device_uuid = FixedUuid(0x22),
          .system_uuid = FixedUuid(0x33),
          .device_name = std::nullopt,
          .force = force,
          .lock_directory = lock_directory};
}

WriterOptions FixedWriterOptions(const std::string& lock_directory,
                                 std::uint8_t owner) {
  WriterOptions options;
  options.system_uuid = FixedUuid(owner);
  options.lock_directory = lock_directory;
  options.boot = 1;
  return options;
}

AddDeviceOptions FixedAddOptions(bool force) {
  return {.force = force, .only_blank = !force, .device_uuid = FixedUuid(0x66)};
}

VolumeAttributes SpreadAttributes(const std::string& name) {
  VolumeAttributes attributes = Attributes(name, 2 * kAllocUnit);
  attributes.data_path = DataPath::kCopy;
  attributes.interleave_strips = 2;
  attributes.interleave_chunk = kAllocUnit;
  return attributes;
}

/// `step.name` begins with the operation's name, which mutations go by; what
/// follows a colon is for people.
void History::Run(Step step, const std::function<absl::Status()>& operation) {
  recorder_.Begin(step.name.substr(0, step.name.find(':')));
  step.begin = recorder_.events().size();
  Check(operation(), step.name);
  recorder_.End();
  step.end = recorder_.events().size();
  step.before = state_;
  state_ = step.after;
  if (step.via) return Split(std::move(step));
  steps_.push_back(std::move(step));
}

/// Where the first store that publishes something is written back.
void History::Split(Step step) {
  std::size_t at = step.begin;
  while (at < step.end &&
         (events()[at].kind != Event::Kind::kStore16 ||
          events()[at].range.offset != kLogOffset + kLogCountersAt)) {
    ++at;
  }
  Step first = step;
  first.end = std::min(at + 2, step.end);
  first.after = *step.via;
  step.before = *step.via;
  step.begin = first.end;
  steps_.push_back(std::move(first));
  steps_.push_back(std::move(step));
}

std::string History::NewName(char kind) {
  return kind + std::to_string(++names_);
}

void History::Mkfs(bool force) {
  Close();
  session_.reset();
  secondary_is_foreign_ = secondary_is_foreign_ || state_.has_secondary;
  Run({.name = force ? "mkfs --force" : "mkfs",
       .after = {.epoch = 1},
       .is_mkfs = true,
       .force = force},
      [&] {
        return famfs::Mkfs(*device_, FixedMkfsOptions(lock_directory_, force));
      });
}

void History::Open() { OpenAs(state_.owner, "open"); }

void History::OpenAs(std::uint8_t owner, const std::string& name) {
  Close();
  State after = state_;
  ++after.epoch;
  after.owner = owner;
  Run({.name = name, .after = after}, [&]() -> absl::Status {
    WriterOptions options = FixedWriterOptions(lock_directory_, owner);
    options.take_over = owner != state_.owner;
    FAMFS_ASSIGN_OR_RETURN(
        writer_, Writer::Open(MakeDevices(medium_, &recorder_), options));
    return absl::OkStatus();
  });
}

void History::CreateVolume(std::uint64_t units) {
  const std::string name = NewName('v');
  State after = state_;
  after.volumes[name] = units * kAllocUnit;
  after.directories.insert(name);
  after.files[name + "/data"] = {.size = units * kAllocUnit};
  Run({.name = "create volume: " + name, .after = after}, [&] {
    return writer_->CreateVolume(name, Attributes(name, units * kAllocUnit),
                                 {});
  });
}

void History::CreateFile() {
  const std::string name = NewName('f');
  State after = state_;
  after.files[name] = {.size = 3};
  Run({.name = "create file: " + name, .after = after},
      [&] { return writer_->CreateFile(name, 3, {}); });
}

void History::Mkdir() {
  const std::string name = NewName('d');
  State after = state_;
  after.directories.insert(name);
  Run({.name = "mkdir: " + name, .after = after},
      [&] { return writer_->Mkdir(name, {}); });
}

void History::Reserve(bool commit) {
  const std::string name = NewName('r');
  constexpr std::uint64_t kSize = kAllocUnit + 1000;
  State after = state_;
  if (commit) after.files[name] = {.size = kSize, .filled = true};
  Run({.name = (commit ? "commit: " : "give up: ") + name, .after = after},
      [&]() -> absl::Status {
        FAMFS_ASSIGN_OR_RETURN(const auto file,
                               writer_->BeginFile(name, kSize, {}));
        std::array<std::byte, kFilledBytes> bytes;
        bytes.fill(FillByte(name));
        file->Store(0, bytes);
        file->Store(kSize - bytes.size(), bytes);
        return commit ? file->Commit() : absl::OkStatus();
      });
}

bool History::Delete() {
  State after = state_;
  for (const auto& [name, size] : state_.volumes) {
    if (!state_.files.contains(name + "/data")) continue;
    ++after.deletions;
    if (!device_->capabilities().removed_extents_live_on)
      after.pending[after.deletions] = {.bytes = size};
    after.files.erase(name + "/data");
    after.directories.erase(name);
    after.volumes.erase(name);
    if (const auto held = after.held.find(name); held != after.held.end()) {
      held->second.deletion = after.deletions;
    }
    Run({.name = "delete: " + name, .after = after},
        [&] { return writer_->DeleteVolume(name); });
    return true;
  }
  return false;
}

bool History::Compact() {
  const std::size_t before = recorder_.events().size();
  Run({.name = "compact", .after = state_}, [&] { return writer_->Compact(); });
  return recorder_.events().size() != before;
}

bool History::Reclaim() {
  const std::size_t before = recorder_.events().size();
  State after = state_;
  std::erase_if(after.pending, [&](const auto& pending) {
    return !state_.let_go || pending.first <= *state_.let_go;
  });
  Run({.name = "reclaim", .after = after}, [&] { return writer_->Reclaim(); });
  return recorder_.events().size() != before;
}

bool History::Register() {
  if (session_ != nullptr || state_.let_go) return false;
  State after = state_;
  after.let_go = 0;
  Run({.name = "register", .after = after}, [&]() -> absl::Status {
    HostIdentity identity;
    identity.host = FixedUuid(kReadingHost);
    identity.boot = 1;
    identity.session = 7;
    FAMFS_ASSIGN_OR_RETURN(session_, HostSession::Register(*device_, identity));
    return absl::OkStatus();
  });
  return true;
}

/// Up to the first deletion whose volume is still open there.
bool History::Acknowledge() {
  if (session_ == nullptr || !state_.let_go) return false;
  std::uint64_t number = state_.deletions;
  for (const auto& [name, held] : state_.held) {
    if (held.deletion > 0) number = std::min(number, held.deletion - 1);
  }
  if (number <= *state_.let_go) return false;
  RunAcknowledge(number);
  return true;
}

void History::AcknowledgeWhatIsHeld() { RunAcknowledge(state_.deletions); }

void History::RunAcknowledge(std::uint64_t number) {
  State after = state_;
  after.let_go = number;
  Run({.name = "acknowledge", .after = after},
      [&] { return session_->Acknowledge(number); });
}

bool History::Hold() {
  State after = state_;
  std::erase_if(after.held,
                [](const auto& held) { return held.second.deletion > 0; });
  if (after.held.size() < state_.held.size()) {
    Run({.name = "let go", .after = after}, [] { return absl::OkStatus(); });
    return true;
  }
  if (session_ == nullptr || !state_.let_go) return false;
  for (const auto& [name, capacity] : state_.volumes) {
    const std::string path = name + "/data";
    const auto file = state_.files.find(path);
    if (file == state_.files.end() || file->second.spread) continue;
    if (state_.held.contains(name)) continue;
    const std::uint64_t offset =
        writer_->Tree()->FindPath(path)->extents[0].offset;
    after.held[name] = {.offset = offset,
                        .length = capacity,
                        .deletion = 0,
                        .fill = path,
                        .stored = kFilledBytes,
                        .at_end = true};
    after.files[path].filled = true;
    Run({.name = "hold: " + name, .after = after, .filling = path},
        [&]() -> absl::Status {
          FAMFS_ASSIGN_OR_RETURN(
              const auto mapping,
              device_->Map(offset, capacity, Access::kReadWrite));
          std::array<std::byte, kFilledBytes> bytes;
          bytes.fill(FillByte(path));
          mapping->Store(0, bytes);
          mapping->Store(capacity - bytes.size(), bytes);
          mapping->WriteBack(0, capacity);
          return absl::OkStatus();
        });
    return true;
  }
  return false;
}

bool History::AddDevice() {
  if (state_.has_secondary) return false;
  const bool force = secondary_is_foreign_;
  State after = state_;
  after.has_secondary = true;
  Run({.name = "devadd", .after = after, .is_add = true, .force = force},
      [&] { return writer_->AddDevice(secondary_, FixedAddOptions(force)); });
  secondary_is_foreign_ = false;
  return true;
}

bool History::CreateSpread() {
  if (!state_.has_secondary) return false;
  const std::string name = NewName('w');
  const VolumeAttributes attributes = SpreadAttributes(name);
  State after = state_;
  after.volumes[name] = attributes.capacity;
  after.directories.insert(name);
  after.files[name + "/data"] = {.size = attributes.capacity, .spread = true};
  Run({.name = "create volume: spread " + name, .after = after},
      [&] { return writer_->CreateVolume(name, attributes, {}); });
  return true;
}

bool History::Evict() {
  if (!state_.let_go) return false;
  State after = state_;
  after.let_go.reset();
  after.held.clear();
  Run({.name = "evict", .after = after},
      [&] { return writer_->EvictHost(FixedUuid(kReadingHost)); });
  return true;
}

bool History::Do(Op op) {
  switch (op) {
    case Op::kCreateVolume:
      CreateVolume(1);
      return true;
    case Op::kCreateFile:
      CreateFile();
      return true;
    case Op::kMkdir:
      Mkdir();
      return true;
    case Op::kCommit:
      Reserve(true);
      return true;
    case Op::kGiveUp:
      Reserve(false);
      return true;
    case Op::kDelete:
      return Delete();
    case Op::kCompact:
      return Compact();
    case Op::kReclaim:
      return Reclaim();
    case Op::kReopen:
      Open();
      return true;
    case Op::kTakeOver:
      OpenAs(static_cast<std::uint8_t>(state_.owner ^ 0x66), "take over");
      return true;
    case Op::kRegister:
      return Register();
    case Op::kAcknowledge:
      return Acknowledge();
    case Op::kEvict:
      return Evict();
    case Op::kAddDevice:
      return AddDevice();
    case Op::kCreateSpread:
      return CreateSpread();
    case Op::kHold:
      return Hold();
    default:
      return DoInTree(op);
  }
}

void History::AppendSuperseded() {
  State after = state_;
  after.directories.insert("old");
  after.directories.insert("sealed");
  after.volumes["sealed"] = kAllocUnit;
  after.tree_modes["sealed"] = Ownership().mode;
  Run({.name = "another program", .after = after}, [&]() -> absl::Status {
    FAMFS_ASSIGN_OR_RETURN(Layout layout,
                           Layout::Open(*device_, Access::kReadWrite));
    const std::vector<MediaEntry> entries = SupersededEntries();
    const auto bytes = std::as_bytes(std::span(entries));
    layout.log().Store(EntryAt(0), bytes);
    layout.log().WriteBack(EntryAt(0), bytes.size());
    StoreLogCounters(layout.log(), entries.size());
    return absl::OkStatus();
  });
}

void History::ReuseBeforeCompaction() {
  Close();
  State after = state_;
  after.files["early"] = {.size = kAllocUnit};
  Run({.name = "reuse before compaction", .after = after},
      [&]() -> absl::Status {
        FAMFS_ASSIGN_OR_RETURN(Layout layout,
                               Layout::Open(*device_, Access::kReadWrite));
        FAMFS_ASSIGN_OR_RETURN(const auto reader, Reader::Open(device_));
        const std::vector<PendingVolume> dead = reader->Deletions(0);
        const std::uint64_t slot = layout.LoadLogHeader().next_index;
        MediaEntry entry =
            NewFileEntry("early", kAllocUnit, 0, dead.front().extents, {});
        entry.seqnum = slot;
        Seal(entry);
        layout.log().Store(EntryAt(slot), std::as_bytes(std::span(&entry, 1)));
        layout.log().WriteBack(EntryAt(slot), sizeof(entry));
        StoreLogCounters(layout.log(), slot + 1);
        return absl::OkStatus();
      });
}

}  // namespace famfs::crash
