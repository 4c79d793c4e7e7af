// What several tests of this room need.
#pragma once

#include <absl/status/status.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>

#include <chrono>
#include <ctime>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/status.h"

namespace famfs::csi {

/// Polls `done` every millisecond for at most ten seconds.
template <typename Predicate>
bool WaitUntil(Predicate done) {
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::seconds(10);
  const timespec interval = {0, 1'000'000};
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    ppoll(nullptr, 0, &interval, nullptr);
  }
  return true;
}

/// A directory that goes with the test.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = std::filesystem::temp_directory_path() / "csi.XXXXXX";
    path_ = mkdtemp(name.data());
  }
  ~TemporaryDirectory() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  std::string File(std::string_view name) const {
    return path_ + "/" + std::string(name);
  }

 private:
  std::string path_;
};

inline void ExpectError(const absl::Status& status, absl::StatusCode code,
                        std::string_view part) {
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_NE(Message(status).find(part), std::string_view::npos)
      << "\"" << Message(status) << "\" does not contain \"" << part << "\"";
}

}  // namespace famfs::csi
