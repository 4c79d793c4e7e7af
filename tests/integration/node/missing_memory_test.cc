// Memory that is missing behind one volume, or behind one pool's log: the
// plugin and its servers live, and everything else is served.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <set>

#include "tests/integration/node/test_node.h"
#include "tests/integration/support/http.h"
#include "tests/integration/support/metrics.h"

namespace famfs::node {
namespace {

using rig::Scrape;

std::string DirectoryOf(const TestPool& pool) {
  return pool.spec().substr(pool.spec().find(':') + 1) + "/extents";
}

/// The extent files of volumes, by path.
std::set<std::string> DataExtents(const TestPool& pool) {
  std::set<std::string> paths;
  for (const auto& entry :
       std::filesystem::directory_iterator(DirectoryOf(pool))) {
    const std::string name = entry.path().filename();
    if (name != "0" && name != "200000") paths.insert(entry.path());
  }
  return paths;
}

int WriteErrno(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd.valid()) return errno;
  return ::pwrite(fd.get(), "x", 1, 0) == 1 && ::fsync(fd.get()) == 0 ? 0
                                                                      : errno;
}

/// Two volumes of one pool and one of another, each published once.
class MissingMemoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    node_.Start({"--http-endpoint", "tcp://127.0.0.1:0"});
    port_ = rig::HttpPort(node_.plugin());
    hit_ = Publish(fast_, "hit");
    hit_extent_ = *DataExtents(fast_).begin();
    Publish(fast_, "beside");
    Publish(slow_, "elsewhere");
  }
  std::string Publish(TestPool& pool, const std::string& name) {
    const std::string volume = pool.Create({.csi_name = name});
    EXPECT_THAT(node_.Stage(volume, node_.StagingPath(name)), IsOk());
    EXPECT_THAT(
        node_.Publish(volume, node_.StagingPath(name), node_.TargetPath(name)),
        IsOk());
    return volume;
  }
  int Write(const std::string& name) {
    int error = 0;
    node_.Run([&] { error = WriteErrno(node_.TargetPath(name) + "/data"); });
    return error;
  }

  TestPool fast_{"fast"};
  TestPool slow_{"slow"};
  TestNode node_{{{.name = "fast", .device = fast_.spec()},
                  {.name = "slow", .device = slow_.spec()}}};
  std::uint16_t port_ = 0;
  std::string hit_;
  std::string hit_extent_;
};

TEST_F(MissingMemoryTest, OfOneVolumeIsItsOwnErrorAndIsCounted) {
  // Opened before it is served: afterwards nobody may shorten it.
  const UniqueFd behind(::open(hit_extent_.c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_TRUE(behind.valid());
  UniqueFd held;
  node_.Run([&] {
    held.reset(::open((node_.TargetPath("hit") + "/data").c_str(),
                      O_RDWR | O_CLOEXEC));
  });
  ASSERT_TRUE(held.valid());
  const pid_t server = node_.FusedPid(fast_.fs_uuid());
  ASSERT_EQ(::ftruncate(behind.get(), 0), 0);
  const bool wrote =
      ::pwrite(held.get(), "x", 1, 0) == 1 && ::fsync(held.get()) == 0;
  EXPECT_FALSE(wrote);
  EXPECT_EQ(errno, EIO);
  EXPECT_EQ(Write("beside"), 0);
  EXPECT_EQ(Write("elsewhere"), 0);
  EXPECT_EQ(node_.FusedPid(fast_.fs_uuid()), server);
  const auto count = [&] {
    return Scrape(port_).Value(fmt::format(
        R"(famfs_csi_node_volume_missing_memory_total{{pool="fast",)"
        R"(volume="{}"}})",
        hit_));
  };
  EXPECT_TRUE(rig::Eventually([&] { return count() >= 1; }));
}

TEST_F(MissingMemoryTest, OfALogIsToldAndComesToNoOtherPool) {
  ASSERT_EQ(::truncate((DirectoryOf(fast_) + "/200000").c_str(), 0), 0);
  const absl::Status status = node_.Stage(hit_, node_.StagingPath("again"));
  EXPECT_FALSE(status.ok());
  EXPECT_NE(Message(status).find("made shorter"), std::string_view::npos)
      << status;
  EXPECT_TRUE(node_.plugin().Running()) << node_.output();
  Publish(slow_, "new");
  EXPECT_EQ(Write("new"), 0);
}

}  // namespace
}  // namespace famfs::node
