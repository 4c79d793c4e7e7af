// Changes inside tree volumes: what each asks for, what it is refused with, and
// that a log of any of them is played alike by everybody.
#include <spdlog/spdlog.h>

#include <cerrno>
#include <chrono>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <string>

#include "fixture.h"
#include "hook_device.h"

namespace famfs {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr std::uint64_t kCapacity = 64 * kMiB;

VolumeAttributes TreeAttributes(const std::string& name,
                                std::uint64_t capacity) {
  VolumeAttributes attributes = Attributes(name, capacity);
  attributes.layout = VolumeLayout::kTree;
  return attributes;
}

std::int64_t UnixNow() {
  return std::chrono::nanoseconds(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

class TreeTest : public WriteTest, public ::testing::WithParamInterface<Kind> {
 protected:
  void SetUp() override {
    WriteTest::SetUp();
    Start(GetParam());
    ASSERT_OK(writer_->CreateVolume("v1", TreeAttributes("pvc-1", kCapacity),
                                    {.mode = 0755}));
  }

  TreeRequest Request(TreeOp op) {
    TreeRequest request;
    request.op = op;
    request.volume = "v1";
    return request;
  }
  TreeAnswer Ask(const TreeRequest& request) {
    return writer_->ChangeTree(request);
  }
  TreeAnswer Create(NodeKind kind, TreeId parent, const std::string& name,
                    std::uint32_t mode = 0644) {
    TreeRequest request = Request(TreeOp::kCreate);
    request.kind = kind;
    request.parent = parent;
    request.name = name;
    request.mode = mode;
    if (kind == NodeKind::kSymlink) request.target = "some/where";
    return Ask(request);
  }
  TreeId MustCreate(NodeKind kind, TreeId parent, const std::string& name) {
    const TreeAnswer answer = Create(kind, parent, name);
    EXPECT_EQ(answer.error, 0) << name;
    return answer.node;
  }
  int Remove(TreeId parent, const std::string& name, std::uint32_t flags = 0) {
    TreeRequest request = Request(TreeOp::kRemove);
    request.parent = parent;
    request.name = name;
    request.flags = flags;
    return Ask(request).error;
  }
  int Rename(TreeId parent, const std::string& name, TreeId to,
             const std::string& new_name, std::uint32_t flags = 0) {
    TreeRequest request = Request(TreeOp::kRename);
    request.parent = parent;
    request.name = name;
    request.new_parent = to;
    request.new_name = new_name;
    request.flags = flags;
    return Ask(request).error;
  }
  int Extend(TreeId node, std::uint64_t size, std::uint32_t flags = 0) {
    TreeRequest request = Request(TreeOp::kExtend);
    request.node = node;
    request.size = size;
    request.flags = flags;
    return Ask(request).error;
  }
  int Truncate(TreeId node, std::uint64_t size) {
    TreeRequest request = Request(TreeOp::kSetAttributes);
    request.node = node;
    request.set = kSetSize;
    request.size = size;
    return Ask(request).error;
  }
  int Settle(TreeId node, std::uint64_t size, std::uint32_t truncation = 0) {
    TreeRequest request = Request(TreeOp::kSettle);
    request.node = node;
    request.size = size;
    request.truncation = truncation;
    return Ask(request).error;
  }

  /// Without what settles say of bytes that nobody here has stored: the node
  /// file ends before them.
  std::string FsckOfTheLog() {
    std::istringstream lines(Fsck());
    std::string all;
    for (std::string line; std::getline(lines, line);) {
      if (!line.starts_with("unfinished: node_file: ") ||
          line.find(" bytes, its record ") == std::string::npos) {
        all += line + '\n';
      }
    }
    return all;
  }

  /// All names of the volume with what they are, one line each.
  static std::string Describe(const Namespace& tree) {
    std::string all;
    std::vector<const Node*> nodes = {tree.FindDirectory("v1")};
    std::set<std::string> lines;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      for (const Node& child : tree.Children(*nodes[i])) {
        nodes.push_back(&child);
        std::string extents;
        for (const MediaExtent& extent : child.extents) {
          extents += fmt::format(" {:x}+{:x}", extent.offset, extent.length);
        }
        lines.insert(fmt::format(
            "{} id={:x} kind={} size={} mode={:o} uid={} trunc={} next={} "
            "target={}{}\n",
            tree.PathOf(child), child.tree->id,
            static_cast<int>(child.tree->record.kind), child.size,
            child.owner.mode, child.owner.uid, child.tree->record.truncation,
            child.tree->record.next_piece, child.tree->record.target, extents));
      }
    }
    for (const std::string& line : lines) all += line;
    return all;
  }
  std::string Describe() { return Describe(*writer_->Tree()); }
  /// As another host, and the next owner, find it.
  std::string DescribeAnew() {
    auto reader = Reader::Open(OpenAgain(Access::kRead));
    EXPECT_OK(reader);
    return reader.ok() ? Describe(*(*reader)->Tree()) : "";
  }
  std::uint64_t Used() {
    std::uint64_t used = 0;
    const Reader::View tree = writer_->Tree();
    for (const auto& [id, node] : tree->nodes()) {
      if (node->tree != nullptr) used += node->tree->allocated;
    }
    return used;
  }
};

INSTANTIATE_TEST_SUITE_P(Kinds, TreeTest,
                         ::testing::Values(Kind::kImage, Kind::kEmulated),
                         NameOfKind);

/// Where the file system zeroes nothing, and what is deleted is scrubbed.
using ImageTreeTest = TreeTest;
INSTANTIATE_TEST_SUITE_P(Kinds, ImageTreeTest, ::testing::Values(Kind::kImage),
                         NameOfKind);

TEST_P(TreeTest, NamesAreMadeAndFound) {
  const TreeId d = MustCreate(NodeKind::kDirectory, kVolumeRoot, "d");
  const TreeId f = MustCreate(NodeKind::kFile, d, "data");
  MustCreate(NodeKind::kSymlink, d, "l");
  EXPECT_EQ(Create(NodeKind::kFile, d, "data").error, EEXIST);
  EXPECT_EQ(Create(NodeKind::kFile, f, "x").error, ENOTDIR);
  EXPECT_EQ(Create(NodeKind::kFile, 12345, "x").error, ESTALE);
  EXPECT_EQ(Create(NodeKind::kFile, d, "..").error, EINVAL);
  EXPECT_EQ(Create(NodeKind::kFile, d, "a/b").error, EINVAL);
  EXPECT_EQ(Create(NodeKind::kFile, d, std::string(256, 'n')).error,
            ENAMETOOLONG);
  EXPECT_EQ(Create(NodeKind::kFile, d, std::string(255, 'n')).error, 0);
  {
    const Reader::View tree = writer_->Tree();
    const Node* node = tree->FindPath("v1/d/data");
    ASSERT_NE(node, nullptr);
    EXPECT_EQ(node->tree->id, f);
    EXPECT_EQ(node->size, 0U);
    EXPECT_EQ(tree->PathOf(*node), "v1/d/data");
    const Node* link = tree->FindPath("v1/d/l");
    ASSERT_NE(link, nullptr);
    EXPECT_TRUE(link->is_symlink());
    EXPECT_EQ(link->size, 10U);
  }
  EXPECT_EQ(DescribeAnew(), Describe());
  EXPECT_EQ(Fsck(), "");
}

TEST_P(TreeTest, AVolumeThatIsNoneIsStale) {
  ASSERT_OK(CreateVolume("file", 2 * kMiB));
  TreeRequest request = Request(TreeOp::kCreate);
  request.name = "x";
  request.volume = "nothing";
  EXPECT_EQ(Ask(request).error, ESTALE);
  request.volume = "file";
  EXPECT_EQ(Ask(request).error, ESTALE);
  ASSERT_OK(writer_->DeleteVolume("v1"));
  request.volume = "v1";
  EXPECT_EQ(Ask(request).error, ESTALE);
  EXPECT_EQ(Fsck(), "");
}

TEST_P(TreeTest, WhatIsRemovedIsGone) {
  const TreeId d = MustCreate(NodeKind::kDirectory, kVolumeRoot, "d");
  MustCreate(NodeKind::kFile, d, "f");
  EXPECT_EQ(Remove(kVolumeRoot, "d"), EISDIR);
  EXPECT_EQ(Remove(kVolumeRoot, "d", kRemoveDirectory), ENOTEMPTY);
  EXPECT_EQ(Remove(d, "f", kRemoveDirectory), ENOTDIR);
  EXPECT_EQ(Remove(d, "g"), ENOENT);
  EXPECT_EQ(Remove(d, "f"), 0);
  EXPECT_EQ(Remove(kVolumeRoot, "d", kRemoveDirectory), 0);
  EXPECT_EQ(Describe(), "");
  EXPECT_EQ(DescribeAnew(), "");
  EXPECT_EQ(Create(NodeKind::kFile, d, "x").error, ESTALE);
  EXPECT_EQ(Fsck(), "");
}

TEST_P(TreeTest, RenameFollowsThePosixRules) {
  const TreeId a = MustCreate(NodeKind::kDirectory, kVolumeRoot, "a");
  const TreeId b = MustCreate(NodeKind::kDirectory, a, "b");
  const TreeId f = MustCreate(NodeKind::kFile, a, "f");
  const TreeId g = MustCreate(NodeKind::kFile, kVolumeRoot, "g");
  EXPECT_EQ(Rename(a, "none", b, "x"), ENOENT);
  EXPECT_EQ(Rename(kVolumeRoot, "a", b, "x"), EINVAL) << "into itself";
  EXPECT_EQ(Rename(kVolumeRoot, "a", a, "x"), EINVAL);
  EXPECT_EQ(Rename(kVolumeRoot, "g", kVolumeRoot, "a"), EISDIR);
  EXPECT_EQ(Rename(kVolumeRoot, "a", kVolumeRoot, "g"), ENOTDIR);
  EXPECT_EQ(Rename(a, "f", kVolumeRoot, "g", kRenameNoReplace), EEXIST);
  EXPECT_EQ(Rename(a, "f", a, "f"), 0) << "of itself: nothing";
  EXPECT_EQ(Rename(a, "f", kVolumeRoot, "g"), 0) << "over another";
  {
    const Reader::View tree = writer_->Tree();
    EXPECT_EQ(tree->FindPath("v1/a/f"), nullptr);
    EXPECT_EQ(tree->FindPath("v1/g")->tree->id, f);
    EXPECT_EQ(tree->FindTreeNode(*tree->FindDirectory("v1"), g), nullptr);
  }
  EXPECT_EQ(Rename(kVolumeRoot, "g", a, "b", kRenameExchange), 0);
  {
    const Reader::View tree = writer_->Tree();
    EXPECT_EQ(tree->FindPath("v1/a/b")->tree->id, f);
    EXPECT_EQ(tree->FindPath("v1/g")->tree->id, b);
  }
  EXPECT_EQ(Rename(kVolumeRoot, "a", a, "b", kRenameExchange), EINVAL)
      << "with what lies in it";
  EXPECT_EQ(DescribeAnew(), Describe());
  EXPECT_EQ(Fsck(), "");
}

TEST_P(TreeTest, ALinkWithALongTargetIsExchanged) {
  TreeRequest request = Request(TreeOp::kCreate);
  request.kind = NodeKind::kSymlink;
  request.name = "l";
  request.target = std::string(kMaxNodeText - 1, 't');
  const TreeAnswer link = Ask(request);
  ASSERT_EQ(link.error, 0);
  const TreeId f = MustCreate(NodeKind::kFile, kVolumeRoot, "f");
  EXPECT_EQ(Rename(kVolumeRoot, "l", kVolumeRoot, "f", kRenameExchange), 0);
  {
    const Reader::View tree = writer_->Tree();
    EXPECT_EQ(tree->FindPath("v1/f")->tree->id, link.node);
    EXPECT_EQ(tree->FindPath("v1/l")->tree->id, f);
  }
  EXPECT_EQ(DescribeAnew(), Describe());
}

TEST_P(TreeTest, FilesGrowAndShrink) {
  const TreeId f = MustCreate(NodeKind::kFile, kVolumeRoot, "f");
  EXPECT_EQ(Settle(f, 1), EINVAL) << "nothing holds it";
  EXPECT_EQ(Extend(f, 1), 0);
  EXPECT_EQ(Used(), 2 * kMiB);
  EXPECT_EQ(Extend(f, 2 * kMiB), 0) << "is there";
  EXPECT_EQ(Used(), 2 * kMiB);
  EXPECT_EQ(Extend(f, 2 * kMiB + 1), 0);
  EXPECT_EQ(Extend(f, 4 * kMiB + 1), 0);
  EXPECT_EQ(Used(), 8 * kMiB) << "it doubles";
  EXPECT_EQ(Extend(f, 8 * kMiB + 1, kExtendExactly), 0);
  EXPECT_EQ(Used(), 10 * kMiB);
  EXPECT_EQ(Settle(f, 5 * kMiB), 0);
  EXPECT_EQ(Settle(f, 3 * kMiB), 0) << "at least";
  EXPECT_EQ(writer_->Tree()->FindPath("v1/f")->size, 5 * kMiB);
  EXPECT_EQ(Truncate(f, 3 * kMiB), 0);
  EXPECT_EQ(writer_->Tree()->FindPath("v1/f")->size, 3 * kMiB);
  EXPECT_EQ(Used(), 4 * kMiB) << "whole pieces go";
  EXPECT_EQ(Settle(f, 4 * kMiB, 0), 0) << "of before the cut: ignored";
  EXPECT_EQ(writer_->Tree()->FindPath("v1/f")->size, 3 * kMiB);
  EXPECT_EQ(Settle(f, 4 * kMiB, 1), 0);
  EXPECT_EQ(writer_->Tree()->FindPath("v1/f")->size, 4 * kMiB);
  EXPECT_EQ(Truncate(f, 9 * kMiB), 0);
  EXPECT_EQ(writer_->Tree()->FindPath("v1/f")->size, 9 * kMiB);
  EXPECT_EQ(Used(), 10 * kMiB);
  EXPECT_EQ(Truncate(f, 0), 0);
  EXPECT_EQ(Used(), 0U);
  const std::string before = Describe();
  EXPECT_EQ(DescribeAnew(), before);
  EXPECT_EQ(Fsck(), "");
  ASSERT_OK(writer_->Reclaim());
  EXPECT_EQ(Describe(), before);
  EXPECT_EQ(DescribeAnew(), before);
  Reopen();
  EXPECT_EQ(Describe(), before);
  EXPECT_EQ(Extend(f, 1), 0) << "with a piece's number that is new";
  EXPECT_EQ(Fsck(), "");
}

TEST_P(ImageTreeTest, WhatGrowsIsZero) {
  const TreeId f = MustCreate(NodeKind::kFile, kVolumeRoot, "f");
  ASSERT_EQ(Truncate(f, 100), 0);
  const MediaExtent extent = writer_->Tree()->FindPath("v1/f")->extents[0];
  {
    const auto mapping =
        *device_->Map(extent.offset, extent.length, Access::kReadWrite);
    std::memset(mapping->mutable_data(), 0xa5, extent.length);
  }
  ASSERT_EQ(Truncate(f, 5000), 0);
  const std::vector<std::byte> bytes = Bytes(extent.offset, 5001);
  EXPECT_EQ(bytes[99], std::byte{0xa5});
  for (std::size_t i = 100; i < 5000; ++i) {
    ASSERT_EQ(bytes[i], std::byte{0}) << i;
  }
}

/// What its successor acknowledged lies behind the end that it knows of.
TEST_P(ImageTreeTest, AWriterThatWasOvertakenZeroesNothing) {
  const TreeId f = MustCreate(NodeKind::kFile, kVolumeRoot, "f");
  ASSERT_EQ(Truncate(f, 100), 0);
  const MediaExtent extent = writer_->Tree()->FindPath("v1/f")->extents[0];
  {
    const auto mapping =
        *device_->Map(extent.offset, extent.length, Access::kReadWrite);
    std::memset(mapping->mutable_data(), 0xa5, 5000);
  }
  auto successor = Writer::Open(OpenAgain(), {.system_uuid = Uuid::Random(),
                                              .lock_directory = Path("its"),
                                              .take_over = true});
  ASSERT_OK(successor);
  TreeRequest settle = Request(TreeOp::kSettle);
  settle.node = f;
  settle.size = 5000;
  ASSERT_EQ((*successor)->ChangeTree(settle).error, 0);
  EXPECT_EQ(Truncate(f, 6000), EIO);
  const std::vector<std::byte> bytes = Bytes(extent.offset, 5000);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    ASSERT_EQ(bytes[i], std::byte{0xa5}) << i;
  }
}

TEST_P(TreeTest, AttributesAreKept) {
  const TreeId f = MustCreate(NodeKind::kFile, kVolumeRoot, "f");
  TreeRequest request = Request(TreeOp::kSetAttributes);
  request.node = f;
  request.set = kSetMode | kSetUid | kSetMtime;
  request.mode = 0600;
  request.uid = 1000;
  request.mtime_ns = 1234567890;
  EXPECT_EQ(Ask(request).error, 0);
  request.node = kVolumeRoot;
  request.set = kSetMode | kSetGid;
  request.mode = 02770;
  request.gid = 55;
  EXPECT_EQ(Ask(request).error, 0);
  const TreeId g = MustCreate(NodeKind::kFile, kVolumeRoot, "g");
  const TreeId d = MustCreate(NodeKind::kDirectory, kVolumeRoot, "d");
  {
    const Reader::View tree = writer_->Tree();
    const Node* volume = tree->FindDirectory("v1");
    EXPECT_EQ(volume->owner.mode, 02770U);
    EXPECT_EQ(volume->owner.gid, 55U);
    const Node* node = tree->FindTreeNode(*volume, f);
    EXPECT_EQ(node->owner.uid, 1000U);
    EXPECT_EQ(node->tree->record.mtime_ns, 1234567890);
    EXPECT_EQ(tree->FindTreeNode(*volume, g)->owner.gid, 55U) << "setgid";
    EXPECT_EQ(tree->FindTreeNode(*volume, d)->owner.mode, 02644U);
  }
  EXPECT_EQ(DescribeAnew(), Describe());
  EXPECT_EQ(Fsck(), "");
}

TEST_P(TreeTest, ATimeThatWasSetStandsUntilSomethingHappens) {
  constexpr std::int64_t kFuture = std::int64_t{1} << 62;
  const TreeId d = MustCreate(NodeKind::kDirectory, kVolumeRoot, "d");
  const TreeId f = MustCreate(NodeKind::kFile, d, "f");
  const auto mtime = [this](TreeId id) {
    const Reader::View tree = writer_->Tree();
    return tree->FindTreeNode(*tree->FindDirectory("v1"), id)
        ->tree->record.mtime_ns;
  };
  const auto change = [this](TreeOp op, TreeId id, std::uint32_t set,
                             std::int64_t mtime_ns) {
    TreeRequest request = Request(op);
    request.node = id;
    request.set = set;
    request.mode = 0600;
    request.mtime_ns = mtime_ns;
    EXPECT_EQ(Ask(request).error, 0);
  };
  for (const TreeId node : {d, f}) {
    for (const std::int64_t time : {kFuture, std::int64_t{-5}}) {
      change(TreeOp::kSetAttributes, node, kSetMtime, time);
      EXPECT_EQ(mtime(node), time);
    }
  }
  // Another host tells a size, and has stored nothing since.
  ASSERT_EQ(Extend(f, 10), 0);
  ASSERT_EQ(Settle(f, 10), 0);
  EXPECT_EQ(mtime(f), -5);
  change(TreeOp::kSetAttributes, f, kSetMtime, kFuture);
  const std::int64_t stored = UnixNow();
  change(TreeOp::kSettle, f, 0, stored);
  EXPECT_EQ(mtime(f), stored);
  // What happens to a file is nothing that happens in its directory, and it is
  // not either for who plays a compacted log.
  change(TreeOp::kSetAttributes, f, kSetMode, 0);
  EXPECT_EQ(mtime(d), -5);
  ASSERT_OK(writer_->Compact());
  Reopen();
  EXPECT_EQ(mtime(d), -5);
  EXPECT_EQ(mtime(f), stored);
  change(TreeOp::kSetAttributes, d, kSetMtime, kFuture);
  MustCreate(NodeKind::kFile, d, "g");
  EXPECT_GE(mtime(d), stored);
  EXPECT_LE(mtime(d), UnixNow());
}

TEST_P(TreeTest, ACapacityIsALimitAndAPromise) {
  const TreeId f = MustCreate(NodeKind::kFile, kVolumeRoot, "f");
  EXPECT_EQ(Extend(f, kCapacity + 1), ENOSPC);
  EXPECT_EQ(Extend(f, 40 * kMiB, kExtendExactly), 0);
  const TreeId g = MustCreate(NodeKind::kFile, kVolumeRoot, "g");
  EXPECT_EQ(Extend(g, 26 * kMiB), ENOSPC);
  EXPECT_EQ(Extend(g, 20 * kMiB), 0);
  EXPECT_EQ(Extend(g, 24 * kMiB), 0)
      << "less than double, but all that is left";
  EXPECT_EQ(Extend(g, 24 * kMiB + 1), ENOSPC);
  EXPECT_EQ(Remove(kVolumeRoot, "f"), 0);
  EXPECT_EQ(Extend(g, 40 * kMiB), 0) << "what was removed comes back";
  EXPECT_EQ(Fsck(), "");
}

TEST_P(TreeTest, WhatIsPromisedIsNobodyElses) {
  const auto available = writer_->GetAvailableSpace();
  ASSERT_OK(available);
  EXPECT_EQ(available->free, kFreshFree - kCapacity);
  EXPECT_FALSE(CreateVolume("v2", available->largest + 2 * kMiB).ok());
  ASSERT_OK(CreateVolume("v2", available->largest));
  const TreeId f = MustCreate(NodeKind::kFile, kVolumeRoot, "f");
  EXPECT_EQ(Extend(f, kCapacity), 0) << "its own is still there";
  EXPECT_EQ(Fsck(), "");
}

TEST_P(TreeTest, WhatTakesNoMemoryIsMadeBesideTreeVolumes) {
  EXPECT_OK(writer_->Mkdir("by-hand", {}));
  EXPECT_OK(writer_->CreateFile("by-hand/f", 1, {}));
}

TEST_P(TreeTest, TreeVolumesAreAsLargeAsIsSaid) {
  const auto largest =
      writer_->GetAvailableSpace({.layout = VolumeLayout::kTree});
  ASSERT_OK(largest);
  ASSERT_GT(largest->largest, 0U);
  EXPECT_FALSE(
      writer_
          ->CreateVolume("v2", TreeAttributes("b", largest->largest + 2 * kMiB),
                         {})
          .ok());
  ASSERT_OK(
      writer_->CreateVolume("v2", TreeAttributes("b", largest->largest), {}));
}

TEST_P(TreeTest, NamesAreBoundedToo) {
  ASSERT_OK(writer_->CreateVolume("v2", TreeAttributes("small", 2 * kMiB), {}));
  TreeRequest request = Request(TreeOp::kCreate);
  request.volume = "v2";
  int made = 0;
  for (; made < 1000; ++made) {
    request.name = std::to_string(made);
    if (const TreeAnswer answer = Ask(request); answer.error != 0) {
      EXPECT_EQ(answer.error, ENOSPC);
      break;
    }
  }
  EXPECT_EQ(made, 128 + 3);
  EXPECT_EQ(Create(NodeKind::kFile, kVolumeRoot, "x").error, 0)
      << "another volume is not touched";
  EXPECT_EQ(Fsck(), "");
}

TEST_P(TreeTest, ADeletedVolumeTakesAllOfItAlong) {
  const TreeId d = MustCreate(NodeKind::kDirectory, kVolumeRoot, "d");
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(
        Extend(MustCreate(NodeKind::kFile, d, std::to_string(i)), 2 * kMiB), 0);
  }
  EXPECT_EQ(Remove(d, "3"), 0);
  const std::uint64_t entries = writer_->Figures().entries;
  ASSERT_OK(writer_->DeleteVolume("v1"));
  EXPECT_EQ(writer_->Figures().entries, entries + 1);
  EXPECT_EQ(writer_->Figures().pending, 40 * kMiB);
  EXPECT_EQ(Fsck(), "");
  ASSERT_OK(writer_->Reclaim());
  EXPECT_EQ(writer_->Figures().free, kFreshFree);
  EXPECT_EQ(writer_->Figures().entries, 0U);
  EXPECT_EQ(Fsck(), "");
}

