#include "tools/show/dump_text.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "media/format.h"
#include "tools/show/dump_json.h"

namespace famfs {
namespace {

/// "16-18, 24, 40-54": byte offsets, which are many.
std::string RangesText(const Json& numbers) {
  std::string text;
  for (std::size_t i = 0; i < numbers.size();) {
    std::size_t last = i;
    while (last + 1 < numbers.size() &&
           numbers[last + 1].get<std::uint64_t>() ==
               numbers[last].get<std::uint64_t>() + 1) {
      ++last;
    }
    if (!text.empty()) text += ", ";
    text += std::to_string(numbers[i].get<std::uint64_t>());
    if (last > i) {
      text += '-' + std::to_string(numbers[last].get<std::uint64_t>());
    }
    i = last + 1;
  }
  return text.empty() ? "none" : text;
}

std::string ScalarText(const Json& value) {
  // Names come from the medium: no terminal may act on them.
  if (value.is_string()) return Printable(value.get<std::string>());
  if (value.is_null()) return "none";
  return value.dump();
}

/// Whether KEY_hex or KEY_octal only says again what KEY says.
bool IsTwin(const Json& object, const std::string& key) {
  for (const std::string_view suffix : {"_hex", "_octal"}) {
    if (!key.ends_with(suffix)) continue;
    const auto base = object.find(key.substr(0, key.size() - suffix.size()));
    if (base == object.end()) continue;
    if (base->is_number()) return true;
    if (!base->is_string()) continue;
    const auto text = base->get<std::string>();
    return object[key] == TrimmedHex(std::as_bytes(std::span(text)));
  }
  return false;
}

std::string WithTwin(const Json& object, const std::string& key,
                     const Json& value) {
  std::string text = ScalarText(value);
  if (!value.is_number()) return text;
  for (const char* const suffix : {"_hex", "_octal"}) {
    if (const auto twin = object.find(key + suffix); twin != object.end()) {
      text += " (" + ScalarText(*twin) + ")";
    }
  }
  return text;
}

/// An extent or a strip: its few fields on one line.
std::string LineText(const Json& object) {
  std::string text;
  for (const auto& [key, value] : object.items()) {
    if (IsTwin(object, key)) continue;
    if (!text.empty()) text += ", ";
    text += key + " " + WithTwin(object, key, value);
  }
  return text;
}

}  // namespace

std::string ToText(const Json& object, int depth) {
  const std::string indent(static_cast<std::size_t>(depth) * 2, ' ');
  std::string text;
  for (const auto& [key, value] : object.items()) {
    if (IsTwin(object, key)) continue;
    if (value.is_object()) {
      text += indent + key + ":\n" + ToText(value, depth + 1);
    } else if (!value.is_array()) {
      text += indent + key + ": " + WithTwin(object, key, value) + "\n";
    } else if (value.empty() || value.front().is_number()) {
      text += indent + key + ": " + RangesText(value) + "\n";
    } else {
      text += indent + key + ":\n";
      for (const Json& item : value) {
        text += indent + "  - " +
                (item.is_object() ? LineText(item) : ScalarText(item)) + "\n";
      }
    }
  }
  return text;
}

}  // namespace famfs
