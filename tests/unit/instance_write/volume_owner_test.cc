// Owner and mode of volumes after chmod and chown, which kubelet does to each
// of its entries for a pod's fsGroup.
#include <cerrno>
#include <limits>
#include <string>

#include "fixture.h"
#include "instance/log/fast_play.h"

namespace famfs {
namespace {

constexpr std::uint32_t kGroup = 2000;

class VolumeOwnerTest : public WriteTest,
                        public ::testing::WithParamInterface<Kind> {
 protected:
  int Set(const std::string& volume, TreeId node, std::uint32_t set,
          std::uint32_t value) {
    TreeRequest request;
    request.op = TreeOp::kSetAttributes;
    request.volume = volume;
    request.node = node;
    request.set = set;
    request.mode = request.uid = request.gid = value;
    return writer_->ChangeTree(request).error;
  }
  TreeAnswer Create(const std::string& name, NodeKind kind) {
    TreeRequest request;
    request.op = TreeOp::kCreate;
    request.volume = "t";
    request.name = name;
    request.kind = kind;
    request.mode = 0600;
    if (kind == NodeKind::kSymlink) request.target = "x";
    return writer_->ChangeTree(request);
  }
  void CreateTree(std::uint64_t capacity) {
    VolumeAttributes attributes = Attributes("tree", capacity);
    attributes.layout = VolumeLayout::kTree;
    ASSERT_OK(writer_->CreateVolume("t", attributes, {.mode = 0700}));
  }
  Ownership OwnerOf(const std::string& path) {
    const Reader::View tree = writer_->Tree();
    const Node* const node = tree->FindPath(path);
    return node == nullptr ? Ownership{.mode = 1} : node->owner;
  }
};

INSTANTIATE_TEST_SUITE_P(Kinds, VolumeOwnerTest,
                         ::testing::Values(Kind::kImage, Kind::kEmulated),
                         NameOfKind);

TEST_P(VolumeOwnerTest, TheFileOfAVolumeFollowsItsDirectory) {
  Start(GetParam());
  ASSERT_OK(writer_->CreateVolume("v", Attributes("pvc", 2 * kMiB),
                                  {.uid = 5, .gid = 6, .mode = 0750}));
  EXPECT_EQ(OwnerOf("v/data"), (Ownership{5, 6, 0640}));
  ASSERT_EQ(Set("v", kVolumeRoot, kSetGid, kGroup), 0);
  EXPECT_EQ(OwnerOf("v/data"), (Ownership{5, kGroup, 0640}));
  ASSERT_EQ(Set("v", kVolumeRoot, kSetMode, 02770), 0);
  const Ownership directory{5, kGroup, 02770};
  const Ownership file{5, kGroup, 0660};
  EXPECT_EQ(OwnerOf("v"), directory);
  EXPECT_EQ(OwnerOf("v/data"), file);
  Reopen();
  EXPECT_EQ(OwnerOf("v"), directory);
  EXPECT_EQ(OwnerOf("v/data"), file);
  ASSERT_OK(writer_->Compact());
  EXPECT_EQ(writer_->Figures().entries, 2U);
  EXPECT_EQ(OwnerOf("v/data"), file);
  Reopen();
  EXPECT_EQ(OwnerOf("v"), directory);
  EXPECT_EQ(OwnerOf("v/data"), file);
  EXPECT_EQ(Fsck(), "");
  ASSERT_OK(writer_->DeleteVolume("v"));
  EXPECT_EQ(Set("v", kVolumeRoot, kSetGid, 7), ESTALE);
  EXPECT_EQ(Fsck(), "");
}

/// However often a pod has changed it.
TEST_P(VolumeOwnerTest, TheLastRevisionIsThatOfTheDeletion) {
  ASSERT_NO_FATAL_FAILURE(MakeDevice(GetParam()));
  ASSERT_NO_FATAL_FAILURE(Mkfs());
  VolumeAttributes attributes = Attributes("tree", 64 * kMiB);
  attributes.layout = VolumeLayout::kTree;
  attributes.revision = std::numeric_limits<std::uint32_t>::max() - 2;
  AppendRaw({VolumeEntry("t", attributes)});
  ASSERT_NO_FATAL_FAILURE(Open());
  EXPECT_EQ(Set("t", kVolumeRoot, kSetMode, 0700), 0);
  EXPECT_EQ(Set("t", kVolumeRoot, kSetMode, 0750), EOVERFLOW);
  ASSERT_OK(writer_->DeleteVolume("t"));
  EXPECT_EQ(Fsck(), "");
}

TEST_P(VolumeOwnerTest, AReaderThatFollowsIsToldOfBoth) {
  Start(GetParam());
  ASSERT_OK(CreateVolume("v", 2 * kMiB));
  auto reader = Reader::Open(OpenAgain(Access::kRead));
  ASSERT_OK(reader);
  ASSERT_EQ(Set("v", kVolumeRoot, kSetUid, 9), 0);
  const auto changes = (*reader)->Refresh();
  ASSERT_OK(changes);
  std::vector<std::string> names;
  for (const Change& change : *changes) {
    EXPECT_EQ(change.kind, Change::Kind::kAttributes);
    names.push_back(change.name);
  }
  EXPECT_THAT(names, ::testing::ElementsAre("v", "data"));
  EXPECT_EQ((*reader)->Tree()->FindPath("v/data")->owner.uid, 9U);
}

/// By either way of playing a log.
TEST_P(VolumeOwnerTest, TheFastPlaySeesTheSame) {
  Start(GetParam());
  for (const char* name : {"v", "w", "x"}) {
    ASSERT_OK(CreateVolume(name, 2 * kMiB));
  }
  ASSERT_EQ(Set("w", kVolumeRoot, kSetMode, 02700), 0);
  for (int i = 0; i < 2; ++i) {
    auto layout = Layout::Open(*device_, Access::kRead);
    ASSERT_OK(layout);
    const auto player =
        PlayFast(layout->superblock(), layout->device_size(), layout->log(),
                 layout->LoadLogHeader().next_index);
    ASSERT_NE(player, nullptr);
    EXPECT_EQ(player->tree().FindPath("w/data")->owner, OwnerOf("w/data"));
    EXPECT_EQ(player->tree().FindPath("w/data")->owner.mode, 0600U);
    EXPECT_EQ(player->tree().FindPath("x/data")->owner, OwnerOf("x/data"));
    ASSERT_OK(writer_->Compact());
  }
}

/// What else changes a volume of layout `file` is refused, whoever asks.
TEST_P(VolumeOwnerTest, NothingButTheOwnerOfAVolumeWithOneFileChanges) {
  Start(GetParam());
  ASSERT_OK(CreateVolume("v", 2 * kMiB));
  EXPECT_EQ(Set("v", kVolumeRoot, kSetMode | kSetSize, 0700), ESTALE);
  EXPECT_EQ(Set("v", kVolumeRoot, kSetMode | kSetMtime, 0700), ESTALE);
  EXPECT_EQ(Set("v", 77, kSetMode, 0700), ESTALE);
  TreeRequest request;
  request.volume = "v";
  request.name = "new";
  for (const TreeOp op : {TreeOp::kCreate, TreeOp::kRemove, TreeOp::kRename,
                          TreeOp::kExtend, TreeOp::kSettle}) {
    request.op = op;
    request.new_name = "data";
    EXPECT_EQ(writer_->ChangeTree(request).error, ESTALE)
        << static_cast<int>(op);
  }
  EXPECT_EQ(writer_->Figures().entries, 2U);
}

/// A volume whose names are used up, in a log that is full: chown and chmod of
/// each entry take no room for good.
TEST_P(VolumeOwnerTest, AFullTreeIsGivenToAGroup) {
  Start(GetParam());
  ASSERT_NO_FATAL_FAILURE(CreateTree(writer_->Figures().free));
  std::vector<TreeId> nodes;
  for (;;) {
    const int i = static_cast<int>(nodes.size());
    const TreeAnswer made =
        Create(std::to_string(i),
               i % 3 == 0 ? NodeKind::kDirectory : NodeKind::kSymlink);
    if (made.error != 0) {
      ASSERT_EQ(made.error, ENOSPC);
      break;
    }
    nodes.push_back(made.node);
  }
  ASSERT_GT(nodes.size(), 6'000U);
  nodes.resize(300);  // many times what a compaction gives back
  absl::Status full;
  for (int i = 0; full.ok(); ++i) {
    full = writer_->Mkdir(fmt::format("d{}", i), {});
  }
  ASSERT_TRUE(absl::IsResourceExhausted(full)) << Say(full);
  for (const TreeId node : nodes) {
    ASSERT_EQ(Set("t", node, kSetGid, kGroup), 0);
    ASSERT_EQ(Set("t", node, kSetMode, 02770), 0);
  }
  ASSERT_EQ(Set("t", kVolumeRoot, kSetGid, kGroup), 0);
  ASSERT_EQ(Set("t", kVolumeRoot, kSetMode, 02770), 0);
  EXPECT_EQ(OwnerOf("t"), (Ownership{0, kGroup, 02770}));
  EXPECT_EQ(OwnerOf("t/0"), (Ownership{0, kGroup, 02770}));
  EXPECT_EQ(Create("more", NodeKind::kDirectory).error, ENOSPC);
  EXPECT_EQ(Fsck(), "");
}

}  // namespace
}  // namespace famfs
