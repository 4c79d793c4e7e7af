// A DaxDevice on a part of a Medium that writes down each store and
// write-back.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "dax/device.h"
#include "instance/devices/device_set.h"
#include "tests/crash/crash_site.h"

namespace famfs::crash {

/// Keeps the events, and names each write-back by the operation, by what is
/// written back, and by how many of the kind came before it in the operation:
/// "compact: compaction record 2".
class Recorder {
 public:
  void Begin(const std::string& operation);
  /// What was put off happens now.
  void End();
  void Add(Event event);
  void AddWriteBack(Range range);
  /// Of bulk data. False: it is left out.
  [[nodiscard]] bool AddZeros(Event event);

  /// Addresses of events stay as they are.
  [[nodiscard]] const std::deque<Event>& events() const { return events_; }
  [[nodiscard]] const std::set<std::string>& sites() const { return sites_; }
  /// Mutations of the program under test: such write-backs do not happen, or
  /// one happens without its fence. The suite must notice.
  void LeaveOut(const std::string& site) { left_out_.insert(site); }
  void LeaveOutFence(const std::string& site) { unfenced_ = site; }
  /// Bulk data is zeroed at the operation's end alone.
  void PutOff(const std::string& site) { put_off_ = site; }
  /// The operation's entries are published by two stores, of which the first
  /// leaves out the last entry.
  void PublishInTwo(const std::string& operation) { in_two_ = operation; }

 private:
  /// The site's name.
  std::string Enter(const std::string& what);

  std::deque<Event> events_;
  std::string operation_;
  std::map<std::string, int> counts_;  // of the operation, by what
  std::set<std::string> sites_;
  std::set<std::string> left_out_;
  std::string unfenced_;
  std::string put_off_;
  std::vector<Event> late_;
  std::string in_two_;
};

class RecordingDevice final : public DaxDevice {
 public:
  /// `place`: kPrimary or kSecondary. `recorder` may be null, and outlives the
  /// device's mappings otherwise.
  RecordingDevice(crash::Medium& medium, Recorder* recorder,
                  Range place = kPrimary)
      : medium_(medium), recorder_(recorder), place_(place) {}

  [[nodiscard]] std::string spec() const override {
    return place_ == kPrimary ? "simulated" : "simulated secondary";
  }
  [[nodiscard]] std::uint64_t size() const override { return place_.length; }
  [[nodiscard]] Uuid tag() const override { return {}; }
  [[nodiscard]] Capabilities capabilities() const override {
    return medium_.capabilities();
  }
  absl::StatusOr<std::unique_ptr<famfs::Mapping>> Map(std::uint64_t offset,
                                                      std::uint64_t length,
                                                      Access access) override;
  absl::Status CreateExtent(Range range) override;
  absl::Status RemoveExtent(std::uint64_t offset) override;
  absl::StatusOr<std::vector<Range>> ListExtents() override;
  absl::StatusOr<UniqueFd> OpenExtent(std::uint64_t offset) override;

 private:
  crash::Medium& medium_;
  Recorder* recorder_;
  Range place_;
};

/// Both devices, the secondary one as a candidate.
std::shared_ptr<DeviceSet> MakeDevices(crash::Medium& medium,
                                       Recorder* recorder);

}  // namespace famfs::crash
