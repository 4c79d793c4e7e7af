// Asking and being answered.
#include <cerrno>
#include <ctime>
#include <thread>

#include "host.h"

namespace famfs {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class AskTest : public MailboxTest,
                public ::testing::WithParamInterface<Kind> {};

INSTANTIATE_TEST_SUITE_P(Kinds, AskTest,
                         ::testing::Values(Kind::kImage, Kind::kEmulated));

TEST_P(AskTest, EachOperationIsDoneAndAnswered) {
  StartTree(GetParam());
  Answer();
  const auto host = AddHost(1);
  const TreeAnswer made = host->Do(Create("a"));
  EXPECT_EQ(made.error, 0);
  EXPECT_EQ(made.node, IdOf("a"));
  EXPECT_GE(made.entries, 2U);
  EXPECT_EQ(host->Do(Create("link", NodeKind::kSymlink)).error, 0);
  EXPECT_EQ(host->Do(Create("dir", NodeKind::kDirectory)).error, 0);
  EXPECT_EQ(host->Do(Create("a")).error, EEXIST);
  EXPECT_EQ(host->Do(Of(TreeOp::kExtend, made.node, 3 * kMiB)).error, 0);
  EXPECT_EQ(host->Do(Of(TreeOp::kSettle, made.node, 1000)).error, 0);
  EXPECT_EQ(SizeOf("a"), 1000U);
  EXPECT_EQ(host->Do(Chmod(made.node, 0600)).error, 0);
  EXPECT_EQ(ModeOf("a"), 0600U);
  TreeRequest truncate = Of(TreeOp::kSetAttributes, made.node, 5 * kMiB);
  truncate.set = kSetSize;
  EXPECT_EQ(host->Do(truncate).error, 0);
  EXPECT_EQ(SizeOf("a"), 5 * kMiB);
  EXPECT_EQ(host->Do(Rename("a", "b")).node, made.node);
  EXPECT_EQ(host->Do(Rename("a", "b")).error, ENOENT);
  EXPECT_EQ(host->Do(Remove("link")).error, 0);
  EXPECT_EQ(host->Do(Of(TreeOp::kSettle, 77, 1)).error, ESTALE);
  TreeRequest elsewhere = Create("c");
  elsewhere.volume = "nothing";
  EXPECT_EQ(host->Do(elsewhere).error, ESTALE);
  EXPECT_THAT(Names(), ElementsAre("b", "dir"));
  // The last one ends when what it calls has returned.
  while (host->asker().oldest_waiting().count() > 0) std::this_thread::yield();
  EXPECT_EQ(Fsck(), "");
}

TEST_P(AskTest, TwoHostsAtOnce) {
  StartTree(GetParam());
  Answer();
  const auto first = AddHost(1);
  const auto second = AddHost(2);
  std::vector<Reply> replies;
  for (int i = 0; i < 100; ++i) {
    replies.push_back(first->Ask(Create(fmt::format("f{}", i))));
    replies.push_back(second->Ask(Create(fmt::format("f{}", i))));
  }
  int made = 0;
  for (Reply& reply : replies) {
    const TreeAnswer answer = reply.Get();
    EXPECT_TRUE(answer.error == 0 || answer.error == EEXIST) << answer.error;
    if (answer.error == 0) ++made;
  }
  EXPECT_EQ(made, 100);
  EXPECT_EQ(Names().size(), 100U);
}

TEST_P(AskTest, RequestsWaitForAnOwner) {
  StartTree(GetParam());
  EndOwner();
  const auto host = AddHost(1, {.complain_after = milliseconds(1)});
  Reply reply = host->Ask(Create("a"));
  EXPECT_FALSE(reply.IsThere(milliseconds(50)));
  EXPECT_GE(host->asker().oldest_waiting(), milliseconds(50));
  RestartOwner();
  EXPECT_EQ(reply.Get().error, 0);
  EXPECT_THAT(Names(), ElementsAre("a"));
}

TEST_P(AskTest, ARowThatIsTakenLaterIsFound) {
  StartTree(GetParam());
  Answer();
  const auto host = AddHost(1);
  EXPECT_EQ(host->Do(Create("a")).error, 0);
}

class WaitTest : public MailboxTest {};

TEST_F(WaitTest, StopEndsWhatWaits) {
  StartTree(Kind::kImage);
  const auto host = AddHost(1);
  Reply sent = host->Ask(Create("a"));
  Reply queued = host->Ask(Create("b"));
  AwaitAsked(host->row());
  host->asker().Stop();
  EXPECT_EQ(sent.Get().error, EIO);
  EXPECT_EQ(queued.Get().error, ENOTCONN);
  EXPECT_EQ(host->Ask(Create("c")).Get().error, ENOTCONN);
  host->asker().Stop();
}

TEST_F(WaitTest, WhatIsForgottenEnds) {
  StartTree(Kind::kImage);
  const auto host = AddHost(1, {.forget_grace = milliseconds(200)});
  Reply sent = host->Ask(Create("a"));
  Reply queued = host->Ask(Create("b"));
  Reply kept = host->Ask(Create("c"));
  AwaitAsked(host->row());
  host->asker().Forget(queued.id);
  EXPECT_EQ(queued.Get().error, EINTR);
  host->asker().Forget(sent.id);
  EXPECT_FALSE(sent.IsThere(milliseconds(50)));
  EXPECT_EQ(sent.Get().error, EINTR);
  // It was withdrawn before an owner came.
  Answer();
  EXPECT_EQ(kept.Get().error, 0);
  EXPECT_THAT(Names(), ElementsAre("c"));
  host->asker().Forget(kept.id);
}

TEST_F(WaitTest, WhatIsForgottenLateEndsWithItsAnswer) {
  StartTree(Kind::kImage);
  const auto host = AddHost(1, {.forget_grace = std::chrono::seconds(20)});
  Reply sent = host->Ask(Create("a"));
  AwaitAsked(host->row());
  host->asker().Forget(sent.id);
  Answer();
  EXPECT_EQ(sent.Get().error, 0);
}

TEST_F(WaitTest, ACallbackMayAsk) {
  StartTree(Kind::kImage);
  Answer();
  const auto host = AddHost(1);
  std::promise<int> done;
  host->asker().Ask(Create("a"), [&](const TreeAnswer&) {
    host->asker().Ask(Remove("a"), [&](const TreeAnswer& answer) {
      done.set_value(answer.error);
    });
  });
  EXPECT_EQ(done.get_future().get(), 0);
  EXPECT_THAT(Names(), IsEmpty());
}

TEST_F(WaitTest, WhatCannotBeSaidIsNotAsked) {
  StartTree(Kind::kImage);
  const auto host = AddHost(1);
  EXPECT_EQ(host->Do(Create(std::string(300, 'n'))).error, ENAMETOOLONG);
  EXPECT_EQ(host->Do(Create("a/b")).error, EINVAL);
}

TEST_F(WaitTest, ASecondAskerOfTheSessionGoesOnCounting) {
  StartTree(Kind::kImage);
  Answer();
  auto host = AddHost(1);
  EXPECT_EQ(host->Do(Create("a")).error, 0);
  const SessionRow place{.row = host->row(), .session = 1};
  host->asker().Stop();
  auto again = Asker::Start(*device_, [&] { return std::optional(place); });
  ASSERT_OK(again);
  std::promise<int> done;
  (*again)->Ask(Create("b"), [&](const TreeAnswer& answer) {
    done.set_value(answer.error);
  });
  EXPECT_EQ(done.get_future().get(), 0);
  EXPECT_THAT(Names(), ElementsAre("a", "b"));
}

class FiguresTest : public MailboxTest {};

TEST_F(FiguresTest, TenThousandRequests) {
  StartTree(Kind::kImage);
  Answer();
  const auto host = AddHost(1);
  const TreeId node = host->Do(Create("a")).node;
  std::vector<double> micros;
  for (std::uint32_t i = 0; i < 10000; ++i) {
    const auto start = std::chrono::steady_clock::now();
    ASSERT_EQ(host->Do(Chmod(node, i % 0777)).error, 0);
    micros.push_back(std::chrono::duration<double, std::micro>(
                         std::chrono::steady_clock::now() - start)
                         .count());
  }
  std::sort(micros.begin(), micros.end());
  fmt::print("10,000 requests: p50 {:.1f} us, p99 {:.1f} us, most {:.0f} us\n",
             micros[5000], micros[9900], micros.back());
}

}  // namespace
}  // namespace famfs
