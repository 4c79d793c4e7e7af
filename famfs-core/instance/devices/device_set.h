// The devices of one instance. The primary is given; the others are found among
// candidates, by the uuids that the log's ADD_DAXDEV entries name. A candidate
// is known by its secondary superblock (instance/devices/secondary.h); one that
// has a tag and no superblock, by its tag. One that bears another instance's
// superblock is not taken, whatever its tag.
//
// A device that is not found is missing: files on it are unavailable, the rest
// works. It is looked for again whenever it is asked for, so it may appear
// later. Once found, it stays until a look at it shows that it is the
// instance's no longer: it was made anew, removed, or given to another one.
//
// Thread-safe. No lock is held while a device is waited for: one that does not
// answer keeps whoever asks for it, and nobody else. Who meets another one's
// look waits some seconds for its end, and then answers as for a missing
// device.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "dax/device.h"
#include "instance/devices/secondary.h"
#include "media/format.h"

namespace famfs {

class DeviceSet {
 public:
  /// The primary alone; further ones by AddCandidate.
  explicit DeviceSet(std::shared_ptr<DaxDevice> primary)
      : primary_(std::move(primary)) {}
  /// Opens `primary`; `candidates` are opened when they are needed, each time
  /// anew until they are found to be of the instance. Errors are the primary's.
  static absl::StatusOr<std::shared_ptr<DeviceSet>> Open(
      const DeviceSpec& primary, std::vector<DeviceSpec> candidates,
      Access access, DeviceOpener opener = kOpenDevice);

  void AddCandidate(std::shared_ptr<DaxDevice> device);
  /// Asked for further specs whenever a device is missing, so that one can be
  /// named while the instance is in use. From any thread that asks for a
  /// device.
  using SpecSource = std::function<std::vector<DeviceSpec>()>;
  void SetSource(SpecSource source);

  [[nodiscard]] const std::shared_ptr<DaxDevice>& primary() const {
    return primary_;
  }
  /// What the log says: device `i + 1` is `added[i]`. For Reader and Writer,
  /// when they have played an entry that adds one.
  void SetTable(const Uuid& fs_uuid, std::span<const MediaAddDaxdev> added);
  /// How many devices the instance names, the primary included.
  [[nodiscard]] std::size_t size() const;

  /// As it was when it was looked at last; looked for when it is missing. Null:
  /// missing. The primary is never missing.
  [[nodiscard]] std::shared_ptr<DaxDevice> Find(std::uint64_t index);
  /// Looked at now: for whoever is about to use what lies on it, and, where
  /// that was opened, once more afterwards. Unavailable for a missing one: its
  /// index, uuid and size, what became of each candidate, and what to do. The
  /// primary is not looked at (instance/devices/identity.h).
  absl::StatusOr<std::shared_ptr<DaxDevice>> At(std::uint64_t index);
  /// Looks at each secondary device that was found: one that is the instance's
  /// no longer is missing from now on, and is told. Whoever mapped it has
  /// another's memory. For a poll: a system call and a few cache lines a
  /// device.
  void Verify();
  /// Whether it is not missing and its superblock is still the instance's: one
  /// cache line, before each access to its bytes.
  [[nodiscard]] bool IsOurs(std::uint64_t index) const;

 private:
  struct Candidate {
    DeviceSpec spec;                    // empty: `device` was given opened
    std::shared_ptr<DaxDevice> device;  // null until it is needed
    bool taken = false;
    bool busy = false;    // somebody tries it
    std::string refused;  // why it was not taken, the last time
  };

  /// A device and what it was when it was found.
  struct Found {
    std::shared_ptr<DaxDevice> device;  // null: missing
    DaxDevice::Medium medium;
    std::shared_ptr<Mapping> head;  // null: it has none, its tag is known
    MediaSuperblock superblock;     // there, if there is a head
  };
  struct Slot {
    Found found;
    bool busy = false;  // somebody looks at it
  };
  /// What a look needs to know, so that it needs no lock.
  struct Wanted {
    Uuid fs_uuid;
    std::uint64_t index = 0;
    std::vector<MediaAddDaxdev> added;
  };

  // The lock is given up while a device is waited for.
  bool TakeTurn(bool& busy) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndTurn(bool& busy) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void LookFor(std::uint64_t index) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TryCandidate(Candidate& candidate, std::uint64_t index)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AskSource() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// Looks at a device that was found; false: it does not answer.
  bool LookAt(std::uint64_t index) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Lose(std::uint64_t index, const absl::Status& why)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  static absl::Status CheckIdentity(const DaxDevice& device,
                                    const DeviceHead& head,
                                    const Wanted& wanted);
  [[nodiscard]] Wanted WantedAt(std::uint64_t index) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  [[nodiscard]] absl::Status Missing(std::uint64_t index) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// OK: it is the device that is wanted. Opens `device` if it is null.
  absl::StatusOr<Found> Try(const DeviceSpec& spec,
                            std::shared_ptr<DaxDevice>& device,
                            const Wanted& wanted) const;
  static absl::Status LookAgain(const Found& found, const Wanted& wanted);

  std::shared_ptr<DaxDevice> primary_;
  Access access_ = Access::kReadWrite;
  DeviceOpener opener_ = kOpenDevice;
  mutable Mutex mutex_;  // for moments
  CondVar turn_ended_;
  Uuid fs_uuid_ ABSL_GUARDED_BY(mutex_);
  std::vector<MediaAddDaxdev> added_ ABSL_GUARDED_BY(mutex_);
  /// By index - 1; never fewer.
  std::deque<Slot> slots_ ABSL_GUARDED_BY(mutex_);
  /// Never fewer.
  std::deque<Candidate> candidates_ ABSL_GUARDED_BY(mutex_);
  SpecSource source_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace famfs
