#include "base/yaml.h"

#include <gtest/gtest.h>

#include "base/units.h"
#include "tests/unit/base/status_matchers.h"

namespace famfs {
namespace {

using absl::StatusCode;
using testing::HasError;
using testing::IsOk;

using Keys = std::string_view[];
constexpr Keys kTop = {"name", "sizes", "log", "parts"};
constexpr Keys kLog = {"level"};
constexpr Keys kPart = {"length"};

absl::StatusOr<YamlMap> Parse(std::string_view text) {
  return YamlMap::Parse(
      text,
      {.path = "f.yaml", .needs = "a name", .hint = "f.md has an example"},
      kTop);
}

absl::StatusOr<std::string> ParseName(std::string_view text) {
  if (text == "bad") return OutOfRange("\"{}\" will not do", text);
  return std::string(text);
}

/// The document is refused, with exactly this.
void ExpectRefused(std::string_view text, std::string_view message) {
  const auto map = Parse(text);
  ASSERT_EQ(map.status().code(), StatusCode::kInvalidArgument) << text;
  EXPECT_EQ(Message(map.status()), message);
}

void ExpectError(const absl::Status& status, std::string_view message) {
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Message(status), message);
}

TEST(Yaml, ValuesListsAndMappingsAreRead) {
  FAMFS_ASSERT_OK_AND_ASSIGN(const YamlMap top,
                             Parse("name: a\n"
                                   "sizes: [1K, 2M]\n"
                                   "log: {level: info}\n"
                                   "parts:\n- length: 4\n- length: 5\n"));
  std::string name;
  EXPECT_THAT(top.Read("name", name, ParseName), IsOk());
  EXPECT_EQ(name, "a");
  std::vector<std::uint64_t> sizes;
  EXPECT_THAT(top.ReadList("sizes", sizes, ParseSize), IsOk());
  EXPECT_EQ(sizes, (std::vector<std::uint64_t>{1024, 2 * kMiB}));
  FAMFS_ASSERT_OK_AND_ASSIGN(const YamlMap log, top.Map("log", kLog));
  EXPECT_TRUE(log.Has("level"));
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto parts, top.List("parts", kPart));
  ASSERT_EQ(parts.size(), 2U);
  EXPECT_EQ(parts[1].Location(), "f.yaml:6:3");
}

TEST(Yaml, WhatIsAbsentOrHasNoValueLeavesTheTargetAlone) {
  FAMFS_ASSERT_OK_AND_ASSIGN(const YamlMap top, Parse("\n  name:\n"));
  std::string name = "default";
  EXPECT_THAT(top.Read("name", name, ParseName), IsOk());
  EXPECT_EQ(name, "default");
  EXPECT_FALSE(top.Has("name"));
  ExpectError(top.RefuseEmpty("name"), "f.yaml:2:3: name has no value");
  EXPECT_THAT(top.RefuseEmpty("sizes"), IsOk());
  std::vector<std::uint64_t> sizes;
  EXPECT_THAT(top.ReadList("sizes", sizes, ParseSize), IsOk());
  EXPECT_TRUE(sizes.empty());
  FAMFS_ASSERT_OK_AND_ASSIGN(const YamlMap log, top.Map("log", kLog));
  EXPECT_FALSE(log.Has("level"));
  EXPECT_EQ(log.Location(), "f.yaml:2:3");
  FAMFS_ASSERT_OK_AND_ASSIGN(const auto parts, top.List("parts", kPart));
  EXPECT_TRUE(parts.empty());
}

TEST(Yaml, OneDocumentIsOneMapping) {
  for (const char* empty : {"", "# nothing\n", "---\n"}) {
    ExpectRefused(empty, "f.yaml: is empty; it needs at least a name");
  }
  ExpectRefused("- 1\n",
                "f.yaml:1:1: the file must be a mapping of keys, and a list "
                "stands here; f.md has an example");
  ExpectRefused("name: a\n---\nname: b\n",
                "f.yaml:3:1: holds 2 documents; leave one and remove the "
                "\"---\" lines between them");
  ExpectRefused("name: \xff\n", "f.yaml: is not UTF-8 text; save it as UTF-8");
  EXPECT_THAT(Parse("name: [\n"), HasError(StatusCode::kInvalidArgument,
                                           "f.yaml:2:1: is not YAML here: "));
}

TEST(Yaml, KeysAreKnownAndDiffer) {
  ExpectRefused("name: a\nsize: 1\n",
                "f.yaml:2:1: unknown key \"size\" (did you mean \"sizes\"?); "
                "known here are: name, sizes, log, parts");
  ExpectRefused("name: a\nlog:\nname: b\n",
                "f.yaml:3:1: the key \"name\" is already at f.yaml:1:1; remove "
                "one of them");
  // Also where the first one has no value.
  ExpectRefused("name:\nname: b\n",
                "f.yaml:2:1: the key \"name\" is already at f.yaml:1:1; remove "
                "one of them");
  ExpectRefused("? [a, b]\n: c\n",
                "f.yaml:1:3: ? must be a key, and a list stands here; f.md has "
                "an example");
  FAMFS_ASSERT_OK_AND_ASSIGN(const YamlMap top, Parse("log: {colour: red}\n"));
  ExpectError(top.Map("log", kLog).status(),
              "f.yaml:1:7: unknown key \"colour\" in log; known here are: "
              "level");
}

TEST(Yaml, MistakesInValuesHaveTheirPlaces) {
  FAMFS_ASSERT_OK_AND_ASSIGN(
      const YamlMap top,
      Parse(
          "name: bad\nsizes: [1K, x, []]\nlog: 1\nparts: [{length: []}, 7]\n"));
  std::string name;
  ExpectError(top.Read("name", name, ParseName),
              "f.yaml:1:7: name: \"bad\" will not do");
  std::vector<std::uint64_t> sizes;
  ExpectError(top.ReadList("sizes", sizes, ParseSize),
              "f.yaml:2:16: sizes[2] must be a single value, and a list stands "
              "here; f.md has an example");
  ExpectError(top.ErrorAt("sizes", 1, OutOfRange("is no size")),
              "f.yaml:2:13: sizes[1]: is no size");
  ExpectError(top.Map("log", kLog).status(),
              "f.yaml:3:6: log must be a mapping of keys, and a single value "
              "stands here; f.md has an example");
  ExpectError(top.List("parts", kPart).status(),
              "f.yaml:4:23: parts[1] must be a mapping of keys, and a single "
              "value stands here; f.md has an example");
}

TEST(Yaml, HostileTextsEndNothing) {
  for (const std::string& text :
       {std::string(30'000, '['), std::string(30'000, '{'),
        std::string("name: &a [*a]\n"), std::string("name: *a\n"),
        std::string("\x00\x01", 2)}) {
    const auto top = Parse(text);
    if (!top.ok()) continue;
    std::string name;
    EXPECT_FALSE(top->Read("name", name, ParseName).ok());
  }
}

}  // namespace
}  // namespace famfs
