// famfs creat --seed and famfs verify: contents that any host can check.
#include <gtest/gtest.h>

#include <cstring>

#include "tests/integration/support/rig.h"
#include "tests/integration/tools/famfs_command.h"

namespace famfs {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// The stream as docs/tools.md promises it, written down a second time.
std::string Stream(std::uint64_t seed, std::size_t size) {
  std::string bytes;
  for (std::uint64_t i = 1; bytes.size() < size; ++i) {
    std::uint64_t z = seed + i * 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    z ^= z >> 31;
    for (int byte = 0; byte < 8; ++byte) {
      bytes += static_cast<char>(z >> (8 * byte));
    }
  }
  bytes.resize(size);
  return bytes;
}

class Seed : public ::testing::TestWithParam<const char*> {
 protected:
  const Workplace place_;
  const std::string device_ = std::string(GetParam()) == "emulated"
                                  ? place_.Emulated("pool")
                                  : place_.Image("pool.img");
};

INSTANTIATE_TEST_SUITE_P(Devices, Seed, ::testing::Values("emulated", "image"),
                         [](const auto& param) {
                           return std::string(param.param);
                         });

TEST_P(Seed, FillsTheFileWithTheDocumentedStream) {
  // Larger than one part, and no multiple of 8.
  constexpr std::size_t kSize = 40'000'003;
  ASSERT_THAT(place_.Write("creat", device_,
                           {"f", "--size", std::to_string(kSize), "--seed",
                            "42", "--threads", "3"}),
              Exits(kOk));
  ASSERT_THAT(Famfs({"cp", device_, ":f", place_.File("back")}), Exits(kOk));
  EXPECT_TRUE(rig::ReadWholeFile(place_.File("back")) == Stream(42, kSize));

  const Outcome right = Famfs({"verify", device_, ":f", "--seed", "42"});
  EXPECT_THAT(right, Exits(kOk));
  EXPECT_THAT(right.out, HasSubstr("40000003"));
  // A local copy, and one thread, say the same.
  EXPECT_THAT(Famfs({"verify", place_.File("back"), "-S", "42", "-t", "1"}),
              Exits(kOk));
  const Outcome wrong = Famfs({"verify", device_, ":f", "--seed", "43"});
  EXPECT_THAT(wrong, Exits(kProblems));
  EXPECT_THAT(wrong.out, HasSubstr("at byte 0 "));
}

TEST_P(Seed, FirstWrongByteIsTold) {
  constexpr std::size_t kSize = 70U << 20;
  std::string bytes = Stream(7, kSize);
  bytes[kSize - 1] ^= 1;
  bytes[35'000'001] ^= 1;
  rig::WriteFile(place_.File("bad"), bytes);
  ASSERT_THAT(place_.Write("cp", device_, {place_.File("bad"), ":bad"}),
              Exits(kOk));
  const Outcome text = Famfs({"verify", device_, ":bad", "--seed", "7"});
  EXPECT_THAT(text, Exits(kProblems));
  EXPECT_THAT(text.out, HasSubstr("at byte 35000001 "));
  const Outcome json =
      Famfs({"verify", device_, "bad", "--seed", "7", "--json", "-t", "4"});
  EXPECT_THAT(json, Exits(kProblems));
  EXPECT_EQ(JsonOf(json)["first_difference"], 35'000'001);
  EXPECT_EQ(JsonOf(json)["ok"], false);
}

TEST_P(Seed, WrongCallsAreRefused) {
  ASSERT_THAT(place_.Write("mkdir", device_, {"d"}), Exits(kOk));
  EXPECT_THAT(Famfs({"verify", device_, ":none", "--seed", "1"}),
              Exits(kProblems));
  const Outcome directory = Famfs({"verify", device_, ":d", "--seed", "1"});
  EXPECT_THAT(directory, Exits(kProblems));
  EXPECT_THAT(directory.err, HasSubstr("is a directory"));
  EXPECT_THAT(Famfs({"verify", device_, ":d"}), Exits(kUsage));
  EXPECT_THAT(Famfs({"verify", place_.File("missing"), "--seed", "1"}),
              Exits(kProblems));
  EXPECT_THAT(Famfs({"verify", place_.File("no"), ":f", "--seed", "1"}),
              Exits(kUsage));
  EXPECT_THAT(
      place_.Write("creat", device_, {"huge", "--size", "8G", "--seed", "1"}),
      Exits(kProblems));
  EXPECT_THAT(
      place_.Write("creat", device_, {"none/f", "--size", "1M", "--seed", "1"}),
      Exits(kProblems));
  EXPECT_EQ(Famfs({"ls", device_, "-R"}).out, "d/\n");
}

}  // namespace
}  // namespace famfs
