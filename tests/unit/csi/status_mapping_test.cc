#include "csi/rpc/status_mapping.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace famfs::csi {
namespace {

struct Case {
  absl::StatusCode code;
  grpc::StatusCode mapped;
  const char* name;
};

constexpr Case kCases[] = {
    {absl::StatusCode::kCancelled, grpc::CANCELLED, "CANCELLED"},
    {absl::StatusCode::kUnknown, grpc::UNKNOWN, "UNKNOWN"},
    {absl::StatusCode::kInvalidArgument, grpc::INVALID_ARGUMENT,
     "INVALID_ARGUMENT"},
    {absl::StatusCode::kDeadlineExceeded, grpc::DEADLINE_EXCEEDED,
     "DEADLINE_EXCEEDED"},
    {absl::StatusCode::kNotFound, grpc::NOT_FOUND, "NOT_FOUND"},
    {absl::StatusCode::kAlreadyExists, grpc::ALREADY_EXISTS, "ALREADY_EXISTS"},
    {absl::StatusCode::kPermissionDenied, grpc::PERMISSION_DENIED,
     "PERMISSION_DENIED"},
    {absl::StatusCode::kResourceExhausted, grpc::RESOURCE_EXHAUSTED,
     "RESOURCE_EXHAUSTED"},
    {absl::StatusCode::kFailedPrecondition, grpc::FAILED_PRECONDITION,
     "FAILED_PRECONDITION"},
    {absl::StatusCode::kAborted, grpc::ABORTED, "ABORTED"},
    {absl::StatusCode::kOutOfRange, grpc::OUT_OF_RANGE, "OUT_OF_RANGE"},
    {absl::StatusCode::kUnimplemented, grpc::UNIMPLEMENTED, "UNIMPLEMENTED"},
    {absl::StatusCode::kInternal, grpc::INTERNAL, "INTERNAL"},
    {absl::StatusCode::kUnavailable, grpc::UNAVAILABLE, "UNAVAILABLE"},
    {absl::StatusCode::kDataLoss, grpc::DATA_LOSS, "DATA_LOSS"},
    {absl::StatusCode::kUnauthenticated, grpc::UNAUTHENTICATED,
     "UNAUTHENTICATED"},
};

class EveryCode : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(StatusMapping, EveryCode, testing::ValuesIn(kCases),
                         [](const auto& of) { return of.param.name; });

TEST_P(EveryCode, KeepsItsCodeAndMessage) {
  const grpc::Status mapped =
      ToGrpcStatus(absl::Status(GetParam().code, "the pool is full"));
  EXPECT_EQ(mapped.error_code(), GetParam().mapped);
  EXPECT_EQ(mapped.error_message(), "the pool is full");
  EXPECT_TRUE(mapped.error_details().empty());
  EXPECT_EQ(CodeName(GetParam().code), GetParam().name);
}

TEST_P(EveryCode, NeverHasAnEmptyMessage) {
  const grpc::Status mapped = ToGrpcStatus(absl::Status(GetParam().code, ""));
  EXPECT_EQ(mapped.error_code(), GetParam().mapped);
  EXPECT_NE(mapped.error_message().find(GetParam().name), std::string::npos);
}

TEST(StatusMapping, OkHasNoMessage) {
  const grpc::Status mapped = ToGrpcStatus(absl::OkStatus());
  EXPECT_TRUE(mapped.ok());
  EXPECT_TRUE(mapped.error_message().empty());
}

TEST(StatusMapping, ACodeOutsideTheSetIsUnknown) {
  const absl::Status odd(static_cast<absl::StatusCode>(4711), "odd");
  EXPECT_EQ(ToGrpcStatus(odd).error_code(), grpc::UNKNOWN);
}

TEST(StatusMapping, DetailsStayEmptyWhenThereIsAPayload) {
  absl::Status status = absl::NotFoundError("gone");
  status.SetPayload("type.example/x", absl::Cord("payload"));
  EXPECT_TRUE(ToGrpcStatus(status).error_details().empty());
}

TEST(StatusMapping, AnEndlessMessageIsCutAndBadBytesAreEscaped) {
  const std::string text = "\xff\xc3" + std::string(100'000, 'x') + "\xc3\xa4";
  const std::string message =
      ToGrpcStatus(absl::InternalError(text)).error_message();
  EXPECT_EQ(message.size(), kMaxStatusMessage);
  EXPECT_TRUE(message.starts_with("\\xff\\xc3x"));
  EXPECT_TRUE(IsValidUtf8(message));
}

}  // namespace
}  // namespace famfs::csi
