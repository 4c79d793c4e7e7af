// What an instance should be, kept as simply as can be, and random operations
// on both.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "instance/deletion/host_session.h"
#include "instance/reader/reader.h"
#include "instance/writer/writer.h"
#include "tests/crash/recording_device.h"

namespace famfs::model {

/// Where ReuseTest leaves what it made, as a sparse file: for another checker,
/// such as upstream's fsck. Empty: nowhere.
extern std::string image_file;

struct ModelVolume {
  std::uint64_t units = 0;  // of its file; 0: it has none
  [[nodiscard]] std::uint64_t entries() const { return units > 0 ? 2 : 1; }
};

/// A deleted volume whose entries may still be in the log.
struct ModelPending {
  std::uint64_t number = 0;
  std::string name;
  ModelVolume volume;
};

struct Statistics {
  std::uint64_t operations = 0;
  std::uint64_t created = 0;
  std::uint64_t deleted = 0;
  std::uint64_t refused = 0;  // as they had to be
  std::uint64_t full = 0;     // creations refused for want of space or slots
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
  void CreateTaken();
  void DeleteVolume();
  void DeleteMissing();
  void MakeByHand();
  void GiveUp();
  void Acknowledge();
  void Reclaim();
  void Compact();
  void NoteReclaim();

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
  std::vector<std::unique_ptr<HostSession>> hosts_;
  Statistics statistics_;

  std::map<std::string, ModelVolume> volumes_;
  std::vector<std::string> order_;  // their names, for a random choice
  std::map<std::string, std::uint64_t> files_;  // by hand: path -> units
  std::set<std::string> directories_;           // by hand
  std::vector<ModelPending> pending_;
  std::uint64_t deletions_ = 0;
  std::uint64_t names_ = 0;
};

}  // namespace famfs::model
