// Errors are values with gRPC's canonical codes (absl::Status). This header
// adds the few things that Debian 12's abseil lacks: formatted constructors,
// errno conversion and the two propagation macros.
//
//   absl::Status Open(const std::string& path) {
//     FAMFS_ASSIGN_OR_RETURN(UniqueFd fd, OpenFile(path, O_RDONLY));
//     if (size == 0) return InvalidArgument("{}: is empty", path);
//     FAMFS_RETURN_IF_ERROR(Check(fd));
//   }
//
// Choose the code by what the caller should do next:
//   InvalidArgument     the request is wrong; the same call never succeeds
//   NotFound            the thing named does not exist
//   AlreadyExists       it exists, and differs from what was asked for
//   OutOfRange          a size or offset beyond what can be
//   ResourceExhausted   no room now (space, log slots)
//   FailedPrecondition  mend the state first, then call again
//   Unavailable         call again later
//   Aborted             somebody else is at it; retry the whole sequence
//   DataLoss            what is on the medium is damaged
//   PermissionDenied    not yours (owner, mode)
//   Unimplemented       this kind of device or path cannot do it
//   Internal            our own bug
//
// Debian's abseil is built with its own string_view, which does not convert
// from std::string_view. House rule: our interfaces use std::string_view,
// messages are made with fmt (never absl::StrCat), and a status' message is
// read by Message().
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

namespace famfs {

inline std::string_view Message(const absl::Status& status) {
  return {status.message().data(), status.message().size()};
}

/// The status with `context: ` before its message, and its payloads. OK stays
/// OK.
[[nodiscard]] absl::Status Annotate(const absl::Status& status,
                                    std::string_view context);

/// `context: strerror(error_number)` with the code that fits the errno
/// (ENOENT NotFound, EEXIST AlreadyExists, EACCES and EPERM PermissionDenied,
/// ENOSPC and EDQUOT ResourceExhausted, EINVAL InvalidArgument; EBUSY, EAGAIN
/// and what passes, such as EMFILE and ENOMEM, Unavailable; anything else
/// Internal).
[[nodiscard]] absl::Status ErrnoError(int error_number,
                                      std::string_view context);

#define FAMFS_DEFINE_ERROR(Name)                                      \
  template <typename... Args>                                         \
  [[nodiscard]] absl::Status Name(fmt::format_string<Args...> format, \
                                  Args&&... args) {                   \
    return absl::Name##Error(                                         \
        fmt::format(format, std::forward<Args>(args)...));            \
  }
FAMFS_DEFINE_ERROR(Aborted)
FAMFS_DEFINE_ERROR(AlreadyExists)
FAMFS_DEFINE_ERROR(DataLoss)
FAMFS_DEFINE_ERROR(FailedPrecondition)
FAMFS_DEFINE_ERROR(Internal)
FAMFS_DEFINE_ERROR(InvalidArgument)
FAMFS_DEFINE_ERROR(NotFound)
FAMFS_DEFINE_ERROR(OutOfRange)
FAMFS_DEFINE_ERROR(PermissionDenied)
FAMFS_DEFINE_ERROR(ResourceExhausted)
FAMFS_DEFINE_ERROR(Unavailable)
FAMFS_DEFINE_ERROR(Unimplemented)
#undef FAMFS_DEFINE_ERROR

/// Names the reason for which an error is dropped on purpose.
inline void IgnoreError(const absl::Status& /*status*/, const char* /*why*/) {}

}  // namespace famfs

#define FAMFS_CONCAT_INNER(a, b) a##b
#define FAMFS_CONCAT(a, b) FAMFS_CONCAT_INNER(a, b)

#define FAMFS_RETURN_IF_ERROR(expr)                                   \
  do {                                                                \
    if (::absl::Status famfs_status_ = (expr); !famfs_status_.ok()) { \
      return famfs_status_;                                           \
    }                                                                 \
  } while (false)

#define FAMFS_ASSIGN_OR_RETURN(lhs, expr) \
  FAMFS_ASSIGN_OR_RETURN_IMPL(FAMFS_CONCAT(famfs_or_, __LINE__), lhs, expr)
#define FAMFS_ASSIGN_OR_RETURN_IMPL(tmp, lhs, expr) \
  auto tmp = (expr);                                \
  if (!tmp.ok()) return std::move(tmp).status();    \
  lhs = std::move(tmp).value()
