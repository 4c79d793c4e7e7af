#include "tests/crash/verdict.h"

#include <algorithm>
#include <cerrno>

#include "base/units.h"
#include "instance/check/fsck.h"
#include "tests/model/golden_rules.h"

namespace famfs::crash {
namespace {

class Judgement {
 public:
  Judgement(Medium& medium, const Expected& expected,
            std::string lock_directory)
      : medium_(medium),
        devices_(MakeDevices(medium, nullptr)),
        device_(devices_->primary()),
        expected_(expected),
        lock_directory_(std::move(lock_directory)) {}

  std::vector<std::string> Run(Depth depth) {
    if (expected_.is_mkfs && !Format()) return problems_;
    BeforeOpening(depth);
    CheckHeld("before the opening");
    auto writer = Open("it");
    if (writer == nullptr) return problems_;
    const State state = StateOf(*writer->Tree());
    CheckState(state, "the writer");
    CheckRules();
    CheckDevices(*writer);
    if (depth == Depth::kThorough) CheckFsck(false);
    CheckEpoch(state);
    CheckSpace(*writer, state);
    CheckContents(*writer);
    CheckTrees(*writer, state);
    CheckHosts(*writer);
    if (depth == Depth::kThorough) GoOn(std::move(writer), state);
    return problems_;
  }

 private:
  template <typename... Args>
  void Problem(fmt::format_string<Args...> text, Args&&... args) {
    problems_.push_back(fmt::format(text, std::forward<Args>(args)...));
  }

  std::unique_ptr<Writer> Open(std::string_view what) {
    auto writer = TryOpen(expected_.in_flight.owner, false);
    if (absl::IsPermissionDenied(writer.status()) &&
        expected_.in_flight.owner != expected_.acknowledged.owner) {
      writer = TryOpen(expected_.acknowledged.owner, false);
    }
    if (writer.ok()) return *std::move(writer);
    Problem("{} cannot be opened: {}", what, Message(writer.status()));
    return nullptr;
  }
  absl::StatusOr<std::unique_ptr<Writer>> TryOpen(std::uint8_t owner,
                                                  bool take_over) {
    WriterOptions options = FixedWriterOptions(lock_directory_, owner);
    options.take_over = take_over;
    // Another set each time: none has been opened before.
    devices_ = MakeDevices(medium_, nullptr);
    device_ = devices_->primary();
    return Writer::Open(devices_, options);
  }

  /// An interrupted mkfs: blank, and made again; or nothing begun; or done.
  bool Format() {
    const auto layout = Layout::Open(*device_, Access::kRead);
    if (layout.ok()) return true;
    if (!absl::IsFailedPrecondition(layout.status())) {
      Problem("an interrupted mkfs is not blank: {}", Message(layout.status()));
    }
    const absl::Status made = famfs::Mkfs(
        *device_, FixedMkfsOptions(lock_directory_, expected_.force));
    if (!made.ok()) Problem("mkfs again: {}", Message(made));
    return made.ok();
  }

  void BeforeOpening(Depth depth) {
    if (depth == Depth::kThorough) CheckFsck(true);
    const auto reader = Reader::Open(device_);
    if (reader.ok()) {
      CheckState(StateOf(*(*reader)->Tree()), "a reader before the writer");
    } else if (!absl::IsUnavailable(reader.status()) &&
               !IsOwnerChanging(Message(reader.status()))) {
      Problem("a reader before the writer: {}", Message(reader.status()));
    }
  }

  /// The owner's uuid and the checksum are two stores; in between, only the
  /// next opening tells the superblock from a damaged one.
  [[nodiscard]] bool IsOwnerChanging(std::string_view message) const {
    return expected_.is_take_over &&
           message.find("superblock: crc") != std::string_view::npos;
  }

  void CheckFsck(bool unfinished_is_fine) {
    for (const Finding& finding : Fsck(*devices_).findings) {
      if (unfinished_is_fine && (finding.severity == Severity::kUnfinished ||
                                 IsOwnerChanging(finding.ToString()))) {
        continue;
      }
      Problem("fsck {} the opening: {}",
              unfinished_is_fine ? "before" : "after", finding.ToString());
    }
  }

  void CheckRules() {
    const golden::Report report =
        golden::CheckRules({medium_.data(), kPrimarySize});
    for (const std::string& problem : report.problems) {
      Problem("upstream's rules: {}", problem);
    }
  }

  /// The state that the tree is: the newer one when it fits.
  [[nodiscard]] const State& Meant(const State& tree) const {
    return SameTree(tree, expected_.in_flight) ? expected_.in_flight
                                               : expected_.acknowledged;
  }

  void CheckState(const State& state, std::string_view who) {
    if (SameTree(state, Meant(state))) return;
    std::string names;
    for (const auto& [path, file] : state.files) names += " " + path;
    Problem(
        "{} sees neither the acknowledged state nor the one in flight, but the "
        "files{}",
        who, names);
  }

