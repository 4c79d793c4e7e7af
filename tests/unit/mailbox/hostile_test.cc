// What stands in a mailbox and is no request of its row's session; owners that
// are none any more; rows that change.
#include <atomic>
#include <cerrno>
#include <random>
#include <thread>

#include "host.h"
#include "instance/devices/mailbox_store.h"
#include "instance/devices/metadata_store.h"

namespace famfs {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class HostileTest : public MailboxTest {
 protected:
  void SetUp() override {
    MailboxTest::SetUp();
    StartTree(Kind::kImage);
    layout_.emplace(OpenLayout());
  }
  void TearDown() override {
    layout_.reset();
    MailboxTest::TearDown();
  }

  [[nodiscard]] const Uuid& fs_uuid() const {
    return layout_->superblock().fs_uuid;
  }
  void Write(std::size_t row, std::uint32_t session, std::uint64_t number,
             std::span<const std::byte> message,
             std::size_t leave_out = kMailboxHalf) {
    auto lines = EncodeMailboxMessage(MailboxSide::kRequest, session, number,
                                      message, fs_uuid());
    if (leave_out < lines.size()) lines[leave_out] = {};
    StoreMessage(layout_->head(), row, MailboxSide::kRequest, lines);
    Doorbell(layout_->head(), kRequestBellAt, true).Ring();
  }
  void Write(std::size_t row, std::uint32_t session, std::uint64_t number,
             const TreeRequest& request, std::size_t leave_out = kMailboxHalf) {
    Write(row, session, number, *EncodeTreeRequest(request), leave_out);
  }
  /// Of the row; 0: none.
  std::uint64_t AnsweredNumber(std::size_t row, TreeAnswer& answer) {
    const auto message = LoadMailboxMessage(layout_->head(), row,
                                            MailboxSide::kAnswer, fs_uuid());
    if (!message.ok() || !message->has_value()) return 0;
    answer = *DecodeTreeAnswer((*message)->bytes);
    return (*message)->number;
  }
  bool IsAnswered(std::size_t row, std::uint64_t number, TreeAnswer& answer,
                  milliseconds wait = milliseconds(5000)) {
    const auto end = std::chrono::steady_clock::now() + wait;
    while (std::chrono::steady_clock::now() < end) {
      if (AnsweredNumber(row, answer) == number) return true;
      std::this_thread::yield();
    }
    return false;
  }

