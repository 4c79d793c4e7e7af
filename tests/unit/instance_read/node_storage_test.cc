#include "instance/tree/node_storage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <string>

#include "instance/tree/namespace.h"
#include "raw_image.h"

namespace famfs::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(NodeIndex, HoldsWhatAMapHoldsThroughInsertionsAndRemovals) {
  NodeIndex index;
  std::multimap<std::uint32_t, std::uint32_t> model;  // hash, slot
  std::mt19937 random(7);
  for (std::uint32_t slot = 1; slot <= 20'000; ++slot) {
    // Few hashes, neighbours among them: long runs that wrap around the end.
    const auto hash = static_cast<std::uint32_t>(
        random() % 4 == 0 ? 0xffffffffU - random() % 4 : random() % 5'000);
    index.Insert(hash, slot);
    model.emplace(hash, slot);
    if (random() % 3 != 0) continue;
    auto gone = model.lower_bound(hash / 2);
    if (gone == model.end()) gone = model.begin();
    index.Erase(gone->first, gone->second);
    const std::uint32_t erased = gone->second;
    EXPECT_EQ(
        index.Find(gone->first, [&](std::uint32_t at) { return at == erased; }),
        0U);
    model.erase(gone);
  }
  for (const auto& [hash, slot] : model) {
    const std::uint32_t wanted = slot;
    EXPECT_EQ(index.Find(hash, [&](std::uint32_t at) { return at == wanted; }),
              slot);
  }
}

TEST(NodeIndex, KeepsItsEntriesWhenRoomIsReserved) {
  NodeIndex index;
  for (std::uint32_t slot = 1; slot < 10; ++slot) index.Insert(slot * 77, slot);
  index.Reserve(100'000);
  for (std::uint32_t slot = 1; slot < 10; ++slot) {
    EXPECT_EQ(index.Find(slot * 77, [](std::uint32_t) { return true; }), slot);
  }
}

TEST(NameStore, UsesReleasedPlacesAgainAndNeverAnothersBytes) {
  NameStore names;
  std::map<std::string, std::string_view> kept;
  std::mt19937 random(3);
  for (int i = 0; i < 5'000; ++i) {
    std::string name = std::to_string(i);
    name.resize(1 + random() % kPathField, 'x');
    if (kept.contains(name)) continue;
    kept[name] = names.Add(name);
    if (random() % 2 == 0) {
      const auto gone =
          std::next(kept.begin(), static_cast<long>(random() % kept.size()));
      names.Release(gone->second);
      kept.erase(gone);
    }
  }
  for (const auto& [name, stored] : kept) EXPECT_EQ(name, stored);
  const std::string_view first = names.Add("one");
  const char* const place = first.data();
  names.Release(first);
  EXPECT_EQ(names.Add("other").data(), place);
}

TEST(NodeStore, UsesReleasedSlotsAgain) {
  NodeStore store;
  std::set<const Node*> places;
  for (NodeId id = 2; id < 1'002; ++id) {
    Node node;
    node.id = id;
    places.insert(&store.Add(std::move(node)));
  }
  EXPECT_EQ(places.size(), 1'000U);
  const std::uint32_t end = store.end();
  for (std::uint32_t slot = 1; slot < end; ++slot) {
    store.Release(store.At(slot));
    EXPECT_EQ(store.At(slot).id, 0U);
  }
  for (int i = 0; i < 1'000; ++i) {
    EXPECT_TRUE(places.contains(&store.Add(Node{})));
  }
  EXPECT_EQ(store.end(), end);
}

TEST(ExtentList, KeepsNoneOneAndMany) {
  ExtentList none;
  EXPECT_THAT(none, IsEmpty());
  const ExtentList one = {Unit(1)};
  ExtentList many = {Unit(1), Unit(2), Unit(3, 4)};
  EXPECT_THAT(one, ElementsAre(Unit(1)));
  EXPECT_THAT(many, ElementsAre(Unit(1), Unit(2), Unit(3, 4)));
  ExtentList copy = many;
  EXPECT_EQ(copy, many);
  many = one;
  EXPECT_EQ(many, one);
  none = std::move(copy);
  EXPECT_EQ(none.size(), 3U);
  EXPECT_NE(none, many);
  none.assign(std::span(none.data(), 1));
  EXPECT_EQ(none, one);
}

}  // namespace
}  // namespace famfs::testing
