// The node plugin's /metrics: what it says of volumes, pools and registration,
// and that docs/metrics.md says the same.
#include <signal.h>

#include "tests/integration/node/kubelet.h"
#include "tests/integration/support/http.h"
#include "tests/integration/support/metrics.h"

namespace famfs::node {
namespace {

using rig::Scrape;

const std::vector<std::string> kFlags = {
    "--registration", "self", "--http-endpoint", "tcp://127.0.0.1:0"};

std::string VolumeSample(const std::string& name, const std::string& volume) {
  return fmt::format(R"({}{{pool="fast",volume="{}"}})", name, volume);
}

TEST(Metrics, TellWhichVolumesAreHereAndByWhichDataPath) {
  TestPool pool;
  TestNode node(pool);
  node.Start(kFlags);
  const std::uint16_t port = rig::HttpPort(node.plugin());
  const std::string volume = pool.Create();
  const std::string staging = node.StagingPath("v1");
  const std::string first = node.TargetPath("pod-a");
  const std::string second = node.TargetPath("pod-b");
  ASSERT_THAT(node.Stage(volume, staging), IsOk());
  ASSERT_THAT(node.Publish(volume, staging, first), IsOk());
  ASSERT_THAT(node.Publish(volume, staging, second, /*readonly=*/true), IsOk());
  const std::string path = node.DataPathOf(pool.fs_uuid());
  ASSERT_FALSE(path.empty());
  const Scrape scrape(port);
  EXPECT_EQ(scrape.Value(fmt::format(
                R"(famfs_csi_node_volume_info{{pool="fast",volume="{}",)"
                R"(data_path="{}"}})",
                volume, path)),
            1)
      << scrape.text();
  EXPECT_EQ(
      scrape.Value(VolumeSample("famfs_csi_node_volume_publications", volume)),
      2);
  EXPECT_EQ(
      scrape.Value(fmt::format(
          R"(famfs_csi_node_pool_served{{pool="fast",data_path="{}"}})", path)),
      1);
  EXPECT_EQ(scrape.Value(R"(famfs_csi_node_pool_open{pool="fast"})"), 1);
  ASSERT_THAT(node.Unpublish(volume, second), IsOk());
  EXPECT_EQ(Scrape(port).Value(
                VolumeSample("famfs_csi_node_volume_publications", volume)),
            1);
  ASSERT_THAT(node.Unpublish(volume, first), IsOk());
  ASSERT_THAT(node.Unstage(volume, staging), IsOk());
  EXPECT_EQ(Scrape(port).text().find(volume), std::string::npos);
}

TEST(Metrics, CountCallsByMethodAndCode) {
  TestPool pool;
  TestNode node(pool);
  node.Start(kFlags);
  const std::uint16_t port = rig::HttpPort(node.plugin());
  const std::string staging = node.StagingPath("v1");
  ASSERT_THAT(node.Stage(pool.Create(), staging), IsOk());
  EXPECT_FALSE(node.Stage("v1:00000000:none", staging).ok());
  EXPECT_FALSE(node.Stage("v1:00000000:none", staging).ok());
  const Scrape scrape(port);
  const std::string count = "famfs_csi_rpc_duration_seconds_count";
  EXPECT_EQ(scrape.Value(count + R"({code="OK",method="NodeStageVolume"})"), 1)
      << scrape.text();
  EXPECT_EQ(
      scrape.Value(count + R"({code="NOT_FOUND",method="NodeStageVolume"})"),
      2);
  EXPECT_GE(scrape.Value(R"(famfs_csi_log_lines_total{level="warning"})"), 2);
  EXPECT_EQ(scrape.Value(R"(famfs_csi_log_lines_total{level="error"})"), 0);
  EXPECT_GT(scrape.Value("process_resident_memory_bytes"), 1e6);
  EXPECT_GT(scrape.Value("process_open_fds"), 3);
  EXPECT_GT(scrape.Value("process_start_time_seconds"), 1.6e9);
}

TEST(Metrics, TellTheServersEndAndItsSuccessor) {
  TestPool pool;
  TestNode node(pool);
  node.Start(kFlags);
  const std::uint16_t port = rig::HttpPort(node.plugin());
  const std::string starts =
      R"(famfs_csi_node_fused_starts_total{pool="fast"})";
  ASSERT_TRUE(rig::Eventually([&] { return Scrape(port).Value(starts) == 1; }));
  // Counted when it is started, it serves a moment later.
  ASSERT_TRUE(rig::Eventually(
      [&] { return !node.DataPathOf(pool.fs_uuid()).empty(); }));
  ASSERT_EQ(::kill(node.FusedPid(pool.fs_uuid()), SIGKILL), 0);
  EXPECT_TRUE(rig::Eventually([&] { return Scrape(port).Value(starts) == 2; }));
}

TEST(Metrics, AreToldThoughTheServerHangs) {
  TestPool pool;
  TestNode node(pool);
  node.Start(kFlags);
  const std::uint16_t port = rig::HttpPort(node.plugin());
  const std::string volume = pool.Create();
  ASSERT_THAT(node.Stage(volume, node.StagingPath("v1")), IsOk());
  const pid_t server = node.FusedPid(pool.fs_uuid());
  ASSERT_TRUE(rig::StandStill(server));
  EXPECT_EQ(Scrape(port).Value(
                VolumeSample("famfs_csi_node_volume_publications", volume)),
            0);
  EXPECT_EQ(rig::Http(port, "/healthz").code, 200);
  ASSERT_EQ(::kill(server, SIGCONT), 0);
}

TEST(Metrics, TellWhatKubeletSays) {
  TestPool pool;
  TestNode node(pool);
  Kubelet kubelet(node);
  node.Start(kFlags);
  ASSERT_TRUE(kubelet.WaitUntilItAppears());
  const std::uint16_t port = rig::HttpPort(node.plugin());
  const std::string failures = "famfs_csi_node_registration_failures_total";
  EXPECT_EQ(Scrape(port).Value("famfs_csi_node_registered"), 0);
  ASSERT_THAT(kubelet.Notify(false, "no"), IsOk());
  ASSERT_THAT(kubelet.Notify(false, "no"), IsOk());
  EXPECT_EQ(Scrape(port).Value(failures), 2);
  ASSERT_THAT(kubelet.Notify(true, ""), IsOk());
  EXPECT_EQ(Scrape(port).Value("famfs_csi_node_registered"), 1);
  EXPECT_EQ(
      Scrape(port).Value("famfs_csi_node_registration_announcements_total"), 1);
}

TEST(Metrics, AreThoseOfTheirPage) {
  TestPool pool;
  TestNode node(pool);
  node.Start(kFlags);
  const std::uint16_t port = rig::HttpPort(node.plugin());
  const std::string volume = pool.Create();
  ASSERT_THAT(node.Stage(volume, node.StagingPath("v1")), IsOk());
  const auto page = rig::ReadWholeFile(FAMFS_SOURCE_DIR "/docs/metrics.md");
  EXPECT_EQ(Scrape(port).kinds(),
            rig::DocumentedMetrics(page, {"Both programs", "Node plugin"}));
}

}  // namespace
}  // namespace famfs::node
