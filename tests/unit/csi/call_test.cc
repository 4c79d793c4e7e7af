#include "csi/rpc/call.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "csi/csi.pb.h"
#include "csi/rpc/redaction.h"
#include "tests/unit/csi/support.h"

namespace famfs::csi {
namespace {

namespace pb = ::csi::v1;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

class CallTest : public testing::Test {
 protected:
  CallTest() : old_(spdlog::default_logger()) {
    auto logger = std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(stream_));
    logger->set_pattern("%l %v");
    logger->set_level(spdlog::level::info);
    spdlog::set_default_logger(logger);
    SetCallObserver([this](const CallRecord& record) {
      methods_.emplace_back(record.method);
      codes_.push_back(record.code);
      subjects_.emplace_back(record.subject);
    });
  }
  ~CallTest() override {
    SetCallObserver({});
    spdlog::set_default_logger(old_);
  }

  std::string Log() const { return stream_.str(); }
  grpc::Status Create(absl::FunctionRef<absl::Status()> body) {
    return Serve(request_, &response_, body);
  }

  std::ostringstream stream_;
  std::shared_ptr<spdlog::logger> old_;
  std::vector<std::string> methods_;
  std::vector<absl::StatusCode> codes_;
  std::vector<std::string> subjects_;
  pb::CreateVolumeRequest request_;
  pb::CreateVolumeResponse response_;
};

TEST_F(CallTest, AGoodCallIsOneLineAndOneRecord) {
  request_.set_name("pvc-1");
  const grpc::Status status = Create([&] {
    response_.mutable_volume()->set_volume_id("v1:x");
    return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(response_.volume().volume_id(), "v1:x");
  EXPECT_THAT(Log(),
              MatchesRegex("info rpc CreateVolume OK [0-9.]+ ms name=pvc-1\n"));
  EXPECT_EQ(methods_, std::vector<std::string>{"CreateVolume"});
  EXPECT_EQ(codes_, std::vector{absl::StatusCode::kOk});
  EXPECT_EQ(subjects_, std::vector<std::string>{"name=pvc-1"});
}

TEST_F(CallTest, AFailedCallSaysWhyAndAnswersNothingElse) {
  pb::DeleteVolumeRequest request;
  request.set_volume_id("v1:1b4e28ba:d");
  const grpc::Status status = Serve(request, &response_, [&] {
    response_.mutable_volume()->set_volume_id("half made");
    return FailedPrecondition("in use");
  });
  EXPECT_EQ(status.error_code(), grpc::FAILED_PRECONDITION);
  EXPECT_EQ(status.error_message(), "in use");
  EXPECT_FALSE(response_.has_volume());
  EXPECT_THAT(Log(),
              MatchesRegex("warning rpc DeleteVolume FAILED_PRECONDITION "
                           "[0-9.]+ ms volume_id=v1:1b4e28ba:d: in use\n"));
}

TEST_F(CallTest, AnExceptionBecomesInternal) {
  const grpc::Status status =
      Create([]() -> absl::Status { throw std::runtime_error("bad luck"); });
  EXPECT_EQ(status.error_code(), grpc::INTERNAL);
  EXPECT_THAT(status.error_message(), HasSubstr("bad luck"));
  const grpc::Status other = Create([]() -> absl::Status { throw 42; });
  EXPECT_EQ(other.error_code(), grpc::INTERNAL);
  EXPECT_FALSE(other.error_message().empty());
}

TEST_F(CallTest, ARequestOverTheLimitsNeverReachesTheBody) {
  request_.set_name(std::string(129, 'x'));
  bool reached = false;
  const grpc::Status status = Create([&] {
    reached = true;
    return absl::OkStatus();
  });
  EXPECT_EQ(status.error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_FALSE(reached);
}

TEST_F(CallTest, AtDebugTheRequestIsShownWithoutItsSecrets) {
  spdlog::default_logger()->set_level(spdlog::level::debug);
  request_.set_name("pvc-1");
  (*request_.mutable_secrets())["password"] = "hunter2";
  request_.add_volume_capabilities()->mutable_mount()->add_mount_flags(
      "hunter3");
  EXPECT_TRUE(Create([] { return absl::OkStatus(); }).ok());
  EXPECT_THAT(Log(), HasSubstr("debug rpc CreateVolume request {name: "));
  EXPECT_THAT(Log(), HasSubstr(kRedacted));
  EXPECT_THAT(Log(), Not(HasSubstr("hunter")));
  EXPECT_THAT(Log(), Not(HasSubstr("password")));
}

TEST_F(CallTest, AtInfoNoRequestIsShown) {
  request_.set_name("pvc-1");
  (*request_.mutable_parameters())["pool"] = "fast";
  EXPECT_TRUE(Create([] { return absl::OkStatus(); }).ok());
  EXPECT_THAT(Log(), Not(HasSubstr("fast")));
}

TEST_F(CallTest, ANameCannotForgeALogLine) {
  request_.set_name("a\ninfo rpc DeleteVolume OK");
  EXPECT_TRUE(Create([] { return absl::OkStatus(); }).ok());
  EXPECT_THAT(Log(), HasSubstr("a\\ninfo"));
  const std::string log = Log();
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1);
}

TEST_F(CallTest, AGoodProbeIsNoNews) {
  pb::ProbeResponse response;
  EXPECT_TRUE(Serve(pb::ProbeRequest(), &response, [] {
                return absl::OkStatus();
              }).ok());
  EXPECT_EQ(Log(), "");
  EXPECT_EQ(methods_, std::vector<std::string>{"Probe"});
}

TEST(Require, MissingThingsAreNamed) {
  EXPECT_TRUE(Require("x", "volume_id").ok());
  ExpectError(Require("", "volume_id"), absl::StatusCode::kInvalidArgument,
              "volume_id is missing");
  EXPECT_TRUE(RequirePath("/x", "target_path").ok());
  ExpectError(RequirePath("", "target_path"),
              absl::StatusCode::kInvalidArgument, "target_path is missing");
  ExpectError(RequirePath("x/y", "target_path"),
              absl::StatusCode::kInvalidArgument, "absolute");
}

}  // namespace
}  // namespace famfs::csi
