// Upstream's golden images: read by the tool, and made again by it.
#include "tests/unit/media/golden.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/integration/support/rig.h"
#include "tests/integration/tools/famfs_command.h"
#include "tests/integration/tools/golden_fields.h"

namespace famfs {
namespace {

using ::testing::TestWithParam;

constexpr const char* kFsUuid = "ceba7e51-f5b1-4e80-aba9-d224aad28b31";
constexpr const char* kDeviceUuid = "497e8c82-559f-4387-8574-7533d3ac62cb";

/// The image on tmpfs, whole: the golden part and nothing after it.
std::string Unpack(const Workplace& place, const std::string& name) {
  const std::vector<std::byte> bytes = testing::GoldenImage(name);
  const std::string path = place.File(name + ".img");
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  file.close();
  std::filesystem::resize_file(path, testing::kGoldenDeviceSize);
  return path;
}

std::vector<std::byte> ReadStart(const std::string& path, std::size_t size) {
  std::vector<std::byte> bytes(size);
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(bytes.data()),
            static_cast<std::streamsize>(size));
  EXPECT_EQ(file.gcount(), static_cast<std::streamsize>(size)) << path;
  return bytes;
}

class GoldenImages : public TestWithParam<const char*> {};

TEST_P(GoldenImages, DumpGivesEachFieldOfTheDescription) {
  const Workplace place;
  const Outcome dump =
      Famfs({"dump", "image:" + Unpack(place, GetParam()), "--json"});
  ASSERT_THAT(dump, Exits(kOk));
  const nlohmann::json json = JsonOf(dump);
  const auto fields = ReadGoldenFields(std::string(FAMFS_GOLDEN_DIR "/") +
                                       GetParam() + ".fields.txt");
  ASSERT_GE(fields.size(), 20U);
  for (const ExpectedField& field : fields) {
    const nlohmann::json::json_pointer pointer(field.pointer);
    ASSERT_TRUE(json.contains(pointer)) << field.pointer << "\n" << field.line;
    nlohmann::json found = json[pointer];
    if (field.pointer.ends_with("/nonzero")) {
      ASSERT_GE(found.size(), field.value.size());
      found.erase(found.begin(),
                  found.end() - static_cast<long>(field.value.size()));
    }
    EXPECT_EQ(found, field.value) << field.pointer << "\n" << field.line;
  }
}

TEST_P(GoldenImages, DumpAsTextShowsTheSameFields) {
  const Workplace place;
  const std::string image = Unpack(place, GetParam());
  const Outcome text = Famfs({"dump", image});
  ASSERT_THAT(text, Exits(kOk));
  for (const ExpectedField& field : ReadGoldenFields(
           std::string(FAMFS_GOLDEN_DIR "/") + GetParam() + ".fields.txt")) {
    if (!field.value.is_string()) continue;
    EXPECT_NE(text.out.find(field.value.get<std::string>()), std::string::npos)
        << field.pointer << "\n"
        << field.line;
  }
}

TEST_P(GoldenImages, FsckAccepts) {
  const Workplace place;
  const std::string image = Unpack(place, GetParam());
  EXPECT_THAT(Famfs({"fsck", image}), Exits(kOk));
  const Outcome fsck = Famfs({"fsck", image, "--json"});
  ASSERT_THAT(fsck, Exits(kOk));
  const nlohmann::json json = JsonOf(fsck);
  EXPECT_EQ(json["clean"], true);
  EXPECT_EQ(json["findings"].size(), 0U);
  EXPECT_EQ(json["uuid"], kFsUuid);
  EXPECT_EQ(json["owner"], kOwner);
}

INSTANTIATE_TEST_SUITE_P(Both, GoldenImages,
                         ::testing::Values("fresh-8m", "three-entries"),
                         [](const auto& param) {
                           return std::string(param.param) == "fresh-8m"
                                      ? "FreshEightMegabytes"
                                      : "ThreeEntries";
                         });

/// An image with the golden uuids, made by our mkfs.
std::string MakeLikeGolden(const Workplace& place) {
  const std::string spec = "image:" + place.File("ours.img");
  EXPECT_THAT(place.Write("mkfs", spec,
                          {"--size", "4G", "--uuid", kFsUuid, "--device-uuid",
                           kDeviceUuid, "--device-name", "/dev/dax0.0"}),
              Exits(kOk));
  return spec;
}

TEST(SameOperations, MkfsWritesTheSameSuperblockAndLog) {
  const Workplace place;
  MakeLikeGolden(place);
  const auto golden = testing::GoldenImage("fresh-8m");
  const auto ours = ReadStart(place.File("ours.img"), golden.size());
  EXPECT_EQ(testing::FirstDifference(
                testing::ReadAt<MediaSuperblock>(golden, kSuperblockOffset),
                testing::ReadAt<MediaSuperblock>(ours, kSuperblockOffset)),
            -1);
  // The whole log: header and every blank slot.
  EXPECT_TRUE(std::equal(golden.begin() + kLogOffset, golden.end(),
                         ours.begin() + kLogOffset));
}

TEST(SameOperations, MkdirAndCreatWriteTheSameEntries) {
  const Workplace place;
  const std::string device = MakeLikeGolden(place);
  ASSERT_THAT(
      place.Write("mkdir", device,
                  {"dir1", "--mode", "0755", "-u", "1000", "-g", "1000"}),
      Exits(kOk));
  ASSERT_THAT(place.Write("creat", device,
                          {"dir1/simple.bin", "--size", "5000000", "--mode",
                           "0644", "--uid", "1000", "--gid", "1000"}),
              Exits(kOk));
  const auto golden = testing::GoldenImage("three-entries");
  const auto ours = ReadStart(place.File("ours.img"), golden.size());
  EXPECT_EQ(
      testing::FirstDifference(testing::ReadAt<MediaSuperblock>(golden, 0),
                               testing::ReadAt<MediaSuperblock>(ours, 0)),
      -1);
  // The golden log has one entry more, so its counters are 3 and not 2.
  auto header = testing::ReadAt<MediaLogHeader>(golden, kLogOffset);
  header.next_seqnum = 2;
  header.next_index = 2;
  EXPECT_EQ(testing::FirstDifference(
                header, testing::ReadAt<MediaLogHeader>(ours, kLogOffset)),
            -1);
  for (const std::uint64_t index : {0U, 1U}) {
    const std::uint64_t at = kLogOffset + EntryAt(index);
    EXPECT_EQ(testing::FirstDifference(testing::ReadAt<MediaEntry>(golden, at),
                                       testing::ReadAt<MediaEntry>(ours, at)),
              -1)
        << "entry " << index;
  }
}

TEST(SameOperations, GoldenInstanceTakesOurWritesAndStaysClean) {
  const Workplace place;
  const std::string image = "image:" + Unpack(place, "three-entries");
  ASSERT_THAT(place.Write("creat", image, {"dir1/more", "--size", "3M"}),
              Exits(kOk));
  EXPECT_THAT(Famfs({"fsck", image}), Exits(kOk));
  const nlohmann::json json = JsonOf(Famfs({"dump", image, "--json"}));
  ASSERT_EQ(json["entries"].size(), 4U);
  EXPECT_EQ(json["entries"][3]["file"]["path"], "dir1/more");
}

}  // namespace
}  // namespace famfs
