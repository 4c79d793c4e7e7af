// Volumes of all pools: create, delete, find, list, capacity. The log is the
// only database; nothing is kept here that a restart would lose.
//
// Thread-safe. Calls for one CSI name are serialised: one that would wait for
// another longer than a moment is Aborted. Calls for different names never wait
// on each other, nor do those for different pools: a pool that does not answer
// is left out like one that is not open.
//
// Codes: what is wrong with a request is told by a code that is final for an
// orchestrator, and so is RESOURCE_EXHAUSTED, the pool's own "no room". All
// else that a pool, its log or its memory answers says nothing of the request
// and may be another answer later: Unavailable (or Aborted), which is asked
// again. So is what a pool cannot do while one of its devices is missing.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "controller/pool.h"
#include "controller/volume_source.h"
#include "csi/config/config.h"
#include "csi/config/parameters.h"
#include "csi/csi.pb.h"
#include "csi/process/keyed_mutex.h"
#include "csi/volume/volume_id.h"

namespace famfs::controller {

struct CreateRequest {
  std::string name;
  csi::VolumeParameters parameters;
  const ::csi::v1::CapacityRange* range = nullptr;  // null: none given
};

class Provisioner final : public VolumeSource {
 public:
  /// `patience`: how long a call waits for another one for the same name.
  explicit Provisioner(PoolSet& pools, std::chrono::milliseconds patience =
                                           std::chrono::seconds(3))
      : pools_(pools), patience_(patience) {}

  /// Repeated with the same arguments: the same volume. With others:
  /// AlreadyExists says which differs. Half-done before: the log has no trace
  /// of it, so it is a first call. ResourceExhausted tells asked, free, largest
  /// and pool; OutOfRange is for what the pool could never hold with all of its
  /// devices.
  absl::StatusOr<VolumeInfo> Create(const CreateRequest& request);

  /// Unknown id, malformed id, deleted before: OK.
  [[nodiscard]] absl::Status Delete(std::string_view volume_id);

  absl::StatusOr<VolumeInfo> Find(std::string_view volume_id) override;
  absl::StatusOr<Page> List(const std::optional<ListKey>& after,
                            std::size_t max_entries) override;
  /// Exactly what Create could do now; deleted space is compacted for it.
  absl::StatusOr<AvailableSpace> GetCapacity(
      const csi::VolumeParameters& parameters) override;
  [[nodiscard]] absl::Status CheckServable(
      const csi::VolumeParameters& parameters,
      const Capabilities& capabilities) override;

 private:
  struct Located {
    Pool* pool;
    csi::VolumeId id;
    VolumeInfo volume;
  };
  /// nullopt: no live volume has the id.
  absl::StatusOr<std::optional<Located>> Locate(std::string_view volume_id);
  std::optional<VolumeInfo> FindByName(const std::string& name);
  absl::StatusOr<csi::KeyedMutex::Guard> LockName(const std::string& name);
  absl::StatusOr<VolumeInfo> CreateNew(const CreateRequest& request, Pool& pool,
                                       Writer& writer);

  PoolSet& pools_;
  const std::chrono::milliseconds patience_;
  csi::KeyedMutex names_;
};

}  // namespace famfs::controller
