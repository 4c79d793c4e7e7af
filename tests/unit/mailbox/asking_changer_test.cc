// A `famfs` command's row of the host table, while it asks the owner.
#include "tools/common/asking_changer.h"

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "host.h"
#include "instance/devices/mailbox_store.h"
#include "media/append_claims.h"
#include "media/region.h"
#include "tools/common/tree_editor.h"

namespace famfs {
namespace {

using std::chrono::seconds;

class AskingChangerTest : public MailboxTest,
                          public ::testing::WithParamInterface<Kind> {
 protected:
  void SetUp() override {
    MailboxTest::SetUp();
    StartTree(GetParam());
    Answer();
    ASSERT_NO_FATAL_FAILURE(Begin());
  }
  void TearDown() override {
    changer_.reset();
    MailboxTest::TearDown();
  }
  /// A command of another host than the owner, after the one before has ended.
  void Begin() {
    changer_.reset();
    WriteOptions options;
    options.system_uuid = Uuid::Random();
    options.lock_directory = Path("other-locks");
    auto changer = OpenChanger(device_->spec(), options);
    ASSERT_OK(changer);
    changer_ = *std::move(changer);
  }
  void RemoveOther(const std::string& name) {
    ASSERT_EQ(writer_->ChangeTree(famfs::Remove(name)).error, 0) << name;
  }
  void MakeAndRemove() {
    const TreeAnswer made = writer_->ChangeTree(Create("other"));
    ASSERT_EQ(made.error, 0);
    TreeRequest grow = Of(TreeOp::kSetAttributes, made.node, 4 * kMiB);
    grow.set = kSetSize;
    ASSERT_EQ(writer_->ChangeTree(grow).error, 0);
    RemoveOther("other");
  }
  /// Up to which deletion, after a command has looked as it does all the time.
  std::uint64_t Acknowledged() {
    EXPECT_OK(changer_->CheckStanding());
    const auto hosts = writer_->Hosts();
    return hosts.size() == 1 ? hosts.front().acknowledged : 0;
  }
  /// Whether it comes to more than `number` within `time`.
  bool Passes(std::uint64_t number, seconds time) {
    const auto end = std::chrono::steady_clock::now() + time;
    while (std::chrono::steady_clock::now() < end) {
      if (Acknowledged() > number) return true;
      std::this_thread::yield();
    }
    return false;
  }

  std::unique_ptr<Changer> changer_;
};

INSTANTIATE_TEST_SUITE_P(Kinds, AskingChangerTest,
                         ::testing::Values(Kind::kImage, Kind::kEmulated),
                         NameOfKind);

TEST_P(AskingChangerTest, WhatWasDeletedBeforeMakesRoomForIt) {
  // Of a volume of 256 MiB.
  for (int i = 0; i < 3; ++i) {
    ASSERT_NO_FATAL_FAILURE(Begin());
    ASSERT_OK(TreeEditor(*changer_).CreateFile("tree/f", 160 * kMiB, {}));
    RemoveOther("f");
  }
}

TEST_P(AskingChangerTest, DeletedSpaceWaitsForItOnlyWhereItStores) {
  auto file = TreeEditor(*changer_).BeginFile("tree/f", 4 * kMiB, {});
  ASSERT_OK(file);
  MakeAndRemove();
  ASSERT_TRUE(Passes(0, seconds(20)));
  const std::uint64_t before = Acknowledged();
  ASSERT_EQ(Names().size(), 1U);
  RemoveOther(Names().front());
  MakeAndRemove();
  EXPECT_FALSE(Passes(before, seconds(3))) << "it stores to what was removed";
  file->reset();
  EXPECT_TRUE(Passes(before + 1, seconds(20)));
}

TEST_P(AskingChangerTest, AnEvictedCommandIsToldToRunAgain) {
  ASSERT_OK(TreeEditor(*changer_).Mkdir("tree/d", {.mode = 0755}));
  ASSERT_EQ(writer_->Hosts().size(), 1U);
  ASSERT_OK(EvictHost(*device_, writer_->Hosts().front().host));
  absl::Status stands;
  const auto end = std::chrono::steady_clock::now() + seconds(20);
  while (stands.ok() && std::chrono::steady_clock::now() < end) {
    stands = changer_->CheckStanding();
  }
  EXPECT_TRUE(absl::IsPermissionDenied(stands)) << stands;
  EXPECT_THAT(Say(stands), ::testing::HasSubstr("run it again"));
}

/// Which would have every append of the pool wait for it.
TEST_P(AskingChangerTest, DamagedAppendClaimsInItsRowAreReplaced) {
  Layout layout = OpenLayout();
  const Uuid& fs_uuid = layout.superblock().fs_uuid;
  Line line =
      EncodeAppendClaims({.sequence = 2, .session = 1, .files = {}}, fs_uuid);
  line.back() ^= std::byte{1};
  for (std::size_t row = 0; row < kHostRows; ++row) {
    const std::size_t at = kRegionOffset + AppendClaimsAt(row);
    layout.head().Store(at, line);
    layout.head().WriteBack(at, line.size());
    ASSERT_FALSE(LoadAppendClaims(layout.head(), row, fs_uuid).ok());
  }
  ASSERT_OK(TreeEditor(*changer_).Mkdir("tree/d", {.mode = 0755}));
  std::size_t readable = 0;
  for (std::size_t row = 0; row < kHostRows; ++row) {
    if (LoadAppendClaims(layout.head(), row, fs_uuid).ok()) ++readable;
  }
  EXPECT_EQ(readable, 1U);
}

}  // namespace
}  // namespace famfs
