#include "csi/telemetry/logging.h"

#include <grpc/grpc.h>
#include <grpc/support/log.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

namespace famfs::csi {
namespace {

class LoggingTest : public testing::Test {
 protected:
  LoggingTest() : old_(spdlog::default_logger()) {}
  ~LoggingTest() override { spdlog::set_default_logger(old_); }

  static void Write(LogLevel level) {
    testing::internal::CaptureStderr();
    SetUpLogging({LogFormat::kText, level}, "famfs-csi-test");
    spdlog::warn("x");
    spdlog::error("y");
    spdlog::info("z");
    output_ = testing::internal::GetCapturedStderr();
  }

  static inline std::string output_;

 private:
  std::shared_ptr<spdlog::logger> old_;
};

TEST_F(LoggingTest, WhatIsWrittenIsCounted) {
  const LoggedLines before = GetLoggedLines();
  Write(LogLevel::kInfo);
  EXPECT_EQ(GetLoggedLines().warnings, before.warnings + 1);
  EXPECT_EQ(GetLoggedLines().errors, before.errors + 1);
  Write(LogLevel::kError);  // leaves the warning out
  EXPECT_EQ(GetLoggedLines().warnings, before.warnings + 1);
  EXPECT_EQ(GetLoggedLines().errors, before.errors + 2);
}

TEST_F(LoggingTest, TheLevelDecidesWhatIsWritten) {
  Write(LogLevel::kWarning);
  EXPECT_EQ(output_.find("famfs-csi-test: z"), std::string::npos) << output_;
  EXPECT_NE(output_.find("famfs-csi-test: x"), std::string::npos) << output_;
  Write(LogLevel::kInfo);
  EXPECT_NE(output_.find("famfs-csi-test: z"), std::string::npos) << output_;
}

TEST_F(LoggingTest, GrpcsMessagesTakeTheSameWay) {
  grpc_init();  // before, gRPC writes nothing
  testing::internal::CaptureStderr();
  SetUpLogging({LogFormat::kText, LogLevel::kInfo}, "famfs-csi-test");
  gpr_log(GPR_ERROR, "%s", "a\nb");
  const std::string output = testing::internal::GetCapturedStderr();
  grpc_shutdown();
  EXPECT_NE(output.find("famfs-csi-test: gRPC: a\\nb\n"), std::string::npos)
      << output;
}

}  // namespace
}  // namespace famfs::csi
