#include "csi/volume/volume_id.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/unit/csi/support.h"

namespace famfs::csi {
namespace {

Uuid TestUuid() { return *Uuid::Parse("1B4E28BA-2fa1-11d2-883f-0016d3cca427"); }

TEST(VolumeId, GoesThroughTextAndBack) {
  const std::string text =
      FormatVolumeId(TestUuid(), "0123456789abcdef-89abcdef");
  EXPECT_EQ(text, "v1:1b4e28ba:0123456789abcdef-89abcdef");
  const auto id = ParseVolumeId(text);
  ASSERT_TRUE(id.ok()) << id.status();
  EXPECT_EQ(id->instance, "1b4e28ba");
  EXPECT_EQ(id->directory, "0123456789abcdef-89abcdef");
  EXPECT_EQ(id->ToString(), text);
  EXPECT_TRUE(id->BelongsTo(TestUuid()));
  EXPECT_FALSE(id->BelongsTo(Uuid{}));
}

TEST(VolumeId, ADirectoryMadeByHandIsFine) {
  EXPECT_TRUE(ParseVolumeId("v1:1b4e28ba:models_2026.v1").ok());
  EXPECT_TRUE(ParseVolumeId("v1:1b4e28ba:" + std::string(73, 'd')).ok());
}

TEST(VolumeId, EverythingElseIsRefused) {
  const std::string bad[] = {
      "",
      "v1",
      "v1:",
      "v2:1b4e28ba:directory",
      "V1:1b4e28ba:directory",
      "v1:1B4E28BA:directory",
      "v1:1b4e28b:directory",
      "v1:1b4e28bag:directory",
      "v1:1b4e28ba",
      "v1:1b4e28ba:",
      "v1:1b4e28ba:.",
      "v1:1b4e28ba:..",
      "v1:1b4e28ba:../etc",
      "v1:1b4e28ba:a/b",
      "v1:1b4e28ba:/etc",
      "v1:1b4e28ba:.meta",
      "v1:1b4e28ba:-rf",
      "v1:1b4e28ba:a b",
      "v1:1b4e28ba:a\n",
      std::string("v1:1b4e28ba:a\0b", 15),
      "v1:1b4e28ba:\xc3\xa4",
      " v1:1b4e28ba:directory",
      "v1:1b4e28ba:" + std::string(74, 'd'),
      "v1:1b4e28ba:" + std::string(4096, 'd'),
  };
  for (const std::string& text : bad) {
    ExpectError(ParseVolumeId(text).status(),
                absl::StatusCode::kInvalidArgument, "the volume id");
  }
}

TEST(VolumeDirectory, HasItsFormAndDiffersEachTime) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string directory = MakeVolumeDirectory("pvc-1");
    ASSERT_EQ(directory.size(), 25U);
    ASSERT_EQ(directory.find_first_not_of("0123456789abcdef"), 16U);
    ASSERT_EQ(directory[16], '-');
    ASSERT_EQ(directory.find_first_not_of("0123456789abcdef", 17),
              std::string::npos);
    EXPECT_TRUE(seen.insert(directory).second);
    ASSERT_TRUE(ParseVolumeId(FormatVolumeId(TestUuid(), directory)).ok());
  }
}

TEST(VolumeDirectory, TheHashIsTheNames) {
  const auto hash = [](std::string_view name) {
    return MakeVolumeDirectory(name).substr(0, 16);
  };
  EXPECT_EQ(hash("pvc-1"), hash("pvc-1"));
  EXPECT_NE(hash("pvc-1"), hash("pvc-2"));
  EXPECT_EQ(hash(std::string(128, '/')).size(), 16U);
  EXPECT_EQ(hash("../../etc/passwd\n").find_first_not_of("0123456789abcdef"),
            std::string::npos);
}

}  // namespace
}  // namespace famfs::csi
