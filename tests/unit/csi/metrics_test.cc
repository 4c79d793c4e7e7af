#include "csi/telemetry/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "csi/csi.pb.h"

namespace famfs::csi {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Metrics, ACallStandsInEachBucketAboveItsTime) {
  const Metrics metrics("test", "famfs.csi");
  ::csi::v1::ProbeRequest request;
  ::csi::v1::ProbeResponse response;
  EXPECT_TRUE(Serve(request, &response, [] { return absl::OkStatus(); }).ok());
  EXPECT_FALSE(Serve(request, &response, [] { return NotFound("none"); }).ok());
  const std::string page = metrics.Page().body;
  for (const char* line :
       {R"(# TYPE famfs_csi_rpc_duration_seconds histogram)",
        R"(_count{code="OK",method="Probe"} 1)",
        R"(_count{code="NOT_FOUND",method="Probe"} 1)",
        R"(_bucket{code="OK",method="Probe",le="+Inf"} 1)"}) {
    EXPECT_THAT(page, HasSubstr(line));
  }
}

TEST(Metrics, CollectorsAreAskedInEachScrape) {
  Metrics metrics("test", "famfs.csi");
  int asked = 0;
  metrics.Add([&asked](Exposition& page) {
    page.Gauge("famfs_test_asked", "Times.", {{"pool", "fast"}}, ++asked);
  });
  EXPECT_THAT(metrics.Page().body,
              HasSubstr("famfs_test_asked{pool=\"fast\"} 1"));
  EXPECT_THAT(metrics.Page().body,
              HasSubstr("famfs_test_asked{pool=\"fast\"} 2"));
}

TEST(Metrics, HostileLabelsStayOnTheirLine) {
  Metrics metrics("test", "famfs.csi");
  metrics.Add([](Exposition& page) {
    page.Gauge("famfs_test", "Names.", {{"name", "a\"} 1\nforged 2\xff"}}, 1);
  });
  const std::string page = metrics.Page().body;
  EXPECT_THAT(page, HasSubstr("famfs_test{name=\"a\\\"} 1"));
  EXPECT_THAT(page, Not(HasSubstr("\nforged")));
  EXPECT_THAT(page, Not(HasSubstr("\xff")));
}

TEST(Metrics, NobodyIsToldOfCallsAfterwards) {
  { const Metrics metrics("test", "famfs.csi"); }
  ::csi::v1::ProbeRequest request;
  ::csi::v1::ProbeResponse response;
  EXPECT_TRUE(Serve(request, &response, [] { return absl::OkStatus(); }).ok());
}

}  // namespace
}  // namespace famfs::csi
