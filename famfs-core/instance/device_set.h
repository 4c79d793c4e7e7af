// The devices of one instance. The primary is given; the others are found among
// candidates, by the uuids that the log's ADD_DAXDEV entries name. A candidate
// is known by its secondary superblock (instance/secondary.h); one that has a
// tag and no superblock, by its tag. One that bears another instance's
// superblock is not taken, whatever its tag.
//
// A device that is not found is missing: files on it are unavailable, the rest
// works. It is looked for again whenever it is asked for, so it may appear
// later. Once found, it stays.
//
// Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "dax/device.h"
#include "media/format.h"

namespace famfs {

class DeviceSet {
 public:
  /// How a candidate is opened: OpenDevice, or a test's own.
  using Opener = std::function<absl::StatusOr<std::unique_ptr<DaxDevice>>(
      std::string_view spec, Access access)>;

  /// The primary alone; further ones by AddCandidate.
  explicit DeviceSet(std::shared_ptr<DaxDevice> primary)
      : primary_(std::move(primary)) {}
  /// Opens `primary`; `candidates` are specs that are opened when they are
  /// needed, each time anew until they are found to be of the instance. Errors
  /// are the primary's.
  static absl::StatusOr<std::shared_ptr<DeviceSet>> Open(
      std::string_view primary, std::vector<std::string> candidates,
      Access access, Opener opener = OpenDevice);

  void AddCandidate(std::shared_ptr<DaxDevice> device);
  /// Asked for further specs whenever a device is missing, so that one can be
  /// named while the instance is in use. Called under this set's lock.
  using SpecSource = std::function<std::vector<std::string>()>;
  void SetSource(SpecSource source);

  [[nodiscard]] const std::shared_ptr<DaxDevice>& primary() const {
    return primary_;
  }
  /// What the log says: device `i + 1` is `added[i]`. For Reader and Writer,
  /// when they have played an entry that adds one.
  void SetTable(const Uuid& fs_uuid, std::span<const MediaAddDaxdev> added);
  /// How many devices the instance names, the primary included.
  [[nodiscard]] std::size_t size() const;

  /// Null: missing. The primary is never missing.
  [[nodiscard]] std::shared_ptr<DaxDevice> Find(std::uint64_t index);
  /// Unavailable for a missing one: its index, uuid and size, what became of
  /// each candidate, and what to do.
  absl::StatusOr<std::shared_ptr<DaxDevice>> At(std::uint64_t index);
  /// Looks at each secondary device that was found: one that is the instance's
  /// no longer (made anew, gone) is missing from now on, and is told. Whoever
  /// mapped it has another's memory. For a poll: a few system calls a device.
  void Verify();

 private:
  struct Candidate {
    std::string spec;                   // empty: `device` was given opened
    std::shared_ptr<DaxDevice> device;  // null until it is needed
    bool taken = false;
    std::string refused;  // why it was not taken, the last time
  };

  struct Found {
    std::shared_ptr<DaxDevice> device;  // null: missing
    DaxDevice::Medium medium;           // as it was found
  };

  std::shared_ptr<DaxDevice> FindLocked(std::uint64_t index);
  absl::Status VerifyLocked(std::size_t i) const;
  void AskSourceLocked();
  /// OK: it is the device that `wanted` names.
  absl::Status TryLocked(Candidate& candidate, const MediaAddDaxdev& wanted);

  std::shared_ptr<DaxDevice> primary_;
  Access access_ = Access::kReadWrite;
  Opener opener_ = OpenDevice;
  mutable std::mutex mutex_;  // all that follows
  Uuid fs_uuid_;
  std::vector<MediaAddDaxdev> added_;
  std::vector<Found> found_;  // by index - 1
  std::vector<Candidate> candidates_;
  SpecSource source_;
};

}  // namespace famfs
