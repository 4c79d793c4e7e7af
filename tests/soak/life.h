// One volume's life: created, staged, published, written, read on the other
// node, unpublished, unstaged, deleted; in an order and with repetitions that
// chance decides.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "csi/csi.grpc.pb.h"
#include "tests/soak/calls.h"
#include "tests/soak/cluster.h"
#include "tests/soak/contents.h"
#include "tests/soak/progress.h"
#include "tests/soak/volume_file.h"

namespace famfs::soak {

/// The clients of one thread: channels of its own to all daemons.
struct Clients {
  explicit Clients(Cluster& cluster);
  std::unique_ptr<pb::Controller::Stub> controller;
  std::array<std::unique_ptr<pb::Node::Stub>, 2> nodes;
};

class Life {
 public:
  /// `number`: no other life of the run has it. `name`: what the volume is
  /// called; a name may be used again after its life.
  Life(Cluster& cluster, Clients& clients, Progress& progress, Diary& diary,
       Random& random, std::uint64_t number, std::string name);

  /// What went wrong; Cancelled: nothing here, but elsewhere.
  [[nodiscard]] absl::Status Run();

 private:
  /// A publication on one node.
  struct Pod {
    std::size_t node = 0;
    std::string name;
    bool read_only = false;
    std::unique_ptr<VolumeFile> file{};
  };

  // Calls; each may be made twice, since a client may not have heard the
  // answer.
  [[nodiscard]] absl::Status Create();
  [[nodiscard]] absl::Status Delete();
  [[nodiscard]] absl::Status Stage(std::size_t node);
  [[nodiscard]] absl::Status Unstage(std::size_t node);
  absl::StatusOr<Pod> Publish(std::size_t node, bool read_only);
  [[nodiscard]] absl::Status Unpublish(Pod pod);
  [[nodiscard]] absl::Status AskForStatistics(const Pod& pod);

  /// Written on one node, seen on the other.
  [[nodiscard]] absl::Status Round();
  [[nodiscard]] absl::Status WriteShared(std::size_t writer,
                                         std::size_t reader);
  [[nodiscard]] absl::Status WriteInTurn(std::size_t writer,
                                         std::size_t reader);
  /// Deleted while a pod still uses it.
  [[nodiscard]] absl::Status DeleteInUse();
  [[nodiscard]] absl::Status VerifyIn(Pod& pod);

  [[nodiscard]] Node& At(std::size_t node) { return *cluster_.nodes()[node]; }
  [[nodiscard]] Mode::Mode mode() const;
  bool Twice() { return Chance(random_, 10); }

  Cluster& cluster_;
  Clients& clients_;
  Progress& progress_;
  Diary& diary_;
  Random& random_;
  Caller caller_;
  const std::uint64_t number_;
  const std::string name_;
  const SoakPool& pool_;
  Contents contents_;
  std::string volume_;  // its id
  unsigned pods_ = 0;   // made so far
};

}  // namespace famfs::soak