  /// The secondary device is one of the instance, or can be added again.
  void CheckDevices(Writer& writer) {
    const bool has = !writer.AddedDevices().empty();
    if (has != expected_.acknowledged.has_secondary &&
        has != expected_.in_flight.has_secondary) {
      Problem("the secondary device is {} the instance's",
              has ? "suddenly" : "no longer");
    }
    if (has && devices_->Find(1) == nullptr) {
      Problem("the secondary device is not found: {}",
              Message(devices_->At(1).status()));
    }
    if (has || !expected_.is_add) return;
    const absl::Status added = writer.AddDevice(
        std::make_shared<RecordingDevice>(medium_, nullptr, kSecondary),
        FixedAddOptions(expected_.force));
    if (!added.ok()) Problem("devadd again: {}", Message(added));
  }

  /// What a host has open is neither zeroed nor anybody else's.
  void CheckHeld(std::string_view when) {
    if (medium_.has_extent_files()) return;
    for (const auto& [name, held] : expected_.in_flight.held) {
      if (!expected_.acknowledged.held.contains(name)) continue;
      const HeldVolume& before = expected_.acknowledged.held.at(name);
      const std::byte* data = medium_.data() + held.offset;
      const std::byte fill = FillByte(held.fill);
      for (std::uint64_t i = 0; i < std::min(held.stored, before.stored); ++i) {
        const bool at_end = !held.at_end || data[held.length - 1 - i] == fill;
        if (data[i] == fill && at_end) continue;
        return Problem("{}, the bytes of '{}', which a host has open, changed",
                       when, name);
      }
    }
  }

  /// An epoch is never given out twice, or a stale writer could not notice.
  void CheckEpoch(const State& state) {
    const auto layout = Layout::Open(*device_, Access::kRead);
    const auto record = layout->LoadState();
    // A mkfs begins again.
    const std::uint64_t given =
        expected_.is_mkfs ? Meant(state).epoch : expected_.acknowledged.epoch;
    if ((*record)->writer_epoch <= given) {
      Problem("epoch {} is given out again", (*record)->writer_epoch);
    }
  }

  void CheckSpace(const Writer& writer, const State& state) {
    const std::uint64_t fixed = kSuperblockRegion + kMinLogLength;
    std::uint64_t used = fixed + kMinLogLength;  // and the writer's reserve
    std::size_t extents = 2;
    for (const auto& [path, file] : state.files) {
      used += RoundUp(file.size, kAllocUnit);
      extents += writer.Tree()->FindPath(path)->extents.size();
    }
    for (const auto& [path, node] : state.nodes) {
      used += node.allocated();
      extents += writer.Tree()->FindPath(path)->extents.size();
    }
    std::uint64_t total = kPrimarySize;
    if (!writer.AddedDevices().empty()) {
      total += kSecondarySize - kSuperblockRegion;
      ++extents;
    }
    const PoolFigures figures = writer.Figures();
    // A tree says nothing about the deleted; a step in flight may have gone
    // either way.
    const std::uint64_t before = PendingBytes(expected_.acknowledged);
    const std::uint64_t after = PendingBytes(expected_.in_flight);
    const bool same = SameTree(expected_.acknowledged, expected_.in_flight);
    const std::uint64_t meant = PendingBytes(Meant(state));
    if (figures.pending != meant &&
        !(same && (figures.pending == before || figures.pending == after))) {
      Problem("{} bytes are pending, not {}", figures.pending, meant);
    }
    if (figures.free + used + figures.pending != total) {
      Problem("{} bytes are free, not {}", figures.free,
              total - used - figures.pending);
    }
    const std::size_t present = CountExtents(writer);
    if (medium_.has_extent_files() && present != extents) {
      Problem("there are {} extents, not {}", present, extents);
    }
    if (!writer.MissingExtents().empty()) Problem("extents are missing");
  }

  /// Of the instance's devices: what stands on another one is not its own.
  std::size_t CountExtents(const Writer& writer) const {
    const std::uint64_t end =
        writer.AddedDevices().empty() ? kPrimarySize : kMediumSize;
    std::size_t count = 0;
    for (const auto& [offset, length] : medium_.extents()) {
      count += offset < end ? 1 : 0;
    }
    return count;
  }