  std::optional<Layout> layout_;
  TreeAnswer answer_;
};

TEST_F(HostileTest, ForeignAndHalfMessagesAreLeftAlone) {
  Answer();
  const auto host = AddHost(1);
  const auto other = AddHost(2);
  const std::size_t row = host->row();
  const milliseconds soon{30};
  Write(row, 9, 5, Create("of-nobody"));
  EXPECT_FALSE(IsAnswered(row, 5, answer_, soon));
  Write(row, 2, 5, Create("of-another-row"));
  EXPECT_FALSE(IsAnswered(row, 5, answer_, soon));
  Write(row, 1, 0, Create("number-zero"));
  EXPECT_FALSE(IsAnswered(row, 0x77, answer_, soon));
  Write(row, 1, 5, Create("half"), 1);
  EXPECT_FALSE(IsAnswered(row, 5, answer_, soon));
  Write((row + 64) % kHostRows, 1, 5, Create("row-of-nobody"));
  EXPECT_FALSE(IsAnswered((row + 64) % kHostRows, 5, answer_, soon));
  EXPECT_THAT(Names(), IsEmpty());
  Write(row, 1, 5, Create("whole"));
  EXPECT_TRUE(IsAnswered(row, 5, answer_));
  EXPECT_THAT(Names(), ElementsAre("whole"));
}

TEST_F(HostileTest, ANumberThatIsSpentIsNotDoneAgain) {
  Answer();
  const auto host = AddHost(1);
  const std::size_t row = host->row();
  Write(row, 1, 5, Create("a"));
  ASSERT_TRUE(IsAnswered(row, 5, answer_));
  Write(row, 1, 5, Create("b"));
  Write(row, 1, 4, Create("c"));
  Write(row, 1, 5, Remove("a"));
  EXPECT_FALSE(IsAnswered(row, 4, answer_, milliseconds(50)));
  EXPECT_TRUE(IsAnswered(row, 5, answer_));
  EXPECT_EQ(answer_.node, IdOf("a"));
  EXPECT_THAT(Names(), ElementsAre("a"));
  // The host itself goes on behind it.
  EXPECT_EQ(host->Do(Create("d")).error, 0);
}

TEST_F(HostileTest, WhatIsNoRequestIsInvalid) {
  Answer();
  const auto host = AddHost(1);
  const std::size_t row = host->row();
  std::mt19937 random(7);
  std::uint64_t number = 10;
  for (std::size_t length = 0; length < 400; length += 13) {
    std::vector<std::byte> message(length);
    for (std::byte& byte : message) byte = static_cast<std::byte>(random());
    Write(row, 1, ++number, message);
    ASSERT_TRUE(IsAnswered(row, number, answer_)) << length;
    EXPECT_EQ(answer_.error, EINVAL);
  }
  EXPECT_THAT(Names(), IsEmpty());
}

TEST_F(HostileTest, GarbageHurtsNobody) {
  ASSERT_OK(CreateVolume("other", kAllocUnit));
  Answer();
  const auto host = AddHost(1);
  const auto other = AddHost(2);
  const std::size_t row = host->row();
  const auto good =
      EncodeMailboxMessage(MailboxSide::kRequest, 1, 1000,
                           *EncodeTreeRequest(Create("good")), fs_uuid());
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    // Lines of a good message, with some bytes that are not.
    StoreMessage(layout_->head(), row, MailboxSide::kRequest, good);
    const std::size_t half = random() % 2 == 0 ? 0 : 32;
    std::vector<std::byte> bytes(1 + random() % 2000);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
    layout_->head().Store(
        kRegionOffset + MailboxAt(row, MailboxSide::kRequest) + half, bytes);
    Doorbell(layout_->head(), kRequestBellAt, true).Ring();
    if (round % 50 == 0) {  // the owner looks at all rows meanwhile
      EXPECT_EQ(other->Do(Of(TreeOp::kSettle, 77, 1)).error, ESTALE);
    }
  }
  EXPECT_EQ(other->Do(Create("b")).error, 0);
  EXPECT_EQ(host->Do(Create("a")).error, 0);
  EXPECT_FALSE(answerer_->ended());
  EXPECT_THAT(Volumes(), ::testing::UnorderedElementsAre("other", kVolume));
  EXPECT_EQ(Fsck(), "");
}

TEST_F(HostileTest, ADamagedNoteIsNoReasonToDoAnythingTwice) {
  Answer();
  const auto host = AddHost(1);
  ASSERT_EQ(host->Do(Create("a")).error, 0);
  EndOwner();
  for (std::size_t copy = 0; copy < 2; ++copy) {
    const std::size_t at = kRegionOffset + DoneAt(host->row()) + copy * 64;
    const std::uint64_t bad = ~std::uint64_t{0};
    layout_->head().Store(at + 40, std::as_bytes(std::span(&bad, 1)));
    const std::uint32_t magic = 0x4e444d46;
    layout_->head().Store(at, std::as_bytes(std::span(&magic, 1)));
  }
  const std::uint64_t before = Asked(host->row());
  Reply in_doubt = host->Ask(Create("b"));
  AwaitAsked(host->row(), before);
  ASSERT_NO_FATAL_FAILURE(RestartOwner());
  EXPECT_EQ(in_doubt.Get().error, EIO);
  EXPECT_THAT(Names(), ElementsAre("a"));
  EXPECT_EQ(host->Do(Create("b")).error, 0);
}

