#include "node/mounts/place.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace famfs::node {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class PlaceTest : public ::testing::Test {
 protected:
  PlaceTest() {
    std::string name = (fs::temp_directory_path() / "place-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    dir_ = fs::canonical(name);
    fs::create_directory(dir_ / "pools");
  }
  ~PlaceTest() override { fs::remove_all(dir_); }

  absl::StatusOr<Place> Resolve(const fs::path& path) const {
    return Places(kubelet_.string(), (dir_ / "pools").string())
        .Resolve(path.string());
  }
  static absl::StatusCode CodeOf(const absl::StatusOr<Place>& place) {
    return place.status().code();
  }

  fs::path dir_;
  fs::path kubelet_ = "/nowhere";
};

TEST_F(PlaceTest, SpellsThePathAsTheKernelDoes) {
  const auto place = Resolve("/" + dir_.string() + "//target/");
  ASSERT_TRUE(place.ok()) << Message(place.status());
  EXPECT_EQ(place->path(), (dir_ / "target").string());
  EXPECT_EQ(place->name(), "target");
}

TEST_F(PlaceTest, RefusesPathsThatLeadElsewhere) {
  for (const std::string& path :
       {std::string("relative/path"), std::string(), std::string("/"),
        std::string("//"), dir_.string() + "/../etc/x", dir_.string() + "/./x",
        dir_.string() + "/x/..", "/" + std::string(300, 'a')}) {
    EXPECT_EQ(CodeOf(Resolve(path)), absl::StatusCode::kInvalidArgument)
        << path;
  }
}

TEST_F(PlaceTest, RefusesSymbolicLinksOnTheWay) {
  fs::create_directory(dir_ / "real");
  fs::create_directory_symlink(dir_ / "real", dir_ / "link");
  const auto place = Resolve(dir_ / "link" / "target");
  EXPECT_EQ(CodeOf(place), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(Message(place.status())), HasSubstr("symbolic link"));
}

TEST_F(PlaceTest, TheKubeletDirectoryItselfMayBeALink) {
  fs::create_directories(dir_ / "real" / "pods");
  fs::create_directory_symlink(dir_ / "real", dir_ / "kubelet");
  kubelet_ = dir_ / "kubelet";
  const auto place = Resolve(dir_ / "kubelet" / "pods" / "target");
  ASSERT_TRUE(place.ok()) << Message(place.status());
  EXPECT_EQ(place->path(), (dir_ / "real" / "pods" / "target").string());
  // ... but no link below it, and none that merely begins like it.
  fs::create_directory_symlink("/etc", dir_ / "real" / "out");
  EXPECT_EQ(CodeOf(Resolve(dir_ / "kubelet" / "out" / "target")),
            absl::StatusCode::kInvalidArgument);
  fs::create_directory_symlink(dir_ / "real", dir_ / "kubelet2");
  EXPECT_EQ(CodeOf(Resolve(dir_ / "kubelet2" / "pods" / "target")),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(PlaceTest, AMissingParentIsNotFound) {
  EXPECT_EQ(CodeOf(Resolve(dir_ / "missing" / "target")),
            absl::StatusCode::kNotFound);
}

TEST_F(PlaceTest, WithoutThePoolsDirectoryNothingIsResolved) {
  fs::remove(dir_ / "pools");
  const auto place = Resolve(dir_ / "target");
  EXPECT_EQ(CodeOf(place), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(Message(place.status())),
              HasSubstr("/pools: No such"));
}

TEST_F(PlaceTest, MakesATargetOnceAndTakesAnEmptyOne) {
  const Place place = Resolve(dir_ / "target").value();
  EXPECT_TRUE(place.MakeDirectory().value());
  EXPECT_FALSE(place.MakeDirectory().value());
  EXPECT_TRUE(place.RemoveDirectory().ok());
  EXPECT_FALSE(fs::exists(dir_ / "target"));
  EXPECT_TRUE(place.RemoveDirectory().ok());
}

TEST_F(PlaceTest, NeverCoversOrRemovesWhatSomebodyElsePutThere) {
  fs::create_directory(dir_ / "full");
  std::ofstream(dir_ / "full" / "precious") << "x";
  const Place full = Resolve(dir_ / "full").value();
  EXPECT_EQ(full.MakeDirectory().status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(full.RemoveDirectory().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(fs::exists(dir_ / "full" / "precious"));

  std::ofstream(dir_ / "file") << "x";
  const Place file = Resolve(dir_ / "file").value();
  EXPECT_EQ(file.MakeDirectory().status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(file.RemoveDirectory().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(fs::exists(dir_ / "file"));
}

TEST_F(PlaceTest, ATargetThatIsALinkIsNotFollowed) {
  fs::create_directory(dir_ / "elsewhere");
  fs::create_directory_symlink(dir_ / "elsewhere", dir_ / "link");
  const Place place = Resolve(dir_ / "link").value();
  EXPECT_EQ(place.MakeDirectory().status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(place.RemoveDirectory().code(),
            absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace famfs::node
