#include "node/mounts/questions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>
#include <utility>
#include <vector>

namespace famfs::node {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr seconds kLong{60};
constexpr milliseconds kShort{20};

Questions::Work Say(const std::string& text) {
  return [text] { return Questions::Answer{.text = text}; };
}

// A server that does not answer until it is let go.
class Silence {
 public:
  ~Silence() { Release(); }
  Questions::Work Work() {
    return [this, gate = opened_] {
      ++begun;
      begun.notify_all();
      gate.wait();
      return Questions::Answer{.text = "late"};
    };
  }
  void Release() {
    if (!std::exchange(released_, true)) gate_.set_value();
  }
  std::atomic<int> begun = 0;

 private:
  std::promise<void> gate_;
  std::shared_future<void> opened_{gate_.get_future()};
  bool released_ = false;
};

TEST(Questions, AreAnswered) {
  Questions questions("somebody", "ask them");
  const auto answer = questions.Ask("what", kLong, Say("that"));
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ((*answer)->text, "that");
  const auto refused = questions.Ask(
      "more", kLong,
      []() -> absl::StatusOr<Questions::Answer> { return NotFound("no"); });
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kNotFound);
}

TEST(Questions, ThatAreNotAnsweredNameWhoDoesNot) {
  Silence silence;
  Questions questions("famfs-fused", "see its log");
  const auto none = questions.Ask("/a", kShort, silence.Work());
  EXPECT_EQ(none.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(Message(none.status())),
              HasSubstr("/a: famfs-fused did not answer"));
  EXPECT_THAT(std::string(Message(none.status())), HasSubstr("see its log"));
  EXPECT_EQ(questions.overdue(), 1U);
  // The same is not asked twice: who joins gets the answer under way.
  auto joined = std::async(std::launch::async, [&] {
    return questions.Ask("/a", kLong, Say("a second question"));
  });
  while (questions.waiting() == 0) std::this_thread::yield();
  EXPECT_EQ(questions.Ask("/a", kShort, Say("a third")).status().code(),
            absl::StatusCode::kUnavailable);
  silence.Release();
  const auto late = joined.get();
  ASSERT_TRUE(late.ok());
  EXPECT_EQ((*late)->text, "late");
  EXPECT_EQ(silence.begun, 1);
  EXPECT_EQ(questions.overdue(), 0U);
}

TEST(Questions, AsManyAsThereAreAreAnsweredByFewHelpers) {
  Questions questions("somebody", "ask them");
  std::atomic<int> at_once = 0;
  std::atomic<int> most = 0;
  std::vector<std::future<Questions::Result>> calls;
  for (int i = 0; i < 200; ++i) {
    calls.push_back(std::async(std::launch::async, [&, i] {
      return questions.Ask(std::to_string(i), kLong, [&] {
        const int now = ++at_once;
        for (int seen = most; now > seen;) {
          if (most.compare_exchange_weak(seen, now)) break;
        }
        --at_once;
        return Questions::Answer{};
      });
    }));
  }
  for (auto& call : calls) EXPECT_TRUE(call.get().ok());
  EXPECT_LE(most, 16);
}

TEST(Questions, OfOneWhoHangsTakeNoHelperOfAnother) {
  Silence silence;
  Questions stuck("stuck", "mend it");
  Questions good("good", "-");
  std::vector<std::future<Questions::Result>> calls;
  for (int i = 0; i < 100; ++i) {
    calls.push_back(std::async(std::launch::async, [&, i] {
      return stuck.Ask(std::to_string(i), kShort, silence.Work());
    }));
  }
  for (auto& call : calls) {
    EXPECT_EQ(call.get().status().code(), absl::StatusCode::kUnavailable);
  }
  EXPECT_LE(silence.begun, 16);
  EXPECT_TRUE(good.Ask("1", kLong, Say("yes")).ok());
  // What nobody waits for any more is not asked at all.
  silence.Release();
  EXPECT_TRUE(stuck.Ask("after", kLong, Say("well again")).ok());
  EXPECT_LE(silence.begun, 16);
}

TEST(Questions, EndForWhoeverWaits) {
  Silence silence;
  Questions questions("somebody", "ask them");
  auto waiting = std::async(std::launch::async, [&] {
    return questions.Ask("/a", std::chrono::hours(1), silence.Work());
  });
  silence.begun.wait(0);
  questions.Stop();
  EXPECT_EQ(waiting.get().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(questions.Ask("/b", kLong, Say("no")).status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_TRUE(questions.stopped());
}

}  // namespace
}  // namespace famfs::node
