// Something wrong with an instance, as fsck and the player tell it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace famfs {

enum class Severity {
  kError,       // a rule of the format is broken
  kMissing,     // a device is not there, so what lies on it was not checked
  kUnfinished,  // an interrupted write; the next writer's opening completes it
};

/// "error", "missing", "unfinished".
std::string_view ToString(Severity severity);

struct Finding {
  Severity severity = Severity::kError;
  /// Index in the log, where there is one.
  std::optional<std::uint64_t> entry = std::nullopt;
  std::string rule;     // short and stable: "superblock", "crc", "overlap"
  std::string message;  // what is wrong, with the value, and where

  /// "error: entry 17: overlap: ..."
  [[nodiscard]] std::string ToString() const;
};

}  // namespace famfs