TEST_P(TreeTest, AMarkTellsWhatIsDone) {
  TreeRequest request = Request(TreeOp::kCreate);
  request.name = "x";
  const TreeAnswer answer =
      writer_->ChangeTree(request, {.session = 7, .number = 3});
  ASSERT_EQ(answer.error, 0);
  EXPECT_EQ(writer_->LastRequestOf(8), std::nullopt);
  Reopen();
  const auto done = writer_->LastRequestOf(7);
  ASSERT_TRUE(done.has_value());
  EXPECT_EQ(done->number, 3U);
  EXPECT_EQ(done->node, answer.node);
}

/// What waits as a piece goes over to the volume when that is deleted, also
/// while the piece is being scrubbed.
TEST_P(ImageTreeTest, APieceThatIsScrubbedGoesWithItsVolume) {
  Close();
  Hooks hooks;
  auto hooked = Writer::Open(
      std::make_shared<HookDevice>(device_, hooks),
      {.system_uuid = system_uuid_, .lock_directory = Path("locks")});
  ASSERT_OK(hooked);
  writer_ = *std::move(hooked);
  const TreeId f = MustCreate(NodeKind::kFile, kVolumeRoot, "f");
  EXPECT_EQ(Extend(f, 2 * kMiB), 0);
  EXPECT_EQ(Remove(kVolumeRoot, "f"), 0);
  int deletions = 0;
  hooks.before_zeroing = [&](std::size_t) {
    if (deletions++ == 0) EXPECT_OK(writer_->DeleteVolume("v1"));
  };
  EXPECT_OK(writer_->Reclaim());
  EXPECT_EQ(deletions, 1);
  hooks = {};
  ASSERT_OK(writer_->Reclaim());
  EXPECT_EQ(writer_->Figures().free, kFreshFree);
  EXPECT_EQ(writer_->Figures().entries, 0U);
  EXPECT_EQ(Fsck(), "");
  writer_.reset();  // before the hooks
}

