// What names a device, and what does not.
#include "dax/device_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/base/status_matchers.h"
#include "tests/unit/dax/device_specs.h"

namespace famfs {
namespace {

using Kind = DeviceSpec::Kind;
using absl::StatusCode;
using testing::HasError;
using testing::Spec;

TEST(DeviceSpecTest, AKindAndAPathAreTakenApart) {
  const struct {
    const char* text;
    DeviceSpec spec;
  } cases[] = {
      {"emulated:/dev/shm/pool", {Kind::kEmulated, "/dev/shm/pool"}},
      {"image:/tmp/pool.img", {Kind::kImage, "/tmp/pool.img"}},
      {"devdax:/dev/dax0.0", {Kind::kDevdax, "/dev/dax0.0"}},
      {"tag:3f2504e0-4f89-41d3-9a0c-0305e82c3301",
       {Kind::kTag, "3f2504e0-4f89-41d3-9a0c-0305e82c3301"}},
      {"/dev/dax0.0", {Kind::kPath, "/dev/dax0.0"}},
      {"pool", {Kind::kPath, "pool"}},
      {"emulated", {Kind::kPath, "emulated"}},
      {"emulated:pool", {Kind::kEmulated, "pool"}},
      {"image:../a b/\xc3\xa9", {Kind::kImage, "../a b/\xc3\xa9"}},
      {"image:/a//b/", {Kind::kImage, "/a//b/"}},
      {"--help", {Kind::kPath, "--help"}},
      {"image:--help", {Kind::kImage, "--help"}},
      // Only the first colon, and none behind a slash, ends a kind.
      {"image:a:b", {Kind::kImage, "a:b"}},
      {"emulated:image:/x", {Kind::kEmulated, "image:/x"}},
      {"./image:x", {Kind::kPath, "./image:x"}},
      {"/a:b", {Kind::kPath, "/a:b"}},
      {"a/emulated:b", {Kind::kPath, "a/emulated:b"}},
  };
  for (const auto& c : cases) {
    FAMFS_ASSERT_OK_AND_ASSIGN(const DeviceSpec spec,
                               DeviceSpec::Parse(c.text));
    EXPECT_EQ(spec.kind, c.spec.kind) << c.text;
    EXPECT_EQ(spec.path, c.spec.path) << c.text;
    EXPECT_EQ(spec.ToString(), c.text);
  }
}

TEST(DeviceSpecTest, WhatNamesNoDeviceIsRefusedWithTheKindsThatThereAre) {
  const struct {
    std::string text;
    std::string why;
  } cases[] = {
      {"", "no device is named"},
      {":", "\"\" is no kind"},
      {":/dev/shm/pool", "\"\" is no kind"},
      {"emulated:", "a path must follow \"emulated:\""},
      {"image:", "a path must follow \"image:\""},
      {"devdax:", "a path must follow \"devdax:\""},
      {"tag:", "what follows \"tag:\" is no UUID"},
      {"tag:/dev/dax0.0", "what follows \"tag:\" is no UUID"},
      {"tag:3f2504e0-4f89-41d3-9a0c-0305e82c330", "is no UUID"},
      {"tag:00000000-0000-0000-0000-000000000000", "the nil UUID is no tag"},
      {"tape:/dev/st0", "\"tape\" is no kind"},
      {"Emulated:/dev/shm/pool", "\"Emulated\" is no kind"},
      {" image:/x", "\" image\" is no kind"},
      {"image :/x", "\"image \" is no kind"},
      {"C:\\pool", "\"C\" is no kind"},
      {"a:b", "./a:b for a path with a colon"},
      {std::string("image:/x\0y", 10), "image:/x\\x00y: no path has a NUL"},
      {std::string("\0", 1), "\\x00: no path has a NUL"},
      {"\x1b[2J\xff:/x", "\"\\x1b[2J\\xff\" is no kind"},
  };
  for (const auto& c : cases) {
    const auto spec = DeviceSpec::Parse(c.text);
    EXPECT_THAT(spec, HasError(StatusCode::kInvalidArgument, c.why));
    for (const char* kind :
         {"emulated:DIR", "image:FILE", "devdax:PATH", "tag:UUID"}) {
      EXPECT_THAT(spec, HasError(StatusCode::kInvalidArgument, kind)) << c.text;
    }
  }
}

TEST(DeviceSpecTest, ATagIsTheSameHoweverItIsWritten) {
  const DeviceSpec spec = Spec("tag:3F2504E0-4F89-41D3-9A0C-0305E82C3301");
  EXPECT_EQ(spec, Spec("tag:3f2504e0-4f89-41d3-9a0c-0305e82c3301"));
  EXPECT_EQ(spec.ToString(), "tag:3f2504e0-4f89-41d3-9a0c-0305e82c3301");
  EXPECT_FALSE(spec.has_path());
  EXPECT_TRUE(Spec("image:a").has_path());
}

TEST(DeviceSpecTest, AVeryLongTextIsTakenWholeAndShownInPart) {
  std::string path(1 << 20, 'x');
  path.front() = '/';
  EXPECT_EQ(Spec("image:" + path).path, path);
  EXPECT_EQ(Spec(path).path, path);
  std::string kind(1 << 20, 'x');
  kind.back() = ':';
  const auto refused = DeviceSpec::Parse(kind);
  EXPECT_THAT(refused, HasError(StatusCode::kInvalidArgument, "is no kind"));
  EXPECT_LT(refused.status().message().size(), 2000U);
}

TEST(DeviceSpecTest, OneThatIsMadeByDefaultNamesNothing) {
  EXPECT_TRUE(DeviceSpec{}.empty());
  EXPECT_FALSE(Spec("pool").empty());
}

TEST(DeviceSpecTest, EqualTextsAreEqualAndSortedAlike) {
  const std::vector<std::string> sorted = {
      "/a",
      "/b",
      "devdax:/a",
      "emulated:/a",
      "emulated:/b",
      "image:/a",
      "tag:3f2504e0-4f89-41d3-9a0c-0305e82c3301"};
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    EXPECT_EQ(Spec(sorted[i]), Spec(sorted[i]));
    for (std::size_t j = 0; j < i; ++j) {
      EXPECT_NE(Spec(sorted[i]), Spec(sorted[j]));
      EXPECT_LT(Spec(sorted[j]), Spec(sorted[i]));
    }
  }
}

}  // namespace
}  // namespace famfs
