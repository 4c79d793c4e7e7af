// Dax devices as a table and as JSON: for famfs devices.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/uuid.h"
#include "dax/dax_bus.h"
#include "tools/common/context.h"

namespace famfs {

/// A device, and what is to be told of it beside.
struct ShownDax {
  DaxRecord record{};
  std::optional<Uuid> fs_uuid{};       // of the famfs on it
  std::vector<std::string> holders{};  // processes that have it open or mapped
  bool has_node = true;                // `record.path` is there
};

/// "ok", or what is wrong with it, in a few words.
std::string HealthOf(const ShownDax& device);

/// A line each, under a headline; ends with a newline.
std::string DaxTable(const std::vector<ShownDax>& devices);
Json DaxJson(const std::vector<ShownDax>& devices);

}  // namespace famfs