/// Numbers that nobody counts up to: the row is as good as before, for its
/// session and for later ones.
TEST_F(HostileTest, ANoteOfExtremesDoesNotBreakTheRow) {
  constexpr std::uint64_t kMax = ~std::uint64_t{0};
  Answer();
  const auto host = AddHost(1);
  ASSERT_EQ(host->Do(Create("a")).error, 0);
  const std::vector<DoneRecord> notes = {
      {.sequence = kMax, .session = 99, .number = 1},
      {.sequence = kMax - 1, .session = 99, .number = 1},
      {.sequence = 100, .session = 1, .number = kMax},
      {.sequence = 101, .session = 1, .number = kMax - 1},
  };
  for (std::size_t i = 0; i < notes.size(); ++i) {
    EndOwner();
    StoreDone(layout_->head(), host->row(), notes[i], fs_uuid());
    ASSERT_NO_FATAL_FAILURE(RestartOwner());
    const std::string name = "n" + std::to_string(i);
    // What is in doubt is told once.
    const int error = host->Do(Create(name)).error;
    if (error == EIO) {
      EXPECT_EQ(host->Do(Create(name)).error, 0) << i;
    } else {
      EXPECT_EQ(error, 0) << i;
    }
    const auto noted = LoadDone(layout_->head(), host->row(), fs_uuid());
    ASSERT_TRUE(noted.ok() && noted->has_value()) << i;
    EXPECT_EQ((*noted)->session, 1U) << i;
  }
}

TEST_F(HostileTest, ARequestWithTheLastNumberIsLeftAlone) {
  constexpr std::uint64_t kMax = ~std::uint64_t{0};
  Answer();
  const auto host = AddHost(1);
  ASSERT_EQ(host->Do(Create("a")).error, 0);
  Write(host->row(), 1, kMax, Create("x"));
  EXPECT_EQ(host->Do(Create("b")).error, 0);
  EXPECT_THAT(Names(), ElementsAre("a", "b"));
}

TEST_F(HostileTest, ARequestThatIsOverwrittenIsWrittenAgain) {
  EndOwner();
  const auto host = AddHost(1);
  Reply reply = host->Ask(Create("a"));
  AwaitAsked(host->row());
  WithdrawMessage(layout_->head(), host->row(), MailboxSide::kRequest);
  ASSERT_NO_FATAL_FAILURE(RestartOwner());
  EXPECT_EQ(reply.Get().error, 0);
}

TEST_F(HostileTest, AnAnswerThatIsOverwrittenIsWrittenAgain) {
  Answer();
  const auto host = AddHost(1);
  ASSERT_EQ(host->Do(Create("a")).error, 0);
  const std::uint64_t number = AnsweredNumber(host->row(), answer_);
  WithdrawMessage(layout_->head(), host->row(), MailboxSide::kAnswer);
  EXPECT_TRUE(IsAnswered(host->row(), number, answer_));
}

TEST_F(HostileTest, AnAnswerOfAnEarlierEpochDoesNotCount) {
  EndOwner();
  const auto host = AddHost(1);
  Reply reply = host->Ask(Create("a"));
  AwaitAsked(host->row());
  const std::size_t row = host->row();
  const auto head =
      *LoadMailboxHead(layout_->head(), row, MailboxSide::kRequest, fs_uuid());
  ASSERT_TRUE(head.has_value());
  StoreDone(layout_->head(), row,
            {.sequence = 2,
             .session = 1,
             .number = head->number,
             .status = ENOENT,
             .epoch = 1},
            fs_uuid());
  StoreMessage(
      layout_->head(), row, MailboxSide::kAnswer,
      EncodeMailboxMessage(MailboxSide::kAnswer, 1, head->number,
                           EncodeTreeAnswer({.error = ENOENT}), fs_uuid()));
  EXPECT_FALSE(reply.IsThere(milliseconds(50)));
  // The owner of now takes the word of the earlier one, and gives its own.
  ASSERT_NO_FATAL_FAILURE(RestartOwner());
  EXPECT_EQ(reply.Get().error, ENOENT);
}

