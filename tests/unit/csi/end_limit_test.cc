#include "csi/process/end_limit.h"

#include <gmock/gmock.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <chrono>

namespace famfs::csi {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using ::testing::ExitedWithCode;

TEST(EndLimitTest, WhatEndsInTimeIsLeftAlone) {
  for (const bool begun : {false, true}) {
    auto limit = EndLimit::Start([] { return "nothing"; });
    ASSERT_TRUE(limit.ok()) << limit.status();
    if (begun) {
      (*limit)->Begin(hours(1));
      (*limit)->Begin(milliseconds(0));  // the first one counts
    }
    limit->reset();
  }
}

TEST(EndLimitTest, WhatDoesNotEndIsEnded) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        spdlog::set_default_logger(spdlog::stderr_logger_mt("end"));
        const auto limit = EndLimit::Start([] { return "pool a: calls: 1"; });
        (*limit)->Begin(milliseconds(1));
        for (;;) ::pause();
      },
      ExitedWithCode(1), "does not come \\(pool a: calls: 1\\)");
}

}  // namespace
}  // namespace famfs::csi
