#include "base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace famfs {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

class LogTest : public testing::Test {
 protected:
  LogTest() : old_(spdlog::default_logger()) {}
  ~LogTest() override { spdlog::set_default_logger(old_); }

  // What one warning and one debug message leave on stderr.
  static std::string Write(LogFormat format, const std::string& level,
                           const std::string& message) {
    testing::internal::CaptureStderr();
    SetUpLog("famfs-test", format, level);
    spdlog::warn("{}", message);
    spdlog::debug("a detail");
    return testing::internal::GetCapturedStderr();
  }

 private:
  std::shared_ptr<spdlog::logger> old_;
};

constexpr char kTime[] =
    "20[0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9]"
    "[.][0-9][0-9][0-9]Z";

TEST_F(LogTest, TextIsOneReadableLine) {
  EXPECT_THAT(Write(LogFormat::kText, "info", "the pool is nearly full"),
              MatchesRegex(std::string(kTime) +
                           " warning famfs-test: the pool is nearly full\n"));
}

TEST_F(LogTest, JsonIsOneObjectALine) {
  const std::string line =
      Write(LogFormat::kJson, "info", "a \"quoted\" \\ name \xff");
  const auto object = nlohmann::json::parse(line);
  EXPECT_EQ(object["level"], "warning");
  EXPECT_EQ(object["program"], "famfs-test");
  EXPECT_EQ(object["message"], "a \"quoted\" \\ name \\xff");
  EXPECT_THAT(object["time"].get<std::string>(), MatchesRegex(kTime));
}

TEST_F(LogTest, NoNameForgesALineOrHidesAnother) {
  const std::string forged = "2026-01-31T10:00:00.123Z error famfs-test: gone";
  const std::string message =
      "volume a\n" + forged + "\r\xe2\x80\xae\xe2\x80\xa8\x1b[2K\xc2\x9b";
  for (const LogFormat format : {LogFormat::kText, LogFormat::kJson}) {
    const std::string output = Write(format, "info", message);
    EXPECT_EQ(std::count(output.begin(), output.end(), '\n'), 1) << output;
    EXPECT_THAT(output, HasSubstr(forged));
    for (const char* trick :
         {"\r", "\xe2\x80\xae", "\xe2\x80\xa8", "\x1b", "\xc2\x9b"}) {
      EXPECT_THAT(output, Not(HasSubstr(trick)));
    }
  }
}

TEST_F(LogTest, TheLevelDecidesWhatIsWritten) {
  EXPECT_THAT(Write(LogFormat::kText, "debug", "x"), HasSubstr("a detail"));
  EXPECT_EQ(Write(LogFormat::kText, "error", "x"), "");
}

}  // namespace
}  // namespace famfs
