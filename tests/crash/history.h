// A life of an instance, recorded: mkfs, creations, deletions, compactions,
// openings, and after each what a user was told is there.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "instance/check/mkfs.h"
#include "instance/deletion/host_session.h"
#include "instance/writer/writer.h"
#include "tests/crash/recording_device.h"
#include "tests/crash/state.h"

namespace famfs::crash {

/// One operation: acknowledged after event `end`, in flight from `begin`.
struct Step {
  std::string name;
  std::size_t begin = 0;
  std::size_t end = 0;
  State before{};
  State after{};
  /// A mkfs: in flight, the device may also be blank.
  bool is_mkfs = false;
  bool is_add = false;  // of the secondary device
  bool force = false;   // of either
  /// A file that somebody is storing to: it may hold anything meanwhile.
  std::string filling{};
  /// Of one that is published by two stores: what stands in between.
  std::optional<State> via{};
  /// Units of files that are there before and after, and that it stores to.
  std::set<std::uint64_t> own{};
};

/// Same uuids in every run, so that recordings are equal.
MkfsOptions FixedMkfsOptions(const std::string& lock_directory, bool force);
WriterOptions FixedWriterOptions(const std::string& lock_directory,
                                 std::uint8_t owner);
AddDeviceOptions FixedAddOptions(bool force);
/// A volume of this layout lies on both devices.
VolumeAttributes SpreadAttributes(const std::string& name);
Uuid FixedUuid(std::uint8_t value);
inline constexpr std::uint8_t kReadingHost = 0x77;

/// Operations on a medium, each recorded. An operation that fails ends the
/// program: the histories are made so that each one can be done.
class History {
 public:
  History(Medium& medium, std::string lock_directory)
      : lock_directory_(std::move(lock_directory)),
        medium_(medium),
        device_(std::make_shared<RecordingDevice>(medium, &recorder_)),
        secondary_(std::make_shared<RecordingDevice>(medium, &recorder_,
                                                     kSecondary)) {}
  /// Goes on with what another history left on the medium.
  History(Medium& medium, std::string lock_directory, const State& state,
          int names)
      : History(medium, std::move(lock_directory)) {
    state_ = state;
    names_ = names;
  }
  History(const History&) = delete;
  History& operator=(const History&) = delete;

  void Mkfs(bool force = false);
  void Open();
  void Close() { writer_.reset(); }
  /// False, and nothing done, when it has no object: no volume to delete,
  /// nothing to compact.
  bool Do(Op op);
  void CreateVolume(std::uint64_t units);
  /// What upstream or a later version of ours may have in a log, and what a
  /// compaction drops on every kind of device: a repeated mkdir, an old
  /// revision. Before the first opening.
  void AppendSuperseded();
  /// What no program may do: a file in the space of a deleted volume whose
  /// entries are still in the log. After a deletion.
  void ReuseBeforeCompaction();
  /// The same: a compaction that drops dead pieces which a host has open.
  void CompactWithoutDeadPieces();
  /// What no server may do: the host's row says that it has let go of every
  /// deleted volume, although it has some open.
  void AcknowledgeWhatIsHeld();

  [[nodiscard]] Recorder& recorder() { return recorder_; }
  [[nodiscard]] const std::deque<Event>& events() const {
    return recorder_.events();
  }
  [[nodiscard]] const std::vector<Step>& steps() const { return steps_; }
  [[nodiscard]] const State& state() const { return state_; }
  [[nodiscard]] int names() const { return names_; }

 private:
  std::string NewName(char kind);
  void CreateFile();
  void Mkdir();
  void Reserve(bool commit);
  bool Delete();
  bool Compact();
  bool Reclaim();
  bool Register();
  bool Acknowledge();
  bool Evict();
  bool AddDevice();
  bool CreateSpread();
  bool Hold();
  // history_tree.cc
  bool DoInTree(Op op);
  void CreateTreeVolume();
  bool CreateNode(NodeKind kind);
  bool RemoveNode();
  bool RenameNode();
  bool ReplaceNode();
  bool ExchangeNodes();
  bool ExtendFile();
  bool StoreToFile();
  bool SettleFile();
  bool CutFile();
  bool GrowFile();
  bool ChangeMode();
  bool ChangeTreeMode();
  bool DeleteTree();
  /// One of the paths for which it is true, another one each time; empty: none.
  [[nodiscard]] std::string Pick(
      const std::function<bool(const std::string&, const NodeState&)>& fits)
      const;
  [[nodiscard]] std::string PickVolume() const;
  /// The node's id and its directory's; what stands behind the last slash.
  [[nodiscard]] TreeId ParentOf(const std::string& path) const;
  [[nodiscard]] TreeRequest RequestFor(TreeOp op,
                                       const std::string& path) const;
  [[nodiscard]] TreeRequest RenameFor(const std::string& from,
                                      const std::string& to) const;
  void Ask(Step step, const TreeRequest& request);
  /// Takes the pieces from `kept` on from a node of `after`.
  void DropPieces(const std::string& path, std::size_t kept,
                  std::uint64_t number, State& after) const;
  /// As the log calls the pieces that a node has now.
  [[nodiscard]] std::vector<std::string> PiecesOf(
      const std::string& path) const;
  [[nodiscard]] std::set<std::uint64_t> UnitsOf(const std::string& path) const;
  void MoveNodes(const std::string& from, const std::string& to,
                 State& after) const;
  void Split(Step step);
  void RunAcknowledge(std::uint64_t number);
  void OpenAs(std::uint8_t owner, const std::string& name);
  void Run(Step step, const std::function<absl::Status()>& operation);

  Recorder recorder_;
  std::string lock_directory_;
  Medium& medium_;
  std::shared_ptr<RecordingDevice> device_;
  std::shared_ptr<RecordingDevice> secondary_;
  bool secondary_is_foreign_ = false;  // of an instance that was made anew
  std::unique_ptr<Writer> writer_;
  std::unique_ptr<HostSession> session_;
  State state_;
  int names_ = 0;  // given out
  std::vector<Step> steps_;
};

}  // namespace famfs::crash
