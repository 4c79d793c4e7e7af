// Done once or not at all: the owner dies at each of its stores, and the next
// one answers right.
#include <cerrno>
#include <functional>
#include <thread>

#include "crashing_device.h"
#include "host.h"
#include "instance/devices/mailbox_store.h"

namespace famfs {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// What the next owner does before it answers.
enum class Next { kAnswers, kCompacts };

class OnceTest : public MailboxTest,
                 public ::testing::WithParamInterface<std::tuple<Kind, Next>> {
 protected:
  void SetUp() override {
    MailboxTest::SetUp();
    StartTree(std::get<0>(GetParam()));
    host_ = AddHost(1);
    Answer();
    keep_ = host_->Do(Create("keep")).node;
    ASSERT_NE(keep_, 0U);
  }
  void TearDown() override {
    host_.reset();
    MailboxTest::TearDown();
  }

  /// An owner dies after so many of its stores; the next one answers. False:
  /// it answered before it died.
  bool AskOneThatDies(
      std::int64_t stores, const TreeRequest& request, TreeAnswer& answer,
      const std::function<void()>& before = [] {}) {
    EndOwner();
    Crash crash;
    auto writer = Writer::Open(
        std::make_shared<CrashingDevice>(OpenAgain(), crash),
        {.system_uuid = system_uuid_, .lock_directory = Path("locks")});
    EXPECT_OK(writer);
    writer_ = *std::move(writer);
    Answer();
    // By then the last answer was written again.
    EXPECT_EQ(host_->Do(Of(TreeOp::kSettle, 77, 1)).error, ESTALE);
    before();
    crash.After(stores);
    Reply reply = host_->Ask(request);
    while (!crash.happened() && !reply.IsThere(milliseconds(1))) {
    }
    const bool died = crash.happened();
    if (!died) crash.After(0);
    EndOwner();
    Open();
    if (std::get<1>(GetParam()) == Next::kCompacts) Compact();
    Answer();
    answer = reply.Get();
    return died;
  }
  /// With something to drop, so that the log forgets.
  void Compact() {
    for (const std::uint32_t mode : {0600U, 0644U}) {
      EXPECT_EQ(writer_->ChangeTree(Chmod(keep_, mode)).error, 0);
    }
    const std::uint64_t entries = writer_->Figures().entries;
    EXPECT_OK(writer_->Compact());
    EXPECT_LT(writer_->Figures().entries, entries);
    writer_.reset();
    Open();
  }

  std::unique_ptr<Host> host_;
  TreeId keep_ = 0;
};

INSTANTIATE_TEST_SUITE_P(
    Owners, OnceTest,
    ::testing::Combine(::testing::Values(Kind::kImage, Kind::kEmulated),
                       ::testing::Values(Next::kAnswers, Next::kCompacts)));

TEST_P(OnceTest, ACreation) {
  bool died = true;
  std::vector<std::string> names = {"keep"};
  for (int stores = 0; died; ++stores) {
    SCOPED_TRACE(stores);
    ASSERT_LT(stores, 100);
    const std::string name = fmt::format("f{:03}", stores);
    TreeAnswer answer;
    died = AskOneThatDies(stores, Create(name), answer);
    EXPECT_EQ(answer.error, 0);
    EXPECT_EQ(answer.node, IdOf(name));
    EXPECT_GT(answer.entries, 0U);
    names.insert(names.end() - 1, name);
    ASSERT_EQ(Names(), names);
  }
  EXPECT_GT(names.size(), 8U);
  EXPECT_EQ(Fsck(), "");
}

TEST_P(OnceTest, ARemoval) {
  bool died = true;
  for (int stores = 0; died; ++stores) {
    SCOPED_TRACE(stores);
    ASSERT_LT(stores, 100);
    TreeAnswer answer;
    ASSERT_EQ(host_->Do(Create("f")).error, 0);
    const TreeId node = IdOf("f");
    died = AskOneThatDies(stores, Remove("f"), answer);
    EXPECT_EQ(answer.error, 0);
    EXPECT_EQ(answer.node, node);
    ASSERT_THAT(Names(), ElementsAre("keep"));
  }
}

TEST_P(OnceTest, ARenameOverAnother) {
  bool died = true;
  for (int stores = 0; died; ++stores) {
    SCOPED_TRACE(stores);
    ASSERT_LT(stores, 100);
    TreeAnswer answer;
    ASSERT_EQ(host_->Do(Create("from")).error, 0);
    const TreeId node = IdOf("from");
    died = AskOneThatDies(stores, Rename("from", "to"), answer);
    EXPECT_EQ(answer.error, 0);
    EXPECT_EQ(answer.node, node);
    EXPECT_EQ(IdOf("to"), node);
    ASSERT_THAT(Names(), ElementsAre("keep", "to"));
  }
}

TEST_P(OnceTest, ASizeThatNeedsSpace) {
  bool died = true;
  for (int stores = 0; died; ++stores) {
    SCOPED_TRACE(stores);
    ASSERT_LT(stores, 100);
    TreeAnswer answer;
    ASSERT_EQ(host_->Do(Create("f")).error, 0);
    TreeRequest truncate = Of(TreeOp::kSetAttributes, IdOf("f"), 3 * kMiB);
    truncate.set = kSetSize;
    died = AskOneThatDies(stores, truncate, answer);
    EXPECT_EQ(answer.error, 0);
    ASSERT_EQ(SizeOf("f"), 3 * kMiB);
    ASSERT_EQ(host_->Do(Remove("f")).error, 0);
  }
}

/// Also the file of the device's own is as long as the answer says.
TEST_P(OnceTest, ACut) {
  constexpr std::uint64_t kBefore = 60'000;
  constexpr std::uint64_t kAfter = 27'000;
  TreeRequest cut = Of(TreeOp::kSetAttributes, keep_, kAfter);
  cut.set = kSetSize;
  TreeRequest lengthen = cut;
  lengthen.size = kBefore;
  bool died = true;
  for (int stores = 0; died; ++stores) {
    SCOPED_TRACE(stores);
    ASSERT_LT(stores, 100);
    ASSERT_EQ(host_->Do(lengthen).error, 0);
    TreeAnswer answer;
    died = AskOneThatDies(stores, cut, answer);
    EXPECT_EQ(answer.error, 0);
    EXPECT_EQ(SizeOf("keep"), kAfter);
    const auto files = device_->ListNodeFiles();
    ASSERT_OK(files);
    for (const DaxDevice::NodeFile& file : *files) {
      EXPECT_EQ(file.size, kAfter);
    }
  }
  EXPECT_EQ(Fsck(), "");
}

/// What a host stores after its cut was answered is told when it closes the
/// file, and no owner that comes meanwhile takes it away.
TEST_P(OnceTest, ACutThatWasAnsweredIsNotMadeAgain) {
  TreeRequest cut = Of(TreeOp::kSetAttributes, keep_, 100);
  cut.set = kSetSize;
  ASSERT_EQ(host_->Do(cut).error, 0);
  const auto files = device_->ListNodeFiles();
  ASSERT_OK(files);
  for (const DaxDevice::NodeFile& file : *files) {
    ASSERT_OK(device_->LengthenNodeFile(file.name, 5000));  // as a store does
  }
  const auto other = AddHost(2);
  for (int owner = 0; owner < 2; ++owner) {
    EndOwner();
    Open();
    if (std::get<1>(GetParam()) == Next::kCompacts) Compact();
    Answer();
    // By then the owner has looked at all that stands there.
    ASSERT_EQ(other->Do(Chmod(keep_, 0640)).error, 0);
    const auto now = device_->ListNodeFiles();
    ASSERT_OK(now);
    for (const DaxDevice::NodeFile& file : *now) EXPECT_EQ(file.size, 5000);
  }
}

/// The place of an append is its answer, which the log alone does not say.
TEST_P(OnceTest, AnAppend) {
  constexpr std::uint64_t kBytes = 100;
  const auto other = AddHost(2);
  bool died = true;
  int in_log = 0;
  for (int stores = 0; died; ++stores) {
    SCOPED_TRACE(stores);
    ASSERT_LT(stores, 100);
    const std::uint64_t before = SizeOf("keep");
    TreeAnswer answer;
    died =
        AskOneThatDies(stores, Of(TreeOp::kAppend, keep_, kBytes), answer, [&] {
          // So that the file is nobody's alone.
          TreeAnswer first = other->Do(Of(TreeOp::kAppend, keep_, kBytes));
          EXPECT_EQ(first.error, 0);
        });
    EXPECT_EQ(answer.error, 0);
    if ((answer.node & kAppendAlone) != 0) {
      ASSERT_EQ(SizeOf("keep"), before) << "the next owner was asked first";
      continue;
    }
    ++in_log;
    ASSERT_EQ(answer.node, before);
    ASSERT_EQ(SizeOf("keep"), before + kBytes);
  }
  EXPECT_GT(in_log, 4);
}

TEST_P(OnceTest, AFailure) {
  bool died = true;
  for (int stores = 0; died; ++stores) {
    SCOPED_TRACE(stores);
    ASSERT_LT(stores, 100);
    TreeAnswer answer;
    died = AskOneThatDies(stores, Create("keep"), answer);
    EXPECT_EQ(answer.error, EEXIST);
  }
}

class CompactionTest : public MailboxTest {};

/// The change is in the log, no note, and the owner dies while it compacts.
TEST_F(CompactionTest, NotesWhatTheLogForgets) {
  StartTree(Kind::kImage);
  const auto host = AddHost(1);
  bool died = true;
  std::uint64_t last = 0;
  for (int stores = 0; died; ++stores) {
    SCOPED_TRACE(stores);
    ASSERT_LT(stores, 300);
    EndOwner();
    Open();
    ASSERT_EQ(writer_->ChangeTree(Create("f")).error, 0);
    Reply reply = host->Ask(Remove("f"));
    std::uint64_t number = 0;
    while (number <= last) number = Asked(host->row());
    last = number;
    ASSERT_EQ(writer_->ChangeTree(Remove("f"), {.session = 1, .number = number})
                  .error,
              0);
    EndOwner();
    Crash crash;
    auto writer = Writer::Open(
        std::make_shared<CrashingDevice>(OpenAgain(), crash),
        {.system_uuid = system_uuid_, .lock_directory = Path("locks")});
    ASSERT_OK(writer);
    crash.After(stores);
    IgnoreError((*writer)->Compact(), "it may die");
    died = crash.happened();
    writer->reset();
    ASSERT_NO_FATAL_FAILURE(Open());
    ASSERT_OK(writer_->Compact());
    writer_.reset();
    RestartOwner();
    ASSERT_EQ(reply.Get().error, 0);
    ASSERT_THAT(Names(), IsEmpty());
  }
}

}  // namespace
}  // namespace famfs
