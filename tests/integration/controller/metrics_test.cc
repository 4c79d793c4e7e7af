// The controller's /metrics: pools and volumes, and that docs/metrics.md says
// the same.
#include <gmock/gmock.h>

#include "tests/integration/controller/fixture.h"
#include "tests/integration/support/http.h"
#include "tests/integration/support/metrics.h"

namespace famfs {
namespace {

using rig::Scrape;

class Metrics : public ControllerTest {
 protected:
  void SetUp() override {
    MakeDevice();
    StartController({"--http-endpoint", "tcp://127.0.0.1:0"});
    port_ = rig::HttpPort(controller());
  }
  double OfPool(const std::string& name, const std::string& more = "") {
    return Scrape(port_).Value(
        fmt::format(R"(famfs_csi_pool_{}{{pool="fast"{}}})", name, more));
  }
  std::uint16_t port_ = 0;
};

TEST_F(Metrics, TellHowFullAPoolIs) {
  EXPECT_EQ(OfPool("available"), 1);
  EXPECT_EQ(OfPool("size_bytes"), 8.0 * kGiB);
  EXPECT_EQ(OfPool("volumes"), 0);
  const double free = OfPool("free_bytes");
  EXPECT_GT(free, 0);
  EXPECT_GE(free, OfPool("largest_free_bytes"));
  const auto created = Create("pvc-1", kGiB);
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_EQ(OfPool("free_bytes"), free - kGiB);
  EXPECT_EQ(OfPool("volumes"), 1);
  EXPECT_GE(OfPool("log_entries"), 2);
  EXPECT_GT(OfPool("log_capacity"), 10'000);
  ASSERT_TRUE(Delete(created->volume().volume_id()).ok());
  EXPECT_TRUE(rig::Eventually([&] { return OfPool("free_bytes") == free; }));
  for (const char* state : {"quarantined", "dirty", "releasable"}) {
    EXPECT_EQ(OfPool("deleted_bytes", fmt::format(R"(,state="{}")", state)), 0);
  }
}

TEST_F(Metrics, TellEachVolumeWithItsName) {
  const auto created = Create(R"(pvc "quoted")", 4 * kMiB);
  ASSERT_TRUE(created.ok()) << created.status();
  const std::string& id = created->volume().volume_id();
  const Scrape scrape(port_);
  EXPECT_EQ(scrape.Value(fmt::format(
                R"(famfs_csi_volume_size_bytes{{pool="fast",volume="{}",)"
                R"(name="pvc \"quoted\""}})",
                id)),
            4.0 * kMiB)
      << scrape.text();
  ASSERT_TRUE(Delete(id).ok());
  EXPECT_EQ(Scrape(port_).text().find(id), std::string::npos);
}

TEST_F(Metrics, AreThoseOfTheirPage) {
  ASSERT_TRUE(Create("pvc-1", 4 * kMiB).ok());
  const auto page = rig::ReadWholeFile(FAMFS_SOURCE_DIR "/docs/metrics.md");
  EXPECT_EQ(Scrape(port_).kinds(),
            rig::DocumentedMetrics(page, {"Both programs", "Controller"}));
}

}  // namespace
}  // namespace famfs