/// Random requests, sound and unsound: the writer never stops, everybody who
/// plays the log finds the same tree, also after compactions, and fsck is
/// content.
TEST_P(TreeTest, RandomChangesAreAlwaysPlayable) {
  std::mt19937 random(42);
  const auto pick = [&](std::uint32_t n) {
    return static_cast<std::uint32_t>(random() % n);
  };
  std::vector<TreeId> ids = {kVolumeRoot};
  const auto any = [&] {
    return ids[pick(static_cast<std::uint32_t>(ids.size()))];
  };
  for (int i = 0; i < 3000; ++i) {
    TreeRequest request = Request(static_cast<TreeOp>(1 + pick(6)));
    request.parent = any();
    request.new_parent = any();
    request.node = any();
    request.name = std::string(1, static_cast<char>('a' + pick(6)));
    request.new_name = std::string(1, static_cast<char>('a' + pick(6)));
    request.kind = static_cast<NodeKind>(1 + pick(3));
    if (request.kind == NodeKind::kSymlink) request.target = "t";
    request.flags = pick(3);
    request.set = pick(32);
    request.size = pick(12) * kMiB;
    request.truncation = pick(3);
    request.mode = pick(01000);
    const TreeAnswer answer = Ask(request);
    ASSERT_NE(answer.error, EIO) << i;
    if (answer.error == 0 && request.op == TreeOp::kCreate) {
      ids.push_back(answer.node);
    }
    if (i % 500 == 250) ASSERT_OK(writer_->Reclaim());
    if (i % 500 == 499) {
      const std::string now = Describe();
      ASSERT_EQ(DescribeAnew(), now);
      ASSERT_EQ(FsckOfTheLog(), "");
      if (i % 1000 == 999) {
        Reopen();
        ASSERT_EQ(Describe(), now);
      }
    }
  }
}

