#include "csi/logging.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>

namespace famfs::csi {
namespace {

class LoggingTest : public testing::Test {
 protected:
  LoggingTest() : old_(spdlog::default_logger()) {}
  ~LoggingTest() override { spdlog::set_default_logger(old_); }

  // What one warning and one debug message leave on stderr.
  static std::string Write(LogFormat format, LogLevel level,
                           const std::string& message) {
    testing::internal::CaptureStderr();
    SetUpLogging({format, level}, "famfs-csi-test");
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

TEST_F(LoggingTest, TextIsOneReadableLine) {
  EXPECT_THAT(
      Write(LogFormat::kText, LogLevel::kInfo, "the pool is nearly full"),
      testing::MatchesRegex(
          std::string(kTime) +
          " warning famfs-csi-test: the pool is nearly full\n"));
}

TEST_F(LoggingTest, JsonIsOneObjectALineWhateverIsInIt) {
  const std::string message = "a \"quoted\"\nname \xff";
  const std::string line = Write(LogFormat::kJson, LogLevel::kInfo, message);
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  const auto object = nlohmann::json::parse(line);
  EXPECT_EQ(object["level"], "warning");
  EXPECT_EQ(object["program"], "famfs-csi-test");
  EXPECT_EQ(object["message"], "a \"quoted\"\nname \xef\xbf\xbd");
  EXPECT_THAT(object["time"].get<std::string>(), testing::MatchesRegex(kTime));
}

TEST_F(LoggingTest, WhatIsWrittenIsCounted) {
  const LoggedLines before = GetLoggedLines();
  Write(LogFormat::kText, LogLevel::kInfo, "x");  // one warning
  spdlog::error("y");
  EXPECT_EQ(GetLoggedLines().warnings, before.warnings + 1);
  EXPECT_EQ(GetLoggedLines().errors, before.errors + 1);
  Write(LogFormat::kText, LogLevel::kError, "left out");
  EXPECT_EQ(GetLoggedLines().warnings, before.warnings + 1);
}

TEST_F(LoggingTest, TheLevelDecidesWhatIsWritten) {
  EXPECT_THAT(Write(LogFormat::kText, LogLevel::kDebug, "x"),
              testing::HasSubstr("a detail"));
  EXPECT_EQ(Write(LogFormat::kText, LogLevel::kError, "x"), "");
}

}  // namespace
}  // namespace famfs::csi
