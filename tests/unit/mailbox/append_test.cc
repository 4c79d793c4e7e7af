// Who appends to a file, as the owner decides it.
#include <cerrno>
#include <set>

#include "host.h"
#include "instance/mailbox/claims_writer.h"

namespace famfs {
namespace {

class AppendTest : public MailboxTest,
                   public ::testing::WithParamInterface<Kind> {
 protected:
  void SetUp() override {
    MailboxTest::SetUp();
    StartTree(GetParam());
    Answer();
    a_ = AddHost(1);
    b_ = AddHost(2);
    file_ = a_->Do(Create("log")).node;
    ASSERT_NE(file_, 0U);
  }
  void TearDown() override {
    a_.reset();
    b_.reset();
    MailboxTest::TearDown();
  }
  TreeAnswer Append(Host& host, std::uint64_t bytes) {
    return host.Do(Of(TreeOp::kAppend, file_, bytes));
  }
  void Claim(Host& host, std::uint32_t session, bool claims) {
    AppendClaimBits files;
    if (claims) files.Set(file_);
    auto writer = ClaimsWriter::Open(*device_);
    ASSERT_OK(writer);
    ASSERT_TRUE(writer->Store(host.row(), session, files));
  }
  static bool IsAlone(const TreeAnswer& answer) {
    return answer.error == 0 && (answer.node & kAppendAlone) != 0;
  }
  std::uint32_t Revision() {
    const Reader::View tree = writer_->Tree();
    const Node* node = tree->Lookup(tree->FindDirectory(kVolume)->id, "log");
    return node->tree->record.revision;
  }
  void ExpectWaits(Host& host) {
    Reply reply = host.Ask(Of(TreeOp::kAppend, file_, 10));
    EXPECT_FALSE(reply.IsThere(std::chrono::milliseconds(50)));
    host.asker().Forget(reply.id);
    EXPECT_EQ(reply.Get().error, EINTR);
  }

  std::unique_ptr<Host> a_;
  std::unique_ptr<Host> b_;
  TreeId file_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Kinds, AppendTest,
                         ::testing::Values(Kind::kImage, Kind::kEmulated));

TEST_P(AppendTest, WhoAsksAloneGetsTheFile) {
  Claim(*a_, 1, true);
  const TreeAnswer answer = Append(*a_, 100);
  ASSERT_TRUE(IsAlone(answer)) << answer.error;
  EXPECT_EQ(static_cast<std::uint32_t>(answer.node), Revision());
  EXPECT_EQ(SizeOf("log"), 0U);
  ASSERT_TRUE(IsAlone(Append(*a_, 100))) << "it may ask again";
}

TEST_P(AppendTest, AnotherOneWaitsUntilTheClaimIsGone) {
  Claim(*a_, 1, true);
  ASSERT_TRUE(IsAlone(Append(*a_, 100)));
  const std::uint32_t before = Revision();
  ExpectWaits(*b_);
  EXPECT_EQ(Revision(), before + 1) << "told once";
  ExpectWaits(*b_);
  EXPECT_EQ(Revision(), before + 1);
  ASSERT_EQ(a_->Do(Of(TreeOp::kExtend, file_, 2 * kMiB)).error, 0);
  ASSERT_EQ(a_->Do(Of(TreeOp::kSettle, file_, 1000)).error, 0);
  Claim(*a_, 1, false);
  // They have asked in turn just now.
  const TreeAnswer range = Append(*b_, 10);
  EXPECT_EQ(range.error, 0);
  EXPECT_EQ(range.node, 1000U);
  EXPECT_EQ(Append(*a_, 5).node, 1010U);
  EXPECT_EQ(Append(*b_, 3 * kMiB).node, 1015U) << "with the room that it needs";
  EXPECT_EQ(SizeOf("log"), 1015 + 3 * kMiB);
  // Nobody has stored what the ranges are for.
  if (GetParam() == Kind::kEmulated) RestartOwner();
  EXPECT_EQ(Fsck(), "");
}

TEST_P(AppendTest, AWordDoesWhereTheClaimStays) {
  Claim(*a_, 1, true);
  ASSERT_TRUE(IsAlone(Append(*a_, 100)));
  ExpectWaits(*b_);
  TreeRequest give_up = Of(TreeOp::kAppend, file_, Revision());
  give_up.flags = kAppendGiveUp;
  ASSERT_EQ(a_->Do(give_up).error, 0);
  EXPECT_EQ(Append(*b_, 10).node, 0U);
  EXPECT_EQ(SizeOf("log"), 10U);
}

TEST_P(AppendTest, AWordThatIsOlderThanWhatWasGivenIsNone) {
  Claim(*a_, 1, true);
  ASSERT_TRUE(IsAlone(Append(*a_, 100)));
  TreeRequest give_up = Of(TreeOp::kAppend, file_, Revision());
  give_up.flags = kAppendGiveUp;
  ASSERT_EQ(a_->Do(give_up).error, 0);
  ExpectWaits(*b_);
}

TEST_P(AppendTest, WithItsRowAHostLosesTheFile) {
  Claim(*a_, 1, true);
  ASSERT_TRUE(IsAlone(Append(*a_, 100)));
  ExpectWaits(*b_);
  a_.reset();  // its row stays
  for (const HostStatus& host : writer_->Hosts()) {
    if (host.session == 1) ASSERT_OK(writer_->EvictHost(host.host));
  }
  EXPECT_EQ(Append(*b_, 10).error, 0);
}

/// Whoever cannot be seen is there, also for the next owner.
TEST_P(AppendTest, ARowThatCannotBeReadMayBeThatOfWhoAppends) {
  Claim(*a_, 1, true);
  ASSERT_TRUE(IsAlone(Append(*a_, 100)));
  auto head = device_->Map(0, 2 * kMiB, Access::kReadWrite);
  ASSERT_OK(head);
  const auto flip = [&] {
    std::byte* const pair =
        (*head)->mutable_data() + kRegionOffset + HostAt(a_->row());
    for (const std::size_t copy : {0, 1}) {
      pair[copy * kLineSize + 20] ^= std::byte{1};
    }
  };
  flip();
  ExpectWaits(*b_);
  RestartOwner();
  ExpectWaits(*b_);
  flip();
  ExpectWaits(*b_);
  Claim(*a_, 1, false);
  EXPECT_EQ(Append(*b_, 10).error, 0);
}

/// What the last owner gave is known by the claims.
TEST_P(AppendTest, TheNextOwnerTakesNothingAway) {
  Claim(*a_, 1, true);
  ASSERT_TRUE(IsAlone(Append(*a_, 100)));
  RestartOwner();
  const std::uint32_t before = Revision();
  ExpectWaits(*b_);
  EXPECT_EQ(Revision(), before + 1);
  EXPECT_EQ(Append(*a_, 7).error, 0) << "who asks has stopped";
  EXPECT_EQ(Append(*b_, 10).error, 0);
  EXPECT_EQ(SizeOf("log"), 17U);
}

TEST_P(AppendTest, TwoThatAskAtOnceOfANewOwnerGoOn) {
  Claim(*a_, 1, true);
  Claim(*b_, 2, true);
  RestartOwner();
  Reply first = a_->Ask(Of(TreeOp::kAppend, file_, 10));
  Reply second = b_->Ask(Of(TreeOp::kAppend, file_, 10));
  const std::set<std::uint64_t> places{first.Get().node, second.Get().node};
  EXPECT_EQ(places, (std::set<std::uint64_t>{0, 10}));
  EXPECT_EQ(SizeOf("log"), 20U);
}

TEST_P(AppendTest, RefusesWhatIsNoAppend) {
  const TreeId directory = a_->Do(Create("d", NodeKind::kDirectory)).node;
  EXPECT_EQ(a_->Do(Of(TreeOp::kAppend, directory, 1)).error, EISDIR);
  EXPECT_EQ(a_->Do(Of(TreeOp::kAppend, 77, 1)).error, ESTALE);
  EXPECT_EQ(a_->Do(Of(TreeOp::kAppend, file_, 0)).error, EINVAL);
  Claim(*a_, 1, false);
  ASSERT_EQ(Append(*a_, 1).error, 0);
  EXPECT_EQ(Append(*b_, ~std::uint64_t{0} >> 1).error, ENOSPC);
  EXPECT_EQ(Append(*b_, 300 * kMiB).error, ENOSPC);
  EXPECT_EQ(SizeOf("log"), 0U);
}

}  // namespace
}  // namespace famfs