/// What no request should be: names of 0 to 300 bytes with any byte, unknown
/// operations, kinds, flags and ids, ids of other volumes, sizes up to 2^64.
class HostileTreeTest : public TreeTest {
 protected:
  std::uint64_t Pick(std::uint64_t n) { return random_() % n; }
  std::uint32_t Pick32(std::uint32_t n) {
    return static_cast<std::uint32_t>(Pick(n));
  }
  TreeId AnyId() {
    switch (Pick(8)) {
      case 0:
        return kVolumeRoot;
      case 1:
        return random_();
      default:
        return ids_[Pick(ids_.size())];  // of either volume
    }
  }
  std::string AnyName() {
    static const std::vector<std::string> kOdd = {
        "", ".", "..", "/", "a/b", std::string(1, '\0'), "x", ".exchange"};
    switch (Pick(8)) {
      case 0:
        return kOdd[Pick(kOdd.size())];
      case 1: {
        std::string name(Pick(301), 'n');
        for (char& c : name) c = static_cast<char>(random_());
        return name;
      }
      default:
        return std::string(1, static_cast<char>('a' + Pick(12)));
    }
  }
  std::uint64_t AnySize() {
    constexpr std::uint64_t kEdge = std::uint64_t{1} << 63;
    switch (Pick(8)) {
      case 0:
        return random_() >> Pick(64);
      case 1:
        return kEdge - 1 + Pick(3);
      case 2:
        return ~std::uint64_t{0} - Pick(2 * kMiB);
      default:
        return Pick(12) * kMiB + Pick(2);
    }
  }
  TreeRequest AnyRequest() {
    static const std::vector<std::string> kVolumes = {
        "v1", "v1", "v1", "v2", "file", "none", ""};
    TreeRequest request;
    request.op = static_cast<TreeOp>(Pick(50) == 0 ? random_() : 1 + Pick(6));
    request.volume = kVolumes[Pick(kVolumes.size())];
    request.node = AnyId();
    request.parent = AnyId();
    request.new_parent = AnyId();
    request.name = AnyName();
    request.new_name = AnyName();
    request.kind =
        static_cast<NodeKind>(Pick(50) == 0 ? random_() : 1 + Pick(3));
    if (request.kind == NodeKind::kSymlink || Pick(50) == 0) {
      request.target = AnyName() + AnyName();
    }
    request.flags =
        static_cast<std::uint32_t>(Pick(50) == 0 ? random_() : Pick(4));
    request.set =
        static_cast<std::uint32_t>(Pick(50) == 0 ? random_() : Pick(32));
    request.size = AnySize();
    request.truncation =
        static_cast<std::uint32_t>(Pick(4) == 0 ? random_() : Pick(3));
    request.uid = static_cast<std::uint32_t>(random_());
    request.gid = static_cast<std::uint32_t>(random_());
    request.mode = static_cast<std::uint32_t>(random_());
    request.mtime_ns = static_cast<std::int64_t>(random_());
    request.ctime_ns = Pick(2) == 0 ? 0 : static_cast<std::int64_t>(random_());
    return request;
  }

