#include "csi/volume/topology.h"

#include <gtest/gtest.h>

#include "csi/csi.pb.h"
#include "tests/unit/csi/support.h"

namespace famfs::csi {
namespace {

TEST(Topology, AKeyPerPoolWithAConstantValue) {
  ::csi::v1::Topology topology;
  EXPECT_FALSE(HasPool(topology, "famfs.csi", "fast"));
  AddPool(topology, "famfs.csi", "fast");
  ASSERT_EQ(topology.segments_size(), 1);
  EXPECT_EQ(topology.segments().at("topology.famfs.csi/fast"), "true");
  EXPECT_TRUE(HasPool(topology, "famfs.csi", "fast"));
  EXPECT_FALSE(HasPool(topology, "famfs.csi", "slow"));
  EXPECT_FALSE(HasPool(topology, "other.csi", "fast"));
}

TEST(Topology, KeysCompareWithoutCaseAndValuesWithIt) {
  ::csi::v1::Topology topology;
  (*topology.mutable_segments())["Topology.FAMFS.csi/Fast"] = "true";
  (*topology.mutable_segments())["topology.famfs.csi/slow"] = "false";
  EXPECT_TRUE(HasPool(topology, "famfs.csi", "fast"));
  EXPECT_FALSE(HasPool(topology, "famfs.csi", "slow"));
}

TEST(Topology, PrefixAndNameHaveAtMost63Bytes) {
  EXPECT_TRUE(
      CheckTopologyKey(std::string(54, 'd'), std::string(63, 'p')).ok());
  ExpectError(CheckTopologyKey(std::string(55, 'd'), "fast"),
              absl::StatusCode::kInvalidArgument, "at most 54");
  ExpectError(CheckTopologyKey("famfs.csi", std::string(64, 'p')),
              absl::StatusCode::kInvalidArgument, "1 to 63");
  ExpectError(CheckTopologyKey("famfs.csi", ""),
              absl::StatusCode::kInvalidArgument, "1 to 63");
}

}  // namespace
}  // namespace famfs::csi