  /// Each file is what its maker was told: its bytes, or zeros; and zeros up to
  /// the end of its last unit.
  void CheckContents(const Writer& writer) {
    const Reader::View tree = writer.Tree();
    for (const auto& [id, node] : tree->nodes()) {
      if (node->is_directory || node->is_meta) continue;
      const std::string path = tree->PathOf(*node);
      const auto& files = Meant(StateOf(*tree)).files;
      const auto file = files.find(path);
      if (file == files.end()) continue;  // told by CheckState
      if (path == expected_.filling) continue;
      if (node->extents.size() != (file->second.spread ? 2 : 1)) {
        Problem("'{}' has {} extents", path, node->extents.size());
        continue;
      }
      for (const MediaExtent& extent : node->extents) {
        CheckExtent(path, file->second,
                    extent.offset + extent.device_index * kPrimarySize,
                    extent.length);
      }
    }
  }

  void CheckExtent(const std::string& path, const FileState& file,
                   std::uint64_t offset, std::uint64_t length) {
    if (!file.filled) {
      if (!medium_.IsZero({offset, length})) {
        Problem("'{}' has bytes that nobody wrote", path);
      }
      return;
    }
    const std::uint64_t last = file.size - kFilledBytes;
    for (std::uint64_t i = 0; i < kFilledBytes; ++i) {
      if (medium_.data()[offset + i] == FillByte(path) &&
          medium_.data()[offset + last + i] == FillByte(path)) {
        continue;
      }
      return Problem("'{}' has lost bytes", path);
    }
    if (!medium_.IsZero({offset + kFilledBytes, last - kFilledBytes}) ||
        !medium_.IsZero({offset + file.size, length - file.size})) {
      Problem("'{}' has bytes that nobody wrote beside its own", path);
    }
  }

  /// What tree volumes use is counted right, and what their files hold is what
  /// hosts stored there, or zeros.
  void CheckTrees(const Writer& writer, const State& state) {
    const State& meant = Meant(state);
    const bool same = SameTree(expected_.acknowledged, expected_.in_flight);
    for (const auto& [volume, mode] : state.tree_modes) {
      const TreeUsage usage = writer.UsageOf(volume);
      std::uint64_t nodes = 0;
      std::uint64_t pieces = 0;
      for (const auto& [path, node] : state.nodes) {
        if (!path.starts_with(volume + "/")) continue;
        ++nodes;
        pieces += node.pieces.size();
      }
      if (usage.entries != nodes + pieces || usage.dead > usage.bytes) {
        Problem(
            "'{}' counts {} entries and {} dead bytes of {}, not {} "
            "entries",
            volume, usage.entries, usage.dead, usage.bytes, nodes + pieces);
      }
      if (usage.bytes == UsedBytes(meant, volume) ||
          (same &&
           (usage.bytes == UsedBytes(expected_.in_flight, volume) ||
            usage.bytes == UsedBytes(expected_.acknowledged, volume)))) {
        continue;
      }
      Problem("'{}' uses {} bytes, not {}", volume, usage.bytes,
              UsedBytes(meant, volume));
    }
    const Reader::View tree = writer.Tree();
    for (const auto& [path, node] : meant.nodes) {
      if (path == expected_.filling || !state.nodes.contains(path)) continue;
      CheckNode(path, node, *tree->FindPath(path));
    }
  }

  void CheckNode(const std::string& path, const NodeState& node,
                 const Node& found) {
    if (found.extents.size() != node.pieces.size()) {
      return Problem("'{}' has {} extents", path, found.extents.size());
    }
    std::uint64_t start = 0;
    for (std::size_t i = 0; i < node.pieces.size(); ++i) {
      const PieceState& piece = node.pieces[i];
      const MediaExtent& extent = found.extents[i];
      const std::uint64_t at =
          extent.offset + extent.device_index * kPrimarySize;
      // What hosts left behind the end nobody sees.
      const std::uint64_t seen = node.size - std::min(node.size, start);
      for (std::uint64_t k = 0; k < std::min(piece.stored, seen); ++k) {
        if (medium_.data()[at + k] == FillByte(FillOf(node.id))) continue;
        Problem("piece {} of '{}' has lost bytes", i, path);
        break;
      }
      if (!medium_.IsZero({at + piece.stored, piece.length - piece.stored})) {
        Problem("piece {} of '{}' has bytes that nobody wrote", i, path);
      }
      start += piece.length;
    }
  }

  /// Tree volumes can be changed, and their new bytes are zero.
  void GoOnInTrees(Writer& writer, const State& state) {
    for (const auto& [volume, mode] : state.tree_modes) {
      TreeRequest request;
      request.volume = volume;
      request.name = "after";
      const TreeAnswer made = writer.ChangeTree(request);
      if (volume == "sealed") {
        if (made.error != EROFS) Problem("'sealed' takes a name");
        continue;
      }
      request.op = TreeOp::kExtend;
      request.node = made.node;
      request.size = 1;
      const TreeAnswer extended = writer.ChangeTree(request);
      if (made.error != 0 || extended.error != 0) {
        Problem("a file in '{}' afterwards: errno {} and {}", volume,
                made.error, extended.error);
        continue;
      }
      {
        const Reader::View tree = writer.Tree();
        CheckNode(volume + "/after",
                  {.id = made.node, .pieces = {{.length = kAllocUnit}}},
                  *tree->FindPath(volume + "/after"));
      }
      CheckHeld("after a file grew");
      request.op = TreeOp::kRemove;
      if (const int error = writer.ChangeTree(request).error; error != 0) {
        Problem("removing it from '{}' afterwards: errno {}", volume, error);
      }
    }
  }

