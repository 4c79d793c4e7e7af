#include "instance/finding.h"

#include <fmt/format.h>

namespace famfs {

std::string Finding::ToString() const {
  const char* kind = severity == Severity::kError ? "error" : "unfinished";
  if (!entry) return fmt::format("{}: {}: {}", kind, rule, message);
  return fmt::format("{}: entry {}: {}: {}", kind, *entry, rule, message);
}

}  // namespace famfs
