// famfs export and famfs import.
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/integration/support/rig.h"
#include "tests/integration/tools/famfs_command.h"

namespace famfs {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

TEST(Export, AndImportBringBackEveryEntryAndByte) {
  const Workplace place;
  const std::string device = place.Emulated("pool");
  const std::string bytes = Pattern(9'000'001);
  rig::WriteFile(place.File("source"), bytes);
  ASSERT_THAT(place.Write("mkdir", device, {"d", "-m", "0700"}), Exits(kOk));
  ASSERT_THAT(place.Write("cp", device, {place.File("source"), ":d/f"}),
              Exits(kOk));
  const std::string image = place.File("flat.img");
  ASSERT_THAT(Famfs({"export", device, image}), Exits(kOk));
  EXPECT_EQ(fs::file_size(image), 4ULL << 30);
  EXPECT_THAT(Famfs({"fsck", "image:" + image}), Exits(kOk));
  ASSERT_THAT(Famfs({"cp", image, ":d/f", place.File("from-image")}),
              Exits(kOk));
  EXPECT_TRUE(rig::ReadWholeFile(place.File("from-image")) == bytes);

  ASSERT_THAT(Famfs({"import", image, place.File("pool2")}), Exits(kOk));
  const std::string second = "emulated:" + place.File("pool2");
  EXPECT_THAT(Famfs({"fsck", second}), Exits(kOk));
  ASSERT_THAT(Famfs({"cp", second, ":d/f", place.File("back")}), Exits(kOk));
  EXPECT_TRUE(rig::ReadWholeFile(place.File("back")) == bytes);
  const auto before = JsonOf(Famfs({"dump", device, "--json"}));
  const auto after = JsonOf(Famfs({"dump", second, "--json"}));
  EXPECT_EQ(before["superblock"], after["superblock"]);
  EXPECT_EQ(before["log"], after["log"]);
  EXPECT_EQ(before["entries"], after["entries"]);
  EXPECT_EQ(after["tag"], before["superblock"]["dev_uuid"]);
}

TEST(Export, KeepsAFileThatIsThere) {
  const Workplace place;
  const std::string device = place.Emulated("pool");
  rig::WriteFile(place.File("flat.img"), "mine");
  const Outcome refused = Famfs({"export", device, place.File("flat.img")});
  EXPECT_THAT(refused, Exits(kProblems));
  EXPECT_THAT(refused.err, HasSubstr("flat.img"));
  EXPECT_EQ(rig::ReadWholeFile(place.File("flat.img")), "mine");
}

TEST(Import, RefusesADamagedImageAndLeavesNothing) {
  const Workplace place;
  rig::WriteFile(place.File("bad.img"), Pattern(4U << 20));
  const Outcome refused =
      Famfs({"import", place.File("bad.img"), place.File("pool")});
  EXPECT_THAT(refused, Exits(kProblems));
  EXPECT_THAT(refused.err, HasSubstr("famfs"));
  EXPECT_FALSE(fs::exists(place.File("pool")));
}

TEST(Import, RefusesADirectoryThatIsADevice) {
  const Workplace place;
  const std::string device = place.Emulated("pool");
  ASSERT_THAT(Famfs({"export", device, place.File("flat.img")}), Exits(kOk));
  EXPECT_THAT(Famfs({"import", place.File("flat.img"), place.File("pool")}),
              Exits(kProblems));
  EXPECT_THAT(Famfs({"fsck", device}), Exits(kOk));
}

}  // namespace
}  // namespace famfs
