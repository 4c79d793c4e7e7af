// Promised space, without the rest of a Writer: rows of the table, and what
// they take in the log's allocators.
#include "instance/writer/promises.h"

#include "fixture.h"
#include "instance/log/layout.h"
#include "instance/writer/owned_log.h"

namespace famfs {
namespace {

class PromisesTest : public WriteTest {
 protected:
  void SetUp() override {
    WriteTest::SetUp();
    MakeDevice(Kind::kImage);
    ASSERT_NO_FATAL_FAILURE(Mkfs());
    auto layout = Layout::Open(*device_, Access::kReadWrite);
    ASSERT_OK(layout);
    layout_ = std::make_unique<Layout>(*std::move(layout));
    auto log = OwnedLog::TakeOver(*device_, *layout_, system_uuid_);
    ASSERT_OK(log);
    log_ = std::make_unique<OwnedLog>(*std::move(log));
  }
  Promises Taken(bool excludes_others = true) {
    Promises promises(device_, {.host = system_uuid_,
                                .epoch = log_->epoch(),
                                .excludes_others = excludes_others});
    promises.TakeUp(layout_->head(), fs_uuid(), *log_);
    return promises;
  }
  /// The table as others see it.
  Reservations Table() { return {layout_->head(), fs_uuid()}; }
  std::vector<Reservation> Rows() {
    return LoadReservations(layout_->head(), fs_uuid());
  }
  [[nodiscard]] const Uuid& fs_uuid() const {
    return layout_->superblock().fs_uuid;
  }
  [[nodiscard]] std::uint64_t Free() const {
    return log_->player().allocator().free_bytes();
  }
  static MediaExtent Unit(std::uint64_t number) {
    return {0, kGiB + number * kAllocUnit, kAllocUnit};
  }

  std::unique_ptr<Layout> layout_;
  std::unique_ptr<OwnedLog> log_;
};

TEST_F(PromisesTest, AllOfThemAreMadeOrNone) {
  Promises promises = Taken();
  const std::vector<MediaExtent> many(kReservationRows - 2, Unit(0));
  Promises::Rows rows;
  ASSERT_OK(promises.Make(many, rows));
  Promises::Rows more;
  const std::vector<MediaExtent> three = {Unit(1), Unit(2), Unit(3)};
  EXPECT_TRUE(absl::IsResourceExhausted(promises.Make(three, more)));
  EXPECT_TRUE(more.empty());
  EXPECT_EQ(Rows().size(), many.size());
  EXPECT_OK(promises.Make(std::span(three).first(2), more));
  promises.End(rows);
  promises.End(more);
  EXPECT_TRUE(Rows().empty());
}

TEST_F(PromisesTest, AnotherHostsAreTakenUntilItGivesThemUp) {
  Reservations table = Table();
  const auto row = table.Add(
      {.extent = Unit(0), .holder = Uuid::Random(), .epoch = log_->epoch()});
  ASSERT_OK(row);
  const std::uint64_t free = Free();
  Promises promises = Taken();
  EXPECT_EQ(promises.lost().size(), 1U);
  EXPECT_EQ(promises.lost_bytes(), kAllocUnit);
  EXPECT_EQ(Free(), free - kAllocUnit);
  promises.EndLost(*log_);
  EXPECT_EQ(promises.lost().size(), 1U);
  table.Clear(*row);
  promises.EndLost(*log_);
  EXPECT_TRUE(promises.lost().empty());
  EXPECT_EQ(Free(), free);
}

TEST_F(PromisesTest, ThisHostsAreOverWhenNobodyElseCanWriteHere) {
  ASSERT_OK(Table().Add(
      {.extent = Unit(0), .holder = system_uuid_, .epoch = log_->epoch() + 1}));
  EXPECT_EQ(Taken(false).lost().size(), 1U);
  EXPECT_EQ(Rows().size(), 1U);
  EXPECT_TRUE(Taken(true).lost().empty());
  EXPECT_TRUE(Rows().empty());
}

TEST_F(PromisesTest, RetractingLeavesRowsThatASuccessorUsesByNow) {
  Promises promises = Taken();
  Promises::Rows rows;
  const std::vector<MediaExtent> two = {Unit(0), Unit(1)};
  ASSERT_OK(promises.Make(two, rows));
  Reservations successors = Table();
  successors.Clear(rows[0]);
  const auto again = successors.Add({.extent = Unit(7),
                                     .holder = Uuid::Random(),
                                     .epoch = log_->epoch() + 1});
  ASSERT_OK(again);
  promises.Retract(rows);
  const std::vector<Reservation> left = Rows();
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].record.extent, Unit(7));
}

}  // namespace
}  // namespace famfs
