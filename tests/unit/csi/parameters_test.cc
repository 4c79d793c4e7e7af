#include "csi/config/parameters.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/unit/csi/support.h"

namespace famfs::csi {
namespace {

Config TwoPools(const std::string& default_pool) {
  Config config;
  config.pools.resize(2);
  config.pools[0].name = "fast";
  config.pools[1].name = "large";
  config.defaults.pool = default_pool;
  config.defaults.data_path = DataPath::kPassthrough;
  config.defaults.uid = 1000;
  config.defaults.gid = 2000;
  config.defaults.mode = 0750;
  return config;
}

using Pairs = std::map<std::string, std::string>;

absl::StatusOr<VolumeParameters> Parse(
    const Pairs& parameters, const Pairs& mutable_parameters = {},
    const std::string& default_pool = "fast") {
  return ParseParameters(
      ParameterMap(parameters.begin(), parameters.end()),
      ParameterMap(mutable_parameters.begin(), mutable_parameters.end()),
      TwoPools(default_pool));
}

void ExpectInvalid(const Pairs& parameters, std::string_view part,
                   const std::string& default_pool = "fast") {
  ExpectError(Parse(parameters, {}, default_pool).status(),
              absl::StatusCode::kInvalidArgument, part);
}

TEST(Parameters, WhatTheClassDoesNotSayComesFromTheConfiguration) {
  const auto parsed = Parse({});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const VolumeParameters expected{.pool = "fast",
                                  .data_path = DataPath::kPassthrough,
                                  .layout = VolumeLayout::kFile,
                                  .uid = 1000,
                                  .gid = 2000,
                                  .mode = 0750};
  EXPECT_EQ(*parsed, expected);
}

TEST(Parameters, TheClassWinsOverTheConfiguration) {
  const auto parsed = Parse({{"pool", "large"},
                             {"dataPath", "fmap"},
                             {"uid", "1"},
                             {"gid", "2"},
                             {"mode", "0700"},
                             {"layout", "file"}});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const VolumeParameters expected{.pool = "large",
                                  .data_path = DataPath::kFmap,
                                  .layout = VolumeLayout::kFile,
                                  .uid = 1,
                                  .gid = 2,
                                  .mode = 0700};
  EXPECT_EQ(*parsed, expected);
}

TEST(Parameters, MutableOnesWin) {
  const auto parsed =
      Parse({{"uid", "1"}, {"mode", "bad"}}, {{"uid", "7"}, {"mode", "0700"}});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->uid, 7U);
  EXPECT_EQ(parsed->mode, 0700U);
}

TEST(Parameters, WhatTheSidecarsAddIsIgnored) {
  EXPECT_TRUE(Parse({{"csi.storage.k8s.io/pvc/name", "claim"},
                     {"csi.storage.k8s.io/pv/name", "volume"}})
                  .ok());
}

TEST(Parameters, AnUnknownKeyIsNamedWithTheKnownOnes) {
  ExpectInvalid({{"datapath", "fmap"}}, "did you mean \"dataPath\"?");
  ExpectInvalid({{"replicas", "3"}},
                "the parameter \"replicas\" is unknown; known are: pool, "
                "dataPath, uid, gid, mode, layout, interleave.strips, "
                "interleave.chunk");
}

TEST(Parameters, BadValuesAreNamed) {
  ExpectInvalid({{"dataPath", "teleport"}}, "dataPath");
  ExpectInvalid({{"uid", "-1"}}, "the parameter uid: \"-1\"");
  ExpectInvalid({{"gid", "x"}}, "the parameter gid: \"x\"");
  ExpectInvalid({{"mode", "999"}}, "the parameter mode: \"999\"");
  ExpectInvalid({{"layout", "forest"}}, "layout 'forest' is neither file");
  ExpectInvalid({{"layout", "tree"}, {"interleave.strips", "2"}},
                "interleave.strips needs layout: file");
}

TEST(Parameters, AVolumeMayBeATree) {
  auto parsed = Parse({{"layout", "tree"}});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->layout, VolumeLayout::kTree);
}

TEST(Parameters, AnInterleaveHasStripsAndAChunk) {
  auto parsed = Parse({{"interleave.strips", "2"}});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->strips, 2U);
  EXPECT_EQ(parsed->chunk, 2U << 20);
  parsed = Parse({{"interleave.strips", "16"}, {"interleave.chunk", "64M"}});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->strips, 16U);
  EXPECT_EQ(parsed->chunk, 64U << 20);
  ExpectInvalid({{"interleave.strips", "0"}}, "not a number from 1 to 16");
  ExpectInvalid({{"interleave.strips", "17"}}, "not a number from 1 to 16");
  ExpectInvalid({{"interleave.strips", "4x"}}, "not a number from 1 to 16");
  ExpectInvalid({{"interleave.chunk", "2M"}}, "needs interleave.strips");
  ExpectInvalid({{"interleave.strips", "2"}, {"interleave.chunk", "much"}},
                "interleave.chunk");
}

TEST(Parameters, ThePoolMustBeOneOfTheConfigured) {
  ExpectInvalid({{"pool", "slow"}}, "no pool \"slow\"");
  ExpectInvalid({{"pool", "slow"}}, "fast, large");
  ExpectInvalid({}, "pool is missing", "");
}

TEST(Parameters, OfSeveralMistakesTheSameOneIsToldEachTime) {
  for (int i = 0; i < 20; ++i) {
    ExpectInvalid({{"zzz", "1"}, {"aaa", "1"}, {"mmm", "1"}}, "\"aaa\"");
  }
}

}  // namespace
}  // namespace famfs::csi
