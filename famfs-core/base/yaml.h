// A YAML file of nested mappings, such as a configuration, read with the
// position of every mistake: errors are InvalidArgument, "FILE:LINE:COLUMN:
// ...", with what stands there and what should.
//
//   FAMFS_ASSIGN_OR_RETURN(const YamlMap top,
//                          YamlMap::Parse(text, file, kTopKeys));
//   FAMFS_ASSIGN_OR_RETURN(const YamlMap log, top.Map("log", kLogKeys));
//   FAMFS_RETURN_IF_ERROR(log.Read("level", options.level, ParseLevel));
#pragma once

#include <yaml-cpp/yaml.h>

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace famfs {

/// What messages say of a file. The views are of constants.
struct YamlFile {
  std::string path;
  std::string_view needs;  // an empty file lacks that at least
  std::string_view hint;   // where something of another kind is needed
};

/// A mapping whose keys are all known and differ. A key without a value
/// ("nodeId:") counts as absent. Owns what it was parsed from; for one thread
/// at a time, with all that came from the same document.
class YamlMap {
 public:
  /// The mapping that is the whole of `text`: UTF-8, one document.
  static absl::StatusOr<YamlMap> Parse(std::string_view text,
                                       const YamlFile& file,
                                       std::span<const std::string_view> known);

  [[nodiscard]] bool Has(std::string_view key) const {
    return Find(key) != nullptr;
  }
  /// The sub-mapping; empty (with no key) when absent.
  absl::StatusOr<YamlMap> Map(std::string_view key,
                              std::span<const std::string_view> known) const;
  /// The elements of a list, each a mapping; empty when absent.
  absl::StatusOr<std::vector<YamlMap>> List(
      std::string_view key, std::span<const std::string_view> known) const;

  /// Leaves `target` alone when the key is absent; `parse` turns a string_view
  /// into a StatusOr<T>, and its error gets the position and the key.
  template <typename T, typename Parse>
  [[nodiscard]] absl::Status Read(std::string_view key, T& target,
                                  Parse parse) const {
    FAMFS_ASSIGN_OR_RETURN(const std::string* const text, Scalar(key));
    if (text == nullptr) return absl::OkStatus();
    auto value = parse(std::string_view(*text));
    if (!value.ok()) return ErrorAt(key, value.status());
    target = *std::move(value);
    return absl::OkStatus();
  }

  /// A list of single values, each through `parse` as above; empty when absent.
  /// Errors have the position and number of the element.
  template <typename T, typename Parse>
  [[nodiscard]] absl::Status ReadList(std::string_view key,
                                      std::vector<T>& target,
                                      Parse parse) const {
    FAMFS_ASSIGN_OR_RETURN(const std::vector<std::string> texts, Texts(key));
    for (std::size_t i = 0; i < texts.size(); ++i) {
      absl::StatusOr<T> value = parse(std::string_view(texts[i]));
      if (!value.ok()) return ErrorAt(key, i, value.status());
      target.push_back(*std::move(value));
    }
    return absl::OkStatus();
  }

  /// An error at a key that stands there without a value; OK when it is absent
  /// or has one.
  [[nodiscard]] absl::Status RefuseEmpty(std::string_view key) const;

  /// An InvalidArgument at the key's value (at the mapping when absent).
  [[nodiscard]] absl::Status ErrorAt(std::string_view key,
                                     const absl::Status& error) const;
  /// The same at an element of the key's list.
  [[nodiscard]] absl::Status ErrorAt(std::string_view key, std::size_t element,
                                     const absl::Status& error) const;
  /// "FILE:LINE:COLUMN" of the mapping.
  [[nodiscard]] std::string Location() const;

 private:
  struct Entry {
    std::string key;
    YAML::Mark mark;   // the key's
    YAML::Node value;  // null: it has none
  };
  YamlMap(YamlFile file, std::string name)
      : file_(std::move(file)), name_(std::move(name)) {}
  /// `name` stands in messages ("driver", "pools[0]"; empty: the document).
  static absl::StatusOr<YamlMap> Make(const YAML::Node& node,
                                      const YamlFile& file,
                                      const std::string& name,
                                      std::span<const std::string_view> known);
  [[nodiscard]] const YAML::Node* Find(std::string_view key) const;
  [[nodiscard]] std::string Path(std::string_view key) const;
  /// nullptr when absent.
  absl::StatusOr<const std::string*> Scalar(std::string_view key) const;
  absl::StatusOr<std::vector<std::string>> Texts(std::string_view key) const;

  YamlFile file_;
  std::string name_;
  YAML::Mark mark_ = YAML::Mark::null_mark();
  std::vector<Entry> entries_;
};

}  // namespace famfs
