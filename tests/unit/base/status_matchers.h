// GoogleTest matchers for absl::Status and absl::StatusOr, which Debian 12's
// abseil lacks.
//
//   EXPECT_THAT(Parse("x"), IsOk());
//   EXPECT_THAT(Parse("y"), HasError(absl::StatusCode::kInvalidArgument,
//   "\"y\"")); FAMFS_ASSERT_OK_AND_ASSIGN(auto value, Parse("x"));
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <gmock/gmock.h>

#include <string>
#include <utility>

#include "base/status.h"

namespace famfs::testing {

inline const absl::Status& StatusOf(const absl::Status& status) {
  return status;
}
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& value) {
  return value.status();
}

MATCHER(IsOk, "is OK") {
  const absl::Status& status = StatusOf(arg);
  *result_listener << status;
  return status.ok();
}

/// The code, and a text that the message must contain.
MATCHER_P2(HasError, code, text, "is an error of that code with that text") {
  const absl::Status& status = StatusOf(arg);
  *result_listener << status;
  return status.code() == code &&
         Message(status).find(text) != std::string_view::npos;
}

}  // namespace famfs::testing

#define FAMFS_ASSERT_OK_AND_ASSIGN(lhs, expr)                                  \
  FAMFS_ASSERT_OK_AND_ASSIGN_IMPL(FAMFS_CONCAT(famfs_test_or_, __LINE__), lhs, \
                                  expr)
#define FAMFS_ASSERT_OK_AND_ASSIGN_IMPL(tmp, lhs, expr) \
  auto tmp = (expr);                                    \
  ASSERT_TRUE(tmp.ok()) << tmp.status();                \
  lhs = std::move(tmp).value()
