#include "tests/crash/verdict.h"

#include "instance/fsck.h"

namespace famfs::crash {
namespace {

State Collect(const Namespace& tree) {
  State state;
  state.formatted = true;
  for (const auto& [id, node] : tree.nodes()) {
    if (node->is_meta || id == kRootNode) continue;
    const std::string path = tree.PathOf(*node);
    if (node->is_directory) {
      state.directories.insert(path);
    } else {
      state.files[path] = node->size;
    }
    if (node->volume != nullptr) state.volumes[path] = node->volume->capacity;
  }
  return state;
}

/// What a user sees; the rest is compared on its own.
bool SameTree(const State& a, const State& b) {
  return a.formatted == b.formatted && a.files == b.files &&
         a.directories == b.directories && a.volumes == b.volumes;
}

class Judgement {
 public:
  Judgement(std::shared_ptr<Medium> medium, const Expected& expected,
            std::string lock_directory)
      : medium_(std::move(medium)),
        device_(std::make_shared<RecordingDevice>(medium_, nullptr)),
        expected_(expected),
        lock_directory_(std::move(lock_directory)) {}

  std::vector<std::string> Run(Depth depth) {
    if (!expected_.acknowledged.formatted && !Format()) return problems_;
    BeforeOpening(depth);
    auto writer = Writer::Open(device_, FixedWriterOptions(lock_directory_));
    if (!writer.ok()) {
      Problem(fmt::format("it cannot be opened: {}", Message(writer.status())));
      return problems_;
    }
    const State state = Collect(*(*writer)->Tree());
    CheckState(state, "the writer");
    CheckFsck(false);
    CheckSpace(**writer, state);
    if (depth == Depth::kThorough) GoOn(*std::move(writer), state);
    return problems_;
  }

 private:
  void Problem(std::string text) { problems_.push_back(std::move(text)); }

  /// An interrupted mkfs: blank, and made again without force; or done.
  bool Format() {
    const auto layout = Layout::Open(*device_, Access::kRead);
    if (layout.ok()) return true;
    if (!absl::IsFailedPrecondition(layout.status())) {
      Problem(fmt::format("an interrupted mkfs is not blank: {}",
                          Message(layout.status())));
    }
    const absl::Status made =
        famfs::Mkfs(*device_, FixedMkfsOptions(lock_directory_));
    if (!made.ok()) Problem(fmt::format("mkfs again: {}", Message(made)));
    return made.ok();
  }

  void BeforeOpening(Depth depth) {
    if (depth == Depth::kThorough) CheckFsck(true);
    const auto reader = Reader::Open(device_);
    if (reader.ok()) {
      CheckState(Collect(*(*reader)->Tree()), "a reader before the writer");
    } else if (!absl::IsUnavailable(reader.status())) {
      Problem(fmt::format("a reader before the writer: {}",
                          Message(reader.status())));
    }
  }

  void CheckFsck(bool unfinished_is_fine) {
    for (const Finding& finding : Fsck(*device_).findings) {
      if (unfinished_is_fine && finding.severity == Severity::kUnfinished) {
        continue;
      }
      Problem(fmt::format("fsck {} the opening: {}",
                          unfinished_is_fine ? "before" : "after",
                          finding.ToString()));
    }
  }

  void CheckState(const State& state, std::string_view who) {
    State blank_is_formatted = expected_.acknowledged;
    blank_is_formatted.formatted = true;
    if (SameTree(state, blank_is_formatted)) return;
    if (SameTree(state, expected_.in_flight)) return;
    std::string names;
    for (const auto& [path, size] : state.files) names += " " + path;
    Problem(
        fmt::format("{} sees neither the acknowledged state nor the one in "
                    "flight, but the files{}",
                    who, names));
  }

  void CheckSpace(const Writer& writer, const State& state) {
    const std::uint64_t fixed = kSuperblockRegion + kMinLogLength;
    std::uint64_t used = fixed + kMinLogLength;  // and the writer's reserve
    std::size_t extents = 2;
    for (const auto& [path, size] : state.files) {
      used += (size + kAllocUnit - 1) / kAllocUnit * kAllocUnit;
      ++extents;
    }
    const PoolFigures figures = writer.Figures();
    const bool flight = !SameTree(state, expected_.acknowledged);
    const std::uint64_t pending =
        (flight ? expected_.in_flight : expected_.acknowledged).pending;
    if (figures.pending != pending) {
      Problem(fmt::format("{} bytes are pending, not {}", figures.pending,
                          pending));
    }
    if (figures.free + used + pending != kMediumSize) {
      Problem(fmt::format("{} bytes are free, not {}", figures.free,
                          kMediumSize - used - pending));
    }
    if (medium_->has_extent_files() && medium_->extents().size() != extents) {
      Problem(fmt::format("there are {} extents, not {}",
                          medium_->extents().size(), extents));
    }
    if (!writer.MissingExtents().empty()) Problem("extents are missing");
  }

  /// The next creation and deletion work, and their effect lasts.
  void GoOn(std::unique_ptr<Writer> writer, State state) {
    VolumeAttributes attributes;
    attributes.name = "after";
    attributes.capacity = kAllocUnit;
    if (const auto made = writer->CreateVolume("after", attributes, {});
        !made.ok()) {
      return Problem(fmt::format("a creation afterwards: {}", Message(made)));
    }
    if (const auto gone = writer->DeleteVolume("after"); !gone.ok()) {
      return Problem(fmt::format("a deletion afterwards: {}", Message(gone)));
    }
    const auto layout = Layout::Open(*device_, Access::kRead);
    const auto record = layout->LoadState();
    if ((*record)->last_deletion <= expected_.acknowledged.deletions) {
      Problem(fmt::format("deletion number {} is given out again",
                          (*record)->last_deletion));
    }
    writer.reset();
    auto again = Writer::Open(device_, FixedWriterOptions(lock_directory_));
    if (!again.ok()) {
      return Problem(
          fmt::format("a second opening: {}", Message(again.status())));
    }
    if (!SameTree(Collect(*(*again)->Tree()), state)) {
      Problem("a second opening sees another state");
    }
  }

  std::shared_ptr<Medium> medium_;
  std::shared_ptr<RecordingDevice> device_;
  const Expected& expected_;
  std::string lock_directory_;
  std::vector<std::string> problems_;
};

}  // namespace

std::vector<std::string> Judge(const std::shared_ptr<Medium>& medium,
                               const Expected& expected,
                               const std::string& lock_directory, Depth depth) {
  return Judgement(medium, expected, lock_directory).Run(depth);
}

}  // namespace famfs::crash
