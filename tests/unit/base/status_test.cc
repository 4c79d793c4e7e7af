#include "base/status.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "tests/unit/base/status_matchers.h"

namespace famfs {
namespace {

using testing::HasError;
using testing::IsOk;

absl::StatusOr<int> Half(int value) {
  if (value % 2 != 0) return InvalidArgument("{} is odd", value);
  return value / 2;
}

absl::Status CheckQuarter(int value, int* quarter) {
  FAMFS_ASSIGN_OR_RETURN(const int half, Half(value));
  FAMFS_ASSIGN_OR_RETURN(*quarter, Half(half));
  return absl::OkStatus();
}

absl::StatusOr<int> QuarterOf(int value) {
  int quarter = 0;
  FAMFS_RETURN_IF_ERROR(CheckQuarter(value, &quarter));
  return quarter;
}

TEST(StatusTest, ErrnoGetsTheCodeThatFits) {
  const struct {
    int error_number;
    absl::StatusCode code;
  } cases[] = {
      {ENOENT, absl::StatusCode::kNotFound},
      {EEXIST, absl::StatusCode::kAlreadyExists},
      {EACCES, absl::StatusCode::kPermissionDenied},
      {EPERM, absl::StatusCode::kPermissionDenied},
      {EROFS, absl::StatusCode::kPermissionDenied},
      {ENOSPC, absl::StatusCode::kResourceExhausted},
      {EDQUOT, absl::StatusCode::kResourceExhausted},
      {ENOMEM, absl::StatusCode::kUnavailable},
      {EMFILE, absl::StatusCode::kUnavailable},
      {ENFILE, absl::StatusCode::kUnavailable},
      {ENOBUFS, absl::StatusCode::kUnavailable},
      {EINVAL, absl::StatusCode::kInvalidArgument},
      {EBUSY, absl::StatusCode::kUnavailable},
      {EAGAIN, absl::StatusCode::kUnavailable},
      {EOPNOTSUPP, absl::StatusCode::kUnimplemented},
      {EIO, absl::StatusCode::kInternal},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(ErrnoError(c.error_number, "x").code(), c.code)
        << "errno " << c.error_number;
  }
  EXPECT_EQ(Message(ErrnoError(ENOENT, "open /x")),
            "open /x: No such file or directory");
}

TEST(StatusTest, AnnotationKeepsTheCodeAndLeavesOkAlone) {
  EXPECT_THAT(Annotate(absl::OkStatus(), "reading /x"), IsOk());
  const absl::Status status = Annotate(DataLoss("bad magic {:#x}", 255), "/x");
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Message(status), "/x: bad magic 0xff");
}

TEST(StatusTest, MacrosHandOnTheFirstError) {
  EXPECT_EQ(*QuarterOf(12), 3);
  EXPECT_THAT(QuarterOf(7),
              HasError(absl::StatusCode::kInvalidArgument, "7 is odd"));
  EXPECT_THAT(QuarterOf(6),
              HasError(absl::StatusCode::kInvalidArgument, "3 is odd"));
}

}  // namespace
}  // namespace famfs