TEST_F(HostileTest, AnOwnerThatWasOvertakenAnswersNothing) {
  Answer();
  const auto host = AddHost(1);
  ASSERT_EQ(host->Do(Create("a")).error, 0);
  auto successor = TryOpen(Path("locks-of-another-host"));
  ASSERT_OK(successor);
  Reply failing = host->Ask(Create("a"));
  EXPECT_FALSE(failing.IsThere(milliseconds(50)));
  EXPECT_TRUE(answerer_->ended());
  EndOwner();
  writer_ = *std::move(successor);
  Answer();
  EXPECT_EQ(failing.Get().error, EEXIST);
}

/// The test is the owner.
class OddOwnerTest : public HostileTest {
 protected:
  void Answer(std::size_t row, std::uint64_t number, int error) {
    const auto owner = layout_->LoadOwner();
    StoreDone(layout_->head(), row,
              {.sequence = ++sequence_,
               .session = 1,
               .number = number,
               .status = error,
               .epoch = (*owner)->epoch},
              fs_uuid());
    StoreMessage(
        layout_->head(), row, MailboxSide::kAnswer,
        EncodeMailboxMessage(MailboxSide::kAnswer, 1, number,
                             EncodeTreeAnswer({.error = error}), fs_uuid()));
  }
  std::uint64_t sequence_ = 1;
};

TEST_F(OddOwnerTest, EagainIsAskedAgainForATime) {
  const auto host = AddHost(1, {.retry_for = milliseconds(50)});
  Reply reply = host->Ask(Create("a"));
  std::uint64_t last = 0;
  int times = 0;
  while (!reply.IsThere(milliseconds(1))) {
    // Between the two halves of a request, nothing is asked.
    const std::uint64_t number = Asked(host->row());
    if (number == last || number == 0) continue;
    EXPECT_GT(number, last);
    last = number;
    ++times;
    Answer(host->row(), number, EAGAIN);
  }
  EXPECT_EQ(reply.Get().error, EBUSY);
  EXPECT_GT(times, 2);
}

TEST_F(OddOwnerTest, ASpentNumberIsReplaced) {
  const auto host = AddHost(1);
  Reply reply = host->Ask(Create("a"));
  AwaitAsked(host->row());
  Answer(host->row(), 500, 0);
  Answer(host->row(), AwaitAsked(host->row(), 500), 0);
  EXPECT_EQ(reply.Get().error, 0);
}

class RowTest : public HostileTest {
 protected:
  void StartAsker(const SessionRow& place) {
    place_ = place;
    auto asker = Asker::Start(*device_, [this]() -> std::optional<SessionRow> {
      const SessionRow now = place_;
      return now.session == 0 ? std::nullopt : std::optional(now);
    });
    ASSERT_OK(asker);
    asker_ = *std::move(asker);
  }
  std::future<int> Ask(const TreeRequest& request) {
    auto promise = std::make_shared<std::promise<int>>();
    auto future = promise->get_future();
    asker_->Ask(request, [promise](const TreeAnswer& answer) {
      promise->set_value(answer.error);
    });
    return future;
  }
  std::atomic<SessionRow> place_;
  std::unique_ptr<Asker> asker_;
};

TEST_F(RowTest, ALostRowEndsWhatMustNotBeDoneTwice) {
  const auto first = AddHost(1);
  const auto second = AddHost(2);
  StartAsker({.row = first->row(), .session = 1});
  auto create = Ask(Create("a"));
  const std::uint64_t number = AwaitAsked(first->row());
  place_ = SessionRow{};  // out of reach for a while
  EXPECT_EQ(create.wait_for(milliseconds(20)), std::future_status::timeout);
  place_ = SessionRow{.row = second->row(), .session = 2};
  EXPECT_EQ(create.get(), EIO);
  const TreeAnswer made = writer_->ChangeTree(Create("b"));
  auto extend = Ask(Of(TreeOp::kExtend, made.node, 100));
  AwaitAsked(second->row());
  place_ = SessionRow{.row = first->row(), .session = 1};
  AwaitAsked(first->row(), number);
  MailboxTest::Answer();
  EXPECT_EQ(extend.get(), 0);
  asker_.reset();
}

}  // namespace
}  // namespace famfs