  std::mt19937_64 random_{7};
  std::vector<TreeId> ids_ = {kVolumeRoot};
};

INSTANTIATE_TEST_SUITE_P(Kinds, HostileTreeTest,
                         ::testing::Values(Kind::kImage, Kind::kEmulated),
                         NameOfKind);

TEST_P(HostileTreeTest, NothingThatIsAskedStopsTheWriter) {
  spdlog::set_level(spdlog::level::critical);
  ASSERT_OK(CreateVolume("file", 2 * kMiB));
  ASSERT_OK(
      writer_->CreateVolume("v2", TreeAttributes("pvc-2", 16 * kMiB), {}));
  const int requests = GetParam() == Kind::kImage ? 200'000 : 20'000;
  std::uint64_t done = 0;
  for (int i = 0; i < requests; ++i) {
    const TreeRequest request = AnyRequest();
    const TreeAnswer answer = writer_->ChangeTree(
        request, {.session = 1 + Pick32(3), .number = Pick(1000)});
    ASSERT_FALSE(writer_->stopped())
        << i << ": operation " << static_cast<int>(request.op);
    ASSERT_NE(answer.error, EIO) << i;
    ASSERT_GE(answer.error, 0);
    if (answer.error == 0) ++done;
    if (answer.error == 0 && request.op == TreeOp::kCreate) {
      ids_.push_back(answer.node);
    }
    if (i % 5000 == 4999) {
      const std::string now = Describe();
      ASSERT_EQ(DescribeAnew(), now) << i;
      ASSERT_EQ(FsckOfTheLog(), "") << i;
      if (i % 20'000 == 19'999) Reopen();
      ASSERT_EQ(Describe(), now) << i;
    }
  }
  EXPECT_GT(done, static_cast<std::uint64_t>(requests) / 50);
  spdlog::set_level(spdlog::level::info);
}

}  // namespace
}  // namespace famfs
