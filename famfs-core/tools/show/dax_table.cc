#include "tools/show/dax_table.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/units.h"

namespace famfs {
namespace {

constexpr std::size_t kColumns = 8;
using Row = std::array<std::string, kColumns>;

std::string SizeText(std::uint64_t bytes) {
  return bytes == 0 ? "-" : FormatSize(bytes);
}

Row RowOf(const ShownDax& device) {
  const DaxRecord& record = device.record;
  return {record.tag.is_nil() ? "-" : record.tag.ToString(),
          record.path,
          SizeText(record.size),
          SizeText(record.align),
          std::string(ToString(record.mode)),
          record.numa_node ? std::to_string(*record.numa_node) : "-",
          device.holders.empty()
              ? "-"
              : fmt::format("{}", fmt::join(device.holders, ", ")),
          HealthOf(device)};
}

}  // namespace

std::string HealthOf(const ShownDax& device) {
  const DaxRecord& record = device.record;
  if (!record.problems.empty()) return record.problems.front();
  if (record.size == 0) return "no memory";
  if (record.bad_bytes != 0) {
    return fmt::format("{} in bad blocks", FormatSize(record.bad_bytes));
  }
  if (record.mode == DaxMode::kNone) return "no driver";
  if (!device.has_node) return "no node in /dev";
  if (!record.tag_problem.empty()) return record.tag_problem;
  return "ok";
}

std::string DaxTable(const std::vector<ShownDax>& devices) {
  std::vector<Row> rows = {
      {"tag", "path", "size", "align", "mode", "numa", "holders", "health"}};
  for (const ShownDax& device : devices) rows.push_back(RowOf(device));
  std::array<std::size_t, kColumns> widths{};
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < kColumns; ++i) {
      widths.at(i) = std::max(widths.at(i), row.at(i).size());
    }
  }
  std::string text;
  for (const Row& row : rows) {
    for (std::size_t i = 0; i + 1 < kColumns; ++i) {
      text += fmt::format("{:<{}}  ", row.at(i), widths.at(i));
    }
    text += row.back() + "\n";
  }
  return text;
}

Json DaxJson(const std::vector<ShownDax>& devices) {
  Json json = Json::array();
  for (const ShownDax& device : devices) {
    const DaxRecord& record = device.record;
    json.push_back({{"tag", record.tag.is_nil() ? Json(nullptr)
                                                : Json(record.tag.ToString())},
                    {"tag_source", std::string(ToString(record.tag_source))},
                    {"path", record.path},
                    {"size", record.size},
                    {"align", record.align},
                    {"mode", std::string(ToString(record.mode))},
                    {"driver", JsonText(record.driver)},
                    {"numa_node", record.numa_node ? Json(*record.numa_node)
                                                   : Json(nullptr)},
                    {"holders", Json(device.holders)},
                    {"famfs", device.fs_uuid ? Json(device.fs_uuid->ToString())
                                             : Json(nullptr)},
                    {"bad_bytes", record.bad_bytes},
                    {"health", HealthOf(device)}});
  }
  return json;
}

}  // namespace famfs
