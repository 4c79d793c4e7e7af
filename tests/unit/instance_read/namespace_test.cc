#include "instance/tree/namespace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "instance/tree/node_hash.h"
#include "raw_image.h"

namespace famfs::testing {
namespace {

using ::testing::ElementsAre;

Uuid CountingKey() {
  Uuid key;
  for (std::uint8_t i = 0; i < 16; ++i) key.bytes[i] = i;
  return key;
}

Node Directory() {
  Node node;
  node.is_directory = true;
  return node;
}

Node File(std::uint64_t unit) {
  Node node;
  node.extents = {Unit(unit)};
  node.size = kAllocUnit;
  return node;
}

// The values that the authors of SipHash published.
TEST(NodeHash, EqualsThePublishedValues) {
  std::array<std::byte, 15> bytes;
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = std::byte(i);
  EXPECT_EQ(SipHash(CountingKey(), {}), 0x726fdb47dd0e0e31U);
  EXPECT_EQ(SipHash(CountingKey(), std::span(bytes).first(1)),
            0x74f839c593dc67fdU);
  EXPECT_EQ(SipHash(CountingKey(), bytes), 0xa129ca6149be45e5U);
}

// Written down once: another process, build or order must give the same.
TEST(NamespaceIds, AreTheSameInEveryProcessAndOrder) {
  Namespace first(CountingKey(), kImageLog);
  const NodeId directory = first.Add(kRootNode, "a", Directory());
  const NodeId file = first.Add(directory, "a/f", File(3));
  first.Add(kRootNode, "b", Directory());

  Namespace second(CountingKey(), kImageLog);
  second.Add(kRootNode, "b", Directory());
  EXPECT_EQ(second.Add(kRootNode, "a", Directory()), directory);
  EXPECT_EQ(second.Add(directory, "a/f", File(3)), file);

  EXPECT_EQ(directory, 4603806302740930049U);
  EXPECT_EQ(file, 8064150826766904534U);
}

// It tells the views of a mount apart.
TEST(NamespaceIds, LeaveTheHighestBitAlone) {
  const Namespace tree(CountingKey(), kImageLog);
  for (std::uint64_t unit = 0; unit < 1'000; ++unit) {
    const MediaExtent extent = Unit(unit);
    const NodeId id = tree.IdOf("f", &extent);
    EXPECT_EQ(id & ~kNodeIdMask, 0U);
    EXPECT_GT(id, kRootNode);
  }
}

TEST(NamespaceIds, DependOnUuidPathAndFirstExtent) {
  const Namespace tree(CountingKey(), kImageLog);
  const Namespace other(Uuid{}, kImageLog);
  const MediaExtent here = Unit(1);
  const MediaExtent there = Unit(2);
  EXPECT_NE(tree.IdOf("f", &here), tree.IdOf("f", &there));
  EXPECT_NE(tree.IdOf("f", &here), tree.IdOf("g", &here));
  EXPECT_NE(tree.IdOf("f", &here), tree.IdOf("f", nullptr));
  EXPECT_NE(tree.IdOf("f", &here), other.IdOf("f", &here));
}

TEST(Namespace, HoldsTheMetaFilesFromTheStart) {
  const Namespace tree(CountingKey(), kImageLog);
  const Node* super = tree.FindPath(".meta/.superblock");
  const Node* log = tree.FindPath(".meta/.log");
  ASSERT_NE(super, nullptr);
  ASSERT_NE(log, nullptr);
  EXPECT_TRUE(super->is_meta);
  EXPECT_EQ(super->size, kSuperblockRegion);
  EXPECT_EQ(log->extents.front(), (MediaExtent{0, kLogOffset, kImageLog}));
  EXPECT_EQ(log->owner.mode, 0400U);
  EXPECT_EQ(tree.PathOf(*log), ".meta/.log");
}

TEST(Namespace, FindsByPathNameAndDirectory) {
  Namespace tree(CountingKey(), kImageLog);
  const NodeId a = tree.Add(kRootNode, "a", Directory());
  const NodeId b = tree.Add(a, "a/b", Directory());
  const NodeId f = tree.Add(b, "a/b/f", File(0));
  EXPECT_EQ(tree.FindPath("")->id, kRootNode);
  EXPECT_EQ(tree.FindPath("a/b/f")->id, f);
  EXPECT_EQ(tree.FindDirectory("a/b")->id, b);
  EXPECT_EQ(tree.Lookup(a, "b")->id, b);
  EXPECT_EQ(tree.PathOf(*tree.Find(f)), "a/b/f");
  for (const char* absent :
       {"b", "a/f", "/a", "a/", "a//b", "a/b/f/g", "b/f"}) {
    EXPECT_EQ(tree.FindPath(absent), nullptr) << absent;
  }
  EXPECT_EQ(tree.FindDirectory("a/b/f"), nullptr);
  EXPECT_EQ(tree.FindDirectory(std::string(5000, 'x')), nullptr);
}

TEST(Namespace, RemovesATreeChildrenFirst) {
  Namespace tree(CountingKey(), kImageLog);
  const NodeId a = tree.Add(kRootNode, "a", Directory());
  const NodeId b = tree.Add(a, "a/b", Directory());
  const NodeId f = tree.Add(b, "a/b/f", File(0));
  EXPECT_EQ(tree.RemoveTree(a), (std::vector<NodeId>{f, b, a}));
  EXPECT_EQ(tree.FindPath("a"), nullptr);
  EXPECT_EQ(tree.Find(f), nullptr);
  EXPECT_TRUE(tree.RemoveTree(kRootNode).empty());
}

std::vector<std::string> Names(const Namespace& tree, NodeId directory) {
  std::vector<std::string> names;
  for (const Node& child : tree.Children(*tree.Find(directory))) {
    names.emplace_back(child.name);
  }
  EXPECT_EQ(names.size(), tree.Find(directory)->children);
  return names;
}

TEST(Namespace, ChildrenStandInTheOrderOfTheLog) {
  Namespace tree(CountingKey(), kImageLog);
  const NodeId d = tree.Add(kRootNode, "d", Directory());
  for (std::uint64_t i = 0; const char* path : {"d/c", "d/a", "d/e", "d/b"}) {
    ASSERT_NE(tree.Add(d, path, File(i++)), 0U);
  }
  EXPECT_THAT(Names(tree, d), ElementsAre("c", "a", "e", "b"));
  std::vector<std::string> sorted;
  for (const Node* child : tree.SortedChildren(*tree.Find(d))) {
    sorted.emplace_back(child->name);
  }
  EXPECT_THAT(sorted, ElementsAre("a", "b", "c", "e"));
  EXPECT_EQ(tree.Children(*tree.FindPath("d/a")).begin(),
            tree.Children(*tree.FindPath("d/a")).end());

  // From the middle, the front and the end; then one more.
  for (const char* path : {"d/a", "d/c", "d/b"}) {
    ASSERT_EQ(tree.RemoveTree(tree.FindPath(path)->id).size(), 1U);
  }
  EXPECT_THAT(Names(tree, d), ElementsAre("e"));
  ASSERT_NE(tree.Add(d, "d/z", File(9)), 0U);
  EXPECT_THAT(Names(tree, d), ElementsAre("e", "z"));
  tree.RemoveTree(tree.FindPath("d/e")->id);
  tree.RemoveTree(tree.FindPath("d/z")->id);
  EXPECT_TRUE(Names(tree, d).empty());
}

TEST(Namespace, TellsEachNodeOnceAlsoAfterRemovals) {
  Namespace tree(CountingKey(), kImageLog);
  const std::size_t base = tree.size();
  for (int round = 0; round < 3; ++round) {
    const NodeId d = tree.Add(kRootNode, "d", Directory());
    for (std::uint64_t i = 0; i < 1'000; ++i) {
      ASSERT_NE(tree.Add(d, "d/" + std::to_string(i), File(i)), 0U);
    }
    std::size_t seen = 0;
    for (const auto& [id, node] : tree.nodes()) {
      EXPECT_EQ(tree.Find(id), node);
      ++seen;
    }
    EXPECT_EQ(seen, base + 1'001);
    EXPECT_EQ(tree.size(), seen);
    EXPECT_EQ(tree.FindPath("d/577")->name, "577");
    EXPECT_EQ(tree.RemoveTree(d).size(), 1'001U);
    EXPECT_EQ(tree.size(), base);
  }
}

TEST(Namespace, ACollidingIdIsLeftOut) {
  Namespace tree(CountingKey(), kImageLog);
  ASSERT_NE(tree.Add(kRootNode, "a", Directory()), 0U);
  const std::size_t size = tree.size();
  EXPECT_EQ(tree.Add(kRootNode, "a", Directory()), 0U);
  EXPECT_EQ(tree.size(), size);
}

TEST(Locate, WalksExtentsInOrder) {
  Node node;
  node.extents = {Unit(7), Unit(2, 2)};
  node.size = 3 * kAllocUnit - 5;
  EXPECT_EQ(Locate(node, 0).device_offset, Unit(7).offset);
  EXPECT_EQ(Locate(node, 0).length, kAllocUnit);
  EXPECT_EQ(Locate(node, kAllocUnit + 9).device_offset, Unit(2).offset + 9);
  EXPECT_EQ(Locate(node, kAllocUnit + 9).length, 2 * kAllocUnit - 14);
}

// Facts: chunk c = offset / chunk lies on strip c % strips, at row c / strips.
TEST(Locate, WalksStripsInChunks) {
  Node node;
  node.set_chunk(kAllocUnit);
  node.extents = {Unit(100, 2), Unit(200, 2), Unit(300, 2)};
  node.size = 5 * kAllocUnit + 17;
  const Location row_one = Locate(node, 4 * kAllocUnit + 3);
  EXPECT_EQ(row_one.device_offset, Unit(200).offset + kAllocUnit + 3);
  EXPECT_EQ(row_one.length, kAllocUnit - 3);
  EXPECT_EQ(Locate(node, 5 * kAllocUnit).length, 17U);
  EXPECT_EQ(Locate(node, 2 * kAllocUnit).device_offset, Unit(300).offset);
}

}  // namespace
}  // namespace famfs::testing
