#include "base/yaml.h"

#include <algorithm>
#include <exception>
#include <sstream>

#include "base/nearest.h"
#include "base/text.h"

namespace famfs {
namespace {

std::string Position(const YamlFile& file, const YAML::Mark& mark) {
  if (mark.is_null()) return file.path;
  return fmt::format("{}:{}:{}", file.path, mark.line + 1, mark.column + 1);
}

std::string_view KindOf(const YAML::Node& node) {
  switch (node.Type()) {
    case YAML::NodeType::Sequence:
      return "a list";
    case YAML::NodeType::Map:
      return "a mapping";
    case YAML::NodeType::Scalar:
      return "a single value";
    default:
      return "nothing";
  }
}

absl::Status WrongKind(const YamlFile& file, const YAML::Node& node,
                       const std::string& name, std::string_view wanted) {
  return InvalidArgument(
      "{}: {} must be {}, and {} stands here; {}", Position(file, node.Mark()),
      name.empty() ? "the file" : name, wanted, KindOf(node), file.hint);
}

absl::StatusOr<YAML::Node> LoadDocument(std::string_view text,
                                        const YamlFile& file) {
  if (!IsValidUtf8(text)) {
    return InvalidArgument("{}: is not UTF-8 text; save it as UTF-8",
                           file.path);
  }
  try {
    std::istringstream stream{std::string(text)};
    const std::vector<YAML::Node> documents = YAML::LoadAll(stream);
    if (documents.empty() || documents.front().IsNull()) {
      return InvalidArgument("{}: is empty; it needs at least {}", file.path,
                             file.needs);
    }
    if (documents.size() > 1) {
      return InvalidArgument(
          "{}: holds {} documents; leave one and remove the \"---\" lines "
          "between them",
          Position(file, documents[1].Mark()), documents.size());
    }
    return documents.front();
  } catch (const YAML::Exception& e) {
    return InvalidArgument("{}: is not YAML here: {}", Position(file, e.mark),
                           e.msg);
  } catch (const std::exception& e) {  // whatever the library meets itself
    return InvalidArgument("{}: is not YAML: {}", file.path, e.what());
  }
}

}  // namespace

absl::StatusOr<YamlMap> YamlMap::Parse(
    std::string_view text, const YamlFile& file,
    std::span<const std::string_view> known) {
  FAMFS_ASSIGN_OR_RETURN(const YAML::Node document, LoadDocument(text, file));
  return Make(document, file, "", known);
}

absl::StatusOr<YamlMap> YamlMap::Make(const YAML::Node& node,
                                      const YamlFile& file,
                                      const std::string& name,
                                      std::span<const std::string_view> known) {
  if (!node.IsMap()) return WrongKind(file, node, name, "a mapping of keys");
  YamlMap map(file, name);
  map.mark_ = node.Mark();
  for (const auto& pair : node) {
    const YAML::Mark mark = pair.first.Mark();
    if (!pair.first.IsScalar()) {
      return WrongKind(file, pair.first, map.Path("?"), "a key");
    }
    const std::string& key = pair.first.Scalar();
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      return InvalidArgument("{}: unknown key \"{}\"{}{}; known here are: {}",
                             Position(file, mark), Printable(key, 64),
                             name.empty() ? "" : " in " + name,
                             DidYouMean(key, known), fmt::join(known, ", "));
    }
    for (const Entry& earlier : map.entries_) {
      if (earlier.key == key) {
        return InvalidArgument(
            "{}: the key \"{}\" is already at {}; remove one of them",
            Position(file, mark), map.Path(key), Position(file, earlier.mark));
      }
    }
    map.entries_.push_back({key, mark, pair.second});
  }
  return map;
}

const YAML::Node* YamlMap::Find(std::string_view key) const {
  for (const Entry& entry : entries_) {
    if (entry.key == key) return entry.value.IsNull() ? nullptr : &entry.value;
  }
  return nullptr;
}

std::string YamlMap::Path(std::string_view key) const {
  return name_.empty() ? std::string(key) : fmt::format("{}.{}", name_, key);
}

absl::StatusOr<YamlMap> YamlMap::Map(
    std::string_view key, std::span<const std::string_view> known) const {
  const YAML::Node* node = Find(key);
  if (node == nullptr) {
    YamlMap empty(file_, Path(key));
    empty.mark_ = mark_;
    return empty;
  }
  return Make(*node, file_, Path(key), known);
}

absl::StatusOr<std::vector<YamlMap>> YamlMap::List(
    std::string_view key, std::span<const std::string_view> known) const {
  std::vector<YamlMap> maps;
  const YAML::Node* node = Find(key);
  if (node == nullptr) return maps;
  if (!node->IsSequence()) {
    return WrongKind(file_, *node, Path(key), "a list (\"- name: ...\")");
  }
  for (std::size_t i = 0; i < node->size(); ++i) {
    FAMFS_ASSIGN_OR_RETURN(
        YamlMap map,
        Make((*node)[i], file_, fmt::format("{}[{}]", Path(key), i), known));
    maps.push_back(std::move(map));
  }
  return maps;
}

absl::StatusOr<const std::string*> YamlMap::Scalar(std::string_view key) const {
  const YAML::Node* node = Find(key);
  const std::string* text = nullptr;
  if (node != nullptr) {
    if (!node->IsScalar()) {
      return WrongKind(file_, *node, Path(key), "a single value");
    }
    text = &node->Scalar();
  }
  return text;
}

absl::StatusOr<std::vector<std::string>> YamlMap::Texts(
    std::string_view key) const {
  std::vector<std::string> texts;
  const YAML::Node* node = Find(key);
  if (node == nullptr) return texts;
  if (!node->IsSequence()) {
    return WrongKind(file_, *node, Path(key), "a list (\"[A, B]\")");
  }
  for (std::size_t i = 0; i < node->size(); ++i) {
    const YAML::Node element = (*node)[i];
    if (!element.IsScalar()) {
      return WrongKind(file_, element, fmt::format("{}[{}]", Path(key), i),
                       "a single value");
    }
    texts.push_back(element.Scalar());
  }
  return texts;
}

absl::Status YamlMap::RefuseEmpty(std::string_view key) const {
  for (const Entry& entry : entries_) {
    if (entry.key != key || !entry.value.IsNull()) continue;
    // A value that is not there is marked where the next token stands.
    return InvalidArgument("{}: {} has no value", Position(file_, entry.mark),
                           Path(key));
  }
  return absl::OkStatus();
}

absl::Status YamlMap::ErrorAt(std::string_view key, std::size_t element,
                              const absl::Status& error) const {
  const YAML::Node* node = Find(key);
  return InvalidArgument(
      "{}: {}[{}]: {}",
      Position(file_, node != nullptr ? (*node)[element].Mark() : mark_),
      Path(key), element, Message(error));
}

absl::Status YamlMap::ErrorAt(std::string_view key,
                              const absl::Status& error) const {
  const YAML::Node* node = Find(key);
  return InvalidArgument("{}: {}: {}",
                         Position(file_, node ? node->Mark() : mark_),
                         Path(key), Message(error));
}

std::string YamlMap::Location() const { return Position(file_, mark_); }

}  // namespace famfs
