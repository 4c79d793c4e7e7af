#include "tests/crash/scenario.h"

#include <cstdlib>
#include <functional>
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

/// Runs operations on a recorded device and keeps the state a user expects.
class Player {
 public:
  Player(bool has_extent_files, std::string lock_directory,
         const std::function<bool(const Range&)>& mutation)
      : lock_directory_(std::move(lock_directory)) {
    scenario_.has_extent_files = has_extent_files;
    recorder_.ignore_write_back = mutation;
    device_ = std::make_shared<RecordingDevice>(
        std::make_shared<Medium>(has_extent_files), &recorder_);
  }

  void Mkfs() {
    state_.formatted = true;
    Do("mkfs", [&] {
      return famfs::Mkfs(*device_, FixedMkfsOptions(lock_directory_));
    });
  }
  void Open() {
    Do("open", [&]() -> absl::Status {
      FAMFS_ASSIGN_OR_RETURN(
          writer_, Writer::Open(device_, FixedWriterOptions(lock_directory_)));
      return absl::OkStatus();
    });
  }
  void Close() { writer_.reset(); }
  void CreateVolume(const std::string& name, std::uint64_t size) {
    state_.volumes[name] = size;
    state_.directories.insert(name);
    state_.files[name + "/data"] = size;
    Do("create volume " + name,
       [&] { return writer_->CreateVolume(name, Attributes(name, size), {}); });
  }
  void DeleteVolume(const std::string& name) {
    if (!scenario_.has_extent_files) state_.pending += state_.volumes[name];
    state_.volumes.erase(name);
    state_.directories.erase(name);
    state_.files.erase(name + "/data");
    ++state_.deletions;
    Do("delete volume " + name, [&] { return writer_->DeleteVolume(name); });
  }
  void Mkdir(const std::string& path) {
    state_.directories.insert(path);
    Do("mkdir " + path, [&] { return writer_->Mkdir(path, {}); });
  }
  void CreateFile(const std::string& path, std::uint64_t size) {
    state_.files[path] = size;
    Do("create file " + path,
       [&] { return writer_->CreateFile(path, size, {}); });
  }
  void Compact() {
    Do("compact", [&] { return writer_->Compact(); });
  }
  /// What upstream or a later version of ours may have in a log, and what a
  /// compaction drops on every kind of device: a repeated mkdir, an old
  /// revision.
  void AppendSuperseded() {
    state_.directories.insert("old");
    state_.directories.insert("sealed");
    state_.volumes["sealed"] = kAllocUnit;
    VolumeAttributes attributes = Attributes("sealed", kAllocUnit);
    attributes.layout = VolumeLayout::kTree;
    std::vector<MediaEntry> entries(4, NewMkdirEntry("old", {}));
    entries[2] = NewMkdirEntry("sealed", {});
    Check(EncodeVolumeAttributes(attributes, entries[2].mkdir), "attributes");
    attributes.revision = 2;
    attributes.state = VolumeState::kSealed;
    entries[3] = NewMkdirEntry("sealed", {});
    Check(EncodeVolumeAttributes(attributes, entries[3].mkdir), "attributes");
    Do("append by another program", [&]() -> absl::Status {
      FAMFS_ASSIGN_OR_RETURN(Layout layout,
                             Layout::Open(*device_, Access::kReadWrite));
      for (std::size_t i = 0; i < entries.size(); ++i) {
        entries[i].seqnum = i;
        Seal(entries[i]);
      }
      const auto bytes = std::as_bytes(std::span(entries));
      layout.log().Store(EntryAt(0), bytes);
      layout.log().WriteBack(EntryAt(0), bytes.size());
      StoreLogCounters(layout.log(), entries.size());
      return absl::OkStatus();
    });
  }

  Scenario Finish() {
    Close();
    scenario_.events = std::move(recorder_.events);
    return std::move(scenario_);
  }

 private:
  static void Check(const absl::Status& status, const std::string& name) {
    if (status.ok()) return;
    std::cerr << "the scenario itself fails at '" << name
              << "': " << Message(status) << "\n";
    std::abort();
  }
  void Do(const std::string& name,
          const std::function<absl::Status()>& operation) {
    const std::size_t begin = recorder_.events.size();
    Check(operation(), name);
    scenario_.steps.push_back({name, begin, recorder_.events.size(), state_});
  }

  std::string lock_directory_;
  Recorder recorder_;
  std::shared_ptr<RecordingDevice> device_;
  std::unique_ptr<Writer> writer_;
  State state_;
  Scenario scenario_;
};

}  // namespace

MkfsOptions FixedMkfsOptions(const std::string& lock_directory) {
  return {.fs_uuid = Fixed(0x11),
          .device_uuid = Fixed(0x22),
          .system_uuid = Fixed(0x33),
          .device_name = std::nullopt,
          .lock_directory = lock_directory};
}

WriterOptions FixedWriterOptions(const std::string& lock_directory) {
  return {.system_uuid = Fixed(0x33), .lock_directory = lock_directory};
}

Scenario Record(bool has_extent_files, const std::string& lock_directory,
                const std::function<bool(const Range&)>& mutation) {
  Player player(has_extent_files, lock_directory, mutation);
  player.Mkfs();
  player.AppendSuperseded();
  player.Open();
  player.CreateVolume("v1", 2 * kAllocUnit);
  player.Mkdir("d");
  player.CreateFile("d/f", 3);
  player.CreateVolume("v2", kAllocUnit);
  player.DeleteVolume("v1");
  player.Compact();
  player.CreateVolume("v3", 2 * kAllocUnit);
  player.CreateVolume("v4", kAllocUnit);
  player.DeleteVolume("v3");
  player.DeleteVolume("v4");
  player.Compact();
  player.DeleteVolume("v2");
  player.Close();
  player.Open();  // on an emulated device this compacts, too
  player.CreateVolume("v5", kAllocUnit);
  return player.Finish();
}

Expected ExpectedAt(const Scenario& scenario, std::size_t count) {
  Expected expected;
  expected.step = "the beginning";
  for (const Step& step : scenario.steps) {
    if (step.begin >= count && count < step.end) break;
    expected.step = step.name;
    expected.in_flight = step.after;
    if (step.end > count) break;
    expected.acknowledged = step.after;
  }
  return expected;
}

}  // namespace famfs::crash
