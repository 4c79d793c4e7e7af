#include "tests/crash/history.h"

#include <array>
#include <cstdlib>
#include <iostream>

#include "instance/metadata_store.h"
#include "instance/new_entry.h"
#include "media/checksum.h"

namespace famfs::crash {
namespace {

Uuid Fixed(std::uint8_t value) {
  Uuid uuid;
  uuid.bytes.fill(value);
  return uuid;
}

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

MkfsOptions FixedMkfsOptions(const std::string& lock_directory, bool force) {
  return {.fs_uuid = Fixed(force ? 0x44 : 0x11),
          .device_uuid = Fixed(0x22),
          .system_uuid = Fixed(0x33),
          .device_name = std::nullopt,
          .force = force,
          .lock_directory = lock_directory};
}

WriterOptions FixedWriterOptions(const std::string& lock_directory) {
  return {.system_uuid = Fixed(0x33), .lock_directory = lock_directory};
}

/// `step.name` begins with the operation's name, which mutations go by; what
/// follows a colon is for people.
void History::Run(Step step, const std::function<absl::Status()>& operation) {
  recorder_.Begin(step.name.substr(0, step.name.find(':')));
  step.begin = recorder_.events().size();
  Check(operation(), step.name);
  step.end = recorder_.events().size();
  step.before = state_;
  state_ = step.after;
  steps_.push_back(std::move(step));
}

std::string History::NewName(char kind) {
  return kind + std::to_string(++names_);
}

void History::Mkfs(bool force) {
  Close();
  Run({.name = force ? "mkfs --force" : "mkfs",
       .after = {.epoch = 1},
       .is_mkfs = true,
       .force = force},
      [&] {
        return famfs::Mkfs(*device_, FixedMkfsOptions(lock_directory_, force));
      });
}

void History::Open() {
  Close();
  State after = state_;
  ++after.epoch;
  Run({.name = "open", .after = after}, [&]() -> absl::Status {
    FAMFS_ASSIGN_OR_RETURN(
        writer_, Writer::Open(device_, FixedWriterOptions(lock_directory_)));
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
    if (!device_->has_extent_files()) after.pending += size;
    ++after.deletions;
    after.files.erase(name + "/data");
    after.directories.erase(name);
    after.volumes.erase(name);
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
    case Op::kReopen:
      Open();
      return true;
  }
  return false;
}

void History::AppendSuperseded() {
  State after = state_;
  after.directories.insert("old");
  after.directories.insert("sealed");
  after.volumes["sealed"] = kAllocUnit;
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

}  // namespace famfs::crash