  /// What is left of them goes with them, whatever it waited for.
  void DeleteTrees(Writer& writer, const State& state) {
    for (const auto& [volume, mode] : state.tree_modes) {
      if (const auto gone = writer.DeleteVolume(volume); !gone.ok()) {
        Problem("deleting '{}' afterwards: {}", volume, Message(gone));
      }
    }
    if (const auto status = writer.Reclaim(); !status.ok()) {
      Problem("reclaiming what was in tree volumes: {}", Message(status));
    }
    CheckHeld("after tree volumes were deleted");
    CheckRules();
    CheckFsck(false);
  }

  /// What the reading host was told stands; it never lets go of more than it
  /// said.
  void CheckHosts(const Writer& writer) {
    std::optional<std::uint64_t> let_go;
    for (const HostStatus& host : writer.Hosts()) {
      if (host.standing == HostStanding::kDamaged)
        Problem("a damaged host row");
      if (host.standing == HostStanding::kEvicted) continue;
      let_go = host.acknowledged;
    }
    if (let_go == expected_.acknowledged.let_go ||
        let_go == expected_.in_flight.let_go) {
      return;
    }
    Problem("the reading host has let go of {}, not of {}",
            let_go ? std::to_string(*let_go) : "nothing, or is not there",
            expected_.in_flight.let_go.value_or(0));
  }

  /// All that nobody waits for comes back, and nothing else.
  void CheckReclaim(Writer& writer, const State& state) {
    if (const auto status = writer.Reclaim(); !status.ok()) {
      return Problem("reclaiming afterwards: {}", Message(status));
    }
    const std::uint64_t pending = writer.Figures().pending;
    // The deletion or the host's word in flight may have gone either way.
    State mixed = expected_.acknowledged;
    mixed.let_go = expected_.in_flight.let_go;
    State other = expected_.in_flight;
    other.let_go = expected_.acknowledged.let_go;
    const bool same = SameTree(expected_.acknowledged, expected_.in_flight);
    if (pending == QuarantinedBytes(Meant(state)) ||
        (same && (pending == QuarantinedBytes(expected_.acknowledged) ||
                  pending == QuarantinedBytes(mixed) ||
                  pending == QuarantinedBytes(other)))) {
      return;
    }
    Problem("after reclaiming {} bytes are pending, not {}", pending,
            QuarantinedBytes(Meant(state)));
  }

  /// The next creation and deletion work, and their effect lasts.
  void GoOn(std::unique_ptr<Writer> writer, State state) {
    CheckReclaim(*writer, state);
    CheckHeld("after reclaiming");
    VolumeAttributes attributes;
    attributes.name = "after";
    attributes.capacity = 2 * kAllocUnit;
    if (const auto made = writer->CreateVolume("after", attributes, {});
        !made.ok()) {
      return Problem("a creation afterwards: {}", Message(made));
    }
    {
      const Reader::View tree = writer->Tree();
      const Node* data = tree->FindPath("after/data");
      CheckExtent("after/data", {.size = attributes.capacity},
                  data->extents.front().offset, data->extents.front().length);
    }
    CheckHeld("after a creation");
    GoOnInTrees(*writer, state);
    if (const auto gone = writer->DeleteVolume("after"); !gone.ok()) {
      return Problem("a deletion afterwards: {}", Message(gone));
    }
    const auto layout = Layout::Open(*device_, Access::kRead);
    const auto record = layout->LoadState();
    if ((*record)->last_deletion <= Meant(state).deletions) {
      Problem("deletion number {} is given out again",
              (*record)->last_deletion);
    }
    writer.reset();
    writer = Open("a second time it");
    if (writer == nullptr) return;
    if (!SameTree(StateOf(*writer->Tree()), state)) {
      Problem("a second opening sees another state");
    }
    CheckRules();
    DeleteTrees(*writer, state);
  }

  Medium& medium_;
  std::shared_ptr<DeviceSet> devices_;
  std::shared_ptr<DaxDevice> device_;
  const Expected& expected_;
  std::string lock_directory_;
  std::vector<std::string> problems_;
};

}  // namespace

std::vector<std::string> Judge(Medium& medium, const Expected& expected,
                               const std::string& lock_directory, Depth depth) {
  return Judgement(medium, expected, lock_directory).Run(depth);
}

}  // namespace famfs::crash
