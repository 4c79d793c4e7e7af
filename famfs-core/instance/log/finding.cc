#include "instance/log/finding.h"

#include <fmt/format.h>

namespace famfs {

std::string_view ToString(Severity severity) {
  switch (severity) {
    case Severity::kError:
      return "error";
    case Severity::kMissing:
      return "missing";
    case Severity::kUnfinished:
      return "unfinished";
  }
  return "error";
}

std::string Finding::ToString() const {
  const std::string_view kind = famfs::ToString(severity);
  if (!entry) return fmt::format("{}: {}: {}", kind, rule, message);
  return fmt::format("{}: entry {}: {}: {}", kind, *entry, rule, message);
}

}  // namespace famfs
