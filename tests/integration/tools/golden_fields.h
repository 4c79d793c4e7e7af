// A golden image's description (tests/compat/golden/*.fields.txt) as what
// `famfs dump --json` must show: pairs of a JSON pointer and the value there.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace famfs {

struct ExpectedField {
  std::string pointer;  // "/entries/1/file/size"
  nlohmann::json value;
  std::string line;  // of the description, for messages
};

/// Throws std::runtime_error for a line or a word that it does not know, so
/// that no field of the description can go unchecked.
std::vector<ExpectedField> ReadGoldenFields(const std::string& path);

}  // namespace famfs
