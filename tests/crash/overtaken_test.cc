// A writer that was overtaken and does not know it yet: whatever it is asked
// for in a tree volume, it stores nothing, and its successor finds what it
// left.
//
// The mistake that must be noticed: it looks at what its cache has of the
// records, and not at what the successor wrote.
#include <cerrno>
#include <cstring>
#include <iostream>

#include "tests/crash/mutation.h"
#include "tests/model/golden_rules.h"

namespace famfs::crash {
namespace {

/// A host's view of superblock, region and log: its own stores reach the
/// medium, others' are seen once a line is invalidated, or never.
class OldMapping final : public Mapping {
 public:
  OldMapping(std::unique_ptr<Mapping> inner, std::vector<std::byte> copy,
             bool looks)
      : Mapping(copy.data(), copy.size()),
        inner_(std::move(inner)),
        copy_(std::move(copy)),
        looks_(looks) {}

  void Store(std::size_t at, std::span<const std::byte> bytes) override {
    Mapping::Store(at, bytes);
    inner_->Store(at, bytes);
  }
  void StoreZeros(std::size_t at, std::size_t length) override {
    Mapping::StoreZeros(at, length);
    inner_->StoreZeros(at, length);
  }
  void Store16(std::size_t at, std::uint64_t first,
               std::uint64_t second) override {
    Mapping::Store16(at, first, second);
    inner_->Store16(at, first, second);
  }
  void WriteBack(std::size_t at, std::size_t length) override {
    inner_->WriteBack(at, length);
  }
  void Invalidate(std::size_t at, std::size_t length) const override {
    if (!looks_) return;
    std::memcpy(mutable_copy() + at, inner_->data() + at, length);
  }

 private:
  [[nodiscard]] std::byte* mutable_copy() const {
    return const_cast<std::byte*>(copy_.data());
  }

  std::unique_ptr<Mapping> inner_;
  std::vector<std::byte> copy_;
  bool looks_;
};

class OldDevice final : public DaxDevice {
 public:
  OldDevice(crash::Medium& medium, bool looks)
      : inner_(medium, nullptr), looks_(looks) {}
  [[nodiscard]] std::string spec() const override { return "overtaken"; }
  [[nodiscard]] std::uint64_t size() const override { return inner_.size(); }
  [[nodiscard]] Uuid tag() const override { return {}; }
  [[nodiscard]] Capabilities capabilities() const override {
    return inner_.capabilities();
  }
  absl::StatusOr<std::unique_ptr<famfs::Mapping>> Map(std::uint64_t offset,
                                                      std::uint64_t length,
                                                      Access access) override {
    FAMFS_ASSIGN_OR_RETURN(auto inner, inner_.Map(offset, length, access));
    if (offset >= kLogOffset + kMinLogLength) return inner;
    std::vector<std::byte> copy(inner->bytes().begin(), inner->bytes().end());
    return std::make_unique<OldMapping>(std::move(inner), std::move(copy),
                                        looks_);
  }
  absl::Status CreateExtent(Range range) override {
    return inner_.CreateExtent(range);
  }
  absl::Status RemoveExtent(std::uint64_t offset) override {
    return inner_.RemoveExtent(offset);
  }
  absl::StatusOr<std::vector<Range>> ListExtents() override {
    return inner_.ListExtents();
  }
  absl::StatusOr<UniqueFd> OpenExtent(std::uint64_t offset) override {
    return inner_.OpenExtent(offset);
  }

 private:
  RecordingDevice inner_;
  bool looks_;
};

class OvertakenTest : public MutationTest {
 protected:
  absl::StatusOr<std::unique_ptr<Writer>> Open(bool looks, std::uint8_t owner,
                                               const char* locks) {
    WriterOptions options = FixedWriterOptions(Locks(locks), owner);
    options.take_over = owner != base_.state.owner;
    return Writer::Open(std::make_shared<OldDevice>(*live_, looks), options);
  }
  /// One request of each kind that would change the base.
  [[nodiscard]] std::vector<TreeRequest> Requests() const {
    TreeRequest one;
    one.volume = "t1";
    for (const auto& [path, node] : base_.state.nodes) {
      if (node.kind != NodeKind::kFile || node.pieces.empty()) continue;
      if (path.find('/') != path.rfind('/')) continue;
      one.node = node.id;
      one.name = path.substr(3);
      one.size = node.allocated() + kAllocUnit;
    }
    one.new_name = "late";
    one.set = kSetMode;
    std::vector<TreeRequest> all(8, one);
    for (std::size_t i = 0; i < 6; ++i) {
      all[i].op = static_cast<TreeOp>(i + 1);
    }
    all[0].name = "late";
    all[5].size = one.size - kAllocUnit;
    all[6].op = all[7].op = TreeOp::kSetAttributes;
    all[6].set = kSetSize;
    all[6].size = 1;
    all[7].node = kVolumeRoot;
    return all;
  }
  /// What the medium shows of a stale writer that was asked for this.
  std::string ProblemAfter(const TreeRequest& request, bool looks);

  Base base_;
};

std::string OvertakenTest::ProblemAfter(const TreeRequest& request,
                                        bool looks) {
  auto old = Open(looks, base_.state.owner, "live");
  if (!old.ok()) return std::string(Message(old.status()));
  auto next = Open(true, 0x55, "successor");
  if (!next.ok()) return std::string(Message(next.status()));
  TreeRequest made;
  made.volume = "t1";
  made.name = "made by the successor";
  if ((*next)->ChangeTree(made).error != 0) return "the successor cannot write";
  const std::uint64_t before = live_->hash();
  const State state = StateOf(*(*next)->Tree());
  const std::uint64_t entries = (*next)->Figures().entries;
  const int error = (*old)->ChangeTree(request).error;
  const golden::Report report =
      golden::CheckRules({live_->data(), kPrimarySize});
  if (!report.problems.empty()) return report.problems.front();
  if (report.entries != entries) return "the log has other entries";
  if (error == 0) return "the stale writer says that it is done";
  const auto reader =
      Reader::Open(std::make_shared<RecordingDevice>(*live_, nullptr));
  if (!reader.ok()) return std::string(Message(reader.status()));
  if (!SameTree(StateOf(*(*reader)->Tree()), state)) return "another tree";
  if (!(*next)->CheckStanding().ok()) return "the successor was disturbed";
  if (live_->hash() != before) return "something was zeroed";
  return error == EIO || error == EAGAIN ? ""
                                         : "errno " + std::to_string(error);
}

TEST_P(OvertakenTest, AnAppendWithoutTheOwnershipCheckIsFound) {
  MakeMedia(GetParam());
  base_ = MakeTreeBase();
  for (const TreeRequest& request : Requests()) {
    const int op = static_cast<int>(request.op);
    for (const bool looks : {true, false}) {
      live_->Checkpoint();
      const std::string problem = ProblemAfter(request, looks);
      live_->Rollback();
      if (looks) {
        EXPECT_EQ(problem, "") << "operation " << op;
      } else {
        Tell("operation " + std::to_string(op) +
                 " of a writer that was overtaken",
             problem.empty() ? std::vector<std::string>()
                             : std::vector<std::string>{problem});
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, OvertakenTest, ::testing::Bool(),
                         [](const auto& device) {
                           return device.param ? "WithExtentFiles" : "Flat";
                         });

}  // namespace
}  // namespace famfs::crash
