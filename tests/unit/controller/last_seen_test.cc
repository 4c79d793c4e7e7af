#include "controller/last_seen.h"

#include <gmock/gmock.h>

#include <set>

#include "tests/unit/base/status_matchers.h"
#include "tests/unit/controller/fixture.h"

namespace famfs::controller {
namespace {

using ::famfs::testing::HasError;
using ::famfs::testing::IsOk;
using std::chrono::milliseconds;
using std::chrono::seconds;

class LastSeenTest : public ProvisionerTest {
 protected:
  void Refresh() {
    for (const auto& pool : pools().pools()) pool->Refresh(seconds(30));
  }
  absl::StatusOr<AvailableSpace> Room(const csi::VolumeParameters& parameters) {
    return LastSeen(pools()).GetCapacity(parameters);
  }
};

TEST_F(LastSeenTest, TellsWhatThereWas) {
  FAMFS_ASSERT_OK_AND_ASSIGN(const VolumeInfo one, Create("a", 4 * kMiB));
  FAMFS_ASSERT_OK_AND_ASSIGN(const VolumeInfo two,
                             Create("b", 8 * kMiB, "two"));
  Refresh();
  LastSeen seen(pools());
  FAMFS_ASSERT_OK_AND_ASSIGN(const VolumeInfo found, seen.Find(one.id));
  EXPECT_EQ(found.attributes.name, "a");
  ASSERT_THAT(provisioner().Delete(one.id), IsOk());
  Refresh();
  EXPECT_THAT(seen.Find(one.id), HasError(absl::StatusCode::kNotFound, one.id));
  EXPECT_THAT(seen.Find(two.id), IsOk());
  for (const char* id : {"", "x", "v1:00000000:gone-1"}) {
    EXPECT_THAT(seen.Find(id), HasError(absl::StatusCode::kNotFound, id));
  }
}

TEST_F(LastSeenTest, ListsByPagesAsTheProvisionerDoes) {
  for (int i = 0; i < 7; ++i) {
    ASSERT_THAT(
        Create("v" + std::to_string(i), 2 * kMiB, i % 2 == 0 ? "one" : "two"),
        IsOk());
  }
  Refresh();
  LastSeen seen(pools());
  std::optional<ListKey> after;
  int pages = 0;
  do {
    FAMFS_ASSERT_OK_AND_ASSIGN(const Page now, provisioner().List(after, 2));
    FAMFS_ASSERT_OK_AND_ASSIGN(const Page then, seen.List(after, 2));
    ASSERT_EQ(then.volumes.size(), now.volumes.size());
    for (std::size_t i = 0; i < now.volumes.size(); ++i) {
      EXPECT_EQ(then.volumes[i].id, now.volumes[i].id);
    }
    EXPECT_EQ(then.next_after, now.next_after);
    after = now.next_after;
    ++pages;
  } while (after.has_value());
  EXPECT_EQ(pages, 4);
  FAMFS_ASSERT_OK_AND_ASSIGN(const Page all, seen.List(std::nullopt, 0));
  EXPECT_EQ(all.volumes.size(), 7U);
}

TEST_F(LastSeenTest, TheRoomIsTheProvisionersWhereNothingWaitsToBeCompacted) {
  ASSERT_THAT(Create("a", 64 * kMiB), IsOk());
  Refresh();
  csi::VolumeParameters parameters;
  parameters.pool = "one";
  for (const DataPath path :
       {DataPath::kAuto, DataPath::kPassthrough, DataPath::kCopy}) {
    parameters.data_path = path;
    FAMFS_ASSERT_OK_AND_ASSIGN(const AvailableSpace now,
                               provisioner().GetCapacity(parameters));
    FAMFS_ASSERT_OK_AND_ASSIGN(const AvailableSpace then, Room(parameters));
    EXPECT_EQ(then.free, now.free);
    EXPECT_EQ(then.largest, now.largest);
  }
  parameters.strips = 2;
  EXPECT_THAT(Room(parameters),
              HasError(absl::StatusCode::kInvalidArgument, "csi.sock"));
}

// What a stranger asks of a pool that hangs is answered at once, with what was
// seen before; of one that never was open, that it is not.
TEST_F(LastSeenTest, NeverWaitsForAPool) {
  FAMFS_ASSERT_OK_AND_ASSIGN(const VolumeInfo there, Create("a", 4 * kMiB));
  Refresh();
  look().Close();
  ASSERT_TRUE(look().AwaitWaiting(1));
  LastSeen seen(pools());
  EXPECT_THAT(seen.Find(there.id), IsOk());
  EXPECT_THAT(seen.List(std::nullopt, 0), IsOk());
  csi::VolumeParameters parameters;
  parameters.pool = "one";
  EXPECT_THAT(Room(parameters), IsOk());
  EXPECT_THAT(seen.CheckServable(parameters, {}), IsOk());
  EXPECT_EQ(look().waiting(), 1) << "nobody else came";
  look().Open();

  opening().Close();
  Restart(milliseconds(500));
  LastSeen unseen(pools());
  EXPECT_THAT(unseen.Find(there.id),
              HasError(absl::StatusCode::kUnavailable, "pool one"));
  EXPECT_THAT(unseen.List(std::nullopt, 0),
              HasError(absl::StatusCode::kUnavailable, "pool one"));
  EXPECT_THAT(unseen.GetCapacity(parameters),
              HasError(absl::StatusCode::kUnavailable, "pool one"));
  parameters.pool = "two";
  EXPECT_THAT(unseen.GetCapacity(parameters), IsOk());
}

}  // namespace
}  // namespace famfs::controller
