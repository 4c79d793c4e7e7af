// What an instance should be, kept as simply as can be, and random operations
// on both.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "instance/deletion/host_session.h"
#include "instance/log/layout.h"
#include "instance/reader/reader.h"
#include "instance/writer/writer.h"
#include "tests/crash/recording_device.h"

namespace famfs::model {

/// Where ReuseTest leaves what it made, as a sparse file: for another checker,
/// such as upstream's fsck. Empty: nowhere.
extern std::string image_file;

/// Of a tree volume.
struct ModelNode {
  TreeId id = 0;
  NodeKind kind = NodeKind::kFile;
  std::uint64_t size = 0;
  std::uint32_t truncation = 0;
  std::uint32_t mode = 0;
  std::vector<std::uint64_t> pieces{};  // units
  [[nodiscard]] std::uint64_t units() const;
};

struct ModelVolume {
  std::uint64_t units = 0;                   // of its file; 0: a tree volume
  std::uint64_t capacity = 0;                // units, of a tree volume
  std::map<std::string, ModelNode> nodes{};  // by path below the volume
  /// Slots that live entries take.
  [[nodiscard]] std::uint64_t entries() const;
  [[nodiscard]] std::uint64_t pieces() const;
  /// Units that files have.
  [[nodiscard]] std::uint64_t used() const;
};

/// A deleted volume, or pieces of a file, whose entries may still be in the
/// log.
struct ModelPending {
  std::uint64_t number = 0;
  std::string name;  // of the volume
  std::uint64_t units = 0;
  std::uint64_t entries = 0;
  bool is_volume = true;  // else pieces of one that lives
};

struct Statistics {
  std::uint64_t operations = 0;
  std::uint64_t created = 0;
  std::uint64_t deleted = 0;
  std::uint64_t refused = 0;  // as they had to be
  std::uint64_t full = 0;     // creations refused for want of space or slots
  std::uint64_t changed = 0;  // tree volumes
  std::uint64_t reopened = 0;
  std::uint64_t reclaimed = 0;
  std::uint64_t compacted = 0;
  std::uint64_t compared = 0;  // trees with the model
  std::uint64_t checked = 0;   // upstream's rules
};

/// Runs operations, each checked against the model; a difference is a failure
/// of the running test and ends it.
class ModelRun {
 public:
  /// With an even seed the instance gets a second device.
  ModelRun(bool has_extent_files, std::uint64_t seed,
           std::string lock_directory);

  void Run(std::uint64_t operations);
  [[nodiscard]] const Statistics& statistics() const { return statistics_; }

 private:
  enum class Aim { kMixed, kFillDevice, kFillLog, kHold, kEmpty };

  void Open();
  void RunBatch(Aim aim, std::uint64_t operations);
  void Step(Aim aim);
  void CreateVolume(std::uint64_t units);
  [[nodiscard]] absl::Status TryCreateVolume(const std::string& name,
                                             std::uint64_t units);
  void CreateTaken();
  void DeleteVolume();
  void MoveToPending(const std::string& name, std::uint64_t used);
  void DeleteMissing();
  void MakeByHand();
  void GiveUp();
  void Acknowledge();
  void Reclaim();
  void Compact();
  void NoteReclaim();

  // model_trees.cc
  /// One random change of a random tree volume, if there is one.
  void ChangeTree();
  void CreateNode(const std::string& volume);
  void RemoveNode(const std::string& volume);
  void RenameNode(const std::string& volume);
  void SetMode(const std::string& volume);
  void Extend(const std::string& volume);
  void Settle(const std::string& volume);
  void Truncate(const std::string& volume);
  TreeAnswer Ask(TreeRequest request);
  /// That `error` is the one that had to be, or a full volume or pool.
  void Expect(const std::string& volume, int error, int wanted,
              std::uint64_t units, std::uint64_t slots);
  void Rename(const std::string& volume, const std::string& from,
              const std::string& to, bool exchange);
  [[nodiscard]] int ExpectRename(const ModelVolume& tree,
                                 const std::string& from, const std::string& to,
                                 std::uint32_t flags) const;
  /// Pieces behind the first `kept` are dead under the last deletion number.
  void Drop(const std::string& volume, ModelNode& node, std::size_t kept);
  /// Looks at what the file has got since: whole, zero, and not too much.
  void TakePieces(const std::string& volume, const std::string& path,
                  std::uint64_t least, std::uint64_t most);
  void CheckZeros(const std::string& volume, const std::string& path,
                  std::uint64_t from, std::uint64_t to);
  void CompareTreeVolume(const Namespace& tree, const std::string& volume,
                         const char* whose);
  void CompareUsage();
  /// Of the tree volume: "" is its root; now and then one that is not there.
  [[nodiscard]] std::string AnyPath(const ModelVolume& tree);
  [[nodiscard]] std::string AnyFile(const ModelVolume& tree);
  [[nodiscard]] std::string AnyDirectory(const ModelVolume& tree);
  [[nodiscard]] std::string AnyName();
  [[nodiscard]] TreeRequest RequestFor(TreeOp op, const std::string& volume,
                                       const std::string& path) const;
  [[nodiscard]] std::uint64_t UnitsOf(const std::string& volume) const;
  [[nodiscard]] std::uint64_t LastDeletion() const;

  void ExpectFull(const absl::Status& status, std::uint64_t units,
                  std::uint64_t slots);
  void Fill(const std::string& path);
  void CompareTree(const Namespace& tree, const char* whose);
  void CompareSpace();
  void CheckQuiescent();
  [[nodiscard]] std::uint64_t LetGo() const;
  [[nodiscard]] std::string NewName();
  [[nodiscard]] bool Chance(std::uint64_t percent) {
    return random_() % 100 < percent;
  }

  std::mt19937_64 random_;
  std::string lock_directory_;
  crash::Medium medium_;
  bool has_secondary_;
  std::uint64_t units_;  // for files, on all devices
  std::shared_ptr<crash::RecordingDevice> device_;
  std::unique_ptr<Writer> writer_;
  std::unique_ptr<Reader> reader_;
  std::optional<Layout> layout_;  // for the last deletion number
  std::vector<std::unique_ptr<HostSession>> hosts_;
  Statistics statistics_;

  std::map<std::string, ModelVolume> volumes_;
  std::vector<std::string> order_;  // their names, for a random choice
  std::vector<std::string> trees_;  // those of the tree volumes
  std::map<std::string, std::uint64_t> files_;  // by hand: path -> units
  std::set<std::string> directories_;           // by hand
  std::vector<ModelPending> pending_;
  std::uint64_t deletions_ = 0;
  std::uint64_t names_ = 0;
};

}  // namespace famfs::model
